package store

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/randtest"
)

// trackModel is clients that keep what they have read until they are told.
type trackModel struct {
	t       *testing.T
	s       *Store
	v       View
	clients []*Tracker
	keeps   map[string]map[*Tracker]bool // by key: who keeps what it has read, true if that was that the key has expired
	changed []string
	told    int
}

func newTrackModel(t *testing.T, shards int) *trackModel {
	m := &trackModel{t: t, s: openStore(t, Options{Shards: shards}), keeps: map[string]map[*Tracker]bool{}}
	m.v = View{Store: m.s, Now: 1000}
	m.s.SetForgetter(m)
	return m
}

// Forget implements Forgetter.
func (m *trackModel) Forget(trackers []*Tracker, key []byte) {
	for _, tr := range trackers {
		if _, ok := m.keeps[string(key)][tr]; !ok {
			m.t.Fatalf("client %v is told of %.20q, which it has not read since", tr.Owner, key)
		}
		delete(m.keeps[string(key)], tr)
		m.told++
	}
}

// Changed implements Forgetter.
func (m *trackModel) Changed(key []byte) { m.changed = append(m.changed, string(key)) }

func (m *trackModel) read(name string, tr *Tracker) {
	k := m.s.Key([]byte(name))
	before := m.v.Hidden
	_, ok := m.v.Read(k)
	hidden := m.v.Hidden != before
	if m.keeps[name] == nil {
		m.keeps[name] = map[*Tracker]bool{}
	}
	if _, again := m.keeps[name][tr]; !again || hidden {
		m.keeps[name][tr] = hidden && !ok
	}
	m.v.Track(k, tr, hidden) // may tell at once
}

// mustBeTold checks that nobody keeps a value of a key that has changed; where it has expired, those
// may who have read that.
func (m *trackModel) mustBeTold(name string, expired bool) {
	for tr, absent := range m.keeps[name] {
		if !expired || !absent {
			m.t.Fatalf("client %v keeps %.20q, which has changed", tr.Owner, name)
		}
	}
}

func (m *trackModel) client(i int) *Tracker {
	for len(m.clients) <= i {
		m.clients = append(m.clients, m.s.NewTracker(len(m.clients)))
	}
	return m.clients[i]
}

// end lets a client go; another takes its place.
func (m *trackModel) end(i int) {
	tr := m.client(i)
	m.s.EndTracker(tr)
	for _, k := range m.keeps {
		delete(k, tr)
	}
	m.clients[i] = m.s.NewTracker(fmt.Sprint(i, "again"))
}

func (m *trackModel) maintain() {
	for more := true; more; {
		var err error
		if more, err = m.s.Maintain(m.v.Now); err != nil {
			m.t.Fatal(err)
		}
	}
}

// counts checks the store's counts against its tables.
func (m *trackModel) counts() {
	m.t.Helper()
	keys, items, names := 0, 0, 0
	of := map[uint32]int64{}
	for i := range m.s.shards {
		t := m.s.shards[i].tracked
		if t.table == nil {
			continue
		}
		keys += t.n
		for si := range t.subs {
			t.eachSlot(&t.subs[si], func(b *bucket, _ uint32, slot uint8, _ bool) {
				ref := b.ref(slot)
				names += len(recordKey(t.mem, ref))
				last := -1
				for i, list := 0, t.items(ref); i < len(list)/itemSize; i++ {
					if item := itemAt(list, i); item != noItem {
						if int(item>>1) <= last {
							m.t.Error("the items of an entry are not in order")
						}
						last = int(item >> 1)
						items++
						of[item>>1]++
					}
				}
				if last < 0 {
					m.t.Error("an entry has no items")
				}
			})
		}
	}
	tr := &m.s.tracking
	if k, i := m.s.Tracked(); int(k) != keys || int(i) != items || int(tr.names.Load()) != names {
		m.t.Errorf("%d keys, %d items, %d bytes of names counted; there are %d, %d, %d", k, i, tr.names.Load(), keys, items, names)
	}
	for number, n := range of {
		if got := tr.tracker(number << 1).items.Load(); got != n {
			m.t.Errorf("a client has %d items and counts %d", n, got)
		}
	}
}

