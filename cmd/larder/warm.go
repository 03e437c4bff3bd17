package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/larderkv/larder/cmd/warm"
)

func warmCommand() *cobra.Command {
	var o warm.Options
	jitter := "0"
	cmd := &cobra.Command{
		Use:   "warm --from FILE",
		Short: "Fill a server with keys from a file",
		Long:  warmHelp,
		Args:  cobra.NoArgs,
	}
	target := connectFlags(cmd)
	set := cmd.Flags()
	set.StringVar(&o.From, "from", "", "`file` to read, or - for standard input")
	set.StringVar(&o.Format, "format", "", "`ndjson`, csv, resp or rdb (default: by the file's name or first bytes)")
	set.DurationVar(&o.TTL, "ttl", 0, "time to live of keys that bring none, 1h30m for example")
	set.StringVar(&jitter, "ttl-jitter", "0",
		"shorten every time to live at random by up to this `share`, 10% for example")
	set.StringVar(&o.Prefix, "prefix", "", "`text` to put in front of every key")
	checkRate := rateFlag(cmd, &o.Rate)
	set.BoolVar(&o.OnlyMissing, "only-missing", false, "leave keys alone that the server has")
	set.IntVar(&o.Concurrency, "concurrency", 0, "`connections` (default 4; 1 for resp)")
	set.StringVar(&o.State, "state", "", "`file` that keeps how far it is: the next run goes on from there")
	set.Int64Var(&o.Offset, "offset", 0, "go on from this place in the file, in `bytes`")
	set.DurationVar(&o.Wait, "wait", 30*time.Second, "how long to wait for a server that is away or loading")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o.Target = *target
		if err := warmOptions(&o, jitter); err != nil {
			return err
		}
		if err := checkRate(); err != nil {
			return err
		}
		return runWarm(cmd.Context(), o, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

const warmHelp = `Fill a server with keys from a file, on a deploy for example: a larder, or any other that
speaks Redis' protocol.

Formats:
  ndjson  a key per line: {"key":"k","type":"hash","value":{"f":"v"},"ttl_ms":60000}
          type is string (also if it is left out), list, set, hash or zset; ttl_ms may be
          left out. Bytes that are not UTF-8 are {"base64":"..."}, wherever text may stand.
  csv     strings: key,value or key,value,ttl, with the ttl in seconds
  resp    commands, as from an append-only log or for redis-cli --pipe
  rdb     a snapshot of larder, Redis, Valkey or KeyDB

A key is replaced as a whole, or with --only-missing left alone if it is there; that holds
whatever other clients do meanwhile. What cannot be read or is refused by the server is
counted and listed, and the rest goes on.

A run that was interrupted says the offset to go on from (--offset). With --state it goes
on by itself when it is started again with the same file, server, --db and --prefix. Both
are for files.

Exit code 0: everything is in. 2: the file was read to its end and some of it failed. 1:
the run ended early.

  larder export --pattern 'page:*' --to pages.ndjson
  larder warm --from pages.ndjson --ttl 1h --ttl-jitter 10% --only-missing`

// warmOptions checks flags and fills in what follows from them.
func warmOptions(o *warm.Options, jitter string) error {
	if o.From == "" {
		return errors.New("--from FILE is missing, or --from - for standard input")
	}
	if o.Format != "" {
		if err := warm.CheckFormat(o.Format); err != nil {
			return err
		}
	}
	var err error
	if o.Jitter, err = share(jitter); err != nil {
		return fmt.Errorf("--ttl-jitter: %w", err)
	}
	const mostConnections = 256
	switch {
	case o.TTL != 0 && o.TTL < time.Millisecond:
		return errors.New("--ttl takes a time above 0, 1h30m for example")
	case o.Concurrency < 0 || o.Concurrency > mostConnections:
		return fmt.Errorf("--concurrency takes a number from 1 to %d", mostConnections)
	case o.Wait < 0:
		return errors.New("--wait takes a time")
	}
	o.Timeout = silence
	return nil
}

// share reads 10% or 0.1.
func share(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	f, err := strconv.ParseFloat(number, 64)
	if percent {
		f /= 100
	}
	if err != nil || !(f >= 0 && f <= 1) {
		return 0, fmt.Errorf("%q is no share between 0%% and 100%%", text)
	}
	return f, nil
}

func runWarm(ctx context.Context, o warm.Options, stdin io.Reader, stdout, stderr io.Writer) error {
	o.Stdin = stdin
	r, err := move(ctx, stderr, func(ctx context.Context, bar *progress) (warm.Report, error) {
		o.Progress = func(done, total int64, c warm.Counts) {
			if bar.bar == nil {
				*bar = newProgress(stderr, o.From, total)
			}
			bar.describe(fmt.Sprintf("%s, %s", plural(c.Stored, "key"), plural(c.Failed, "error")))
			bar.set(done)
		}
		return warm.Run(ctx, o)
	})
	if _, werr := io.WriteString(stdout, warmSummary(&o, &r)); werr != nil {
		err = errors.Join(err, werr)
	}
	switch {
	case err != nil:
		return endedEarly(&o, &r, err)
	case r.Failed > 0:
		return &someFailed{fmt.Sprintf("%s failed, the rest is in", plural(r.Failed, "record"))}
	}
	return nil
}

// warmSummary is a line of figures, "" if there are none.
func warmSummary(o *warm.Options, r *warm.Report) string {
	if r.Took == 0 {
		return ""
	}
	what := "key"
	switch {
	case o.Format == warm.RESP:
		what = "command"
	case r.Commands:
		what = "record"
	}
	s := fmt.Sprintf("%s in %.1f s", plural(r.Stored, what), r.Took.Seconds())
	for _, part := range []struct {
		n    int64
		what string
	}{
		{r.Existing, "there already"}, {r.Expired, "expired"}, {r.Left, "left out"}, {r.Failed, "failed"},
	} {
		if part.n > 0 {
			s += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	if r.Resumed > 0 {
		s += fmt.Sprintf(", from offset %d on", r.Resumed)
	}
	return s + "\n"
}

// endedEarly says why, and how to go on.
func endedEarly(o *warm.Options, r *warm.Report, err error) error {
	switch {
	case r.Took == 0 || o.From == "-" || r.Offset == 0:
		return err
	case o.State != "":
		return fmt.Errorf("%w; started again it goes on from offset %d", err, r.Offset)
	case r.DB != 0:
		return fmt.Errorf("%w; go on with --offset %d --db %d", err, r.Offset, r.DB)
	}
	return fmt.Errorf("%w; go on with --offset %d", err, r.Offset)
}
