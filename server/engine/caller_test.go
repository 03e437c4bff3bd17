package engine

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/larderkv/larder/server/acl"
)

// call makes a request of a Caller.
func call(t *testing.T, c *Caller, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b, err := c.Do(ctx, args...)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return string(b)
}

// A Caller is a client with rights, and without a place among the clients.
func TestCaller(t *testing.T) {
	r := newRig(t)
	c := r.kernel.NewCaller(r.kernel.Users.Unlimited("x"), "10.0.0.1:5")
	defer c.Close()
	if got := call(t, c, "set", "k", "v"); got != "+OK\r\n" {
		t.Errorf("set: %q", got)
	}
	if got := call(t, c, "get", "k"); got != "$1\r\nv\r\n" {
		t.Errorf("get: %q", got)
	}
	if n := r.kernel.Clients.Len(); n != 0 {
		t.Errorf("%d clients", n)
	}
	if hits, misses := r.kernel.Stats.Keyspace(); hits+misses != 0 {
		t.Errorf("%d hits, %d misses", hits, misses)
	}
	c.Close()
	c.Close()
	if _, err := c.Do(t.Context(), "get", "k"); !errors.Is(err, ErrCallEnded) {
		t.Errorf("after the end: %v", err)
	}
	if m := r.kernel.Clients.Memory(); m != 0 {
		t.Errorf("%d bytes of clients are left", m)
	}
}

// A user's rights hold, as Allows foretells.
func TestCallerHasRights(t *testing.T) {
	r := newRig(t)
	change, err := r.kernel.Users.Set("u", []string{"on", ">p", "~a*", "+get"})
	if err != nil {
		t.Fatal(err)
	}
	for request, allowed := range map[[2]string]bool{{"get", "a"}: true, {"get", "b"}: false, {"size", ""}: false,
		{"nope", "a"}: false} {
		args := request[:]
		if args[1] == "" {
			args = args[:1]
		}
		if got := r.kernel.Allows(change.Record.User(), args...); got != allowed {
			t.Errorf("%q: Allows says %t", args, got)
		}
		c := r.kernel.NewCaller(change.Record, "")
		if got := call(t, c, args...); (got[0] != '-') != allowed {
			t.Errorf("%q: %q", args, got)
		}
		c.Close()
	}
}

// Who waits for a pause is served after it, or given up with the end of its time.
func TestCallerWaits(t *testing.T) {
	r := newRig(t)
	c := r.kernel.NewCaller(r.kernel.Users.Unlimited("x"), "")
	defer c.Close()
	r.kernel.Pause(time.Hour, false)
	done := make(chan string)
	go func() { done <- call(t, c, "set", "k", "v") }()
	for end := time.Now().Add(time.Minute); r.kernel.Clients.Blocked() == 0; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("it does not wait")
		}
	}
	r.kernel.Unpause()
	if got := <-done; got != "+OK\r\n" {
		t.Errorf("after the pause: %q", got)
	}
	r.kernel.Pause(time.Hour, false)
	defer r.kernel.Unpause()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := c.Do(ctx, "set", "k", "v"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("in a pause: %v", err)
	}
	if n := r.kernel.Clients.Blocked(); n != 0 {
		t.Errorf("%d wait still", n)
	}
}

// Only who needs a password can log in from elsewhere.
func TestLogin(t *testing.T) {
	r := newRig(t)
	for name, rules := range map[string][]string{"good": {"on", ">p"}, "open": {"on", "nopass"}, "off": {">p"}} {
		if _, err := r.kernel.Users.Set(name, rules); err != nil {
			t.Fatal(err)
		}
	}
	for name, ok := range map[string]bool{"good": true, "open": false, "off": false, "none": false, "default": false} {
		if got := r.kernel.Login(name, "p", "1.2.3.4:5") != nil; got != ok {
			t.Errorf("%s: %t", name, got)
		}
	}
	if r.kernel.Login("good", "q", "") != nil {
		t.Error("let in with a wrong password")
	}
	if n := r.kernel.Refusals.Count(acl.DeniedAuth); n != 5 {
		t.Errorf("%d refusals are counted", n)
	}
}
