package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Plan is a load: to whom, how, what.
type Plan struct {
	Server Endpoint

	Clients  int
	Pipeline int     // closed loop: requests that a client keeps under way
	Rate     float64 // open loop: requests per second of all clients; 0: a closed loop

	Operations []Operation
	Keys       int
	Prefix     string // of all keys
	Choice     Choice
	Size       Size
	TTL        TTL
	SetMissed  bool // a GET that misses is followed by a SET
	Fill       bool // makes what is to be found before anything is measured
	OnlyHits   bool // the same, and a miss is an error

	Warmup   time.Duration // before anything is measured
	Duration time.Duration // of what is measured; 0: until Requests have been answered, or for ever
	Requests int64         // to be measured; 0: as many as come
	Seed     uint64
}

// What a Plan may ask for.
const (
	MostClients  = 20_000
	MostPipeline = 10_000
	MostRate     = 10_000_000
	MostKeys     = 1 << 36
)

// check finds what cannot be.
func (p *Plan) check() error {
	switch {
	case p.Clients < 1 || p.Clients > MostClients:
		return fmt.Errorf("%d clients: it takes 1 to %d", p.Clients, MostClients)
	case p.Pipeline < 1 || p.Pipeline > MostPipeline:
		return fmt.Errorf("%d requests in a pipeline: it takes 1 to %d", p.Pipeline, MostPipeline)
	case p.Rate != 0 && !(p.Rate >= 0.001 && p.Rate <= MostRate):
		return fmt.Errorf("a rate of %v requests per second: it takes up to %d", p.Rate, MostRate)
	case p.Keys < 1 || p.Keys > MostKeys:
		return fmt.Errorf("%d keys: it takes 1 to %d", p.Keys, MostKeys)
	case p.Duration < 0 || p.Warmup < 0 || p.Requests < 0:
		return errors.New("durations and numbers of requests are not negative")
	}
	return nil
}

// drain is how long replies that are missing at the end are waited for.
const drain = 3 * time.Second

// readBuffer is how much a client of a closed loop reads at once, in bytes.
const readBuffer = 16 << 10

// run is a load under way.
type run struct {
	Plan
	mix       *mix
	fills     []*template
	noise     Noise
	conns     []net.Conn
	streams   []*stream
	recorders recorders
	watch     func(Sample)

	stopping  atomic.Bool
	measuring atomic.Bool
	tickets   atomic.Int64 // requests that were begun, of Requests
	began     time.Time    // of what is measured; written before begun is closed
	begun     chan struct{}

	result Result
}

// Run runs the load until it is done or ctx is. watch, if there is one, sees each second pass, and
// filled how many keys were made and how many there will be; both run on goroutines of the load. At
// an error there is a Result all the same if anything was measured.
func (p Plan) Run(ctx context.Context, watch func(Sample), filled func(done, all int)) (*Result, error) {
	r := &run{Plan: p, watch: watch, begun: make(chan struct{})}
	if err := r.prepare(); err != nil {
		return nil, err
	}
	defer func() {
		for _, c := range r.conns {
			_ = c.Close() // everything asked for was answered, or given up
		}
	}()
	if err := r.connect(ctx); err != nil {
		return nil, err
	}
	if r.Fill || r.OnlyHits {
		if err := r.fill(ctx, filled); err != nil {
			return nil, fmt.Errorf("filling: %w", err)
		}
	}
	measured, err := r.measure(ctx)
	if !measured {
		return nil, errors.Join(err, errors.New("it ended before anything was measured"))
	}
	return &r.result, err
}

