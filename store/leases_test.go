package store

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// leaseWaiter waits for leases.
type leaseWaiter struct {
	Waiter
	told int
}

func (w *leaseWaiter) Ready() { w.told++ }

func newLeaseWaiter() *leaseWaiter {
	w := &leaseWaiter{Waiter: Waiter{Lease: true}}
	w.Owner = w
	return w
}

// TestLeaseCrowd: ten thousand who wait for one value are told in groups, in their order, and all of
// them; no change tells more than a group, which is smaller if what they share is long.
func TestLeaseCrowd(t *testing.T) {
	for size, group := range map[int]int{0: tellAtOnce, 100: tellAtOnce, tellBytes / 4: 4, 2 * tellBytes: 1} {
		testLeaseCrowd(t, size, group)
	}
}

func testLeaseCrowd(t *testing.T, size, group int) {
	s := openStore(t, Options{})
	v := &View{Store: s, Now: 1_700_000_000_000}
	k := s.Key([]byte("page"))
	var holder LeaseHolder
	token, _ := v.Lease(k, &holder, 1000, nil, false)
	if token == 0 {
		t.Fatal("no lease")
	}
	crowd := make([]*leaseWaiter, 10_000)
	for i := range crowd {
		if other, busy := v.Lease(k, new(LeaseHolder), 1000, nil, false); other != 0 || !busy {
			t.Fatal("two leases")
		}
		crowd[i] = newLeaseWaiter()
		v.Wait([]Key{k}, &crowd[i].Waiter)
	}
	if _, ok := v.Fill(k, token, nil); !ok {
		t.Fatal("refused")
	}
	v.SetString(k, []byte("value"), 0)
	next := 0 // the first who has not been told
	for i, w := range crowd {
		for next < len(crowd) && crowd[next].told == 1 {
			next++
		}
		most := 1
		if i > 0 {
			most = group
		}
		if next != min(i+most, len(crowd)) {
			t.Fatalf("%d have been told when %d have been served", next, i)
		}
		if i == 0 {
			v.Share(&w.Waiter, "what all get", size)
		} else if v.Shared(&w.Waiter) != "what all get" || w.Others() != (i < len(crowd)-1) {
			t.Fatalf("waiter %d finds %v", i, v.Shared(&w.Waiter))
		}
		v.Leave(&w.Waiter)
	}
	if n := s.Leases(); n.Leases != 0 || n.Bytes != 0 || n.Filled != 1 {
		t.Errorf("%+v", n)
	}
	if v.Share(&crowd[0].Waiter, "late", 1); v.Shared(&crowd[0].Waiter) != nil || s.Leases().Bytes != 0 {
		t.Error("somebody who waits no more shares something")
	}
}

// TestLeaseGoesOn: the next who waits holds the lease when the one before has gone, however he went.
func TestLeaseGoesOn(t *testing.T) {
	s := openStore(t, Options{})
	v := &View{Store: s, Now: 1_700_000_000_000}
	k := s.Key([]byte("page"))
	holders := make([]LeaseHolder, 8)
	token, _ := v.Lease(k, &holders[0], 1000, nil, false)
	crowd := make([]*leaseWaiter, len(holders))
	for i := range crowd {
		crowd[i] = newLeaseWaiter()
		v.Wait([]Key{k}, &crowd[i].Waiter)
	}
	for i, end := range []func(){
		func() { holders[0].End(s) },
		func() { v.EndLease(k, token) },
		func() { v.Delete(k); v.SetString(k, nil, 0); v.Delete(k) },
		func() { v.Now += 1000; _, _ = s.Maintain(v.Now) },
		func() { s.FlushLocked(0, v.Now) },
		func() { v.Invalidate([]byte("tag"), false); v.Fill(k, token, [][]byte{[]byte("tag")}) },
		func() { v.Leave(&crowd[5].Waiter); v.EndLease(k, token) },
	} {
		for range len(s.shards) { // the maintenance looks at one shard after the other
			end()
			end = func() { _, _ = s.Maintain(v.Now) }
		}
		w := crowd[i]
		if i == 5 {
			continue // he goes without having answered
		}
		if i == 2 || i == 6 {
			for _, w := range crowd[i+1:] { // some others may have been told of the value, in vain
				v.Stay(&w.Waiter)
			}
		}
		if w.told == 0 {
			t.Fatalf("%d was not told", i)
		}
		if other, busy := v.Lease(k, &holders[i], 1000, nil, false); other != 0 || !busy {
			t.Fatalf("%d: a newcomer got in between", i)
		}
		if token, _ = v.Lease(k, &holders[i], 1000, &w.Waiter, false); token == 0 {
			t.Fatalf("%d got no lease", i)
		}
		v.Leave(&w.Waiter)
	}
}

