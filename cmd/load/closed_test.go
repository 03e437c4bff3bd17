package load

import (
	"bytes"

	"math"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// near reports whether a figure is right to what a histogram can tell.
func near(got, want float64) bool { return math.Abs(got-want) <= want/500 }

// scripted is a stream of PINGs whose times go into a recorder.
func scripted(t *testing.T) *stream {
	t.Helper()
	request, err := compile("PING", "")
	if err != nil {
		t.Fatal(err)
	}
	m := &mix{kinds: []kind{{name: "ping", request: request}}, weights: []int{1}, total: 1, onMiss: -1}
	return &stream{source: source{draw: func() int { return 0 }}, mix: m, recorder: newRecorder(1), counting: true}
}

func batches(n, size int) func() int {
	return func() int {
		if n--; n < 0 {
			return 0
		}
		return size
	}
}

// TestClosedPercentiles: a server that takes 1, 2, ... 1000 ms, on a clock that only the test moves.
func TestClosedPercentiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		n := 0
		go answer(server, func([]string) string {
			n++
			time.Sleep(time.Duration(n) * time.Millisecond)
			return "+PONG\r\n"
		})
		s := scripted(t)
		if err := Closed(client, s, 100, batches(1000, 1)); err != nil {
			t.Fatal(err)
		}
		l := latencyOf(s.recorder.kinds[0].latency)
		for _, row := range []struct{ got, wantMS float64 }{
			{l.Min, 1}, {l.P50, 500}, {l.P90, 900}, {l.P95, 950}, {l.P99, 990}, {l.P999, 999}, {l.Max, 1000},
			{l.Mean, 500.5},
		} {
			if !near(row.got, row.wantMS*1000) {
				t.Errorf("%v us, want %v ms (%+v)", row.got, row.wantMS, l)
			}
		}
		if last := l.Curve[len(l.Curve)-1]; !near(last[1], 1_000_000) || l.Curve[0][0] != 0 {
			t.Errorf("the curve goes from %v to %v", l.Curve[0], last)
		}
	})
}

// TestClosedPipeline: the time of each reply counts from when its batch was sent.
func TestClosedPipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		go func() {
			defer server.Close()
			for b := make([]byte, 1000); ; {
				if _, err := server.Read(b); err != nil {
					return
				}
				for range 4 {
					time.Sleep(time.Second)
					if _, err := server.Write([]byte("+PONG\r\n")); err != nil {
						return
					}
				}
			}
		}()
		s := scripted(t)
		if err := Closed(client, s, 100, batches(25, 4)); err != nil {
			t.Fatal(err)
		}
		l := latencyOf(s.recorder.kinds[0].latency)
		if s.recorder.kinds[0].requests != 100 || !near(l.Min, 1e6) || !near(l.P50, 2e6) || !near(l.Max, 4e6) ||
			!near(l.Mean, 2.5e6) {
			t.Errorf("%d requests, %+v", s.recorder.kinds[0].requests, l)
		}
	})
}

// TestClosedLargeBatch: neither side reads before the other one does, beyond what fits in between.
func TestClosedLargeBatch(t *testing.T) {
	client, server := net.Pipe() // which holds nothing
	defer client.Close()
	go answer(server, func([]string) string { return "+PONG\r\n" })
	s := scripted(t)
	if err := Closed(client, s, 100, batches(2, MostPipeline)); err != nil {
		t.Fatal(err)
	}
	if n := s.recorder.kinds[0].requests; n != 2*MostPipeline {
		t.Errorf("%d requests", n)
	}
}

func TestClosedOutOfStep(t *testing.T) {
	for reply, want := range map[string]string{
		"+PONG\r\n+PONG\r\n": errUnasked.Error(),
		"PONG\r\n":           "no beginning of a reply",
		"$99999999999\r\n":   "no beginning of a reply",
	} {
		err := Closed(halves{new(bytes.Buffer), strings.NewReader(reply)}, scripted(t), 100, batches(1, 1))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", reply, err)
		}
	}
}

// halves are the two directions of a connection.
type halves struct {
	out *bytes.Buffer
	in  *strings.Reader
}

func (h halves) Write(b []byte) (int, error) { return h.out.Write(b) }
func (h halves) Read(b []byte) (int, error)  { return h.in.Read(b) }
