//go:build linux

package main

// prefixFigures are GET and SET by a larder that counts nothing by prefix and looks for no hot keys. What
// that costs is by how much cpu-GET-p16 and cpu-SET-p16, where it does both, are above them.
func (b *bench) prefixFigures() []figure {
	var out []figure
	for _, cmd := range []string{"GET", "SET"} {
		f := b.commandFigure(commandLoad{
			name: "prefix-off-" + cmd + "-p16", what: cmd + " 64 B without statistics by prefix and hot keys", pipeline: 16,
			ops: b.size(2_000_000, 150_000), limit: 0.65, standard: cmd, fill: fillStrings,
		})
		f.larderFlags = []string{"--prefix-stats", "no", "--hotkeys", "no"}
		out = append(out, f)
	}
	return out
}