// prepare compiles the operations.
func (r *run) prepare() error {
	if err := r.check(); err != nil {
		return err
	}
	if len(r.Operations) == 0 {
		return errors.New("no operations")
	}
	r.mix = &mix{onMiss: -1, missFail: r.OnlyHits}
	var fills []string
	for _, o := range r.Operations {
		command := r.expiring(o.Command)
		t, err := r.compile(command)
		if err != nil {
			return err
		}
		r.mix.total += o.Weight
		r.mix.weights = append(r.mix.weights, r.mix.total)
		r.mix.kinds = append(r.mix.kinds,
			kind{name: o.Name, command: command, request: t, reads: o.reads, asks: o.Name == "get"})
		for _, f := range o.fills {
			if !slices.Contains(fills, f) {
				fills = append(fills, f)
			}
		}
	}
	if r.SetMissed {
		command := r.expiring(fillString)
		t, err := r.compile(command)
		if err != nil {
			return err
		}
		r.mix.onMiss = len(r.mix.kinds)
		r.mix.kinds = append(r.mix.kinds, kind{name: "set missed", command: command, request: t})
	}
	for _, f := range fills {
		t, err := r.compile(r.expiring(f))
		if err != nil {
			return err
		}
		r.fills = append(r.fills, t)
	}
	r.noise = NewNoise(r.Size.most)
	for range max(1, min(r.Clients, runtime.GOMAXPROCS(0), 8)) {
		r.recorders = append(r.recorders, newRecorder(len(r.mix.kinds)))
	}
	for i := range r.Clients {
		r.streams = append(r.streams,
			&stream{source: r.source(uint64(i)), mix: r.mix, recorder: r.recorders[i%len(r.recorders)]})
	}
	return nil
}

// expiring gives the operations' own SET its time to live.
func (r *run) expiring(command string) string {
	if command == fillString && r.TTL.Most > 0 {
		return command + " PX {ttl_ms}"
	}
	return command
}

func (r *run) compile(command string) (*template, error) {
	t, err := compile(command, r.Prefix)
	if err == nil && t.needsTTL() && r.TTL.Most == 0 {
		err = fmt.Errorf("%s: there is no time to live to fill in", command)
	}
	return t, err
}

// source is that of one client.
func (r *run) source(client uint64) source {
	rnd := rand.New(rand.NewPCG(r.Seed, client))
	return source{rnd: rnd, draw: r.Choice.of(rnd, r.Keys), size: r.Size.of, noise: r.noise, ttls: r.TTL}
}

// connect opens the connections.
func (r *run) connect(ctx context.Context) error {
	for range r.Clients {
		conn, err := r.Server.dial(ctx)
		if err != nil {
			return err
		}
		r.conns = append(r.conns, conn)
	}
	r.result.Server = r.Server.identify(r.conns[0])
	return nil
}

// fillPiece is how many keys are made between two reports of how far the filling is.
const fillPiece = 10_000

// fill makes each key of each type that is asked for.
func (r *run) fill(ctx context.Context, filled func(done, all int)) error {
	if len(r.fills) == 0 {
		return nil
	}
	conn, err := r.Server.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	s := r.source(uint64(r.Clients))
	n := len(r.fills)
	for from := 0; from < r.Keys; from += fillPiece {
		keys := min(fillPiece, r.Keys-from)
		err := Fill(conn, keys*n, func(b []byte, i int) []byte { return r.fills[i%n].append(b, &s, from+i/n) })
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		if filled != nil {
			filled(from+keys, r.Keys)
		}
	}
	return nil
}

// begin ends the warm-up.
func (r *run) begin() {
	r.began = time.Now()
	close(r.begun)
	r.measuring.Store(true)
}

// measure runs the loop, with a sampler beside it, and reports whether the warm-up has ended.
func (r *run) measure(ctx context.Context) (measured bool, err error) {
	over, stopSampling := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		r.sampleUntil(stopSampling)
	}()
	stop := context.AfterFunc(ctx, r.stop)
	defer stop()
	loop := r.closed
	if r.Rate > 0 {
		loop = r.open
	}
	err = loop()
	close(stopSampling)
	<-over
	if measured = r.measuring.Load(); measured {
		r.result.Interrupted = ctx.Err() != nil
		r.summarize(time.Since(r.began))
	}
	return measured, err
}

// stop has the loop end when what is under way is answered.
func (r *run) stop() {
	if r.stopping.Swap(true) || r.Rate > 0 {
		return
	}
	for _, c := range r.conns {
		_ = c.SetReadDeadline(time.Now().Add(drain)) // it is closed otherwise
	}
}

