package engine

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/store"
)

// slotRows are INSLOT, which needs a slot that MOVESLOT changes, as FUNCTION LOAD may give a function
// to another library.
func slotRows() []Spec {
	var slot, inside atomic.Int64
	return []Spec{
		{Name: "inslot", Arity: -1, Locks: func(c *Ctx, l *store.Lockset) { l.AddSlot(c.Store, int(slot.Load())) },
			Handler: func(c *Ctx) error {
				if !c.locks.Has(c.Store.Shards()+int(slot.Load())) || inside.Add(1) != 1 {
					return errors.New("the slot is not locked")
				}
				inside.Add(-1)
				c.Out.OK()
				return nil
			}},
		{Name: "moveslot", Arity: 1, Flags: Write, Locks: func(c *Ctx, l *store.Lockset) {
			l.Add(0)
			l.AddSlots(c.Store)
		}, Handler: func(c *Ctx) error {
			slot.Store((slot.Load() + 1) % store.Slots)
			c.Kernel.Libraries.Add(1)
			c.Out.OK()
			return nil
		}},
	}
}

// TestSlotsAreThoseOfTheMoment: what a request has locked is what it needs when it runs, though that
// may have changed since it was looked up.
func TestSlotsAreThoseOfTheMoment(t *testing.T) {
	r := newRig(t)
	var clients sync.WaitGroup
	for w := range 4 {
		c := r.connect()
		clients.Go(func() {
			for i := range 5000 {
				line := "inslot"
				switch {
				case w == 0:
					line = "moveslot"
				case i%10 == 9:
					line = "multi\ninslot\nmoveslot\ninslot\nexec"
				case i%10 == 8:
					line = "multi\nswapvalues a b\nsize\ninslot\nexec"
				}
				if got := c.do(line); strings.Contains(got, "-") {
					t.Errorf("%s: %s", line, got)
				}
			}
		})
	}
	clients.Wait()
}