// Clients read, keys change, expire and are removed, clients go: whoever keeps a value is told of the
// first change, and nobody else.
func TestTrackingAgainstModel(t *testing.T) {
	r := randtest.New(t)
	m := newTrackModel(t, 4)
	name := func() string {
		if r.IntN(50) == 0 {
			return strings.Repeat("long", 500+r.IntN(3))
		}
		return fmt.Sprint("key:", r.IntN(60))
	}
	for range 60_000 {
		n := name()
		k := m.s.Key([]byte(n))
		switch r.IntN(12) {
		case 0:
			m.v.SetString(k, []byte("v"), 0)
			m.mustBeTold(n, false)
		case 1:
			m.v.SetString(k, []byte("v"), m.v.Now+int64(r.IntN(400)))
			m.mustBeTold(n, false)
		case 2:
			if m.v.Delete(k) {
				m.mustBeTold(n, false)
			}
		case 3:
			if r.IntN(20) == 0 {
				m.maintain()
				m.counts()
			}
		case 4:
			m.v.Now += int64(r.IntN(100))
		case 5:
			if r.IntN(40) == 0 {
				m.end(r.IntN(len(m.clients) + 1))
			}
		case 6:
			if r.IntN(200) == 0 {
				m.s.FlushLocked(0, m.v.Now)
				m.s.ForgetTracked()
				clear(m.keeps)
			}
		case 7:
			if _, ok := m.v.Read(k); !ok && m.v.isExpired(k) {
				m.mustBeTold(n, true)
			}
		default:
			m.read(n, m.client(r.IntN(1+r.IntN(20))))
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	if m.told == 0 {
		t.Error("nobody was told anything")
	}
	m.counts()
}

// However much is read, the limits hold; and whoever's entry goes for them is told.
func TestTrackingLimits(t *testing.T) {
	r := randtest.New(t)
	for _, limit := range []struct {
		keys    int64
		clients int
		name    func() string
	}{
		{1, 3, func() string { return fmt.Sprint(r.IntN(100)) }},
		{100, 3, func() string { return fmt.Sprint(r.IntN(1000)) }},
		{100, 60, func() string { return fmt.Sprint(r.IntN(90)) }},
		{10, 2, func() string { return strings.Repeat(fmt.Sprint(r.IntN(9)), 100+r.IntN(1000)) }},
	} {
		m := newTrackModel(t, 8)
		m.s.SetMaxTracked(limit.keys)
		names := map[string]bool{}
		for range 20_000 {
			n := limit.name()
			names[n] = true
			m.read(n, m.client(r.IntN(limit.clients)))
			if m.s.tracksTooMuch() {
				t.Fatalf("limit %d: %d keys, %d items, %d bytes of names", limit.keys, m.s.tracking.keys.Load(), m.s.tracking.items.Load(), m.s.tracking.names.Load())
			}
		}
		m.counts()
		m.s.SetMaxTracked(1 + limit.keys/10)
		m.maintain()
		if m.s.tracksTooMuch() {
			t.Errorf("limit %d: lowering it took nothing out", limit.keys)
		}
		for n := range names {
			m.v.SetString(m.s.Key([]byte(n)), []byte("new"), 0)
			m.mustBeTold(n, false)
		}
		if k, i := m.s.Tracked(); k != 0 || i != 0 {
			t.Errorf("%d keys, %d items when all have changed", k, i)
		}
	}
}

// Clients that go leave nothing behind, and their numbers are used again.
func TestTrackersGo(t *testing.T) {
	m := newTrackModel(t, 2)
	const clients, keys = 50, 400
	stays := m.s.NewTracker("stays")
	for round := range 5 {
		for i := range clients {
			for k := range keys {
				m.read(fmt.Sprint(k), m.client(i))
				if i == 0 && k%2 == 0 {
					m.read(fmt.Sprint(k), stays)
				}
			}
		}
		for i := range clients {
			m.end(i)
		}
		m.v.Now += sweepPause
		m.maintain()
		m.maintain()
		if k, i := m.s.Tracked(); k != keys/2 || i != keys/2 {
			t.Fatalf("round %d: %d keys, %d items are left of clients that have gone", round, k, i)
		}
		m.counts()
	}
	if n := m.s.tracking.used; n > 2*clients+1 {
		t.Errorf("%d numbers were given out to %d clients at a time", n, clients)
	}
	m.v.SetString(m.s.Key([]byte("0")), nil, 0)
	m.mustBeTold("0", false)
	if gone := m.s.tracking.gone.Load(); gone != 0 {
		t.Errorf("%d clients have not been forgotten", gone)
	}
}

// Who listens to all changes hears of each, under whatever shard.
func TestBroadcast(t *testing.T) {
	m := newTrackModel(t, 4)
	set := func(n string) { m.v.SetString(m.s.Key([]byte(n)), nil, 2000) }
	set("before")
	m.v.Broadcast(+1)
	for i := range 9 {
		set(fmt.Sprint(i))
	}
	m.v.Now = 3000
	m.maintain()
	m.v.Broadcast(-1)
	set("after")
	slices.Sort(m.changed)
	want := []string{"before"}
	for i := range 9 { // set, with a time to live, and gone
		want = append(want, fmt.Sprint(i), fmt.Sprint(i), fmt.Sprint(i))
	}
	slices.Sort(want)
	if !slices.Equal(m.changed, want) {
		t.Errorf("changed: %v, want %v", m.changed, want)
	}
}

// Where stale values are hidden, whoever keeps one is told of the end of its fresh time, once: by the sweep,
// or by who reads it before.
func TestStaleIsTold(t *testing.T) {
	for name, find := range map[string]func(m *trackModel, k Key){
		"sweep":  func(m *trackModel, _ Key) { m.maintain() },
		"reader": func(m *trackModel, k Key) { m.v.GetString(k) },
	} {
		m := newTrackModel(t, 4)
		keep := func(client int, key string) {
			k := m.s.Key([]byte(key))
			m.v.GetString(k)
			m.keeps[key] = map[*Tracker]bool{m.client(client): false}
			m.v.Track(k, m.client(client), false)
		}
		set := func(key string, fresh int64) {
			m.v.SetStringWith(m.s.Key([]byte(key)), []byte("v"), m.v.Now+100_000, &Extras{Fresh: fresh})
		}
		told := func(n int) {
			t.Helper()
			if m.told != n {
				t.Fatalf("%s: %d messages, want %d", name, m.told, n)
			}
		}
		k := m.s.Key([]byte("k"))
		set("k", 2000)
		m.s.SetStaleReads(false) // what was stored before is looked at because it is tracked
		keep(0, "k")
		set("late", 60_000)
		keep(0, "late")
		if rest := m.s.Rest(time.UnixMilli(m.v.Now), time.Hour); rest < time.Second || rest > time.Second+100*time.Millisecond {
			t.Errorf("the maintenance rests %v", rest)
		}
		m.v.Now = 1999
		find(m, k)
		told(0)
		m.v.Now = 2100
		find(m, k)
		told(1)
		keep(0, "k") // it has read that there is nothing
		m.v.GetString(k)
		m.maintain()
		told(1)
		m.v.Broadcast(+1)
		set("k", 3000)
		told(2)
		m.changed = nil
		m.v.Now = 3100
		find(m, k)
		m.maintain()
		m.v.GetString(k)
		if !slices.Equal(m.changed, []string{"k"}) {
			t.Errorf("%s: %v changed", name, m.changed)
		}
		m.s.SetStaleReads(true)
		m.v.Now = 70_000
		m.maintain()
		m.v.GetString(m.s.Key([]byte("late")))
		told(2)
	}
}

// A client that reads what it tracks allocates nothing, and neither does one that reads what the next
// write changes.
func TestTrackingAllocs(t *testing.T) {
	s := openStore(t, Options{Shards: 2})
	s.SetForgetter(nobody{})
	v := &View{Store: s, Now: 1000}
	tr := s.NewTracker(nil)
	k, other := s.Key([]byte("key")), s.Key([]byte("other"))
	v.Track(other, tr, false)
	if n := testing.AllocsPerRun(100, func() { v.Track(k, tr, false) }); n > 0 {
		t.Errorf("%v allocations to track again", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		v.SetString(k, []byte("v"), 0)
		v.Track(k, tr, false)
	}); n > 0 {
		t.Errorf("%v allocations to change and track", n)
	}
}

type nobody struct{}

func (nobody) Forget([]*Tracker, []byte) {}
func (nobody) Changed([]byte)            {}

// Ten thousand clients may read the same key.
func TestManyTrackers(t *testing.T) {
	m := newTrackModel(t, 1)
	order := rand.New(rand.NewPCG(1, 2)).Perm(10_000)
	m.client(len(order) - 1)
	for _, i := range order {
		m.read("key", m.clients[i])
		m.read("key", m.clients[i])
	}
	m.counts()
	if _, items := m.s.Tracked(); items != int64(len(order)) {
		t.Errorf("%d items", items)
	}
	m.v.SetString(m.s.Key([]byte("key")), nil, 0)
	m.mustBeTold("key", false)
	if m.told != len(order) {
		t.Errorf("%d were told", m.told)
	}
	m.s.SetMaxTracked(math.MaxInt64)
	m.read("key", m.clients[0])
	if m.s.tracksTooMuch() {
		t.Error("one key is too many")
	}
}
