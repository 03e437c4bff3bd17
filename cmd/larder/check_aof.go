package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/larderkv/larder/persistence/aof"
	"github.com/larderkv/larder/persistence/rdb"
	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/server/commands"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/scripting"
	"github.com/larderkv/larder/store"
)

// repair is what a check may change, and what for.
type repair struct {
	fix        bool
	yes        bool  // without asking
	truncateTo int64 // unix seconds, 0: not at all
	databases  int   // of the server that is to load the log, 0: as many as there are without configuration
}

func checkAOFCommand() *cobra.Command {
	var r repair
	const timestamp = "truncate-to-timestamp"
	cmd := &cobra.Command{
		Use:   "aof MANIFEST",
		Short: "Check an append-only log, and repair it",
		Long:  checkAOFHelp,
		Args:  oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed(timestamp) && r.truncateTo <= 0 {
				return fmt.Errorf("--%s takes a time in seconds since 1970, which %d is not", timestamp, r.truncateTo)
			}
			return checkAOF(args[0], r, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&r.fix, "fix", false, "cut off what follows the last whole command of the last file")
	cmd.Flags().BoolVar(&r.yes, "yes", false, "with --fix: do not ask")
	cmd.Flags().IntVar(&r.databases, "databases", 16,
		"how many the server has that is to load the log, its parameter databases")
	cmd.Flags().Int64Var(&r.truncateTo, timestamp, 0,
		"cut off what was logged after this time, in `seconds` since 1970")
	return cmd
}

const checkAOFHelp = `Check an append-only log, written by larder or Redis 7: its manifest and all files that the
manifest names, or a single file of commands.

Printed are the files with their sizes and how far each is good, how often each command
comes, and of a base in RDB form what larder check rdb prints of it. The first file that
is not in order ends the check.

A log whose commands are whole is not good either if larder would refuse it at its start:
for a command that larder does not have, or that has a wrong number of arguments, or that
names a database beyond --databases, or for a key of a type that larder does not have.

--fix cuts off what follows the last whole command or transaction of the last file: a
torn end costs nothing else, damage further up costs everything behind it. Damage in
another file than the last is not repaired. Before the cut it asks for a confirmation on
the terminal; without a terminal --yes has to be given.

--truncate-to-timestamp cuts off what was logged later than that, in the last file, at
the marks that aof-timestamp-enabled leaves. As in redis-check-aof it does not ask.

For both stop the server first, and keep a copy of the files. Without them no file is
changed.

  larder check aof appendonlydir/appendonly.aof.manifest
  larder check aof --fix appendonlydir/appendonly.aof.manifest`

// checkAOF prints what is in the log, and repairs it if it was asked to. The error says why it is
// not good in the end.
func checkAOF(name string, r repair, stdin io.Reader, stdout, stderr io.Writer) error {
	f, _, err := openToCheck(name)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if r.fix || r.truncateTo > 0 {
		unlock, err := lockLog(name)
		if err != nil {
			return err
		}
		defer unlock()
	}
	replayer, closeStore, err := newChecker(r.databases)
	if err != nil {
		return err
	}
	defer closeStore()
	c := &aofCheck{name: name, repair: r, stdin: stdin, stderr: stderr}
	rep, bad := aof.Check(vfs.OS(), name, aof.CheckOptions{
		RDB: c.checkBase, Fix: r.fix, Confirm: c.confirm, TruncateTo: r.truncateTo, Progress: c.progress,
		Replay: replayer.Check,
	})
	c.bar.remove()
	if c.refused == nil && !noLog(&rep, bad) {
		if _, err := io.WriteString(stdout, c.report(&rep, bad)); err != nil {
			return err
		}
	}
	return c.verdict(&rep, bad)
}

// newChecker makes a replayer over an empty store, and what closes it.
func newChecker(databases int) (r *engine.Replayer, closeStore func(), err error) {
	flags := []string{}
	if databases != 0 {
		flags = append(flags, "--databases", strconv.Itoa(databases))
	}
	cfg, err := config.Load("", flags)
	if err != nil {
		return nil, nil, err
	}
	table, err := serverCommands(cfg)
	if err != nil {
		return nil, nil, err
	}
	st, err := store.Open(store.Options{Databases: int(cfg.Values().Databases)})
	if err != nil {
		return nil, nil, fmt.Errorf("open a store: %w", err)
	}
	closeStore = func() { _ = st.Close() } // it goes with the process at the latest
	k, err := engine.NewKernel(engine.Options{Store: st, Config: cfg, Table: table, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		closeStore()
		return nil, nil, err
	}
	return k.NewReplayer(), closeStore, nil
}

// serverCommands is the table of a server's commands, for what runs without one.
func serverCommands(cfg *config.Config) (*engine.Table, error) {
	return engine.NewTable(commands.All(scripting.New(cfg, slog.New(slog.DiscardHandler))))
}

// lockLog keeps servers away while files are changed. They lock the folder that has the log's
// folder in it, or a single file.
func lockLog(name string) (unlock func(), err error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	var held []io.Closer
	unlock = func() {
		for _, lock := range held {
			_ = lock.Close() // it goes with the process at the latest
		}
	}
	dir := filepath.Dir(path)
	for _, folder := range []string{dir, filepath.Dir(dir)} {
		lock, err := vfs.OS().Lock(folder)
		if errors.Is(err, vfs.ErrLocked) {
			err = fmt.Errorf("a server keeps its data in %s: stop it, or repair a copy elsewhere", folder)
		}
		if err != nil {
			unlock()
			return nil, err
		}
		held = append(held, lock)
		if folder == filepath.Dir(folder) {
			break // the root is its own parent
		}
	}
	return unlock, nil
}

// aofCheck is one check.
type aofCheck struct {
	name    string
	repair  repair
	stdin   io.Reader
	stderr  io.Writer
	bar     progress
	base    *rdb.Report // of the part in RDB form, if there is one
	baseErr error
	refused error // why the user could not be asked, or what speaks against a repair
}

func (c *aofCheck) progress(read, total int64) {
	if c.bar.bar == nil {
		c.bar = newProgress(c.stderr, c.name, total)
	}
	c.bar.set(read)
}

// checkBase checks the part in RDB form.
func (c *aofCheck) checkBase(r io.Reader, size int64) (int64, error) {
	rep, err := rdb.Check(r, size, rdb.CheckOptions{Now: time.Now().UnixMilli()})
	c.base, c.baseErr = &rep, err
	return rep.Bytes, inKey(&rep, err)
}

// confirm asks whether a file may be cut. A file of which nothing would be left is of another kind.
func (c *aofCheck) confirm(file string, size, valid int64) bool {
	c.bar.remove()
	if valid == 0 && filepath.Base(c.name) == file {
		c.refused = fmt.Errorf("%s is no log: it does not begin with a command", c.name)
		return false
	}
	if c.repair.yes {
		return true
	}
	what := fmt.Sprintf("%s is to be cut from %s to %d: what follows the last whole command is lost.",
		file, plural(size, "byte"), valid)
	yes, err := confirmed(c.stdin, c.stderr, what)
	if err != nil {
		c.refused = fmt.Errorf("%s %w", what, err)
	}
	return yes
}

// noLog reports whether a single file was given that is no log at all: nothing of it is good.
func noLog(rep *aof.CheckReport, bad error) bool {
	return bad != nil && !rep.MultiPart && len(rep.Files) == 1 && rep.Files[0].Valid == 0 && !rep.Files[0].RDB
}

// verdict says in one line what is wrong; nil if nothing is, or not any more.
func (c *aofCheck) verdict(rep *aof.CheckReport, bad error) error {
	var torn *aof.TornError
	switch {
	case c.refused != nil:
		return c.refused
	case bad == nil && rep.Refusal != nil:
		return fmt.Errorf("%s is not good: larder does not start on it: %w", c.name, rep.Refusal)
	case bad == nil && c.unloadable() != nil:
		return fmt.Errorf("%s is not good: %w", c.name, c.unloadable())
	case bad == nil:
		return nil
	case errors.Is(bad, aof.ErrNotConfirmed):
		return fmt.Errorf("%s is left as it is, and not good", c.name)
	case errors.Is(bad, aof.ErrNothingBefore) || errors.Is(bad, aof.ErrNotLast) && c.repair.truncateTo > 0:
		return fmt.Errorf("%s is left as it is: %w", c.name, bad)
	case noLog(rep, bad):
		return fmt.Errorf("%s is no log: it begins neither with a command nor as an RDB file nor as a manifest", c.name)
	case errors.As(bad, &torn) && !c.repair.fix:
		return fmt.Errorf("%s is not good: %w after offset %d; larder check aof --fix cuts it off there",
			c.name, bad, rep.Files[len(rep.Files)-1].Valid)
	}
	return fmt.Errorf("%s is not good: %w", c.name, bad)
}

// unloadable is why larder does not start on the part in RDB form, though nothing of it is damaged.
func (c *aofCheck) unloadable() error {
	if c.base == nil {
		return nil
	}
	return unloadable(c.base)
}

// report is everything that was found, as text.
func (c *aofCheck) report(rep *aof.CheckReport, bad error) string {
	var b strings.Builder
	if len(rep.Files) > 0 {
		b.WriteString(fileTable(rep.Files))
	}
	if c.base != nil {
		b.WriteString("\nthe part in RDB form:\n")
		b.WriteString(rdbReport(c.base, c.base.Bytes, c.baseErr))
	}
	b.WriteString(commandTable(rep.Counts))
	b.WriteString(refusedCommands(rep.Refused))
	for _, f := range rep.Files {
		if f.Cut {
			fmt.Fprintf(&b, "%s has been cut from %s to %d\n", printable(f.Name), plural(f.Size, "byte"), f.Valid)
		}
	}
	if bad == nil && rep.Refusal == nil && c.unloadable() == nil {
		b.WriteString("the log is good\n")
	}
	return b.String()
}

// fileTable has a line per file, in the order of loading.
func fileTable(files []aof.FileReport) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "file\tkind\tbytes\tgood\tcommands\t")
	for _, f := range files {
		kind := map[aof.FileKind]string{aof.SingleFile: "single",
			aof.BaseFile: "base", aof.IncrementalFile: "incremental"}[f.Kind]
		if f.RDB {
			kind += ", RDB"
		}
		note := ""
		if f.Err != nil {
			note = "not good"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\n", printable(f.Name), kind, f.Size, f.Valid, f.Commands, note)
	}
	_ = w.Flush() // a strings.Builder takes everything
	return tidy(b.String())
}

// shownCommands is how many different commands are listed.
const shownCommands = 50

// refusedCommands lists what keeps larder from starting on a log that is whole.
func refusedCommands(counts map[string]int64) string {
	if len(counts) == 0 {
		return ""
	}
	var shown []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if len(shown) == shownCommands {
			shown = append(shown, "and others")
			break
		}
		shown = append(shown, fmt.Sprintf("%s (%d)", cmp.Or(printable(name), "others"), counts[name]))
	}
	return "larder does not start on a log with these commands: " + strings.Join(shown, ", ") + "\n"
}

// commandTable lists the commands, the commonest first.
func commandTable(counts map[string]int64) string {
	if len(counts) == 0 {
		return ""
	}
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\ncommand\ttimes")
	for _, name := range names[:min(len(names), shownCommands)] {
		shown := printable(name)
		if name == "" {
			shown = "others"
		}
		fmt.Fprintf(w, "%s\t%d\n", shown, counts[name])
	}
	_ = w.Flush() // a strings.Builder takes everything
	if more := len(names) - shownCommands; more > 0 {
		fmt.Fprintf(&b, "and %d more\n", more)
	}
	return b.String() + "\n"
}
