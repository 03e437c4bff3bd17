package load

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestRun: each request reaches the server once and is counted once, by either loop, with and without
// TLS.
func TestRun(t *testing.T) {
	server, client := certificate(t)
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		for _, rate := range []float64{0, 20_000} {
			k := newKeyspace()
			var e Endpoint
			if e = serve(t, nil, k.answer); secure {
				e = serve(t, server, k.answer)
				e.TLS = client
			}
			e.Username, e.Password, e.DB = "u", "p", 2
			p := plan(t, e, "get:1,set:1", 1003)
			p.Rate, p.Fill = rate, true
			var kept int
			r, err := p.Run(context.Background(), nil, func(done, all int) { kept = done * 1000 / all })
			if err != nil || r.Verdict() != nil {
				t.Fatalf("%s, rate %v: %v, %v", name, rate, err, r)
			}
			get, set := r.Operations[0], r.Operations[1]
			if n := r.Total.Requests; n != 1003 || get.Requests+set.Requests != n {
				t.Errorf("%s, rate %v: %d requests", name, rate, n)
			}
			if int(get.Requests) != k.asked("GET") || int(set.Requests) != k.asked("SET")-p.Keys ||
				len(k.data) != p.Keys || kept != 1000 {
				t.Errorf("%s, rate %v: %d and %d requests, the server saw %v", name, rate, get.Requests, set.Requests,
					k.commands)
			}
			if get.Hits != get.Requests || *get.HitRate != 1 || set.HitRate != nil || get.Latency.Max <= 0 ||
				k.asked("AUTH") != 4 || k.asked("SELECT") != 4 {
				t.Errorf("%s, rate %v: %+v, %v", name, rate, get, k.commands)
			}
			if want := (Server{e.Addr, "larder", "9.9"}); r.Server != want {
				t.Errorf("the server is %+v", r.Server)
			}
			for key, v := range k.data {
				if len(v) < 10 || len(v) > 100 || !strings.HasPrefix(key, "t:key:") {
					t.Errorf("%s has %d bytes", key, len(v))
				}
			}
		}
	}
}

// TestSetMissed: a key is missed until it is set, and each miss is followed by one SET.
func TestSetMissed(t *testing.T) {
	k := newKeyspace()
	p := plan(t, serve(t, nil, k.answer), "get", 2000)
	p.SetMissed, p.Clients, p.Pipeline = true, 1, 1
	r := mustRun(t, p)
	if get, set := r.Operations[0], r.Operations[1]; get.Misses != int64(p.Keys) || set.Requests != get.Misses ||
		len(k.data) != p.Keys || set.Name != "set missed" {
		t.Errorf("%d misses, %d SETs, %d keys", get.Misses, set.Requests, len(k.data))
	}
}

func TestOnlyHits(t *testing.T) {
	k := newKeyspace()
	var forget atomic.Bool
	e := serve(t, nil, func(args []string) string {
		if args[0] == "GET" && forget.Load() {
			return "$-1\r\n"
		}
		return k.answer(args)
	})
	p := plan(t, e, "get", 200)
	p.OnlyHits = true
	if r := mustRun(t, p); r.Verdict() != nil || r.Total.Hits != 200 {
		t.Errorf("%v, %+v", r.Verdict(), r.Total)
	}
	forget.Store(true)
	r := mustRun(t, p)
	if want := (Failure{"MISS", 200, missText}); r.Verdict() == nil || r.Total.Errors != 200 || len(r.Failures) != 1 ||
		r.Failures[0] != want {
		t.Errorf("%v, %+v", r.Verdict(), r.Failures)
	}
}

func TestErrorsAreCounted(t *testing.T) {
	for _, rate := range []float64{0, 10_000} {
		var n atomic.Int64
		e := serve(t, nil, func(args []string) string {
			switch n.Add(1) % 4 {
			case 0:
				return "-OOM command not allowed\r\n"
			case 2:
				return "-ERR unknown\r\n"
			}
			return "+PONG\r\n"
		})
		p := plan(t, e, "ping", 400)
		p.Rate = rate
		r := mustRun(t, p)
		var sum int64
		for _, f := range r.Failures {
			sum += f.Count
			if f.Count < 99 || f.Count > 101 { // INFO was answered, too
				t.Errorf("%+v", f)
			}
		}
		// Errors are answers, but their latency says nothing.
		if len(r.Failures) != 2 || sum != r.Total.Errors || r.Verdict() == nil || r.Total.Requests != 400 {
			t.Errorf("%+v, %+v", r.Failures, r.Total)
		}
		if text := r.Text(); !strings.Contains(text, "× OOM: OOM command not allowed") {
			t.Error(text)
		}
	}
}

