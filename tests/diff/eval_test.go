package diff

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// TestEval runs the scripts of testdata/eval on larder and on the oracle, in both versions of the
// protocol, on an empty database each, and compares their replies. A line is a script, with ⏎ for the
// end of a line in it, and after a bar between two blanks what follows it in EVAL. Lines that begin
// with # are comments. A line that begins with an arrow has what Redis 7.4 answers to the line
// before it, in RESP2 and quoted, where 7.0 differs; the oracle is not asked then, since it may not survive.
func TestEval(t *testing.T) {
	files, err := filepath.Glob("testdata/eval/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts: ", err)
	}
	larder, redis := harness.StartBinary(t), harness.StartRedis(t)
	count := 0
	for _, resp := range []int{2, 3} {
		l, r := larder.DialRESP(t, resp), redis.DialRESP(t, resp)
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(string(text)), "\n")
			for i, line := range lines {
				if strings.HasPrefix(line, "# ") || strings.HasPrefix(line, "→ ") {
					continue
				}
				count++
				call := evalCall(line)
				l.Do("FLUSHALL")
				got := l.Do(call...).String()
				where := file + ":" + strconv.Itoa(i+1) + " RESP" + strconv.Itoa(resp)
				if next := lines[min(i+1, len(lines)-1)]; strings.HasPrefix(next, "→ ") {
					if want := strings.TrimPrefix(next, "→ "); resp == 2 && got != want {
						t.Errorf("%s: %s\nlarder %s\nwant   %s", where, line, got, want)
					}
					continue
				}
				r.Do("FLUSHALL")
				if want := r.Do(call...).String(); got != want {
					t.Errorf("%s: %s\nlarder %s\nredis  %s", where, line, got, want)
				}
			}
		}
	}
	t.Logf("%d calls", count)
}

// evalCall is the EVAL of a line.
func evalCall(line string) []string {
	script, rest, found := strings.Cut(line, " | ")
	call := []string{"EVAL", strings.ReplaceAll(script, "⏎", "\n")}
	if !found {
		return append(call, "0")
	}
	return append(call, strings.Fields(rest)...)
}
