package diff

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
)

// A script is a text file of calls; each is sent to larder and to the oracle and the two replies
// are compared.
//
//	SET k v               the replies are equal byte for byte
//	~ SMEMBERS s          the elements may come in any order
//	~~ HGETALL h          the pairs may come in any order
//	% PTTL k              integers within 2 % or 5000 of each other (times that pass between the two calls)
//	? INFO                only the kind of the reply is compared (and an error is an error with the same first word)
//	@2 SET k v            on a second connection, any of the forms above after it; 7 and up start without a HELLO
//	7.4 "0.1" SET k v     larder's reply has this value, as that of Redis 7.4, and the oracle's another; a null has ""
//	until :0 EXISTS k     polls both until each gives this reply, in which \r\n stands for the end of a line
//	@2 wait BLPOP k 0     sends the call and goes on as soon as both servers count one more blocked client
//	@2 reply              the next reply of a call that waits; any of the forms above after it
//	lua return 1          EVAL of the rest of the line as it is, without keys; any of the forms above before it
//	lua(k1 k2; a1) ...    the same with keys and arguments
//	# text                a comment
//
// Arguments are quoted as in redis-cli. Words in braces are expanded:
//
//	{rep:a:600}               600 times a
//	{seq:1:200:m%d}           200 arguments m1 ... m200
//	{pairs:1:9:f%d:v%d}       f1 v1 f2 v2 ... f9 v9
//	{sec:+100} {ms:+100000}   a Unix time from now, in seconds or milliseconds
//
// A script runs from an empty server, over RESP2 and over RESP3, with each network driver.
type line struct {
	where string
	title string // begins a conversation of this name
	mode  mode
	conn  int
	until string
	newer *string // the value that larder's reply has, and not the oracle's
	step  step
	count int // of what a line with gets takes, 0 is up to the barrier
	only  []string
	args  []string
}

// step is what a line does with its call.
type step uint8

const (
	whole     step = iota // sends it and reads the reply
	sendsOnly             // and waits until the servers count a blocked client more
	readsOnly
	gets // the steps from here on are of conversations alone
	sends
	seesEnd
	hangsUp
)

// plainConn is the first connection number that is not switched to RESP3 by the runner: for scripts
// about the handshake itself.
const plainConn = 7

// mode is how two replies are compared.
type mode uint8

const (
	exact mode = iota
	anyOrder
	pairs
	near
	kind
	own // the modes from here on are of conversations alone
	shuffled
	ids
)

func (m mode) equal(larder, redis harness.Reply) bool {
	switch m {
	case anyOrder:
		return larder.Sorted(1) == redis.Sorted(1)
	case pairs:
		return larder.Sorted(2) == redis.Sorted(2)
	case near:
		return isNear(larder, redis)
	case kind:
		return sameKind(larder, redis)
	}
	return larder.Raw == redis.Raw
}

// isNear allows integers (and integers inside arrays) to differ by what passes between two calls.
func isNear(a, b harness.Reply) bool {
	if len(a.Elems) != len(b.Elems) {
		return false
	}
	for i := range a.Elems {
		if !isNear(a.Elems[i], b.Elems[i]) {
			return false
		}
	}
	x, okX := a.Int()
	y, okY := b.Int()
	if !okX || !okY {
		return len(a.Elems) > 0 || a.Raw == b.Raw
	}
	if x < 0 || y < 0 {
		return x == y
	}
	d := max(x-y, y-x)
	return d <= 5000 && (x > 10_000 || d <= 2) || float64(d) < 0.02*float64(min(x, y))
}

func sameKind(a, b harness.Reply) bool {
	if a.Kind != b.Kind || a.IsNull() != b.IsNull() {
		return false
	}
	if !a.IsError() {
		return true
	}
	code := func(r harness.Reply) string { word, _, _ := strings.Cut(r.Text, " "); return word }
	return code(a) == code(b)
}