// TestManyCodes: errors that are all different take no memory without end.
func TestManyCodes(t *testing.T) {
	r := newRecorder(1)
	for i := range 1000 {
		r.fail(strings.Repeat("X", i+1))
	}
	if len(r.failures) != mostCodes+1 || r.failures[otherCode].Count != 1000-mostCodes {
		t.Errorf("%d codes", len(r.failures))
	}
}

// TestLostConnection: what there was is a result, beside the error.
func TestLostConnection(t *testing.T) {
	for _, rate := range []float64{0, 1000} {
		e := serve(t, nil, func([]string) string { return "+PONG\r\n" })
		front := hangUp(t, e.Addr, 400)
		p := plan(t, Endpoint{Network: "tcp", Addr: front}, "ping", 0)
		p.Clients, p.Rate = 1, rate
		r, err := p.Run(context.Background(), nil, nil)
		if err == nil || r == nil || r.Total.Requests < 300 || rate == 0 && r.Unanswered == 0 {
			t.Errorf("rate %v: %v, %+v", rate, err, r)
		}
	}
}

// hangUp passes bytes on until so many replies have gone by, and then closes.
func hangUp(t *testing.T, to string, replies int) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		client, err := ln.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		server, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer server.Close()
		go func() { _, _ = io.Copy(server, client) }()
		_, _ = io.CopyN(client, server, int64(replies*len("+PONG\r\n")))
	}()
	t.Cleanup(func() { _ = ln.Close(); <-done })
	return ln.Addr().String()
}

// TestInterrupted: there is a result of what was measured, and none before that.
func TestInterrupted(t *testing.T) {
	for _, rate := range []float64{0, 5000} {
		ctx, cancel := context.WithCancel(context.Background())
		var n atomic.Int64
		e := serve(t, nil, func([]string) string {
			if n.Add(1) == 300 {
				cancel()
			}
			return "+PONG\r\n"
		})
		p := plan(t, e, "ping", 0)
		p.Rate = rate
		r, err := p.Run(ctx, nil, nil)
		if err != nil || !r.Interrupted || r.Verdict() != nil || r.Total.Requests < 290 ||
			!strings.Contains(r.Text(), "(interrupted)") || len(r.Samples) == 0 {
			t.Errorf("rate %v: %v, %+v", rate, err, r)
		}
		n.Store(0)
		ctx, cancel = context.WithCancel(context.Background())
		p.Warmup = time.Hour
		if r, err := p.Run(ctx, nil, nil); err == nil || r != nil {
			t.Errorf("rate %v: a result of a warm-up: %v", rate, r)
		}
		cancel()
	}
}

// TestWarmup: what the server was asked before is not measured.
func TestWarmup(t *testing.T) {
	for _, rate := range []float64{0, 5000} {
		k := newKeyspace()
		p := plan(t, serve(t, nil, k.answer), "get", 500)
		p.Warmup, p.Rate = 500*time.Millisecond, rate
		r := mustRun(t, p)
		if n := r.Total.Requests; n != 500 || int64(k.asked("GET")) <= n {
			t.Errorf("rate %v: %d of %d requests are measured", rate, n, k.asked("GET"))
		}
	}
}

func TestRefusals(t *testing.T) {
	good := plan(t, Endpoint{Network: "tcp", Addr: "127.0.0.1:1"}, "get", 1)
	for name, spoil := range map[string]func(*Plan){
		"clients":     func(p *Plan) { p.Clients = 0 },
		"pipeline":    func(p *Plan) { p.Pipeline = MostPipeline + 1 },
		"rate":        func(p *Plan) { p.Rate = -1 },
		"keys":        func(p *Plan) { p.Keys = 0 },
		"negative":    func(p *Plan) { p.Warmup = -1 },
		"operations":  func(p *Plan) { p.Operations = nil },
		"connect":     func(*Plan) {},
		"no time":     func(p *Plan) { p.Operations = []Operation{{Name: "x", Weight: 1, Command: "EXPIRE k {ttl}"}} },
		"not a quote": func(p *Plan) { p.Operations = []Operation{{Name: "x", Weight: 1, Command: "GET 'a"}} },
	} {
		p := good
		spoil(&p)
		if _, err := p.Run(context.Background(), nil, nil); err == nil || name != "connect" &&
			!strings.Contains(err.Error(), strings.Split(name, " ")[0]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	e := serve(t, nil, func([]string) string { return "-WRONGPASS no\r\n" })
	e.Password = "secret"
	if _, err := plan(t, e, "get", 1).Run(context.Background(), nil, nil); err == nil ||
		!strings.Contains(err.Error(), "WRONGPASS") || strings.Contains(err.Error(), "secret") {
		t.Errorf("a wrong password: %v", err)
	}
	e = serve(t, nil, newKeyspace().answer)
	e.TLS = &tls.Config{ServerName: "localhost"}
	p := plan(t, e, "get", 1)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := p.Run(ctx, nil, nil); err == nil {
		t.Error("a server without TLS is taken for one with")
	}
}

// fieldsOf lists the fields of a JSON value, those of arrays once.
func fieldsOf(path string, v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			into[path+name] = true
			fieldsOf(path+name+".", inner, into)
		}
	case []any:
		for _, inner := range v {
			fieldsOf(path, inner, into)
		}
	}
}

