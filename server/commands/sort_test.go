package commands

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/persistence/aof"
	"github.com/larderkv/larder/tests/randtest"
)

// Replies are compared with Redis' in tests/diff; here is what cannot be seen from there.

// TestSortStraysWithPatternsOnly: what has to be locked beyond the request's own keys goes by the
// patterns that name keys, and by nothing that looks like one.
func TestSortStraysWithPatternsOnly(t *testing.T) {
	for request, want := range map[string]bool{
		"SORT l": false, "SORT l ALPHA DESC LIMIT 0 5": false, "SORT l BY nosort GET #": false, "SORT l GET const": false,
		"SORT * STORE w_*": false, "SORT l LIMIT * *": false, "SORT l BY GET": false, "SORT l GET": false,
		"SORT l BY w_*": true, "SORT l GET # GET h_*->f": true, "sort l by nosort get *": true, "SORT l STORE d GET *": true,
	} {
		var args [][]byte
		for word := range strings.FieldsSeq(request) {
			args = append(args, []byte(word))
		}
		if got := sortStrays(args); got != want {
			t.Errorf("%s: %v", request, got)
		}
	}
}

// TestSortRemovesWhatHasExpired: a replay of the log expires nothing, so that keys which the stored
// result took for gone have to be gone from the log before it.
func TestSortRemovesWhatHasExpired(t *testing.T) {
	r := newLogRig(t, "no")
	c := r.client()
	c.do("RPUSH", "l", "1", "2")
	c.do("RPUSH", "old", "1")
	c.do("MSET", "w_1", "9", "w_2", "5")
	c.do("HSET", "h_2", "f", "v")
	for _, key := range []string{"w_1", "h_2", "old"} {
		c.do("PEXPIRE", key, "1000")
	}
	r.now.Add(int64(2 * time.Second / time.Millisecond))
	c.expect("SORT l BY w_* GET # GET h_*->f", `["1" nil "2" nil]`) // looks past them
	c.expect("SORT l BY w_* GET # GET h_*->f STORE d", ":4")
	c.expect("SORT old STORE none", ":0")
	var got []string
	r.readLog(func(batch []aof.Command) error {
		for _, command := range batch {
			var words []string
			for _, arg := range command.Args {
				words = append(words, string(arg))
			}
			got = append(got, strings.Join(words, " "))
		}
		return nil
	})
	want := []string{"DEL w_1", "DEL h_2", "SORT l BY w_* GET # GET h_*->f STORE d", "DEL old"}
	got = slices.DeleteFunc(got, func(s string) bool { return !slices.Contains(want, s) })
	if !slices.Equal(got, want) {
		t.Errorf("the log has %q, want %q", got, want)
	}
}

// TestSortStoresOverItsSource: the result is complete before its place is taken.
func TestSortStoresOverItsSource(t *testing.T) {
	for _, n := range []int{5, 5000} {
		c := newTestClient(t)
		request, want := []string{"RPUSH", "l"}, make([]string, n)
		for i := range n {
			request = append(request, fmt.Sprintf("element:%d", n-i))
			want[i] = fmt.Sprintf("%q", fmt.Sprintf("element:%d", n-i))
		}
		slices.Sort(want)
		c.do(request...)
		c.expect("SORT l ALPHA STORE l", fmt.Sprint(":", n))
		if got := c.do("LRANGE", "l", "0", "-1"); got != "["+strings.Join(want, " ")+"]" {
			t.Errorf("%d elements: %.200s", n, got)
		}
	}
}

// What LIMIT asks for is what a full sort has there, whatever the data and the window.
func TestSortWindow(t *testing.T) {
	rng := randtest.New(t)
	for range 2000 {
		n := rng.IntN(200)
		s := sorting{offset: int64(rng.IntN(n+10) - 5), count: int64(rng.IntN(n+10) - 5), desc: rng.IntN(2) == 0}
		different := 1 + rng.IntN(1+rng.IntN(2*n+1))
		for i := range n {
			v := i
			if rng.IntN(2) == 0 {
				v = rng.IntN(different)
			}
			s.items = append(s.items, sortItem{fmt.Append(nil, v%different), uint64(rng.IntN(different) / 2)})
		}
		want := slices.Clone(s.items)
		slices.SortFunc(want, compareNumbers)
		if s.desc {
			slices.Reverse(want)
		}
		s.sortBy(compareNumbers)
		from, to := s.window(n)
		for i := from; i < to; i++ {
			if compareNumbers(s.items[i], want[i]) != 0 {
				t.Fatalf("item %d of %d, %d to %d: %q, not %q", i, n, from, to, s.items[i].element, want[i].element)
			}
		}
		slices.SortFunc(s.items, compareNumbers)
		slices.SortFunc(want, compareNumbers)
		for i := range want {
			if compareNumbers(s.items[i], want[i]) != 0 {
				t.Fatalf("an item is lost: %q", want[i].element)
			}
		}
	}
}
