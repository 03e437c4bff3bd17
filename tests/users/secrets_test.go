package users

import (
	"strings"
	"testing"

	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/tests/harness"
)

// TestPasswordsAreHidden: no password that is set by CONFIG SET is in the slow log, in what MONITOR
// shows, or in the log, whether it was accepted or not.
func TestPasswordsAreHidden(t *testing.T) {
	s := harness.Start(t, "slowlog-log-slower-than 0", "loglevel debug")
	c, monitor := s.Dial(t), s.Dial(t)
	monitor.MustOK("MONITOR")
	set := func(args ...string) {
		c.Do(append([]string{"CONFIG", "SET"}, args...)...)
	}
	for _, p := range config.Params() {
		for _, name := range append(p.Aliases, p.Name, strings.ToUpper(p.Name)) {
			if !config.Secret(name) {
				continue
			}
			set(name, "hush")
			set("hz", "10", name, "hush")
			set("hz", name, "hush")
			set(name, "hush", "hz")
			set(name, "hush", "nosuch", "1")
			c.MustOK("MULTI")
			set(name, "hush")
			c.Do("EXEC")
			set(name, "")
		}
	}
	set("primaryauth", "hush")
	c.Do("PING", "last")
	slow := c.Do("SLOWLOG", "GET", "-1").Raw
	if strings.Contains(slow, "hush") || !strings.Contains(slow, "tls-key-file-pass") ||
		!strings.Contains(slow, "(redacted)") {
		t.Errorf("the slow log:\n%s", slow)
	}
	var shown strings.Builder
	for line := ""; !strings.Contains(line, `"last"`); {
		line = monitor.Read().Raw
		shown.WriteString(line)
	}
	if strings.Contains(shown.String(), "hush") {
		t.Errorf("MONITOR:\n%s", shown.String())
	}
	if strings.Contains(s.Log(), "hush") {
		t.Errorf("the log:\n%s", s.Log())
	}
}
