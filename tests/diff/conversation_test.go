package diff

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// A conversation is a script of several connections that also get what they have not asked for:
// messages of channels, keys that their caches must forget, lines of MONITOR. testdata/messages has
// them, many to a file, each after a line "== name", and each on servers of its own. It is played
// on larder and on the oracle, and after each line the two transcripts must be equal.
//
// # What has arrived
//
// No step waits for time to pass. Behind each call the runner sends a barrier on the same connection
// whose reply it knows again: PING with a number, and in a transaction, where that would be queued,
// MULTI, which is refused at once and leaves the transaction as it is. What comes before the
// barrier's reply is what the line has brought: messages that came before the call ran, the replies
// to it, and messages behind them. Redis has handed a message to all its receivers by the time the
// sender gets its reply, so whoever sends a barrier after that finds the message before it; larder
// must keep to that although the receivers are on other loops.
//
// # Lines
//
// All of script_test.go's, and
//
//	@2 gets                what has come for connection 2, up to a barrier
//	@2 gets 3              the next three, for a client that a barrier gets no reply from: it waits in BLPOP, is paused
//	                       or has switched replies off; also for what comes at its own time, such as an expired key
//	@2 send CALL           sends a call and reads nothing
//	@2 closed              all that comes until the server closes the connection; "closed QUIT" sends a call first
//	@2 close               closes the connection
//	only name,sub CALL     of lines with fields, as CLIENT LIST's, these fields alone count, and the lines' order does not
//	own CALL               the client says something to itself: 7.0 sends it before the reply to the call, since 7.2 it is after it
//	shuffled CALL          messages come in any order, as those of several patterns; the numbers in them keep theirs
//	ids CALL               an integer that is a connection's number counts as that
//
// {id:2} and {addr:2} stand for the number and the address of connection 2. Addresses in what has
// come count as that too, and the times of MONITOR are not compared.
//
// At the end all connections that have nothing under way are asked what is left.

// titleMark begins the line with a conversation's name.
const titleMark = "== "

// parseStep takes what says how a line of a conversation runs from its text, and returns the call.
func parseStep(l *line, text string) (call string, err error) {
	head, rest, _ := strings.Cut(text, " ")
	switch head {
	case "gets":
		l.step = gets
		if rest != "" {
			l.count, err = strconv.Atoi(rest)
		}
		return "", err
	case "send":
		l.step = sends
	case "closed":
		l.step = seesEnd
	case "close":
		l.step = hangsUp
	case "only":
		fields, call, _ := strings.Cut(rest, " ")
		l.only = strings.Split(fields, ",")
		return call, nil
	default:
		return text, nil
	}
	return rest, nil
}

// stage is one of the two servers, with the connections of a conversation.
type stage struct {
	t        *testing.T
	server   *harness.Server
	proto    int
	watch    *harness.Conn
	actors   map[int]*actor
	barriers int
}

type actor struct {
	*harness.Conn
	id    string
	multi bool // in a transaction
	busy  bool // with something that no barrier gets past
}

func newStage(t *testing.T, server *harness.Server, proto int) *stage {
	return &stage{t: t, server: server, proto: proto, watch: server.Dial(t), actors: map[int]*actor{}}
}

func (s *stage) actor(n int) *actor {
	s.t.Helper()
	a, ok := s.actors[n]
	if !ok {
		version := s.proto
		if n >= plainConn {
			version = 2
		}
		a = &actor{Conn: s.server.DialRESP(s.t, version)}
		a.id = a.Do("CLIENT", "ID").Text
		s.actors[n] = a
	}
	return a
}

// play runs a line and returns what has come.
func (s *stage) play(l line) []harness.Reply {
	s.t.Helper()
	a, args := s.actor(l.conn), s.named(expand(s.t, l))
	switch l.step {
	case whole:
		a.busy = false
		return s.call(a, args)
	case sendsOnly:
		sendAndBlock(s.t, l, s.watch, a.Conn, args)
		a.busy = true
	case readsOnly:
		a.busy = false
		return s.read(a, 1)
	case gets:
		if l.count > 0 {
			return s.read(a, l.count)
		}
		a.busy = false
		return s.upToBarrier(a, "")
	case sends:
		a.Send(args...)
		a.busy = true
	case seesEnd:
		a.busy = true
		return s.last(l, a, args)
	case hangsUp:
		a.busy = true
		_ = a.Close() // the server may have been first
	}
	return nil
}

// named replaces the words in braces that differ between the servers.
func (s *stage) named(args []string) []string {
	s.t.Helper()
	for i := range args {
		args[i] = connectionWord.ReplaceAllStringFunc(args[i], func(word string) string {
			what, number, _ := strings.Cut(strings.Trim(word, "{}"), ":")
			n, err := strconv.Atoi(number)
			if err != nil {
				s.t.Fatalf("%s: %v", word, err)
			}
			a := s.actor(n)
			if what == "id" {
				return a.id
			}
			return a.LocalAddr().String()
		})
	}
	return args
}

