package pubsub

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/store/lex"
	"github.com/larderkv/larder/tests/randtest"
)

// drawName draws names that meet: short ones of few letters, some long, some patterns.
func drawName(rnd *rand.Rand, kind Kind) string {
	alphabet := "ab:"
	if kind == Patterns {
		alphabet = "ab:*?*[]"
	}
	b := make([]byte, rnd.IntN(6))
	for i := range b {
		b[i] = alphabet[rnd.IntN(len(alphabet))]
	}
	if rnd.IntN(20) == 0 {
		return string(b) + strings.Repeat("a", 100*rnd.IntN(4)) + string(b)
	}
	return string(b)
}

// model is what the hub should know: the subscribers of each topic.
type model [Kinds]map[string]map[int]bool

func (m *model) publish(kind Kind, channel string) (deliveries []string) {
	for who := range m[kind][channel] {
		deliveries = append(deliveries, fmt.Sprintf("%d", who))
	}
	if kind == ShardChannels {
		return deliveries
	}
	for pattern, whos := range m[Patterns] {
		if lex.Compile([]byte(pattern), false).Match([]byte(channel)) {
			for who := range whos {
				deliveries = append(deliveries, fmt.Sprintf("%d by %q", who, pattern))
			}
		}
	}
	return deliveries
}

// published is what the hub delivers, in the model's words.
func published(h *Hub[*int], kind Kind, channel string) (deliveries []string, n int) {
	by := ""
	n = h.Publish(kind, []byte(channel), func(pattern []byte) {
		by = ""
		if pattern != nil {
			by = fmt.Sprintf(" by %q", pattern)
		}
	}, func(to *int) { deliveries = append(deliveries, fmt.Sprintf("%d%s", *to, by)) })
	return deliveries, n
}

// TestLikeTheModel subscribes, unsubscribes, leaves and publishes at random.
func TestLikeTheModel(t *testing.T) {
	rnd := randtest.New(t)
	h := NewHub[*int]()
	var want model
	for kind := range want {
		want[kind] = map[string]map[int]bool{}
	}
	members := make([]*Member[*int], 20)
	var hidden []*Member[*int]
	leave := func() {
		for _, m := range hidden {
			m.Leave(func() bool { return true })
		}
		hidden = nil
	}
	for step := range 15_000 {
		who, kind := rnd.IntN(len(members)), Kind(rnd.IntN(Kinds))
		name := drawName(rnd, kind)
		m := members[who]
		had := want[kind][name][who]
		switch n := rnd.IntN(1000); {
		case n < 450:
			if m == nil {
				m = h.Join(&who)
				members[who] = m
			}
			if added := m.Subscribe(kind, []byte(name)); added == had {
				t.Fatalf("step %d: subscribing %d to %q: added %v", step, who, name, added)
			}
			if want[kind][name] == nil {
				want[kind][name] = map[int]bool{}
			}
			want[kind][name][who] = true
		case n < 700 && m != nil:
			if removed := m.Unsubscribe(kind, []byte(name)); removed != had {
				t.Fatalf("step %d: unsubscribing %d from %q: removed %v", step, who, name, removed)
			}
			want.remove(kind, name, who)
		case n < 704 && m != nil:
			checkUnsubscribeAll(t, &want, m, kind, who)
		case n < 706 && m != nil:
			if rnd.IntN(2) == 0 {
				m.Leave(nil)
			} else {
				m.Hide()
				hidden = append(hidden, m)
			}
			members[who] = nil
			for kind := range Kind(Kinds) {
				for name := range maps.Clone(want[kind]) {
					want.remove(kind, name, who)
				}
			}
		case n >= 706:
			got, n := published(h, kind%2, name)
			expected := want.publish(kind%2, name)
			slices.Sort(got)
			slices.Sort(expected)
			if n != len(got) || !slices.Equal(got, expected) {
				t.Fatalf("step %d: publishing on %q: %d: %q, want %q", step, name, n, got, expected)
			}
		}
		if step%1000 == 0 {
			checkTopics(t, h, &want, members)
		}
		if rnd.IntN(1000) == 0 {
			leave()
		}
	}
	leave()
	for who, m := range members {
		if m != nil {
			m.Leave(nil)
			members[who] = nil
		}
	}
	checkEmpty(t, h)
}

func (m *model) remove(kind Kind, name string, who int) {
	delete(m[kind][name], who)
	if len(m[kind][name]) == 0 {
		delete(m[kind], name)
	}
}

