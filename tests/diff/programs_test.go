package diff

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// programs is how many a run of the tests compares, unless SOAK says for how long it shall go on.
const programs = 400

// TestPrograms runs random programs on both servers. One whose replies differ is made as small as
// it can be while they do.
func TestPrograms(t *testing.T) {
	larder, redis := harness.Start(t), harness.StartRedis(t)
	both := duel{larder.Dial(t), redis.Dial(t)}
	differ := func(p program) bool {
		a, b := both.do([]string{"EVAL", p.String(), "0"})
		return a.Raw != b.Raw
	}
	rnd := randtest.New(t)
	soak, began := randtest.Soak(t), time.Now()
	for n := 0; soak == 0 && n < programs || time.Since(began) < soak; n++ {
		p := writeProgram(rnd)
		if !differ(p) {
			continue
		}
		p = p.shrink(differ)
		a, b := both.do([]string{"EVAL", p.String(), "0"})
		x, y := firstDifference(a.Raw, b.Raw)
		t.Fatalf("program %d:\n%s\n  larder %q\n  redis  %q", n, p, x, y)
	}
}

// firstDifference returns the first lines that differ, with the line before.
func firstDifference(a, b string) (x, y string) {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if i > 0 && as[i] != bs[i] { // the first one is the length
			return strings.Join(as[i-1:i+1], "\n"), strings.Join(bs[i-1:i+1], "\n")
		}
	}
	return fmt.Sprintf("%d lines", len(as)), fmt.Sprintf("%d lines", len(bs))
}