// TestLeaseTable: leases that ended leave nothing behind, and there are never too many.
func TestLeaseTable(t *testing.T) {
	s := openStore(t, Options{})
	s.SetMaxLeases(100, 0)
	v := &View{Store: s, Now: 1_700_000_000_000}
	var holder LeaseHolder
	given := 0
	for i := range 200 {
		if token, busy := v.Lease(s.Key(fmt.Append(nil, i)), &holder, 1000+int64(i), nil, false); token != 0 {
			given++
		} else if busy {
			t.Fatal("busy")
		}
	}
	if given != 100 {
		t.Errorf("%d leases", given)
	}
	for i := range 50 {
		v.SetString(s.Key(fmt.Append(nil, i)), nil, 0)
	}
	if n := s.Leases().Leases; n != 50 {
		t.Errorf("%d leases", n)
	}
	v.Now += 1075
	for range 2 * len(s.shards) {
		_, _ = s.Maintain(v.Now)
	}
	if n := s.Leases(); n.Leases != 24 || n.Late != 26 {
		t.Errorf("%+v", n)
	}
	holder.End(s)
	if n := s.Leases(); n.Leases != 0 || n.Bytes != 0 {
		t.Errorf("%+v", n)
	}
	for i := range s.shards {
		if sh := &s.shards[i]; len(sh.leases.byKey) != 0 || len(sh.leases.ends) != 0 || sh.interest != 0 {
			t.Errorf("shard %d: %d leases, interest %x", i, len(sh.leases.byKey), sh.interest)
		}
	}
}

// TestLeaseBytes: names of any length and replies that are shared stay within what leases may take.
func TestLeaseBytes(t *testing.T) {
	for memory, most := range map[int64]int64{
		0: usualLeases * (leaseMemory + leaseName), 32 << 20: 32 << 20 / leaseShare, 1 << 40: usualLeases * (leaseMemory + leaseName),
	} {
		s := openStore(t, Options{})
		s.SetMaxLeases(usualLeases, memory)
		v := &View{Store: s, Now: 1_700_000_000_000}
		var holder LeaseHolder
		name, given := make([]byte, 1<<20), int64(0)
		for i := range byte(150) {
			name[0] = i
			if token, busy := v.Lease(s.Key(name), &holder, 1000, nil, false); token != 0 {
				given++
			} else if busy {
				t.Fatal("busy")
			}
		}
		if n := s.Leases(); n.Bytes > most || n.Bytes != s.LeaseBytes() || given != most/(1<<20+leaseMemory) {
			t.Errorf("under %d: %d leases, %+v", memory, given, n)
		}
		k := s.Key([]byte("page"))
		v.Lease(k, &holder, 1000, nil, false)
		w := newLeaseWaiter()
		v.Wait([]Key{k}, &w.Waiter)
		if v.Share(&w.Waiter, "too long", int(most)); v.Shared(&w.Waiter) != nil || s.LeaseBytes() > most {
			t.Errorf("under %d: more is shared than there is room for", memory)
		}
		if v.Share(&w.Waiter, "short", 5); v.Shared(&w.Waiter) != "short" {
			t.Errorf("under %d: nothing is shared", memory)
		}
		if got := w.Memory(); got != 0 {
			t.Errorf("one who waits takes %d bytes beside the lease", got)
		}
		v.Leave(&w.Waiter)
		if holder.End(s); s.LeaseBytes() != 0 {
			t.Errorf("%d bytes of no lease", s.LeaseBytes())
		}
	}
}

// TestLeaseOfYears: a lease that ends later than ticks can say does not keep the maintenance busy.
func TestLeaseOfYears(t *testing.T) {
	const year = 365 * 24 * 60 * 60 * 1000
	for _, d := range []int64{year, 3 * year, 5 * year, math.MaxInt64 / 1_000_000} {
		s := openStore(t, Options{})
		v := &View{Store: s, Now: 1_700_000_000_000}
		if token, _ := v.Lease(s.Key([]byte("page")), new(LeaseHolder), d, nil, false); token == 0 {
			t.Fatal("no lease")
		}
		if rest := s.Rest(time.UnixMilli(v.Now), time.Hour); rest != time.Hour {
			t.Errorf("with a lease of %d ms the maintenance rests %v", d, rest)
		}
	}
}
