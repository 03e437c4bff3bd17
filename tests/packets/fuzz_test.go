package packets

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// fuzzParams make the worst that arguments can ask for small, so that a fuzzer finds bugs and not
// the size of the machine.
var fuzzParams = []string{"proto-max-bulk-len 1mb", "enable-debug-command yes"}

// target is a larder and its commands.
type target struct {
	server   *harness.Server
	commands [][]string      // name, or container and subcommand
	waits    map[string]bool // by name: the command waits for keys
}

// endsOrStalls are commands whose very job is to end the process or to hold it up.
var endsOrStalls = []string{"shutdown", "debug|sleep"}

func newTarget(t testing.TB) *target {
	t.Helper()
	// Over a Unix socket: thousands of short TCP connections a second would use up the ports.
	socket := filepath.Join(t.TempDir(), "larder.sock")
	s := harness.Start(t, append(fuzzParams, "unixsocket "+socket)...)
	s.Addr, s.Socket = "", socket
	tg := &target{server: s, waits: map[string]bool{}}
	add := func(name string) {
		if !slices.Contains(endsOrStalls, name) {
			tg.commands = append(tg.commands, strings.Split(name, "|"))
		}
	}
	for _, info := range s.Dial(t).Do("COMMAND").Elems {
		add(info.Elems[0].Text)
		flags := info.Elems[2].Strings()
		tg.waits[info.Elems[0].Text] = slices.Contains(flags, "write") && slices.Contains(flags, "blocking")
		for _, sub := range info.Elems[9].Elems {
			add(sub.Elems[0].Text)
		}
	}
	if len(tg.commands) < 50 {
		t.Fatalf("only %d commands", len(tg.commands))
	}
	return tg
}

// hit sends a call on a connection of its own, in RESP2 or RESP3, reads well-formed replies until
// the server closes, and looks whether somebody else is still served.
func (tg *target) hit(t *testing.T, resp3 bool, args []string) {
	t.Helper()
	if mayStall(args) {
		return
	}
	tg.hurry(args)
	raw := ""
	if resp3 {
		raw = "HELLO 3\r\n"
	}
	c := tg.server.Dial(t)
	defer func() { _ = c.Close() }() // thousands would exceed the limit on open files
	c.WriteRaw(raw + harness.Encode(args...) + ping + "QUIT\r\n")
	all := c.ReadUntilClosed()
	r := bufio.NewReader(strings.NewReader(all))
	for {
		if _, err := harness.ReadReply(r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%q: %v in %.500q", args, err, all)
		}
	}
	other := tg.server.Dial(t)
	defer func() { _ = other.Close() }()
	if r := other.Do("PING"); r.Raw != "+PONG\r\n" {
		t.Fatalf("after %q another client got %v", args, r)
	}
}

// hurry gives a call that waits for keys a time limit that the test can wait for. It stands last, or
// first where the number of keys is given.
func (tg *target) hurry(args []string) {
	if name := strings.ToLower(args[0]); !tg.waits[name] || len(args) < 2 {
		return
	} else if strings.HasSuffix(name, "mpop") {
		args[1] = "0.001"
	} else {
		args[len(args)-1] = "0.001"
	}
}

// mayStall are calls that are meant to take long, or as much memory as they say, or that change what the
// test relies on.
func mayStall(args []string) bool {
	words := strings.ToLower(strings.Join(args[:min(3, len(args))], "|"))
	for _, p := range []string{"shutdown", "debug|sleep", "debug|populate", "debug|reload", "debug|loadaof",
		"config|set", "client|pause"} {
		if strings.HasPrefix(words, p) {
			return true
		}
	}
	return hugeCount(args)
}

// hugeCount finds calls for some hundred megabytes of random elements with repetition, which would
// be answered. What is beyond that is refused (Redis obliges until its memory ends), so larger
// counts are let through.
func hugeCount(args []string) bool {
	if name := strings.ToLower(args[0]); name != "srandmember" && name != "hrandfield" {
		return false
	}
	return slices.ContainsFunc(args[1:], func(a string) bool { return len(a) > 6 && len(a) < 12 && a[0] == '-' })
}

// FuzzCommand: the first byte picks the command, the second the protocol, the rest are arguments
// separated by \xfe.
func FuzzCommand(f *testing.F) {
	tg := newTarget(f)
	for i := range tg.commands {
		f.Add(byte(i), false, []byte("k"))
		f.Add(byte(i), true, []byte("k\xfe-1\xfe9223372036854775807"))
		f.Add(byte(i), i%2 == 0, []byte("k\xfek2\xfe0\xfeEX\xfe100"))
		f.Add(byte(i), i%2 == 1, []byte{})
	}
	f.Fuzz(func(t *testing.T, command byte, resp3 bool, rest []byte) {
		args := slices.Clone(tg.commands[int(command)%len(tg.commands)])
		if len(rest) > 0 {
			for _, a := range bytes.Split(rest, []byte{0xfe}) {
				args = append(args, string(a))
			}
		}
		tg.hit(t, resp3, args)
	})
}

// odd are arguments that some parser somewhere has been known to mistake.
var odd = []string{"", "k", "h", "s", "t", "0", "-1", "1", "2", "10", "-0", "+1", "1.5", "abc", "*", "[", "\\", "\x00", "\r\n", "\xff\xfe", "nan", "-inf", "1e400",
	"9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551615", "4294967296", "2147483648", "-2147483649", "NX", "XX", "GET",
	"EX", "PX", "KEEPTTL", "PERSIST", "MATCH", "COUNT", "TYPE", "LIMIT", "WITHVALUES", "DB", "REPLACE", "GT", "LT", "LEN", "IDX", "MINMATCHLEN", "ID", "ADDR",
	"USER", "SKIPME", "yes", "no", "on", "off", "FILTERBY", "PATTERN", "SAMPLES", "AUTH", "SETNAME", "default", "SYNC", "ASYNC", strings.Repeat("9", 300),
	strings.Repeat("*a", 200), strings.Repeat("x", 5000)}

// TestRandomArguments calls every command with random odd arguments.
func TestRandomArguments(t *testing.T) {
	seed := randtest.Seed(t)
	rnd := rand.New(rand.NewPCG(seed, 0))
	rounds := 25
	if harness.Race {
		rounds = 5
	}
	tg := newTarget(t)
	for _, command := range tg.commands {
		for range rounds {
			args := slices.Clone(command)
			for range rnd.IntN(7) {
				args = append(args, odd[rnd.IntN(len(odd))])
			}
			tg.hit(t, rnd.IntN(2) == 0, args)
		}
	}
}
