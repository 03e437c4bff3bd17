package engine

import (
	"testing"

	"github.com/larderkv/larder/store"
)

func TestParseNotified(t *testing.T) {
	for letters, want := range map[string]notified{
		"":              {},
		"g$lshzxetd":    {}, // no channel
		"g$eKE":         {classes: store.ClassGeneric | store.ClassInvalidated | store.ClassString | store.ClassEvicted, keyspace: true, keyevent: true},
		"lshzxE":        {classes: store.ClassList | store.ClassSet | store.ClassHash | store.ClassZset | store.ClassExpired, keyevent: true},
		"g$lshzxetdK":   {classes: store.AllClasses, keyspace: true},
		"g$lshzxetdnKm": {classes: store.AllClasses | store.ClassNew | store.ClassKeyMiss, keyspace: true},
		"tdE":           {keyevent: true}, // classes of which there is nothing
	} {
		want.letters = letters
		if got := parseNotified(letters); got != want {
			t.Errorf("%q: %+v, want %+v", letters, got, want)
		}
	}
}

// TestBackgroundMessages: what the background work says is put off, and comes in the same words as
// what a command causes.
func TestBackgroundMessages(t *testing.T) {
	r := newRigOn(t, nil, "--notify-keyspace-events", "Ex")
	a, b := r.connect(), r.connect()
	b.do("subscribe __keyevent@0__:expired")
	a.expect("set by-itself v PX 1000\nset by-a-write v PX 60000", "+OK +OK")
	for more := true; more; {
		var err error
		if more, err = r.kernel.Store.Maintain(r.now.Load() + 5000); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.conn.later; n != 1 {
		t.Errorf("%d messages of the background work were put off, want 1", n)
	}
	const head = "*3\r\n$7\r\nmessage\r\n$22\r\n__keyevent@0__:expired\r\n"
	if got, want := b.conn.heard(), head+"$9\r\nby-itself\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	r.now.Add(61_000)
	a.expect("set by-a-write w", "+OK")
	if got, want := b.conn.heard(), head+"$10\r\nby-a-write\r\n"; got != want || b.conn.later != 1 {
		t.Errorf("%q, want %q; put off %d", got, want, b.conn.later)
	}
}