// readScript parses a file; a mistake in it is the test's failure.
func readScript(t *testing.T, path string) []line {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var lines []line
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		text := strings.TrimSpace(sc.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		where := fmt.Sprintf("%s:%d", filepath.Base(path), n)
		if title, ok := strings.CutPrefix(text, titleMark); ok {
			lines = append(lines, line{where: where, title: title})
			continue
		}
		l, err := parseLine(text)
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		if (l.step >= gets || l.mode >= own || l.only != nil) && (len(lines) == 0 || lines[0].title == "") {
			t.Fatalf("%s: only conversations have such lines", where)
		}
		l.where = where
		lines = append(lines, l)
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func parseLine(text string) (line, error) {
	l := line{conn: 1}
	if text[0] == '@' {
		head, rest, _ := strings.Cut(text, " ")
		n, err := strconv.Atoi(head[1:])
		if err != nil {
			return l, fmt.Errorf("%q is no connection", head)
		}
		l.conn, text = n, strings.TrimSpace(rest)
	}
	head, rest, _ := strings.Cut(text, " ")
	switch head {
	case "~":
		l.mode, text = anyOrder, rest
	case "~~":
		l.mode, text = pairs, rest
	case "%":
		l.mode, text = near, rest
	case "?":
		l.mode, text = kind, rest
	case "until":
		l.until, text, _ = strings.Cut(rest, " ")
		l.until = strings.ReplaceAll(l.until, `\r\n`, "\r\n") + "\r\n"
	case "7.4":
		value, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return l, fmt.Errorf("no quoted value in %q", rest)
		}
		text = strings.TrimLeft(rest[len(value):], " ")
		value, _ = strconv.Unquote(value) // it was found to be quoted
		l.newer = &value
	case "wait":
		l.step, text = sendsOnly, rest
	case "own":
		l.mode, text = own, rest
	case "shuffled":
		l.mode, text = shuffled, rest
	case "ids":
		l.mode, text = ids, rest
	}
	if text == "reply" {
		l.step, l.args = readsOnly, []string{text}
		return l, nil
	}
	text, err := parseStep(&l, text)
	if err != nil {
		return l, err
	}
	l.args, err = parseCall(text)
	if err == nil && len(l.args) == 0 && l.step == whole {
		err = fmt.Errorf("no command in %q", text)
	}
	return l, err
}

// parseCall splits a line, or makes an EVAL of one that is a script.
func parseCall(text string) ([]string, error) {
	if script, ok := strings.CutPrefix(text+" ", "lua "); ok {
		return []string{"EVAL", strings.TrimSuffix(script, " "), "0"}, nil
	}
	head, ok := strings.CutPrefix(text, "lua(")
	if !ok {
		return splitArgs(text)
	}
	head, script, found := strings.Cut(head, ") ")
	before, after, split := strings.Cut(head, ";")
	if !found || !split {
		return nil, fmt.Errorf("%q is no lua(keys; arguments) script", text)
	}
	keys, err := splitArgs(before)
	if err != nil {
		return nil, err
	}
	args, err := splitArgs(after)
	return slices.Concat([]string{"EVAL", script, strconv.Itoa(len(keys))}, keys, args), err
}

// splitArgs splits a line as redis-cli does: bare words, "..." with escapes, '...' without.
func splitArgs(s string) ([]string, error) {
	var args []string
	for s = strings.TrimLeft(s, " "); s != ""; s = strings.TrimLeft(s, " ") {
		switch s[0] {
		case '"':
			end := closingQuote(s)
			if end < 0 {
				return nil, fmt.Errorf("unbalanced quotes in %q", s)
			}
			arg, err := strconv.Unquote(s[:end+1])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s[:end+1], err)
			}
			args, s = append(args, arg), s[end+1:]
		case '\'':
			arg, rest, ok := strings.Cut(s[1:], "'")
			if !ok {
				return nil, fmt.Errorf("unbalanced quotes in %q", s)
			}
			args, s = append(args, arg), rest
		default:
			word, rest, _ := strings.Cut(s, " ")
			args, s = append(args, word), rest
		}
	}
	return args, nil
}

