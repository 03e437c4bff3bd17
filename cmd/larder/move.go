package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/larderkv/larder/cmd/warm"
)

// What `larder warm` and `larder export` have in common: both move keys between a server and a file,
// many of them, of which some may fail.

// silence is how long a server may be silent in the middle of something.
const silence = 30 * time.Second

// rateFlag adds --rate; the check behind it judges what it was given, 0 being no limit.
func rateFlag(cmd *cobra.Command, keysPerSecond *float64) (check func() error) {
	cmd.Flags().Float64Var(keysPerSecond, "rate", 0, "at most so many `keys` per second")
	return func() error {
		if r := *keysPerSecond; r < 0 || r > 1e9 || r > 0 && r < 1e-3 {
			return errors.New("--rate takes a number of keys per second above 0")
		}
		return nil
	}
}

// move runs one of the two until it ends or a signal comes, and lists behind its bar what has failed of
// single keys.
func move(ctx context.Context, stderr io.Writer,
	run func(context.Context, *progress) (warm.Report, error)) (warm.Report, error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	var bar progress
	r, err := run(ctx, &bar)
	bar.remove()
	r.ListErrors(stderr)
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	return r, err
}

// someFailed: the command has come to its end, and a part of it has failed. Exit code 2.
type someFailed struct{ text string }

func (e *someFailed) Error() string { return e.text }

// exitCode tells scripts a failure in part from any other.
func exitCode(err error) int {
	if part := (*someFailed)(nil); errors.As(err, &part) {
		return 2
	}
	return 1
}
