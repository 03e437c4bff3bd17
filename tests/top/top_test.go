package top_test

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"github.com/larderkv/larder/tests/harness"
)

// traffic has known figures: 30 hits, 10 misses, two prefixes.
func traffic(t testing.TB, s *harness.Server) {
	t.Helper()
	c := s.Dial(t)
	for i := range 30 {
		key := fmt.Sprintf("%s:%d", []string{"page", "session"}[i%3/2], i)
		c.MustOK("SET", key, strings.Repeat("x", 1000), "EX", "100")
		c.Do("GET", key)
	}
	for i := range 10 {
		c.Do("GET", fmt.Sprintf("page:none:%d", i))
	}
	c.MustOK("CONFIG", "SET", "slowlog-log-slower-than", "-1") // or the log is full of who looks at it
}

// TestLarder visits every view.
func TestLarder(t *testing.T) {
	s := harness.Start(t, "maxmemory 100mb", "maxmemory-policy allkeys-lhd", "slowlog-log-slower-than 0")
	c := s.Dial(t)
	hostile := "evil\x1b]0;pwned\x07\x1b[2J\u202e\xff\n\\"
	c.MustOK("SET", hostile+":1", "v")
	traffic(t, s)
	c.MustOK("CLIENT", "SETNAME", "batch")
	x := open(t, s.Addr, 80, 24)
	x.until("larder 0.", s.Addr, "31 keys", "75.0% since the start", "of 100 MB", "0, allkeys-lhd", "30 of 31 expire",
		"COMMAND")

	x.press("2")
	screen := x.until("TIME%▼", "P99.9")
	for _, want := range []string{"set", "get", "ping"} {
		if line(screen, want) == "" {
			t.Errorf("command %s is missing:\n%s", want, screen)
		}
	}
	x.press("3")
	screen = x.until("PREFIX", "page", "session", "(other)")
	if l := line(screen, "page"); !strings.Contains(l, "66.7%") {
		t.Errorf("20 hits and 10 misses are not 66.7 %%: %s", l)
	}
	if l := line(screen, "session"); !strings.Contains(l, "100.0%") {
		t.Errorf("10 hits are not 100 %%: %s", l)
	}
	shownSafely(t, x, `evil\x1b]0;pwn`)

	x.press("4")
	x.when("a hot key", func(screen string) bool { // of the last ten seconds
		c.Do("GET", "page:0")
		return strings.Contains(screen, "ACCESSES/S▼") && line(screen, "page:0") != ""
	})

	x.press("5")
	x.until("SET page:0 xxx")
	x.press("/", "e", "v", "i", "l", "Enter")
	x.until("only \"evil\"", `SET evil\x1b]0;pwned\x07\x1b[2J`)
	shownSafely(t, x, `\x1b[2J`)

	x.press("6")
	x.until("ADDRESS", "batch", "client list", "default")
	x.press("?")
	x.until("reverse the order", "any key: back")
	x.press("q")
	x.until("ADDRESS")
	x.press("Tab")
	x.until("Operations", "Round trip")
	x.press("q")
	x.until("exit code 0")
}

// shownSafely: the terminal's title is its own, and the name stands there escaped.
func shownSafely(t *testing.T, x *terminal, escaped string) {
	t.Helper()
	if title := x.format("#{pane_title}"); strings.Contains(title, "pwned") {
		t.Errorf("the name of a key has set the terminal's title: %q", title)
	}
	if screen := x.screen(); !strings.Contains(screen, escaped) {
		t.Errorf("%s is not on the screen:\n%s", escaped, screen)
	}
}

// TestRates: figures of now follow what is done now.
func TestRates(t *testing.T) {
	s := harness.Start(t)
	c := s.Dial(t)
	c.MustOK("SET", "page:1", "x")
	x := open(t, s.Addr, 110, 30)
	x.press("3")
	x.when("reads of prefix page in the last interval, all hits", func(screen string) bool {
		for range 100 {
			c.Do("GET", "page:1")
		}
		f := strings.Fields(line(screen, "page"))
		return len(f) > 3 && f[1] != "0" && f[1] != "–" && f[2] == "100.0%"
	})
	x.press("1")
	x.when("more than 100 operations a second", func(screen string) bool {
		for range 100 {
			c.Do("GET", "page:1")
		}
		f := strings.Fields(line(screen, "Operations"))
		return len(f) > 1 && len(f[1]) >= len("100/s") && !strings.Contains(f[1], ".") &&
			strings.Contains(line(screen, "Hit rate"), "100.0%")
	})
}

// TestRedis: what only larder counts is said to be missing.
func TestRedis(t *testing.T) {
	s := harness.StartRedis(t, "maxmemory 100mb", "maxmemory-policy allkeys-lru", "slowlog-log-slower-than 0")
	traffic(t, s)
	x := open(t, s.Addr, 80, 24)
	x.until("redis 7.0.15", "30 keys", "75.0% since the start", "of 100 MB", "0, allkeys-lru")
	x.press("2")
	screen := x.until("TIME%▼")
	if line(screen, "set") == "" {
		t.Errorf("command set is missing:\n%s", screen)
	}
	x.press("3")
	x.until("This server counts nothing by prefix: CACHE.STATS is a command of larder.")
	x.press("4")
	x.until("This server does not know its hot keys")
	x.press("5")
	x.until("SET page:0 xxx")
	x.press("6")
	x.until("client list")
}

