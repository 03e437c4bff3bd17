package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/larderkv/larder/persistence/rdb"
)

func checkRDBCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rdb FILE",
		Short: "Check a snapshot: dump.rdb, or the base file of a log",
		Long:  checkRDBHelp,
		Args:  oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			return checkRDB(args[0], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
}

const checkRDBHelp = `Check a snapshot in RDB format, written by larder, Redis, Valkey or KeyDB: of versions
6 to 12, or 80 of Valkey.

The whole file is read and every value decoded, of types that larder does not have as
far as needed to find their end. Printed are the facts the file tells of its origin,
the keys and bytes of every type and encoding, and the largest keys.

A file is good if it is well formed up to its end mark, its checksum is right and
larder can load all of it. One without a checksum (rdbchecksum no) can be good, too. A
file is never changed.

  larder check rdb /var/lib/larder/dump.rdb`

// checkRDB prints what is in the file. The error says why it is not good.
func checkRDB(name string, stdout, stderr io.Writer) (err error) {
	f, size, err := openToCheck(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	bar := newProgress(stderr, name, size)
	rep, bad := rdb.Check(f, size, rdb.CheckOptions{
		Now:      time.Now().UnixMilli(),
		Progress: func(read, _ int64) { bar.set(read) },
	})
	bar.remove()
	if rep.Version != 0 { // otherwise it is no RDB file at all
		out := fmt.Sprintf("%s: %s\n", name, plural(size, "byte")) + rdbReport(&rep, size, bad)
		if bad == nil {
			bad = unloadable(&rep)
		}
		if bad == nil {
			out += "the file is good\n"
		}
		if _, err := io.WriteString(stdout, out); err != nil {
			return err
		}
	}
	if bad != nil {
		return fmt.Errorf("%s is not good: %w", name, inKey(&rep, bad))
	}
	return nil
}

// unloadable is why larder does not start on a file of which nothing is damaged; nil if it does.
func unloadable(rep *rdb.Report) error {
	n := rep.Unloadable()
	if n == 0 {
		return nil
	}
	return fmt.Errorf("larder cannot load %s of it; with rdb-skip-unknown-types yes it starts, and leaves that out",
		plural(n, "item"))
}

// inKey adds to what is wrong with a file the key it was found in.
func inKey(rep *rdb.Report, bad error) error {
	if bad == nil || rep.Key == nil {
		return bad
	}
	return fmt.Errorf("%w, in key %s of type %s", bad, shortName(rep.Key), rep.KeyType)
}

// rdbReport is everything that was found, as text; size is that of the file.
func rdbReport(rep *rdb.Report, size int64, bad error) string {
	var b strings.Builder
	fmt.Fprintf(&b, "written by %s\n", rep.Origin)
	for _, a := range rep.Aux {
		fmt.Fprintf(&b, "  %s: %s\n", printable(a.Name), printable(a.Value))
	}
	if bad != nil {
		fmt.Fprintf(&b, "up to offset %d:\n", rep.Bytes)
	}
	fmt.Fprintf(&b, "%s, %d with an expiry time (%d of them in the past)\n",
		plural(rep.Keys, "key"), rep.Expires, rep.AlreadyExpired)
	if rep.Libraries > 0 {
		fmt.Fprintf(&b, "libraries of functions: %d\n", rep.Libraries)
	}
	if rep.Foreign > 0 {
		fmt.Fprintf(&b, "%s of modules or of a preview's functions beside the keys, which larder cannot load\n",
			plural(rep.Foreign, "piece"))
	}
	if rep.Unfit > 0 {
		fmt.Fprintf(&b, "%s with members that expire one by one, which larder cannot load\n", plural(rep.Unfit, "key"))
	}
	b.WriteString(typeTable(rep.Types))
	b.WriteString(keyTable("largest keys in bytes", rep.LargestBytes))
	b.WriteString(keyTable("largest keys in elements", rep.LargestElements))
	if bad != nil {
		return b.String()
	}
	if rest := size - rep.Bytes; rest > 0 {
		fmt.Fprintf(&b, "%s behind the end mark are not part of it\n", plural(rest, "byte"))
	}
	if rep.Checksum {
		b.WriteString("the checksum is right\n")
	} else {
		b.WriteString("there is no checksum\n")
	}
	return b.String()
}

// typeTable has a line per type and encoding, the commonest first.
func typeTable(types []rdb.TypeReport) string {
	if len(types) == 0 {
		return ""
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\ntype\tencoding\tkeys\telements\tbytes\t")
	for _, t := range types {
		note := ""
		if !t.Known {
			note = "larder cannot load it"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d\t%s\n", t.Type, t.Encoding, t.Keys, elements(t.Elements), t.Bytes, note)
	}
	_ = w.Flush() // a strings.Builder takes everything
	return tidy(b.String()) + "\n"
}

func keyTable(title string, keys []rdb.KeyReport) string {
	if len(keys) == 0 {
		return ""
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\tdatabase\ttype\tencoding\telements\tbytes\n", title)
	for _, k := range keys {
		fmt.Fprintf(w, "  %s\t%d\t%s\t%s\t%s\t%d\n", shortName(k.Key),
			k.DB, k.Type, k.Encoding, elements(k.Elements), k.Bytes)
	}
	_ = w.Flush() // a strings.Builder takes everything
	return tidy(b.String()) + "\n"
}

// elements is a number, unless the value has none.
func elements(n int64) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}

// shownName is how many bytes of a key's name are printed.
const shownName = 64

// shortName quotes the beginning of a key's name.
func shortName(key []byte) string {
	if len(key) > shownName {
		return strconv.Quote(string(key[:shownName])) + "..."
	}
	return strconv.Quote(string(key))
}

// printable is a text as it is, or quoted if a terminal could take it amiss.
func printable(s string) string {
	if q := strconv.Quote(s); len(q) != len(s)+2 {
		return q
	}
	return s
}

// tidy removes the blanks that a table leaves at the ends of its lines.
func tidy(table string) string {
	var b strings.Builder
	for line := range strings.Lines(table) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}
