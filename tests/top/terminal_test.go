// Package top_test looks at `larder top` in a terminal: tmux is one without a window, and gives what
// stands on its screen.
package top_test

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// patience is how long a screen may take to show what is expected.
const patience = harness.Patience

// terminal is a terminal with a program in it.
type terminal struct {
	t      testing.TB
	tmux   string
	socket string
}

// open runs larder top for a server in a terminal of some size. Environment is what the program
// sees besides, as NAME=value.
func open(t testing.TB, addr string, width, height int, environment ...string) *terminal {
	t.Helper()
	x := &terminal{t, harness.Tool(t, "tmux", "apt-get install tmux"), filepath.Join(t.TempDir(), "tmux")}
	args := []string{"-f", "/dev/null", "-u", "new-session", "-d", "-x", strconv.Itoa(width), "-y",
		strconv.Itoa(height)}
	for _, e := range environment {
		args = append(args, "-e", e)
	}
	// The shell outlives the program, so that its last screen can be seen.
	x.run(append(args, "sh", "-c", `"$0" "$@"; echo "exit code $?"; read _`, harness.Binary(t), "top", "--addr", addr,
		"--every", "100ms")...)
	t.Cleanup(func() { x.run("kill-server") })
	return x
}

func (x *terminal) run(args ...string) string {
	x.t.Helper()
	cmd := exec.Command(x.tmux, append([]string{"-S", x.socket}, args...)...)
	cmd.Env = append(cmd.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8", "TMUX=", "NO_COLOR=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		x.t.Fatalf("tmux %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// screen is what is to be seen, line by line, without blanks at the ends.
func (x *terminal) screen() string { return x.run("capture-pane", "-p") }

// raw is the screen with the sequences that colour it.
func (x *terminal) raw() string { return x.run("capture-pane", "-p", "-e") }

func (x *terminal) press(keys ...string) { x.run(append([]string{"send-keys"}, keys...)...) }

func (x *terminal) format(f string) string {
	return strings.TrimSpace(x.run("display-message", "-p", f))
}

// until waits for a screen that has all these texts in it.
func (x *terminal) until(texts ...string) string {
	x.t.Helper()
	return x.when(strings.Join(texts, ", "), func(screen string) bool {
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false
			}
		}
		return true
	})
}

// when waits for a screen on which something holds.
func (x *terminal) when(what string, holds func(screen string) bool) (screen string) {
	x.t.Helper()
	deadline := time.Now().Add(patience)
	for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
		if screen = x.screen(); holds(screen) {
			tick.Stop()
			return screen
		}
		if time.Now().After(deadline) {
			x.t.Fatalf("not on the screen: %s\n%s", what, screen)
		}
	}
}

// line is the first line with a text in it, "" if there is none.
func line(screen, text string) string {
	for l := range strings.Lines(screen) {
		if strings.Contains(l, text) {
			return strings.TrimRight(l, "\n")
		}
	}
	return ""
}
