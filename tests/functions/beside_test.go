package functions

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// TestCallsBesideEachOther: many clients call functions of a few libraries, alone and in
// transactions, while others are loaded, replaced, restored and listed. The calls of one library
// exclude each other: none of its counts is lost, in its variables or in its keys.
func TestCallsBesideEachOther(t *testing.T) {
	const libraries, clients, rounds = 3, 6, 150
	s := harness.Start(t, "io-threads 4")
	setup := s.Dial(t)
	for i := range libraries {
		source := fmt.Sprintf("#!lua name=l%d\nlocal n = 0\nredis.register_function('count%d', function(keys) n = n + 1 "+
			"redis.call('INCR', keys[1]) redis.call('INCR', keys[1] .. ':stray') return n end)", i, i)
		if r := setup.Do("FUNCTION", "LOAD", source); r.IsError() {
			t.Fatal(r)
		}
	}
	var done, all sync.WaitGroup
	stop := make(chan struct{})
	var mu sync.Mutex
	seen := map[string]bool{}
	note := func(library int, reply string) {
		mu.Lock()
		defer mu.Unlock()
		if key := fmt.Sprint(library, reply); seen[key] {
			t.Errorf("library %d has counted %s twice", library, reply)
		} else {
			seen[key] = true
		}
	}
	for w := range clients {
		c := s.Dial(t)
		all.Go(func() {
			for i := range rounds {
				l := (w + i) % libraries
				other := (l + 1) % libraries
				if i%3 != 0 {
					note(l, c.Do("FCALL", fmt.Sprintf("count%d", l), "1", fmt.Sprintf("key%d", l)).Raw)
					continue
				}
				c.Do("MULTI")
				c.Do("FCALL", fmt.Sprintf("count%d", l), "1", fmt.Sprintf("key%d", l))
				c.Do("FCALL", fmt.Sprintf("count%d", other), "1", fmt.Sprintf("key%d", other))
				r := c.Do("EXEC")
				if len(r.Elems) != 2 {
					t.Errorf("EXEC: %v", r)
					return
				}
				note(l, r.Elems[0].Raw)
				note(other, r.Elems[1].Raw)
			}
		})
	}
	for w := range 2 {
		c := s.Dial(t)
		done.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				name := fmt.Sprintf("changing%d", w)
				source := fmt.Sprintf("#!lua name=%s\nredis.register_function('%s', function() return %d end)", name,
					name, i)
				for _, args := range [][]string{
					{"FUNCTION", "LOAD", "REPLACE", source}, {"FCALL", name, "0"}, {"FUNCTION", "LIST", "WITHCODE"},
					{"FUNCTION", "STATS"}, {"INFO", "memory"}, {"FUNCTION", "DELETE", name},
				} {
					if r := c.Do(args...); r.IsError() {
						t.Errorf("%q: %v", args, r)
					} else if args[0] == "FCALL" && r.Raw != ":"+strconv.Itoa(i)+"\r\n" {
						t.Errorf("%v from function %d", r, i)
					}
				}
			}
		})
	}
	all.Wait()
	close(stop)
	done.Wait()
	total := 0
	for i := range libraries {
		n := setup.Do("GET", fmt.Sprintf("key%d", i)).Text
		if stray := setup.Do("GET", fmt.Sprintf("key%d:stray", i)).Text; stray != n {
			t.Errorf("key%d is %s, what strays %s", i, n, stray)
		}
		count, err := strconv.Atoi(n)
		if err != nil {
			t.Fatal(err)
		}
		total += count
		r := setup.Do("FCALL", fmt.Sprintf("count%d", i), "1", fmt.Sprintf("key%d", i))
		if r.Raw != fmt.Sprintf(":%d\r\n", count+1) {
			t.Errorf("library %d has counted to %v, its key to %d", i, r, count)
		}
	}
	if want := clients * rounds * 4 / 3; total != want {
		t.Errorf("%d calls, want %d", total, want)
	}
	if info := setup.Do("INFO", "memory").Text; !strings.Contains(info, "number_of_libraries:3\r\n") {
		t.Error(info)
	}
}
