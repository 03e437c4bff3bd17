package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// TestWarmAndExportCommands: what they print, and what exit codes tell.
func TestWarmAndExportCommands(t *testing.T) {
	s := harness.Start(t)
	dir := t.TempDir()
	good, bad, out := filepath.Join(dir, "good.csv"), filepath.Join(dir, "bad.csv"), filepath.Join(dir, "out.ndjson")
	for name, content := range map[string]string{good: "a,1\nb,2\n", bad: "a,1\nb\n"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		args           string
		code           int
		stdout, stderr string // what they begin with
	}{
		{"warm --from " + good, 0, "2 keys in ", ""},
		{"warm --only-missing --from " + good, 0, "0 keys in ", ""},
		{"warm --from " + bad, 2, "1 key in ",
			"       1  broken record: there is no value (line 2)\nlarder: 1 record failed, the rest is in"},
		{"warm --from " + good + " --db 99", 1, "0 keys in ", "larder: " + s.Addr +
			" refuses: ERR DB index is out of range"},
		{"warm", 1, "", "larder: --from FILE is missing"},
		{"warm --ttl-jitter 110% --from " + good, 1, "", "larder: --ttl-jitter: \"110%\" is no share"},
		{"warm --ttl -1s --from " + good, 1, "", "larder: --ttl takes a time above 0"},
		{"warm --format xml --from " + good, 1, "", "larder: \"xml\" is none of the formats"},
		{"export --pattern a", 0, `{"key":"a","type":"string","value":"1"}`, ""},
		{"export --to " + out, 0, "2 keys in ", ""},
		{"export --format xml --to " + out + ".no", 1, "", "larder: \"xml\" is none of the formats"},
	} {
		p := start(t, "", append(strings.Fields(test.args), "--addr", s.Addr)...)
		lines, code := p.end()
		printed, said := strings.Join(lines, "\n"), p.stderr.String()
		if code != test.code || !strings.HasPrefix(printed, test.stdout) || !strings.HasPrefix(said, test.stderr) ||
			test.stderr == "" && said != "" {
			t.Errorf("%s: exit code %d\n%s\n%s", test.args, code, printed, said)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "out*"))
	if err != nil || len(left) != 1 {
		t.Errorf("%v, %v: want one file, whole", left, err)
	}
}
