package notify

import (
	"slices"
	"strconv"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// patience is how long a test waits for what must happen.
const patience = harness.Patience

// watched is a server with keys of which everybody who can be told is told: a subscriber, a client with
// a cache of its own, one that watches a key.
type watched struct {
	*harness.Conn
	told, cache, watcher *harness.Conn
}

func newWatched(t *testing.T, s *harness.Server, keys int) *watched {
	t.Helper()
	w := &watched{s.Dial(t), s.Dial(t), s.DialRESP(t, 3), s.Dial(t)}
	w.MustOK("CONFIG", "SET", "notify-keyspace-events", "Eg")
	for i := range keys {
		w.MustOK("SET", "a:"+strconv.Itoa(i), "v")
	}
	w.MustOK("SET", "b", "v")
	w.told.Do("SUBSCRIBE", "__keyevent@0__:del")
	w.cache.MustOK("CLIENT", "TRACKING", "ON")
	for i := range keys {
		w.cache.Do("GET", "a:"+strconv.Itoa(i))
	}
	w.watcher.MustOK("WATCH", "a:0")
	return w
}

// check holds what everybody was told against the keys that have gone.
func (w *watched) check(t *testing.T, keys int) {
	t.Helper()
	var want, deleted, forgotten []string
	for i := range keys {
		want = append(want, "a:"+strconv.Itoa(i))
		deleted = append(deleted, w.told.Read().Elems[2].Text)
		forgotten = append(forgotten, w.cache.Read().Elems[1].Elems[0].Text)
	}
	for _, list := range [][]string{want, deleted, forgotten} {
		slices.Sort(list)
	}
	if !slices.Equal(deleted, want) {
		t.Errorf("published as deleted: %s", deleted)
	}
	if !slices.Equal(forgotten, want) {
		t.Errorf("to be forgotten: %s", forgotten)
	}
	w.watcher.MustOK("MULTI")
	w.watcher.Do("PING")
	if r := w.watcher.Do("EXEC"); r.Raw != "*-1\r\n" {
		t.Errorf("who watched a key that has gone: %v", r)
	}
	if r := w.Do("DBSIZE"); r.Text != "1" {
		t.Errorf("%v keys are left", r)
	}
}

// TestRemoveTells: everybody hears of what RM deletes as of DEL.
func TestRemoveTells(t *testing.T) {
	const keys = 300
	harness.EachDriver(t, func(t *testing.T, driver string) {
		w := newWatched(t, harness.Start(t, "network-driver "+driver), keys)
		cursor := "0"
		for {
			r := w.Do("RM", cursor, "MATCH", "a:*", "COUNT", "50")
			if cursor = r.Elems[0].Text; cursor == "0" {
				break
			}
		}
		w.check(t, keys)
	})
}

// TestPurgeTells: and of what is deleted in the background.
func TestPurgeTells(t *testing.T) {
	const keys = 300
	harness.EachDriver(t, func(t *testing.T, driver string) {
		w := newWatched(t, harness.Start(t, "network-driver "+driver), keys)
		w.Do("CACHE.PURGE", "START", "PREFIX", "a:", "RATE", "3000")
		w.check(t, keys)
		harness.Eventually(t, patience, "the purge has ended", func() bool { return w.Info("stats", "purges_running") == "0" })
		if n := w.Info("stats", "purged_keys"); n != strconv.Itoa(keys) {
			t.Errorf("%s keys were purged", n)
		}
		w.MustOK("CONFIG", "RESETSTAT")
		if n := w.Info("stats", "purged_keys"); n != "0" {
			t.Errorf("%s keys were purged after CONFIG RESETSTAT", n)
		}
	})
}
