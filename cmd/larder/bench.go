package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/larderkv/larder/cmd/client"
	"github.com/larderkv/larder/cmd/load"
)

const benchHelp = `Measure how a server answers: larder's, Redis', or any other that speaks its protocol.

Without --rate, each of --clients keeps --pipeline requests under way (a closed loop):
this finds out how much a server can do. With --rate, requests are due at a fixed rate
whatever the server does (an open loop), and latencies are counted from when a request
was due, so that a stall shows in all requests that it held up. An open loop takes a
processor for itself.

Operations that have names:
  %s

Others are described by --op NAME=COMMAND, with holes in the command:
  {key}      the number of the request's key, of twelve digits
  {any}      that of another key, drawn anew each time
  {value}    bytes that do not compress, as many as the key's value has
  {rand:N}   a number below N
  {seq}      a number that grows by one with each request of a client
  {ttl}      a time to live in seconds; {ttl_ms}: in milliseconds
  {prefix}   what --prefix says

Keys stay in the server. An error reply, or one that never comes, makes the exit code 1.
What there is when it is interrupted is printed.`

const benchExample = `  larder bench --duration 10s --fill --pick zipf:0.99
  larder bench --rate 20000 --mix get:90,set:10 --ttl 1m-5m --set-missed
  larder bench --op 'top=ZREVRANGE board 0 9' --op 'hit=ZINCRBY board 1 user:{key}' --mix top:1,hit:9
  larder bench --pipeline 16 --json result.json --svg result.svg`

// benchFlags are what the command line says beyond the server.
type benchFlags struct {
	plan           load.Plan
	mix            string
	own            []string
	pick, size     string
	ttl            string
	json, svg      string
	quiet          bool
	target         *client.Target
	stdout, stderr io.Writer
}

func benchCommand() *cobra.Command {
	f := &benchFlags{}
	cmd := &cobra.Command{
		Use:     "bench",
		Short:   "Measure how a server answers under load",
		Long:    fmt.Sprintf(benchHelp, wrapped(load.OperationNames(), 84)),
		Example: benchExample,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.stdout, f.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop) // a second signal ends it at once
			return f.run(ctx)
		},
	}
	f.target = connectFlags(cmd)
	set, p := cmd.Flags(), &f.plan
	set.IntVarP(&p.Clients, "clients", "c", 50, "connections")
	set.IntVarP(&p.Pipeline, "pipeline", "P", 1, "requests that a client keeps under way")
	set.Float64Var(&p.Rate, "rate", 0, "requests per `second` of all clients: an open loop")
	set.DurationVarP(&p.Duration, "duration", "d", 10*time.Second,
		"of what is measured; 0: without end, or as many requests as are asked for")
	set.Int64VarP(&p.Requests, "requests", "n", 0, "end after so many requests (default: by time alone)")
	set.DurationVar(&p.Warmup, "warmup", time.Second, "before anything is measured")
	set.StringVar(&f.mix, "mix", "",
		"operations with their weights (default get:90,set:10, or all that --op describes)")
	set.StringArrayVar(&f.own, "op", nil, "an operation of one's own, as `NAME=COMMAND`; may be repeated")
	set.IntVarP(&p.Keys, "keys", "k", 100_000, "`number` of keys of each type")
	set.StringVar(&p.Prefix, "prefix", "bench:", "what keys of operations that have names begin with")
	set.StringVar(&f.pick, "pick", "uniform", "which keys are asked for: uniform, or zipf:EXPONENT")
	set.StringVarP(&f.size, "size", "s", "64", "bytes of values: N, MIN-MAX or lognormal:MEDIAN:SIGMA:MAX")
	set.StringVar(&f.ttl, "ttl", "",
		"time to live of what SET sets: a duration, or a range, as in 30s-5m (default: none)")
	set.BoolVar(&p.Fill, "fill", false, "first make all keys that the mix reads")
	set.BoolVar(&p.OnlyHits, "only-hits", false, "the same, and count a miss as an error")
	set.BoolVar(&p.SetMissed, "set-missed", false, "SET a key that GET has missed, as a cache's user does")
	set.Uint64Var(&p.Seed, "seed", 1, "of the random numbers")
	set.StringVar(&f.json, "json", "",
		"write the result to a `file` as JSON (-: to standard output, and nothing else there)")
	set.StringVar(&f.svg, "svg", "", "write a picture of the result to a `file`")
	set.BoolVarP(&f.quiet, "quiet", "q", false, "show nothing meanwhile")
	return cmd
}

// wrapped writes words in lines of up to so many bytes, indented by two.
func wrapped(words []string, width int) string {
	var b strings.Builder
	at := 0
	for i, w := range words {
		switch {
		case i == 0:
		case at+1+len(w) > width:
			b.WriteString("\n  ")
			at = 0
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(w)
		at += len(w)
	}
	return b.String()
}

// parse completes the plan.
func (f *benchFlags) parse() (err error) {
	p := &f.plan
	if p.Operations, err = load.ParseMix(f.mix, f.own); err != nil {
		return err
	}
	if p.Choice, err = load.ParseChoice(f.pick); err != nil {
		return err
	}
	if p.Size, err = load.ParseSize(f.size); err != nil {
		return err
	}
	if p.TTL, err = load.ParseTTL(f.ttl); err != nil {
		return err
	}
	o, err := f.target.Options()
	if err != nil {
		return err
	}
	p.Server = load.Endpoint{Network: o.Network, Addr: o.Addr,
		TLS: o.TLSConfig, Username: o.Username, Password: o.Password, DB: o.DB}
	return nil
}

func (f *benchFlags) run(ctx context.Context) error {
	if err := f.parse(); err != nil {
		return err
	}
	line := newStatusLine(f.stderr, f.quiet)
	result, err := f.plan.Run(ctx,
		func(s load.Sample) { line.show(s.Text()) },
		func(done, all int) { line.show(fmt.Sprintf("filling: %d of %s", done, plural(int64(all), "key"))) })
	line.clear()
	if result == nil {
		return err
	}
	return errors.Join(err, f.write(result), result.Verdict())
}

// write puts the result where it was asked for.
func (f *benchFlags) write(r *load.Result) error {
	var errs []error
	if f.json == "-" {
		errs = append(errs, r.WriteJSON(f.stdout))
	} else {
		_, err := io.WriteString(f.stdout, r.Text())
		errs = append(errs, err)
	}
	if f.json != "" && f.json != "-" {
		var b strings.Builder
		errs = append(errs, r.WriteJSON(&b), os.WriteFile(f.json, []byte(b.String()), 0o644))
	}
	if f.svg != "" {
		errs = append(errs, os.WriteFile(f.svg, []byte(r.Picture()), 0o644))
	}
	return errors.Join(errs...)
}

// statusLine is a line on a terminal that is written again and again.
type statusLine struct {
	out   io.Writer // nil: not on a terminal, or not wanted
	shown bool
}

func newStatusLine(stderr io.Writer, quiet bool) *statusLine {
	f, ok := stderr.(*os.File)
	if quiet || !ok || !term.IsTerminal(int(f.Fd())) {
		return &statusLine{}
	}
	return &statusLine{out: f}
}

// show replaces the line. A terminal that cannot be written to is no reason to stop.
func (l *statusLine) show(text string) {
	if l.out != nil {
		_, _ = fmt.Fprintf(l.out, "\r\x1b[K%s", text)
		l.shown = true
	}
}

// clear leaves the line to what is printed next.
func (l *statusLine) clear() {
	if l.shown {
		_, _ = fmt.Fprint(l.out, "\r\x1b[K")
	}
}
