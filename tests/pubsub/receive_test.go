package pubsub

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// The test publishes, subscribes, unsubscribes and kills at random, and then holds what each
// subscriber has received against what it must have. A clock that only counts says what came before
// what. For a subscription that was asked for at s0, confirmed at s1, ended from u0 on and with the
// end confirmed at u1, and a message that was sent at t0 and answered at t1:
//
//	s1 < t0 and t1 < u0   the subscriber has the message, once
//	t1 < s0               it does not
//	after u1              nothing comes
//
// Messages of one publisher come in their order. A client that is killed loses what was on its way,
// but nothing in the midst of what it has.

const (
	channels    = 6
	publishers  = 4
	subscribers = 8
	rounds      = 40 // of a subscriber: subscribe, read, unsubscribe
)

// message is what a publisher has sent.
type message struct{ t0, t1 int64 }

// subscription is one of a subscriber's, and what has come by it.
type subscription struct {
	channel        string
	s0, s1, u0, u1 int64
	killed         bool
	got            map[int][]int // numbers of messages by publisher
}

// world is a run of the test.
type world struct {
	t      *testing.T
	server *harness.Server
	clock  atomic.Int64
	stop   atomic.Bool

	mu   sync.Mutex
	sent [publishers]map[string]map[int]message // by channel and number
	subs []*subscription
}

func (w *world) now() int64 { return w.clock.Add(1) }

func TestWhoReceivesWhat(t *testing.T) {
	seed := randtest.Seed(t)
	harness.EachDriver(t, func(t *testing.T, driver string) {
		w := &world{t: t, server: harness.Start(t, "network-driver "+driver, "io-threads 2")}
		var publishing, subscribing sync.WaitGroup
		for i := range publishers {
			w.sent[i] = map[string]map[int]message{}
			publishing.Go(func() { w.publish(i, rand.New(rand.NewPCG(seed, uint64(i)))) })
		}
		for i := range subscribers {
			subscribing.Go(func() { w.subscriber(i, rand.New(rand.NewPCG(seed, uint64(100+i)))) })
		}
		subscribing.Wait()
		w.stop.Store(true)
		publishing.Wait()
		for _, s := range w.subs {
			w.check(s)
		}
		untilNobody(t, w.server.Dial(t))
	})
}

// publish sends messages "publisher:number" to random channels, and sometimes flushes everything.
func (w *world) publish(id int, rnd *rand.Rand) {
	c := w.server.Dial(w.t)
	for n := 0; !w.stop.Load(); n++ {
		channel := fmt.Sprintf("channel:%d", rnd.IntN(channels))
		text := fmt.Sprintf("%d:%d", id, n)
		m := message{t0: w.now()}
		switch rnd.IntN(20) {
		case 0:
			c.Do("FLUSHALL")
			continue
		case 1:
			c.Do("MULTI")
			c.Do("SET", channel, text)
			c.Do("PUBLISH", channel, text)
			c.Do("EXEC")
		default:
			c.Do("PUBLISH", channel, text)
		}
		m.t1 = w.now()
		w.mu.Lock()
		if w.sent[id][channel] == nil {
			w.sent[id][channel] = map[int]message{}
		}
		w.sent[id][channel][n] = m
		w.mu.Unlock()
	}
}

// subscriber subscribes and unsubscribes, over RESP2 or RESP3, to a channel or a pattern that means
// one; now and then it is killed instead.
func (w *world) subscriber(id int, rnd *rand.Rand) {
	proto := 2 + id%2
	c, killer := w.server.DialRESP(w.t, proto), w.server.Dial(w.t)
	number := c.Do("CLIENT", "ID").Text
	for range rounds {
		s := &subscription{got: map[int][]int{}}
		s.channel = fmt.Sprintf("channel:%d", rnd.IntN(channels))
		verb, topic := "SUBSCRIBE", s.channel
		if rnd.IntN(2) == 0 {
			verb, topic = "PSUBSCRIBE", []string{"*:", "channel:", "c*l:"}[rnd.IntN(3)]+s.channel[len(s.channel)-1:]
		}
		s.s0 = w.now()
		c.Send(verb, topic)
		w.until(c, s, strings.ToLower(verb))
		s.s1 = w.now()
		for range rnd.IntN(10) {
			c.Send("PING")
			w.until(c, s, "pong")
		}
		s.u0 = w.now()
		if s.killed = rnd.IntN(8) == 0; s.killed {
			killer.Do("CLIENT", "KILL", "ID", number)
			for w.take(c, s) {
			}
			c = w.server.DialRESP(w.t, proto)
			number = c.Do("CLIENT", "ID").Text
		} else {
			verb = strings.Replace(verb, "SUB", "UNSUB", 1)
			c.Send(verb, topic)
			w.until(c, s, strings.ToLower(verb))
			s.u1 = w.now()
			if r := c.Do("ECHO", "alone"); r.Text != "alone" {
				w.t.Errorf("behind the confirmation of the end came %v", r)
				return
			}
		}
		w.mu.Lock()
		w.subs = append(w.subs, s)
		w.mu.Unlock()
	}
}

// until reads messages up to what answers the client itself.
func (w *world) until(c *harness.Conn, s *subscription, answer string) {
	for {
		r := c.Read()
		if len(r.Elems) == 0 || strings.EqualFold(r.Elems[0].Text, answer) {
			return
		}
		w.note(s, r)
	}
}

// take reads one message, and reports false at the end of the connection.
func (w *world) take(c *harness.Conn, s *subscription) bool {
	r, err := c.TryRead()
	if err == nil {
		w.note(s, r)
	}
	return err == nil
}

func (w *world) note(s *subscription, r harness.Reply) {
	n := len(r.Elems)
	if n < 3 || r.Elems[n-2].Text != s.channel {
		w.t.Errorf("a subscriber of %s got %v", s.channel, r)
		return
	}
	publisher, number, _ := strings.Cut(r.Elems[n-1].Text, ":")
	p, _ := strconv.Atoi(publisher)
	m, _ := strconv.Atoi(number)
	s.got[p] = append(s.got[p], m)
}

// check holds what has come by a subscription against what must have.
func (w *world) check(s *subscription) {
	for p := range publishers {
		have, last := map[int]bool{}, -1
		for _, n := range s.got[p] {
			m := w.sent[p][s.channel][n]
			if n <= last || m.t1 < s.s0 {
				w.t.Errorf("%s: message %d of %d came after %d, or was sent before: %+v, subscription %d to %d", s.channel, n, p, last, m, s.s0, s.s1)
			}
			have[n], last = true, n
		}
		for n, m := range w.sent[p][s.channel] {
			if s.s1 < m.t0 && m.t1 < s.u0 && !have[n] && (!s.killed || n < last) {
				w.t.Errorf("%s: message %d of %d is missing: %+v, subscription from %d to %d", s.channel, n, p, m, s.s1, s.u0)
			}
		}
	}
}
