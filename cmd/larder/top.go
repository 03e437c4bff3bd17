package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/larderkv/larder/cmd/top"
)

// `larder top`: the flags; the screen is package top.

func topCommand() *cobra.Command {
	every := time.Second
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show in the terminal what a server does",
		Long:  topHelp,
		Args:  cobra.NoArgs,
	}
	target := connectFlags(cmd)
	cmd.Flags().DurationVar(&every, "every", every, "`time` between readings")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if every < top.Fastest {
			return fmt.Errorf("--every takes %s at least", top.Fastest)
		}
		if !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stdout.Fd())) {
			return errors.New("top needs a terminal; for programs there is INFO, and larder's admin server")
		}
		redis.SetLogger(silent{}) // its lines would stand on the screen, which says the same
		ctx := cmd.Context()
		c, err := target.Open(ctx)
		if err != nil {
			return err
		}
		o := top.Options{Client: c, Addr: c.Options().Addr, Every: every, In: os.Stdin, Out: os.Stdout}
		return errors.Join(top.Run(ctx, o), c.Close())
	}
	return cmd
}

const topHelp = `Show in the terminal what a server does: operations, hit rate, memory, evictions, latency,
commands, prefixes of keys, hot keys, the slow log and clients.

It works with any server that speaks Redis' protocol; what only larder counts is left out with
others. The server is asked once per interval, by INFO and by the command of the table that is
shown, and needs the right to run these. ? lists the keys. No colours with NO_COLOR set.`

// silent is a logger of go-redis that says nothing: errors reach who asked.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
