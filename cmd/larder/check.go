package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// `larder check`: what redis-check-rdb and redis-check-aof do. What is found goes to standard
// output; the verdict on a file that is not good is the command's error, hence one line on standard
// error and exit code 1.

func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the files of snapshots and of the append-only log",
		Long:  checkHelp,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(checkRDBCommand(), checkAOFCommand())
	return cmd
}

const checkHelp = `Check the files of snapshots and of the append-only log, larder's or Redis'.

A file that is good gives exit code 0. One that is not gives exit code 1, and a line
on standard error says what is wrong and where. What was found goes to standard
output. On a terminal, a bar on standard error shows how far it is.

Files are read only, unless an option asks to repair them.`

// oneFile is what the checks take.
func oneFile(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("one file is to be named, not %d", len(args))
	}
	return nil
}

// openToCheck opens a file for reading and returns its size.
func openToCheck(name string) (*os.File, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot read %s: %w", name, cause(err))
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("cannot read %s: %w", name, cause(err)), f.Close())
	}
	return f, info.Size(), nil
}

// redrawEvery is how often a bar is drawn.
const redrawEvery = 100 * time.Millisecond

// progress shows on a terminal how many bytes have been read. The zero value shows nothing.
type progress struct{ bar *progressbar.ProgressBar }

// newProgress makes a bar for total bytes if stderr is a terminal.
func newProgress(stderr io.Writer, title string, total int64) progress {
	f, ok := stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return progress{}
	}
	return progress{bar: progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(f), progressbar.OptionSetDescription(title),
		progressbar.OptionShowBytes(true), progressbar.OptionFullWidth(), progressbar.OptionThrottle(redrawEvery))}
}

// newCount makes a bar for total things that are no bytes, if stderr is a terminal.
func newCount(stderr io.Writer, title string, total int64) progress {
	p := newProgress(stderr, title, total)
	if p.bar != nil {
		progressbar.OptionShowBytes(false)(p.bar)
	}
	return p
}

// describe changes the title.
func (p *progress) describe(title string) {
	if p.bar != nil {
		p.bar.Describe(title)
	}
}

func (p *progress) set(read int64) {
	if p.bar != nil {
		_ = p.bar.Set64(read) // a bar that cannot be drawn is no reason to stop
	}
}

// remove leaves the line to what is printed next.
func (p *progress) remove() {
	if p.bar != nil {
		_ = p.bar.Clear() // likewise
		p.bar = nil
	}
}

// errNoTerminal: changes have to be confirmed, and there is nobody to ask.
var errNoTerminal = errors.New("standard input is no terminal on which to confirm that: add --yes")

// confirmed says on the terminal what is to happen, and asks.
func confirmed(in io.Reader, out io.Writer, what string) (bool, error) {
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return false, errNoTerminal
	}
	if _, err := fmt.Fprint(out, what+"\nContinue? [y/N] "); err != nil {
		return false, err
	}
	return readYes(f)
}

// readYes reads a line; only y or yes is consent.
func readYes(in io.Reader) (bool, error) {
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	line = strings.TrimSpace(line)
	return strings.EqualFold(line, "y") || strings.EqualFold(line, "yes"), nil
}

// plural is "1 key", "2 keys".
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
