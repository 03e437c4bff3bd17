package evict

import (
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// TestEvents: each key that is evicted is told of, once, as is each that expires, and no other.
func TestEvents(t *testing.T) {
	s := harness.StartSubject(t, "maxmemory 40mb", "maxmemory-policy allkeys-lru", "notify-keyspace-events Exe", "client-output-buffer-limit pubsub 0 0 0")
	c, told := s.Dial(t), s.Dial(t)
	told.Do("PSUBSCRIBE", "*")
	const keys = 40_000
	value := strings.Repeat("v", 2000)
	for i := range keys {
		c.Send("SET", "k"+strconv.Itoa(i), value)
		if i%100 == 99 {
			for range 100 {
				c.Read()
			}
		}
	}
	c.Do("SET", "short", "v", "PX", "1")
	c.Do("CONFIG", "SET", "maxmemory", "0")
	gone := map[string]bool{}
	for !gone["short"] {
		r := told.Read()
		key := r.Elems[3].Text
		if want := "__keyevent@0__:evicted"; r.Elems[2].Text != want && (key != "short" || r.Elems[2].Text != "__keyevent@0__:expired") {
			t.Fatalf("%v, want %s", r, want)
		}
		if gone[key] {
			t.Fatalf("%s is told of twice", key)
		}
		gone[key] = true
	}
	if n := c.Info("stats", "evicted_keys"); n != strconv.Itoa(len(gone)-1) || n == "0" {
		t.Errorf("%s keys were evicted, %d told of", n, len(gone)-1)
	}
	for i := range keys {
		key := "k" + strconv.Itoa(i)
		c.Send("EXISTS", key)
		if i%100 == 99 {
			for j := i - 99; j <= i; j++ {
				if n, _ := c.Read().Int(); (n == 0) != gone["k"+strconv.Itoa(j)] {
					t.Fatalf("k%d: %d of it there, told of: %v", j, n, gone["k"+strconv.Itoa(j)])
				}
			}
		}
	}
}