// TestSorting: arrows choose the column, r turns the order around, and a table is scrolled.
func TestSorting(t *testing.T) {
	s := harness.Start(t)
	c := s.Dial(t)
	for i := range 50 {
		for range i + 1 {
			c.MustOK("SET", fmt.Sprintf("p%02d:%d", i, i), "x")
		}
	}
	x := open(t, s.Addr, 80, 24)
	x.press("3")
	x.until("READS/S▼", "of 51")
	x.press("Left")
	x.until("PREFIX▲", "(other)", "p00")
	x.press("r")
	x.until("PREFIX▼", "p49")
	x.press("End")
	x.until("33-51 of 51", "p00")
	x.press("Home")
	x.until("1-19 of 51", "p49")
	x.press("/", "p", "1", "Enter")
	screen := x.until("p19", "p10")
	if strings.Contains(screen, "p20") {
		t.Errorf("a filter lets p20 through:\n%s", screen)
	}
	x.press("Escape")
	x.until("1-19 of 51")
}

// TestResize: whatever the size, no line is longer than the screen and nothing ends the program.
func TestResize(t *testing.T) {
	s := harness.Start(t)
	traffic(t, s)
	x := open(t, s.Addr, 80, 24)
	for _, view := range []string{"1", "2", "3", "6", "?"} {
		x.press(view)
		for _, size := range [][2]int{{200, 50}, {80, 24}, {40, 10}, {20, 5}, {5, 2}, {120, 40}} {
			x.run("resize-window", "-x", fmt.Sprint(size[0]), "-y", fmt.Sprint(size[1]))
			mark := map[bool]string{true: "larder 0.", false: "l"}[size[0] >= 20]
			screen := x.until(mark)
			for l := range strings.Lines(screen) {
				if n := ansi.StringWidth(strings.TrimRight(l, "\n")); n > size[0] {
					t.Errorf("%d columns on a screen of %d: %q", n, size[0], l)
				}
			}
		}
		if view == "?" {
			x.until("any key: back")
		} else {
			x.until("? help")
		}
	}
}

// TestLostConnection: a server that goes is said to be lost, and found when it is back, which it is
// with counters that begin anew.
func TestLostConnection(t *testing.T) {
	port := "port " + harness.FreePort(t)
	s := harness.StartBinary(t, port)
	s.Dial(t).MustOK("SET", "first", "1")
	x := open(t, s.Addr, 80, 24)
	x.until("1 key ", "Operations")
	s.Kill(t)
	x.until("Connection lost", "connection refused", "1 key ")
	x.press("3") // keys work while it is away
	x.until("Connection lost")
	x.press("1")
	s = harness.StartBinary(t, port)
	for range 3 {
		s.Dial(t).MustOK("MSET", "a", "1", "b", "2", "c", "3")
	}
	screen := x.when("it is back", func(screen string) bool {
		return strings.Contains(screen, "3 keys") && !strings.Contains(screen, "Connection lost")
	})
	if strings.Contains(line(screen, "Operations"), "-") {
		t.Errorf("a rate below 0:\n%s", screen)
	}
	s.Signal(t, syscall.SIGSTOP) // it accepts connections, and says nothing
	x.until("Connection lost", "no answer")
	s.Signal(t, syscall.SIGCONT)
	x.when("it answers again", func(screen string) bool { return !strings.Contains(screen, "Connection lost") })
}

// TestColours: there are some, and none with NO_COLOR.
func TestColours(t *testing.T) {
	s := harness.Start(t)
	for _, test := range []struct {
		environment string
		colours     bool
	}{{"A=b", true}, {"NO_COLOR=1", false}, {"NO_COLOR=no", false}} {
		x := open(t, s.Addr, 80, 24, test.environment)
		x.until("Round trip", "COMMAND")
		if raw := x.raw(); strings.Contains(raw, "\x1b[36m") != test.colours {
			t.Errorf("%s: colours are %v\n%q", test.environment, !test.colours, raw)
		}
	}
}

// TestRefusals: what cannot be shown is one line and exit code 1.
func TestRefusals(t *testing.T) {
	s := harness.Start(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--addr", s.Addr}, "top needs a terminal"},
		{[]string{"--addr", s.Addr, "--every", "1ms"}, "--every takes 100ms at least"},
		{[]string{"page"}, "unknown command"},
	} {
		out, err := exec.Command(harness.Binary(t), append([]string{"top"}, test.args...)...).CombinedOutput()
		if err == nil || !strings.HasPrefix(string(out), "larder: ") || strings.Count(string(out), "\n") != 1 ||
			!strings.Contains(string(out), test.want) {
			t.Errorf("%q: %v, %q; want one line with %s", test.args, err, out, test.want)
		}
	}
	for _, test := range []struct{ name, param, want string }{
		{"password", "requirepass secret", "NOAUTH"},
		{"rights", "user default on nopass ~* &* +@all -info", "no permissions"},
	} {
		refusing := harness.Start(t, test.param)
		x := open(t, refusing.Addr, 100, 10)
		x.until("larder: ", test.want, "exit code 1")
	}
}