// sampleUntil takes samples each second, and one of the rest.
func (r *run) sampleUntil(done <-chan struct{}) {
	select {
	case <-r.begun:
	case <-done:
		return
	}
	last := r.began
	take := func(now time.Time) {
		s := r.recorders.sample(now.Sub(r.began), now.Sub(last))
		last = now
		r.result.Samples = append(r.result.Samples, s)
		if r.watch != nil {
			r.watch(s)
		}
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			take(now)
		case <-done:
			// A rest of some milliseconds would be a sample of hardly anything.
			if now := time.Now(); now.Sub(last) >= time.Second/4 || len(r.result.Samples) == 0 {
				take(now)
			}
			return
		}
	}
}

// closed runs the closed loop.
func (r *run) closed() error {
	ended := make(chan error, r.Clients)
	var wg sync.WaitGroup
	// These may come when it is over already, which does no harm.
	begin := func() {
		r.begin()
		if r.Duration > 0 {
			time.AfterFunc(r.Duration, r.stop)
		}
	}
	if r.Warmup > 0 {
		defer time.AfterFunc(r.Warmup, begin).Stop()
	} else {
		begin()
	}
	for i, s := range r.streams {
		wg.Go(func() {
			err := Closed(r.conns[i], s, readBuffer, func() int { return r.more(s) })
			s.flush()
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = nil // what is missing is counted
			}
			if err != nil {
				r.stop() // a load of fewer clients is another load
			}
			ended <- err
		})
	}
	wg.Wait()
	close(ended)
	var errs []error
	for err := range ended {
		// Clients that lose their server all say the same.
		if err != nil && !slices.ContainsFunc(errs, func(e error) bool { return e.Error() == err.Error() }) {
			errs = append(errs, err)
		}
	}
	for _, s := range r.streams {
		r.result.Unanswered += int64(s.tail - s.head)
	}
	return brief(errs)
}

// brief is the first error, with how many others there were.
func brief(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return fmt.Errorf("%w (and %d other errors)", errs[0], len(errs)-1)
}

// more is the size of a client's next batch.
func (r *run) more(s *stream) int {
	if r.stopping.Load() {
		return 0
	}
	if s.counting = r.measuring.Load(); !s.counting || r.Requests == 0 {
		return r.Pipeline
	}
	n := int64(r.Pipeline)
	left := r.Requests - (r.tickets.Add(n) - n)
	return int(max(0, min(n, left)))
}

// open runs the open loop.
func (r *run) open() error {
	o := NewOpen()
	defer o.Close()
	o.Drain = drain
	f := o.Flow(r.Rate)
	conns := r.conns
	r.conns = nil
	for i, conn := range conns {
		if err := o.Connect(f, conn, r.streams[i]); err != nil {
			for _, rest := range conns[i+1:] {
				_ = rest.Close() // unused
			}
			return err
		}
	}
	stopped := func(time.Duration) bool { return r.stopping.Load() }
	if r.Warmup > 0 {
		if err := o.Run(r.Warmup, stopped); err != nil || r.stopping.Load() {
			return err
		}
	}
	for _, s := range r.streams {
		s.counting = true
	}
	r.begin()
	err := o.Run(r.length(), stopped)
	for _, s := range r.streams {
		s.flush()
	}
	kept := o.Kept
	r.result.Unanswered = kept.Unanswered
	r.result.Open = &OpenResult{RatePerSecond: r.Rate, Sent: kept.Sent, Late: kept.Late,
		LateAfterUS: float64(LateAfter.Microseconds()), Unsent: kept.Unsent}
	return err
}

// length is that of an open loop.
func (r *run) length() time.Duration {
	length := time.Duration(Endless)
	if r.Duration > 0 {
		length = r.Duration
	}
	if r.Requests > 0 {
		length = min(length, time.Duration(float64(r.Requests)/r.Rate*float64(time.Second)))
	}
	return length
}

// commandOf is what a kind sends, for people: long commands are cut.
func commandOf(k kind, prefix string) string {
	const most = 120
	text := strings.ReplaceAll(k.command, "{prefix}", prefix)
	if len(text) > most {
		text = text[:most] + "..."
	}
	return text
}