func checkUnsubscribeAll(t *testing.T, want *model, m *Member[*int], kind Kind, who int) {
	t.Helper()
	left := m.Count(kind)
	m.UnsubscribeAll(kind, func(name []byte) {
		left--
		if !want[kind][string(name)][who] || m.Count(kind) != left {
			t.Fatalf("left %q with %d to go, want %d", name, m.Count(kind), left)
		}
		want.remove(kind, string(name), who)
	})
	if left != 0 {
		t.Fatalf("%d subscriptions left", left)
	}
}

// checkTopics compares names, counts and accounts.
func checkTopics(t *testing.T, h *Hub[*int], want *model, members []*Member[*int]) {
	t.Helper()
	for kind := range Kind(Kinds) {
		names := map[string]bool{}
		h.Names(kind, func(name []byte) { names[string(name)] = true })
		if len(names) != len(want[kind]) || h.Topics(kind) < len(names) || h.Leaving() == 0 && h.Topics(kind) > len(names) {
			t.Fatalf("kind %d: %d names, %d topics, want %d", kind, len(names), h.Topics(kind), len(want[kind]))
		}
		for name, whos := range want[kind] {
			if n := h.Subscribers(kind, []byte(name)); !names[name] || n != len(whos) {
				t.Fatalf("kind %d: %q has %d subscribers, want %d", kind, name, n, len(whos))
			}
		}
	}
	for who, m := range members {
		if m == nil {
			continue
		}
		memory := int64(0)
		for kind := range Kind(Kinds) {
			n := 0
			for name, whos := range want[kind] {
				if whos[who] {
					n++
					memory += memoryOf(kind, len(name))
				}
			}
			if m.Count(kind) != n {
				t.Fatalf("%d has %d subscriptions of kind %d, want %d", who, m.Count(kind), kind, n)
			}
		}
		if m.Memory() != memory {
			t.Fatalf("%d accounts for %d bytes, want %d", who, m.Memory(), memory)
		}
	}
}

// checkEmpty fails if anything is left in a hub without subscribers.
func checkEmpty(t *testing.T, h *Hub[*int]) {
	t.Helper()
	if h.Members() != 0 || h.Leaving() != 0 || len(h.index.shapes) != 0 || len(h.index.entries) != 0 {
		t.Errorf("%d members, %d shapes, %d patterns left", h.Members(), len(h.index.shapes), len(h.index.entries))
	}
	for kind := range h.kinds {
		for i := range h.kinds[kind].shards {
			s := &h.kinds[kind].shards[i]
			if s.live != 0 || len(s.long) != 0 || len(s.table) > 8 || chunksOf(&s.topics) > 1 || chunksOf(&s.links) > 1 {
				t.Errorf("kind %d, shard %d: %d topics, %d long names, a table of %d, %d and %d chunks left",
					kind, i, s.live, len(s.long), len(s.table), chunksOf(&s.topics), chunksOf(&s.links))
			}
		}
	}
}

// chunksOf counts the chunks that have memory.
func chunksOf[T any](p *pool[T]) (n int) {
	for i := range p.chunks {
		if p.chunks[i].records != nil {
			n++
		}
	}
	return n
}

// TestStorm subscribes to very much and leaves: nothing stays, and nobody walks over what others
// have.
func TestStorm(t *testing.T) {
	const subscribers, channels = 100, 3000
	h := NewHub[*int]()
	var members []*Member[*int]
	for who := range subscribers {
		m := h.Join(&who)
		for i := range channels {
			m.Subscribe(Channels, fmt.Appendf(nil, "channel:%d", i))
		}
		members = append(members, m)
	}
	if got, n := published(h, Channels, "channel:7"); n != subscribers || got[0] != "0" || got[subscribers-1] != "99" {
		t.Errorf("%d deliveries: %q", n, got)
	}
	for _, m := range members {
		m.Leave(nil)
	}
	checkEmpty(t, h)
}