var connectionWord = regexp.MustCompile(`\{(?:id|addr):\d+\}`)

// call sends a call with a barrier behind it. A MULTI comes first, since it decides upon the barrier.
func (s *stage) call(a *actor, args []string) (got []harness.Reply) {
	s.t.Helper()
	request := harness.Encode(args...)
	switch strings.ToUpper(args[0]) {
	case "MULTI":
		a.WriteRaw(request)
		got = s.read(a, 1)
		for got[len(got)-1].Kind == '>' {
			got = append(got, s.read(a, 1)...)
		}
		request = ""
		a.multi = a.multi || got[len(got)-1].Raw == "+OK\r\n"
	case "EXEC", "DISCARD", "RESET":
		a.multi = false
	}
	return append(got, s.upToBarrier(a, request)...)
}

const (
	barrier     = "barrier:"
	nestedMulti = "-ERR MULTI calls can not be nested\r\n"
)

// upToBarrier sends a request and a barrier, and returns what comes before the barrier's reply.
func (s *stage) upToBarrier(a *actor, request string) (got []harness.Reply) {
	s.t.Helper()
	s.barriers++
	mark := barrier + strconv.Itoa(s.barriers)
	ask := harness.Encode("PING", mark)
	if a.multi {
		ask = harness.Encode("MULTI")
	}
	a.WriteRaw(request + ask)
	for {
		r := a.Read()
		if a.multi && r.Raw == nestedMulti || !a.multi && r.Kind != '+' && strings.Contains(r.Raw, mark) {
			return got
		}
		if !isNoise(r) {
			got = append(got, r)
		}
	}
}

// isNoise reports whether a reply is MONITOR's line about what the runner itself asks.
func isNoise(r harness.Reply) bool {
	return r.Kind == '+' && (strings.Contains(r.Text, barrier) || strings.Contains(r.Text, `] "INFO" `))
}

func (s *stage) read(a *actor, n int) (got []harness.Reply) {
	s.t.Helper()
	for len(got) < n {
		if r := a.Read(); !isNoise(r) {
			got = append(got, r)
		}
	}
	return got
}

// last returns what comes until the server closes the connection.
func (s *stage) last(l line, a *actor, args []string) (got []harness.Reply) {
	s.t.Helper()
	if len(args) > 0 {
		a.Send(args...)
	}
	for {
		r, err := a.TryRead()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.t.Fatalf("%s: %s: the connection is still open", l.where, s.server.Name)
		}
		if err != nil {
			return got
		}
		if !isNoise(r) {
			got = append(got, r)
		}
	}
}

// waitFor polls until a call gives the reply that the line names.
func (s *stage) waitFor(l line) {
	s.t.Helper()
	a, args := s.actor(l.conn), s.named(expand(s.t, l))
	harness.Eventually(s.t, harness.Patience, l.where+": "+s.server.Name, func() bool {
		got := s.call(a, args)
		return len(got) == 1 && got[0].Raw == l.until
	})
}

// transcript is what has come, without what must differ.
func (s *stage) transcript(l line, got []harness.Reply) (texts []string) {
	if l.mode == own {
		got = messagesLast(flat(got))
	}
	for _, r := range got {
		texts = append(texts, s.render(l, r))
	}
	return texts
}

// flat returns the elements of replies in the place of the replies, and messages as they are. In an
// EXEC, 7.0 counts a message to oneself as an element of the reply, which so ends too early.
func flat(got []harness.Reply) (elems []harness.Reply) {
	for _, r := range got {
		if r.Kind == '>' || len(r.Elems) == 0 {
			elems = append(elems, r)
		} else {
			elems = append(elems, flat(r.Elems)...)
		}
	}
	return elems
}

// messagesLast returns the replies and then the messages.
func messagesLast(got []harness.Reply) []harness.Reply {
	isMessage := func(r harness.Reply) bool { return r.Kind == '>' }
	replies := slices.DeleteFunc(slices.Clone(got), isMessage)
	return append(replies, slices.DeleteFunc(slices.Clone(got), func(r harness.Reply) bool { return !isMessage(r) })...)
}

var monitorTime = regexp.MustCompile(`^\d{10}\.\d{6} `)

