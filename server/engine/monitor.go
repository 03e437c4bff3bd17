// MONITOR: a client that sees every command that is executed, as Redis prints it:
//
//	+1700000000.123456 [0 127.0.0.1:5000] "SET" "k" "v"
//
// # What is shown, and when
//
// A command is shown when its handler has returned and its shards are still locked, so that of two
// commands that touch the same key the one that was executed first is shown first. What has been
// refused was not executed; what waits for a key is shown when it came, not when it is tried again;
// the commands of a transaction are shown one by one, and EXEC behind them. Administrative commands
// are not shown, as in Redis, nor are passwords (Spec.Secret).
//
// A line is made once and shared (message.go). A batch looks once whether there are monitors, so
// without any a command pays for one branch. One that is running when a monitor comes is not shown
// to it.
//
// # A monitor that does not read
//
// Redis holds a monitor to the output limits of normal clients, and by default there are none: one
// that does not read takes all memory. Here it has those of subscribers, since it is one. Commands
// that would not fit in those limits are not even printed.
//
// # What a monitor is beside
//
// Redis takes monitors for replicas in two respects: they never pause, and may not touch keys.

package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/netloop"
	quoting "github.com/larderkv/larder/words"
)

// monitored: there are monitors. A bit of the state word.
const monitored = pausedAll << 1

// monitors is the set of sessions that are told of every command.
type monitors struct {
	mu   sync.Mutex                 // protects changes of the list and the bit of the state word
	list atomic.Pointer[[]*Session] // what it refers to never changes; nil: there are none
}

// hidden stands in the place of an argument that is not shown.
const hidden = `"(redacted)"`

// Monitor makes the session a monitor. It reports false if it is one.
func (c *Ctx) Monitor() bool {
	s := c.Session
	if s.monitor {
		return false
	}
	s.monitor = true
	s.classify()
	s.kernel.changeMonitors(func(list []*Session) []*Session { return append(list, s) })
	return true
}

// endMonitor makes it an ordinary client again.
func (s *Session) endMonitor() {
	if !s.monitor {
		return
	}
	s.monitor = false
	s.classify()
	s.kernel.changeMonitors(func(list []*Session) []*Session {
		return slices.DeleteFunc(list, func(m *Session) bool { return m == s })
	})
}

// changeMonitors replaces the list by what change makes of a copy.
func (k *Kernel) changeMonitors(change func([]*Session) []*Session) {
	m := &k.monitors
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []*Session
	if old := m.list.Load(); old != nil {
		list = slices.Clone(*old)
	}
	if list = change(list); len(list) == 0 {
		m.list.Store(nil)
		k.word.And(^monitored)
		return
	}
	m.list.Store(&list)
	k.word.Or(monitored)
}

// classify gives the connection the output limits of what its client is.
func (s *Session) classify() {
	class := config.ClassNormal
	if s.member != nil || s.monitor {
		class = config.ClassPubSub
	}
	s.conn.SetClass(netloop.Class(class))
}

// runShown executes the handler of s and shows the command to the monitors.
func (c *Ctx) runShown(s *Spec) error {
	again := c.Session.wait.Load() != nil
	var err error
	if s.Flags&Write != 0 {
		err = c.runWrite(s)
	} else {
		err = c.runRead(s)
	}
	unfit := c.Out.Counting() && !c.Out.Refused() && !c.frame.locked
	if !again && !unfit && !postpones(err) && !errors.Is(err, errStopped) {
		c.show(s)
	}
	return err
}

// show tells the monitors of a command.
func (c *Ctx) show(s *Spec) {
	if s.Flags&(Admin|SkipMonitor) == 0 {
		c.tellMonitors(s)
	}
}

// tellMonitors is show for any command.
func (c *Ctx) tellMonitors(s *Spec) {
	list := c.Kernel.monitors.list.Load()
	if list == nil {
		return
	}
	var m Message
	limit := c.Kernel.Config.Values().OutputLimits[config.ClassPubSub].Hard
	fits := limit == 0 || int64(argsSize(c.Args)) <= limit
	if fits {
		m = NewMessage(c.monitorLine(s))
	}
	for _, to := range *list {
		switch {
		case to.silent.Load() || to == c.Session && to.next == netloop.CloseAfterFlush:
		case fits:
			to.Deliver(c, &m)
		default:
			to.conn.Kill(netloop.OutputHardLimit)
		}
	}
}

// monitorLine prints the running command.
func (c *Ctx) monitorLine(s *Spec) []byte {
	now, addr := c.Kernel.clock(), c.Session.conn.RemoteAddr()
	if c.Session.conn.Unix() {
		addr = "unix:" + strings.TrimSuffix(addr, ":0")
	}
	if c.frame.script {
		addr = "lua"
	}
	b := make([]byte, 0, 64+argsSize(c.Args)+3*len(c.Args))
	b = fmt.Appendf(b, "+%d.%06d [%d %s]", now.Unix(), now.Nanosecond()/1000, c.DB, addr)
	for i, a := range c.Args {
		b = append(b, ' ')
		if s.Secret != nil && s.Secret(c.Args, i) {
			b = append(b, hidden...)
		} else {
			b = quoting.AppendQuoted(b, a)
		}
	}
	return append(b, "\r\n"...)
}
