package pubsub

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// TestManySubscribers: all subscribers of one channel get each message once, in order.
func TestManySubscribers(t *testing.T) {
	n := 10_000
	if harness.Race {
		n = 1_000
	}
	const messages = 5
	s := harness.StartBinary(t, "maxclients 10100", "io-threads 2") // each process has its own limit of files
	var conns []*harness.Conn
	for i := range n {
		c := s.DialRESP(t, 2+i%2)
		subscribe(c, "news")
		conns = append(conns, c)
	}
	publisher := s.Dial(t)
	for i := range messages {
		if r := publisher.Do("PUBLISH", "news", fmt.Sprint("message ", i)); r.Text != strconv.Itoa(n) {
			t.Fatalf("message %d has %v receivers, want %d", i, r, n)
		}
	}
	for at, c := range conns {
		for i := range messages {
			r := c.Read()
			if kind := byte('*' + ('>'-'*')*(at%2)); r.Raw[0] != kind || r.Elems[2].Text != fmt.Sprint("message ", i) {
				t.Fatalf("subscriber %d: message %d is %q", at, i, r.Raw)
			}
		}
	}
	for _, c := range conns {
		_ = c.Close() // which is what is tested
	}
	untilNobody(t, publisher)
}

// TestDeafSubscriber: who does not read is cut at the hard limit of its class, and others get
// everything.
func TestDeafSubscriber(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver, "client-output-buffer-limit pubsub 1mb 0 0")
		deaf, listener, publisher := s.Dial(t), s.DialRESP(t, 3), s.Dial(t)
		deaf.Do("CLIENT", "SETNAME", "deaf")
		subscribe(deaf, "news")
		subscribe(listener, "news")
		text := strings.Repeat("x", 16<<10)
		for i, receivers := 0, "2"; receivers != "1"; i++ {
			if i == 10_000 {
				t.Fatal("160 MB have gone to a client that does not read")
			}
			receivers = publisher.Do("PUBLISH", "news", fmt.Sprint(i, text)).Text
			if r := listener.Read(); len(r.Elems) != 3 || r.Elems[2].Text != fmt.Sprint(i, text) {
				t.Fatalf("message %d is %.100v", i, r)
			}
		}
		if n := publisher.Info("stats", "client_output_buffer_limit_disconnections"); n != "1" {
			t.Errorf("%s clients were cut, want 1", n)
		}
		harness.Eventually(t, patience, "the log says who was cut, and by which parameter", func() bool {
			return strings.Contains(s.Log(), `name=deaf reason="output buffer hard limit" parameter=client-output-buffer-limit`)
		})
	})
}

// TestDeafForLong: who owes more than the soft limit of its class is cut when the time is over, though
// nothing is published any more, and one that reads in time is not.
func TestDeafForLong(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver, "client-output-buffer-limit pubsub 0 1mb 1")
		deaf, listener, publisher := s.Dial(t), s.DialRESP(t, 3), s.Dial(t)
		id := deaf.Do("CLIENT", "ID").Text
		subscribe(deaf, "news")
		subscribe(listener, "news")
		text := strings.Repeat("x", 16<<10)
		cut := func() bool {
			return publisher.Info("stats", "client_output_buffer_limit_disconnections") == "1"
		}
		for i := 0; owes(publisher, id) < 4<<20 && !cut(); i++ { // where this takes more than a second it is cut before
			if i == 10_000 {
				t.Fatal("160 MB have gone to a client that does not read")
			}
			publisher.Do("PUBLISH", "news", text)
			listener.Read()
		}
		harness.Eventually(t, patience, "the deaf subscriber is cut", cut)
		if n := publisher.Do("PUBLISH", "news", "end").Text; n != "1" {
			t.Errorf("%s receivers, want 1", n)
		}
		if r := listener.Read(); len(r.Elems) != 3 || r.Elems[2].Text != "end" {
			t.Errorf("the listener got %.100v", r)
		}
	})
}

// TestDeafCache: a client of class normal, without a limit of its own, that does not read which keys
// its cache is to forget, is cut at the hard limit of subscribers. Until then what it owes is in the
// memory of clients.
func TestDeafCache(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver, "client-output-buffer-limit pubsub 8mb 0 0")
		deaf, writer := s.DialRESP(t, 3), s.Dial(t)
		id := deaf.Do("CLIENT", "ID").Text
		deaf.MustOK("CLIENT", "TRACKING", "ON", "BCAST")
		key := strings.Repeat("k", 32<<10)
		for i, seen := 0, false; writer.Do("CLIENT", "LIST", "ID", id).Text != ""; i++ {
			if i == 10_000 {
				t.Fatal("320 MB have gone to a client that does not read")
			}
			writer.MustOK("SET", key, "v")
			if owed := owes(writer, id); owed > 4<<20 && !seen {
				seen = true
				taken, err := strconv.Atoi(writer.Info("memory", "mem_clients_normal"))
				if err != nil || taken < 2<<20 {
					t.Errorf("a client owes %d bytes, all clients take %d, %v", owed, taken, err)
				}
			}
		}
		if n := writer.Info("stats", "client_output_buffer_limit_disconnections"); n != "1" {
			t.Errorf("%s clients were cut, want 1", n)
		}
	})
}

// owes is the output that a client has not taken, in bytes; 0: it has gone.
func owes(c *harness.Conn, id string) int {
	_, rest, _ := strings.Cut(c.Do("CLIENT", "LIST", "ID", id).Text, " omem=")
	n, _ := strconv.Atoi(strings.SplitN(rest, " ", 2)[0]) // nothing is there: 0
	return n
}

// TestStorm subscribes to very much, with others listening, and goes in all ways.
func TestStorm(t *testing.T) {
	const each, chunk = 20_000, 1000
	s := harness.Start(t)
	watch := s.Dial(t)
	for _, leave := range []string{"UNSUBSCRIBE", "RESET", "close"} {
		c, other := s.DialRESP(t, 3), s.DialRESP(t, 3)
		for i := 0; i < each; i += chunk {
			args := make([]string, chunk)
			for j := range args {
				args[j] = fmt.Sprint("channel:", i+j)
			}
			subscribe(c, args...)
			subscribe(other, args[0])
		}
		if n := watch.Info("stats", "pubsub_channels"); n != strconv.Itoa(each) {
			t.Errorf("%s channels, want %d", n, each)
		}
		switch leave {
		case "close":
			_ = c.Close()
		case "RESET":
			c.Do("RESET")
		default:
			c.Send(leave)
			for range each {
				c.Read()
			}
		}
		harness.Eventually(t, patience, "only the channels of the other are left", func() bool {
			return watch.Info("stats", "pubsub_channels") == strconv.Itoa(each/chunk)
		})
		if n := watch.Do("PUBLISH", "channel:1000", "hello").Text; n != "1" {
			t.Errorf("%s receivers, want 1", n)
		}
		if r := other.Read(); len(r.Elems) != 3 || r.Elems[2].Text != "hello" {
			t.Errorf("the other got %v", r)
		}
		_ = other.Close()
		_ = c.Close()
		untilNobody(t, watch)
	}
}
