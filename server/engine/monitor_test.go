package engine

import (
	"strings"
	"testing"

	"github.com/larderkv/larder/server/netloop"
)

// lines is what a monitor has been shown, without times and addresses.
func (c *client) lines() string {
	var lines []string
	for line := range strings.Lines(c.conn.heard()) {
		_, shown, _ := strings.Cut(line, "] ")
		lines = append(lines, strings.TrimSpace(shown))
	}
	return strings.Join(lines, " | ")
}

func (c *client) shown(want string) {
	c.t.Helper()
	if got := c.lines(); got != want {
		c.t.Errorf("shown: %s, want %s", got, want)
	}
}

func TestMonitor(t *testing.T) {
	r := newRig(t)
	a, m := r.connect(), r.connect()
	a.expect("ping", "+ping")
	m.expect("monitor\nmonitor\nget k", "+OK -"+string(ErrMonitorKeys))
	m.shown("")
	a.do("set k v\nnosuch\nget\nlogin me secret\nhalf")
	m.shown(`"set" "k" "v" | "login" "me" "(redacted)" | "half"`)
	a.do("multi\nset k w\nget k\nexec\nmulti\nnosuch\nexec")
	m.shown(`"multi" | "set" "k" "w" | "get" "k" | "exec" | "multi" | "exec"`)
	a.do("take l 0")
	m.shown(`"take" "l" "0"`)
	b := r.connect()
	b.do("push l x")
	a.released("$1\r\nx\r\n")
	m.shown(`"push" "l" "x"`)

	m.do("reply off")
	a.do("ping")
	m.shown("")
	m.do("reply on")
	a.do("ping")
	m.shown(`"ping"`)
	m.do("reset")
	a.do("ping")
	m.shown("")
	m.expect("get k\nmonitor", "$1 w +OK")
	m.Closed(netloop.ClientClosed)
	a.do("ping")
	m.shown("")
	if r.kernel.state() != 0 {
		t.Error("still monitored")
	}
}

// TestMonitorOfALongCommand: one that is longer than a monitor's output may be is not printed.
func TestMonitorOfALongCommand(t *testing.T) {
	r := newRig(t)
	r.configure("client-output-buffer-limit", "pubsub 1000 0 0")
	a, m := r.connect(), r.connect()
	m.expect("monitor", "+OK")
	a.do("set k " + strings.Repeat("x", 500))
	if m.conn.heard() == "" || m.conn.killed.Load() {
		t.Error("a short command is not shown")
	}
	a.expect("set k "+strings.Repeat("x", 1500), "+OK")
	if m.conn.heard() != "" || netloop.CloseReason(m.conn.reason.Load()) != netloop.OutputHardLimit {
		t.Error("a long command is shown")
	}
}