// TestHiding: Hide returns when nobody is delivering to the member any more, and from then on nobody
// does. Others with the same topics see nothing of the member that is still to leave.
func TestHiding(t *testing.T) {
	const topics = 250
	h := NewHub[*int]()
	stays, hides := 1, 2
	other := h.Join(&stays)
	other.Subscribe(Channels, []byte("c:0"))
	for _, kind := range []Kind{Channels, Patterns} {
		m := h.Join(&hides)
		for i := range topics {
			m.Subscribe(kind, fmt.Appendf(nil, "c:%d", i))
		}
		var hidden atomic.Bool
		var hiding sync.WaitGroup
		n := h.Publish(Channels, []byte("c:0"), func([]byte) {}, func(to *int) {
			if to != &hides {
				return
			}
			hiding.Go(func() {
				m.Hide()
				hidden.Store(true)
			})
			for range 1000 {
				runtime.Gosched()
			}
			if hidden.Load() {
				t.Error("Hide has returned during a delivery")
			}
		})
		if hiding.Wait(); n != 2 {
			t.Errorf("%d deliveries before", n)
		}
		if got, _ := published(h, Channels, "c:0"); !slices.Equal(got, []string{"1"}) {
			t.Errorf("delivered to %q", got)
		}
		names := 0
		h.Names(Channels, func([]byte) { names++ })
		h.Names(Patterns, func([]byte) { names++ })
		if n := h.Subscribers(Channels, []byte("c:0")); n != 1 || names != 1 || h.Members() != 1 || h.Leaving() != topics {
			t.Errorf("%d subscribers, %d topics, %d members besides the hidden", n, names, h.Members())
		}
		pauses := 0
		if m.Leave(func() bool { pauses++; return true }); pauses != topics/leaveStep {
			t.Errorf("%d pauses", pauses)
		}
	}
	other.Leave(nil)
	checkEmpty(t, h)
}

// TestNoAllocation: publishing to those who are there allocates nothing by itself.
func TestNoAllocation(t *testing.T) {
	h := NewHub[*int]()
	who := 1
	m := h.Join(&who)
	m.Subscribe(Channels, []byte("news:1"))
	m.Subscribe(Patterns, []byte("news:*"))
	m.Subscribe(Patterns, []byte("*:1"))
	m.Subscribe(Patterns, []byte("*"))
	channel, got := []byte("news:1"), 0
	allocs := testing.AllocsPerRun(1000, func() {
		h.Publish(Channels, channel, func([]byte) {}, func(*int) { got++ })
	})
	if allocs != 0 || got != 4*1001 {
		t.Errorf("%v allocations, %d deliveries", allocs, got)
	}
}

// TestIndexRulesOut: of many patterns with different beginnings or ends few are compared.
func TestIndexRulesOut(t *testing.T) {
	var x index
	for i := range 10_000 {
		text := fmt.Appendf(nil, []string{"user:%d:*", "*:room:%d", "a:*:%d", "[xyz]*%d"}[i%4], i)
		x.add(uint32(i), lex.Compile(text, false))
	}
	compared := 0
	channel := []byte("user:400:room:17")
	var buf [2 * longestKey]byte
	for _, s := range x.shapes {
		if len(channel) >= s.prefix+s.suffix {
			compared += len(s.patterns[string(s.key(buf[:0], channel, channel))])
		}
	}
	var matched []uint32
	x.match(channel, func(topic uint32) { matched = append(matched, topic) })
	if slices.Sort(matched); !slices.Equal(matched, []uint32{17, 400}) || compared > 10 || len(x.shapes) > 20 {
		t.Errorf("matched %d, compared %d, %d shapes", matched, compared, len(x.shapes))
	}
}

// TestSameNamesOfKinds: a channel, a shard channel and a pattern of one name are three things.
func TestSameNamesOfKinds(t *testing.T) {
	h := NewHub[*int]()
	who := 1
	m := h.Join(&who)
	for kind := range Kind(Kinds) {
		if !m.Subscribe(kind, []byte("a")) || m.Subscribe(kind, []byte("a")) {
			t.Errorf("kind %d: subscribed not once", kind)
		}
	}
	if got, _ := published(h, Channels, "a"); !slices.Equal(got, []string{"1", `1 by "a"`}) {
		t.Errorf("published on a channel: %q", got)
	}
	if got, _ := published(h, ShardChannels, "a"); !slices.Equal(got, []string{"1"}) {
		t.Errorf("published on a shard channel: %q", got)
	}
	var names [][]byte
	m.UnsubscribeAll(Channels, func(name []byte) { names = append(names, bytes.Clone(name)) })
	if len(names) != 1 || m.Empty() || m.Count(Patterns) != 1 {
		t.Errorf("left %q", names)
	}
}
