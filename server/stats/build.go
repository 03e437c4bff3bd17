package stats

import (
	"crypto/sha256"
	"encoding/hex"
	"runtime/debug"
	"strconv"
)

// Build is what program this is and what it runs on, as INFO says it.
type Build struct {
	Revision string // of the sources, 8 hexadecimal digits; zeros if they came without
	Modified bool   // the sources were not those of the revision
	ID       string // 16 hexadecimal digits of everything that the compiler has noted of the build
	System   string // as uname has it: Linux 6.1.0 x86_64
}

// ReadBuild reads it.
func ReadBuild() Build {
	b := Build{Revision: "00000000", ID: "0000000000000000", System: systemName()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= len(b.Revision):
			b.Revision = s.Value[:len(b.Revision)]
		case s.Key == "vcs.modified":
			b.Modified, _ = strconv.ParseBool(s.Value) // false: unknown
		}
	}
	sum := sha256.Sum256([]byte(info.String()))
	b.ID = hex.EncodeToString(sum[:len(b.ID)/2])
	return b
}
