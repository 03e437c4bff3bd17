package engine

import (
	"testing"

	"github.com/larderkv/larder/store"
)

func TestParseNotified(t *testing.T) {
	for letters, want := range map[string]notified{
		"":              {},
		"g$lshzxetd":    {}, // no channel
		"g$eKE":         {classes: store.ClassGeneric | store.ClassString | store.ClassEvicted, keyspace: true, keyevent: true},
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