// render shows a reply with its type, names in the place of numbers and addresses.
func (s *stage) render(l line, r harness.Reply) string {
	if len(r.Elems) > 0 {
		var elems []string
		for _, e := range r.Elems {
			elems = append(elems, s.render(l, e))
		}
		if l.mode == anyOrder {
			slices.Sort(elems)
		}
		return string(r.Kind) + "[" + strings.Join(elems, " ") + "]"
	}
	text := r.Text
	for n, a := range s.actors {
		text = strings.ReplaceAll(text, a.LocalAddr().String(), fmt.Sprintf("{addr:%d}", n))
		if l.mode == ids && r.Kind == ':' && text == a.id {
			text = fmt.Sprintf("{id:%d}", n)
		}
	}
	if l.only != nil && !r.IsError() {
		text = onlyFields(text, l.only)
	}
	switch {
	case r.IsNull():
		return "null of " + string(r.Kind)
	case r.Kind == '+':
		text = monitorTime.ReplaceAllString(text, "{time} ")
	}
	return string(r.Kind) + strconv.Quote(text)
}

// onlyFields leaves of each line of "name=value" words those that are named.
func onlyFields(text string, fields []string) string {
	var lines []string
	for row := range strings.Lines(text) {
		var words []string
		for _, word := range strings.Fields(row) {
			if name, _, ok := strings.Cut(word, "="); ok && slices.Contains(fields, name) {
				words = append(words, word)
			}
		}
		lines = append(lines, strings.Join(words, " "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

var integer = regexp.MustCompile(`:"-?\d+"`)

// sameTranscripts compares what a line has brought on both servers.
func sameTranscripts(l line, larder, redis []string) bool {
	if l.mode != shuffled {
		return slices.Equal(larder, redis)
	}
	split := func(texts []string) (words, numbers []string) {
		for _, text := range texts {
			words = append(words, integer.ReplaceAllString(text, ""))
			numbers = append(numbers, integer.FindAllString(text, -1)...)
		}
		slices.Sort(words)
		return words, numbers
	}
	w, n := split(larder)
	w2, n2 := split(redis)
	return slices.Equal(w, w2) && slices.Equal(n, n2)
}

func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/messages/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations: %v", err)
	}
	harness.EachDriver(t, func(t *testing.T, driver string) {
		for _, file := range files {
			for proto := 2; proto <= 3; proto++ {
				if driver != "epoll" && proto == 2 {
					continue // no driver knows of the protocol
				}
				name := fmt.Sprintf("%s/RESP%d", strings.TrimSuffix(filepath.Base(file), ".txt"), proto)
				t.Run(name, func(t *testing.T) { converse(t, driver, proto, readScript(t, file)) })
			}
		}
	})
}

// converse plays the conversations of a file, several at a time.
func converse(t *testing.T, driver string, proto int, lines []line) {
	for len(lines) > 0 {
		title := lines[0].title
		if title == "" {
			t.Fatalf("%s: no title", lines[0].where)
		}
		end := slices.IndexFunc(lines[1:], func(l line) bool { return l.title != "" }) + 1
		if end == 0 {
			end = len(lines)
		}
		script := lines[1:end]
		lines = lines[end:]
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			larder := newStage(t, harness.Start(t, "network-driver "+driver, "enable-debug-command yes", "io-threads 2"), proto)
			redis := newStage(t, harness.StartRedis(t), proto)
			playBoth(t, script, larder, redis)
		})
	}
}

func playBoth(t *testing.T, script []line, larder, redis *stage) {
	for _, l := range script {
		if l.until != "" {
			larder.waitFor(l)
			redis.waitFor(l)
			continue
		}
		compareTranscripts(t, l, larder, redis, larder.play(l), redis.play(l))
	}
	for n, a := range redis.actors {
		if !a.busy {
			l := line{where: "what is left at the end", conn: n, step: gets}
			compareTranscripts(t, l, larder, redis, larder.play(l), redis.play(l))
		}
	}
}

func compareTranscripts(t *testing.T, l line, larder, redis *stage, a, b []harness.Reply) {
	t.Helper()
	if harness.SubjectIsLarder() && l.mode == own && !slices.EqualFunc(a, messagesLast(a), func(x, y harness.Reply) bool { return x.Raw == y.Raw }) {
		t.Errorf("%s: @%d %s\n  larder has a message to itself before the reply: %v", l.where, l.conn, show(l.args), a)
	}
	x, y := larder.transcript(l, a), redis.transcript(l, b)
	if sameTranscripts(l, x, y) {
		return
	}
	if len(a) == 1 && len(b) == 1 && len(l.args) > 0 && (l.mode != exact && l.mode.equal(a[0], b[0]) || excused(exceptions, l.args, a[0], b[0])) {
		return
	}
	t.Errorf("%s: @%d %s\n  larder %s\n  redis  %s", l.where, l.conn, show(l.args), strings.Join(x, "\n         "), strings.Join(y, "\n         "))
}
