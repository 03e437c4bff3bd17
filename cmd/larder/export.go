package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/larderkv/larder/cmd/warm"
)

func exportCommand() *cobra.Command {
	var o warm.ExportOptions
	to := ""
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write a server's keys into a file",
		Long:  exportHelp,
		Args:  cobra.NoArgs,
	}
	target := connectFlags(cmd)
	set := cmd.Flags()
	set.StringVar(&o.Pattern, "pattern", "", "`glob` of the keys, as SCAN takes it (default: all)")
	set.StringVar(&o.Type, "type", "", "string, list, set, hash or zset alone (default: all)")
	set.StringVar(&o.Format, "format", warm.NDJSON, "ndjson, csv (strings alone), resp or rdb")
	set.StringVar(&to, "to", "-", "`file` to write, - for standard output")
	checkRate := rateFlag(cmd, &o.Rate)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o.Target, o.Timeout = *target, silence
		if err := checkRate(); err != nil {
			return err
		}
		return runExport(cmd.Context(), o, to, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

const exportHelp = `Write a server's keys into a file that larder warm reads: of a larder, or of any other
server that speaks Redis' protocol.

Keys are found by SCAN and read by DUMP and PTTL, while others go on working. A key that is
there all the time is in the file; each is as of the moment when it was read. ndjson and
csv keep the time that a key has left, resp and rdb the time when it expires.

The file appears when it is whole. Exit code 0: everything is in it. 2: it is written and
some keys are missing, which are counted and listed. 1: there is no file.

  larder export --pattern 'page:*' --to pages.ndjson
  larder export --format rdb --to dump.rdb`

func runExport(ctx context.Context, o warm.ExportOptions, to string, stdout, stderr io.Writer) error {
	r, err := move(ctx, stderr, func(ctx context.Context, bar *progress) (r warm.Report, err error) {
		o.Progress = func(keys, of int64) {
			if bar.bar == nil {
				*bar = newCount(stderr, "keys", max(keys, of))
			}
			bar.set(keys)
		}
		write := func(w io.Writer) (err error) {
			r, err = warm.Export(ctx, w, o)
			return err
		}
		if to == "-" {
			err = write(stdout)
		} else {
			err = replaceFile(to, write)
		}
		return r, err
	})
	if err != nil {
		return err
	}
	if to != "-" {
		if _, err := fmt.Fprintf(stdout, "%s in %.1f s\n", plural(r.Stored, "key"), r.Took.Seconds()); err != nil {
			return err
		}
	}
	if r.Failed > 0 {
		return &someFailed{fmt.Sprintf("%s could not be exported, the rest is in the file", plural(r.Failed, "key"))}
	}
	return nil
}

// replaceFile writes a file that appears when it is whole. Only its owner may read it, since it has
// what the server has. What a link leads to is replaced, not the link, and what is no file, such as a
// pipe or /dev/stdout, is written to as it is.
func replaceFile(name string, write func(w io.Writer) error) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return writeOnto(name, write)
	}
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.part")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, cause(err))
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// writeOnto writes into what is there.
func writeOnto(name string, write func(w io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, cause(err))
	}
	return errors.Join(write(f), f.Close())
}
