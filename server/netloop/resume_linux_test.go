package netloop

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestResumeAfter: those whom a session names are resumed before its next request, in the order it
// says, if they are of its loop; the others when their own loop comes to it.
func TestResumeAfter(t *testing.T) {
	for _, n := range networks {
		if n.unix || n.tls {
			continue
		}
		s := startServer(t, n, Limits{})
		actor := s.connect()
		var here, there []*testClient // of the actor's loop, and of the other one
		for i := range 8 {
			c := s.connect()
			name := fmt.Sprint("c", i)
			c.send("name %s\nblock\necho %s\n", name, name)
			c.expect(name)
			actor.send("hand %s\n", name)
			n, err := actor.r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if n == "1\n" {
				here = append(here, c)
			} else {
				there = append(there, c)
			}
			c.expect("resumed", name)
			c.send("block\n")
			s.eventually("the second block", c.session.waits.Load) // which it notes before
		}
		if epoll := s.loops != nil; epoll && (len(here) != 4 || len(there) != 4) || !epoll && len(here) != 0 {
			t.Fatalf("%d connections are of the actor's goroutine, %d are not", len(here), len(there))
		}
		s.mu.Lock()
		s.noting = true
		s.mu.Unlock()
		var names []string
		for _, c := range slices.Concat(here, there) {
			names = append(names, c.session.name)
		}
		actor.send("hand %s\necho 1\necho 2\n", strings.Join(names, " "))
		actor.expect(fmt.Sprint(len(here)), "1", "2")
		for _, c := range slices.Concat(here, there) {
			c.expect("resumed")
		}
		if len(here) == 0 {
			s.close()
			continue
		}
		s.mu.Lock()
		got := slices.DeleteFunc(slices.Clone(s.notes), func(what string) bool { // those of the other loop come when they like
			return slices.ContainsFunc(there, func(c *testClient) bool { return what == "resumed "+c.session.name })
		})
		s.mu.Unlock()
		want := []string{"hand " + strings.Join(names, " ")}
		for _, c := range here {
			want = append(want, "resumed "+c.session.name)
		}
		if want = append(want, "echo 1", "echo 2"); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		s.close()
	}
}

// TestResumeQueue: what is added in front comes first, at any time.
func TestResumeQueue(t *testing.T) {
	var q line
	conns := make([]*conn, 6)
	for i := range conns {
		conns[i] = &conn{}
	}
	is := func(want int) {
		t.Helper()
		if c := q.take(); c != conns[want] {
			t.Errorf("got %d, want %d", slices.Index(conns, c), want)
		}
	}
	q.add(conns[1], false)
	q.add(conns[0], true)
	q.add(conns[2], false)
	is(0)
	q.add(conns[3], true)
	q.add(conns[4], true)
	is(4)
	is(3)
	is(1)
	q.add(conns[5], false)
	is(2)
	is(5)
	if c := q.take(); c != nil || len(q.conns) != 0 {
		t.Error("something is left")
	}
}

// TestResumeAfterInOneRound: one may name a connection whose Block the loop has not seen yet.
func TestResumeAfterInOneRound(t *testing.T) {
	s := startServer(t, networks[0], Limits{})
	defer s.close()
	clients := make([]*testClient, 3) // the first and the last are of one loop
	for i := range clients {
		clients[i] = s.connect()
		clients[i].send("name c%d\n", i)
		clients[i].expect(fmt.Sprint("c", i))
	}
	busy, goOn := make(chan struct{}), make(chan struct{})
	hold := func() error {
		busy <- struct{}{}
		<-goOn
		return nil
	}
	for range 50 {
		s.commit.Store(&hold)
		clients[0].send("echo x\n") // the loop is held while both send
		<-busy
		s.commit.Store(nil)
		clients[2].send("block\n")
		clients[0].send("hand c2\necho y\n")
		goOn <- struct{}{}
		clients[0].expect("x", "1", "y")
		clients[2].expect("resumed")
	}
}
