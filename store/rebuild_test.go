package store

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

// TestRemovingMostRebuilds: of a big value of which little stays the rest is garbage, and what stays
// is as it was, with its time to live; a running snapshot still gets all of the old value.
func TestRemovingMostRebuilds(t *testing.T) {
	const n, from, kept = 20_000, 7000, 100
	for kind, remove := range map[string]func(v *View, k Key){
		"list": func(v *View, k Key) {
			l, _, _ := v.WriteList(k)
			l.Trim(from, kept)
		},
		"zset": func(v *View, k Key) {
			z, _, _ := v.WriteZset(k)
			z.RemoveRange(from+kept, n, EventZRemByRank)
			z.RemoveRange(0, from, EventZRemByRank)
		},
	} {
		for _, saving := range []bool{false, true} {
			t.Run(fmt.Sprint(kind, "/saving=", saving), func(t *testing.T) {
				s := testStore(t)
				v, k := &View{Store: s, Now: 1}, s.Key([]byte("big"))
				bigValues[kind](v, k, 0, n)
				v.SetExpire(k, 1_000_000)
				before := orderedItems(t, v, k)
				saved, whole := &collector{t: t, keys: map[string]string{}}, dump(s)
				var sn *Snapshot
				if saving {
					var err error
					if sn, err = s.CutLocked(v.Now); err != nil {
						t.Fatal(err)
					}
				}
				remove(v, k)
				if got := orderedItems(t, v, k); !slices.Equal(got, before[from:from+kept]) {
					t.Errorf("%d elements stay: %.60q", len(got), got)
				}
				if e, ok := v.Peek(k); !ok || e.ExpireAt() != 1_000_000 {
					t.Error("the time to live is another one")
				}
				if garbage := len(s.shards[k.shard].garbage); !saving && garbage == 0 {
					t.Error("what was removed was freed at once")
				}
				if !saving {
					return
				}
				if err := sn.Run(saved); err != nil || !maps.Equal(saved.keys, whole) {
					t.Errorf("the snapshot does not have the old value: %v", err)
				}
			})
		}
	}
}

// orderedItems are the elements of a value, in order.
func orderedItems(t *testing.T, v *View, k Key) (items []string) {
	t.Helper()
	e, ok := v.Peek(k)
	if !ok {
		t.Fatal("the key is gone")
	}
	c := e.Content()
	c.Each(func(item, _ []byte) bool {
		items = append(items, string(item))
		return true
	})
	return items
}