func closingQuote(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// expand replaces the words in braces. It is done once per comparison, so that both servers get the
// same times.
func expand(t *testing.T, l line) []string {
	t.Helper()
	var out []string
	for _, a := range l.args {
		if !strings.HasPrefix(a, "{") || !strings.HasSuffix(a, "}") || !strings.Contains(a, ":") {
			out = append(out, a)
			continue
		}
		f := strings.Split(a[1:len(a)-1], ":")
		number := func(i int) int {
			n, err := strconv.Atoi(f[i])
			if err != nil {
				t.Fatalf("%s: %s: %v", l.where, a, err)
			}
			return n
		}
		switch f[0] {
		case "rep":
			out = append(out, strings.Repeat(f[1], number(2)))
		case "seq", "pairs":
			for n := number(1); n <= number(2); n++ {
				for _, format := range f[3:] {
					out = append(out, strings.ReplaceAll(format, "%d", strconv.Itoa(n)))
				}
			}
		case "sec":
			out = append(out, strconv.FormatInt(time.Now().Unix()+int64(number(1)), 10))
		case "ms":
			out = append(out, strconv.FormatInt(time.Now().UnixMilli()+int64(number(1)), 10))
		default:
			out = append(out, a)
		}
	}
	return out
}

// duel is one connection number on both servers.
type duel struct{ larder, redis *harness.Conn }

func (d duel) do(args []string) (larder, redis harness.Reply) {
	d.larder.Send(args...)
	d.redis.Send(args...)
	return d.larder.Read(), d.redis.Read()
}

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	harness.EachDriverAlone(t, func(t *testing.T, driver string) {
		for _, file := range files {
			for proto := 2; proto <= 3; proto++ {
				name := fmt.Sprintf("%s/RESP%d", strings.TrimSuffix(filepath.Base(file), ".txt"), proto)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					runScript(t, driver, proto, readScript(t, file))
				})
			}
		}
	})
}

func runScript(t *testing.T, driver string, proto int, lines []line) {
	larder := harness.Start(t, "network-driver "+driver, "enable-debug-command yes")
	redis := harness.StartRedis(t)
	conns := map[int]duel{}
	watch := duel{larder.Dial(t), redis.Dial(t)}
	for _, l := range lines {
		d, ok := conns[l.conn]
		if !ok {
			version := proto
			if l.conn >= plainConn {
				version = 2
			}
			d = duel{larder.DialRESP(t, version), redis.DialRESP(t, version)}
			conns[l.conn] = d
		}
		args := expand(t, l)
		if l.until != "" {
			waitUntil(t, l, d.larder, args)
			waitUntil(t, l, d.redis, args)
			continue
		}
		a, b := harness.Reply{}, harness.Reply{}
		switch l.step {
		case sendsOnly:
			sendAndBlock(t, l, watch.larder, d.larder, args)
			sendAndBlock(t, l, watch.redis, d.redis, args)
			continue
		case readsOnly:
			a, b = d.larder.Read(), d.redis.Read()
		default:
			a, b = d.do(args)
		}
		if l.newer != nil && b.Value() != *l.newer && (a.Value() == *l.newer || !harness.SubjectIsLarder()) {
			continue
		}
		if l.newer == nil && (l.mode.equal(a, b) || excused(exceptions, args, a, b)) {
			continue
		}
		t.Errorf("%s: %s\n  larder %v\n  redis  %v", l.where, show(args), a, b)
	}
}

// sendAndBlock sends a call that blocks its client.
func sendAndBlock(t *testing.T, l line, watch, c *harness.Conn, args []string) {
	t.Helper()
	blocked := func() int {
		n, err := strconv.Atoi(watch.Info("clients", "blocked_clients"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := blocked()
	c.Send(args...)
	harness.Eventually(t, harness.Patience, l.where+": the client is blocked", func() bool { return blocked() == before+1 })
}

func waitUntil(t *testing.T, l line, c *harness.Conn, args []string) {
	t.Helper()
	harness.Eventually(t, harness.Patience, l.where, func() bool { return c.Do(args...).Raw == l.until })
}

// show is a call for a message.
func show(args []string) string {
	var b strings.Builder
	for i, a := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		if len(a) > 60 {
			fmt.Fprintf(&b, "%q...(%d)", a[:40], len(a))
			continue
		}
		if strings.ContainsAny(a, " \"'\\\r\n\t") || a == "" || strconv.Quote(a) != `"`+a+`"` {
			a = strconv.Quote(a)
		}
		b.WriteString(a)
	}
	return b.String()
}