// fields are those of schema 1. Programs of users read them: none may go, or change its name.
const fields = `
began failures failures.code failures.count failures.example interrupted
load load.choice load.clients load.keys load.loop load.only_hits load.filled load.pipeline load.seed load.set_missed load.size
load.ttl_seconds_max load.ttl_seconds_min load.warmup_seconds
open open.late open.late_after_us open.rate_per_second open.sent open.unsent
operations operations.command operations.errors operations.hit_rate operations.hits operations.latency_us operations.latency_us.curve
operations.latency_us.max operations.latency_us.mean operations.latency_us.min operations.latency_us.p50 operations.latency_us.p90
operations.latency_us.p95 operations.latency_us.p99 operations.latency_us.p99_9 operations.latency_us.p99_99 operations.misses operations.name
operations.per_second operations.requests operations.weight
samples samples.errors samples.max_us samples.p50_us samples.p99_us samples.per_second samples.requests samples.t
schema seconds server server.addr server.name server.version
total total.command total.errors total.hit_rate total.hits total.latency_us total.latency_us.curve
total.latency_us.max total.latency_us.mean total.latency_us.min total.latency_us.p50 total.latency_us.p90
total.latency_us.p95 total.latency_us.p99 total.latency_us.p99_9 total.latency_us.p99_99 total.misses total.name
total.per_second total.requests total.weight unanswered`

func TestSchema(t *testing.T) {
	var n atomic.Int64
	e := serve(t, nil, func([]string) string {
		if n.Add(1)%3 == 0 {
			return "-ERR no\r\n"
		}
		return "$-1\r\n"
	})
	p := plan(t, e, "get", 30)
	p.Rate = 10_000
	var b bytes.Buffer
	if err := mustRun(t, p).WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	fieldsOf("", v, got)
	want := strings.Fields(fields)
	slices.Sort(want)
	if have := slices.Sorted(maps.Keys(got)); !slices.Equal(have, want) {
		t.Errorf("the fields are\n%s\nwant\n%s", strings.Join(have, " "), strings.Join(want, " "))
	}
}

// TestPicture: it is XML, whatever a server or an operation is called, and so is one of nothing.
func TestPicture(t *testing.T) {
	r := &Result{Server: Server{Name: "<b>&", Addr: "h:1"}, Seconds: 2,
		Total: OperationResult{Name: "all", Requests: 1}, Samples: []Sample{{At: 1}, {At: 2}}}
	full := *r
	full.Operations = []OperationResult{{Name: `<script>"`,
		Latency: Latency{Max: 50, Curve: [][2]float64{{0, 5}, {90, 20}, {99.9, 50}}}}}
	full.Samples = []Sample{{At: 1, PerSec: 1500, P50: 5, P99: 20}, {At: 2, PerSec: 1200, P50: 6, P99: 2000}}
	for _, r := range []*Result{r, &full} {
		d := xml.NewDecoder(strings.NewReader(r.Picture()))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if strings.Contains(r.Picture(), "NaN") || strings.Contains(r.Picture(), "Inf") ||
			strings.Contains(r.Picture(), "<script") {
			t.Error(r.Picture())
		}
	}
}

func TestDuration(t *testing.T) {
	for us, want := range map[float64]string{0: "0.00 µs", 9.99: "9.99 µs", 9.996: "10.0 µs", 99.96: "100 µs",
		999.4: "999 µs", 999.6: "1.00 ms", 12_345: "12.3 ms", 999_600: "1.00 s", 61e6: "61.0 s"} {
		if got := duration(us); got != want {
			t.Errorf("%v us: %s, want %s", us, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000",
		-100: "-100"} {
		if got := grouped(n); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestTextsOfServers: what a server says of itself, and its errors, reach no terminal and no picture as
// they are.
func TestTextsOfServers(t *testing.T) {
	const evil = "\x1b]0;title\a\x9b2J\u202e"
	e := serve(t, nil, func(args []string) string {
		if args[0] == "INFO" {
			text := "larder_version:" + evil + "\r\n"
			return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)
		}
		return "-" + evil + " " + evil + "\r\n"
	})
	r, err := plan(t, e, "get:1", 10).Run(context.Background(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"text": r.Text(), "picture": r.Picture()} {
		if strings.ContainsAny(text, "\x1b\a\u202e\ufffd") || strings.Contains(text, "\x9b") || !strings.Contains(text, `\x1b]0;title\a\x9b2J\u202e`) {
			t.Errorf("%s:\n%q", name, text)
		}
	}
}
