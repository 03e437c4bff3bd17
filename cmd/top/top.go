// Package top is `larder top`: what a server does at the moment, in a terminal. It knows no server
// but by the commands that any client may send, so that it shows a Redis as well as a larder.
//
// # Parts
//
// A source (source.go) asks the server, a reading is what it said, and two readings make rates
// (reading.go). The model (model.go) keeps the last two readings, the history of what is charted,
// and what the user has chosen; it draws the overview (overview.go) or a table (views.go is the list
// of them, table.go how one is sorted and laid out). All else is text (text.go).
//
// # What it costs the server
//
// One INFO of eight sections per interval, and the command of the table that is shown, if it has one
// of its own: those of tables that nobody looks at are not sent. Questions never overlap; a server
// that is slow is asked less often.
//
// # What it trusts
//
// Nothing that comes from the server: names of keys, clients and commands are whatever somebody has
// sent, and may hold sequences that would move the cursor, set the title or answer in the user's
// place. All text passes through escape, which lets through printable characters alone.
//
// Lip Gloss, which is made for Bubble Tea, is left out: importing it looks at the terminal, and in
// tmux starts a process, before main runs, hence also in `larder serve`.
package top

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/redis/go-redis/v9"
)

// Fastest is the least time between readings.
const Fastest = time.Second / 10

// Options say what to show.
type Options struct {
	Client *redis.Client // that has been answered to once
	Addr   string        // of the server, to be shown
	Every  time.Duration // between readings

	In  io.Reader // a terminal
	Out io.Writer // a terminal
}

// Run shows the server until the user leaves or ctx ends. A server that cannot be read at the start
// is an error; one that is lost later is waited for.
func Run(ctx context.Context, o Options) error {
	src := &source{client: o.Client}
	first, err := src.read(ctx, nil)
	if err != nil {
		return err
	}
	options := []tea.ProgramOption{tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out)}
	// Bubble Tea looks for NO_COLOR, too, but takes only what means yes; the convention
	// (no-color.org) is anything but nothing.
	if os.Getenv("NO_COLOR") != "" {
		options = append(options, tea.WithColorProfile(colorprofile.ASCII))
	}
	_, err = tea.NewProgram(newModel(ctx, src, o, first), options...).Run()
	if errors.Is(err, tea.ErrInterrupted) || ctx.Err() != nil {
		return nil // by a signal, which is a way to leave
	}
	return err
}
