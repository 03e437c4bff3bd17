package client

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

// Replies as servers give them pass in any pieces; no length is believed that would take all memory,
// nor any depth.
func TestReplies(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("*1\r\n", n) }
	wide := strings.Repeat("*1000000\r\n", 5)
	for _, good := range []string{
		"+OK\r\n", "-ERR no\r\n", ":-5\r\n", "$-1\r\n", "*-1\r\n", "*0\r\n", "$0\r\n\r\n", "$5\r\n*9\r\n$\r\n", "_\r\n", "#t\r\n", ",inf\r\n", "(123456789012345678901234567890\r\n",
		"*2\r\n*2\r\n:1\r\n*0\r\n$3\r\nabc\r\n", "%1\r\n+a\r\n~2\r\n:1\r\n:2\r\n", "|1\r\n+a\r\n:1\r\n*1\r\n|1\r\n+b\r\n:2\r\n:3\r\n", "=5\r\ntxt:x\r\n",
		deep(deepestReply) + ":1\r\n", "+" + strings.Repeat("x", longestLine-3) + "\r\n",
	} {
		for _, step := range []int{1, 2, 3, 7, 1 << 20} {
			var r replies
			for range 3 { // the state is as at the beginning
				for rest := []byte(good); len(rest) > 0; {
					n := min(step, len(rest))
					if err := r.follow(rest[:n]); err != nil {
						t.Fatalf("%.60q by %d: %v", good, step, err)
					}
					rest = rest[n:]
				}
				if len(r.missing)+r.skip+r.length+r.elements != 0 {
					t.Fatalf("%.60q by %d leaves %+v", good, step, r)
				}
			}
		}
	}
	for _, bad := range []string{
		"$9223372036854775800\r\n", "$107374182400\r\n", "*2147483647\r\n", "%9223372036854775807\r\n", "*-2\r\n", "$x\r\n", "HTTP/1.1 400 Bad Request\r\n", "\n",
		deep(deepestReply + 1), wide, "+" + strings.Repeat("x", longestLine+1), "$" + strings.Repeat("0", 100) + "1\r\n",
	} {
		for _, step := range []int{1, 1 << 20} {
			var r replies
			var err error
			for rest := []byte(bad); len(rest) > 0 && err == nil; {
				n := min(step, len(rest))
				err = r.follow(rest[:n])
				rest = rest[n:]
			}
			if !errors.Is(err, errNotBelieved) {
				t.Errorf("%.60q by %d: %v", bad, step, err)
			}
		}
	}
}

// A client of go-redis fails, and does not fall, where a server announces more than there is.
func TestUnbelievableServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = nc.Write([]byte("$9223372036854775800\r\n"))
			t.Cleanup(func() { _ = nc.Close() })
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := (Target{Addr: ln.Addr().String()}).Open(ctx); !errors.Is(err, errNotBelieved) {
		t.Errorf("%v", err)
	}
}
