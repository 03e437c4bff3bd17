package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/larderkv/larder/cmd/advise"
)

// `larder advise`: the flags; what is looked at and said is package advise.

func adviseCommand() *cobra.Command {
	o := advise.Options{For: 30 * time.Second, Requests: 2_000_000, Keys: 10_000}
	var asJSON, quiet bool
	cmd := &cobra.Command{
		Use:   "advise",
		Short: "Say what would raise a server's hit rate or save memory",
		Long:  adviseHelp,
		Args:  cobra.NoArgs,
	}
	target := connectFlags(cmd)
	set := cmd.Flags()
	set.DurationVar(&o.For, "for", o.For, "how long to look")
	set.Int64Var(&o.Requests, "requests", o.Requests, "`number` of requests after which to stop looking")
	set.IntVar(&o.Keys, "keys", o.Keys, "`number` of keys to look at")
	set.BoolVar(&quiet, "no-monitor", false,
		"do without MONITOR: no times between uses, no policies, and prefixes of larder alone")
	set.BoolVar(&asJSON, "json", false, "write JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.For <= 0 || o.Requests <= 0 || o.Keys <= 0 {
			return errors.New("--for, --requests and --keys take more than 0")
		}
		if quiet {
			o.Requests = 0
		}
		redis.SetLogger(silent{}) // its lines would say the same as the error
		ctx := cmd.Context()
		c, err := target.Open(ctx)
		if err != nil {
			return err
		}
		o.Client, o.Addr = c, c.Options().Addr
		report, err := advise.Run(ctx, o)
		if err = errors.Join(err, c.Close()); err != nil {
			return fmt.Errorf("%s: %w", o.Addr, err)
		}
		if asJSON {
			e := json.NewEncoder(cmd.OutOrStdout())
			e.SetIndent("", "  ")
			return e.Encode(report)
		}
		return report.Write(cmd.OutOrStdout())
	}
	return cmd
}

const adviseHelp = `Say what would raise a server's hit rate or save memory, with the figure behind each sentence:
prefixes that hardly hit, times to live that are too long or too short, keys that nothing will ever
remove, values that compress well, another maxmemory-policy. What there is too little data for is
named instead of guessed. It works with larder and with Redis.

It looks at the requests of some time by MONITOR, which makes the server write every request once
more, and then at some thousands of keys. Of the keys whose requests are kept there is a sample by
hash, so that memory is bounded. With --no-monitor it looks at statistics and keys alone. Keys are
looked at after the time that is judged; they count in keyspace_hits, but not as used where the
server knows CLIENT NO-TOUCH.`
