package lua

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// TestCode compares the code that is made of each script, by way of string.dump: instructions,
// constants, names, and the lines of what can fail.
func TestCode(t *testing.T) {
	d := newDuel(t)
	for _, script := range scripts(t) {
		d.compareCode(script)
	}
}

// TestRandomCode does so for programs that are made at random.
func TestRandomCode(t *testing.T) {
	d := newDuel(t)
	g := &generator{rng: randtest.New(t)}
	for range 1500 {
		if !d.compareCode(g.chunk()) {
			break
		}
	}
}

// compareCode compares the code of a source, or the error. It reports whether they agree.
func (d *duel) compareCode(source string) bool {
	d.t.Helper()
	script := "local f, e = loadstring(" + quote(source) + ", '=source') return f and string.dump(f) or e"
	want, got := listing(d.redis.Do("EVAL", script, "0").Text), listing(d.larder(script))
	if got == want {
		return true
	}
	ours, theirs := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(ours), len(theirs)) {
		if ours[i] != theirs[i] {
			d.t.Errorf("%s\n  at %d of the listing\n  larder %s\n  redis  %s", source, i, ours[i], theirs[i])
			return false
		}
	}
	d.t.Errorf("%s\n  the listings differ in length", source)
	return false
}

// listing makes bytecode legible, a line for each thing in it. A text that is none stays as it is.
func listing(code string) string {
	const header = 12
	if !strings.HasPrefix(code, "\x1bLua") {
		return code
	}
	l := lister{in: code[header:]}
	l.function()
	return l.out.String()
}

type lister struct {
	in  string
	out strings.Builder
}

func (l *lister) int() int {
	n := binary.LittleEndian.Uint32([]byte(l.in))
	l.in = l.in[4:]
	return int(n)
}

func (l *lister) byte() int {
	b := l.in[0]
	l.in = l.in[1:]
	return int(b)
}

func (l *lister) text() string {
	n := int(binary.LittleEndian.Uint64([]byte(l.in)))
	s := l.in[8 : 8+n]
	l.in = l.in[8+n:]
	return s
}

func (l *lister) line(format string, args ...any) { fmt.Fprintf(&l.out, format+"\n", args...) }

// canFail are the instructions that may raise an error: GETGLOBAL, GETTABLE, SETGLOBAL, SETTABLE, SELF,
// arithmetic, LEN, CONCAT, comparisons, calls, FORPREP and TFORLOOP. The lines of others say nothing.
const canFail = 1<<5 | 1<<6 | 1<<7 | 1<<9 | 1<<11 | 0x7f<<12 | 1<<20 | 1<<21 | 7<<23 | 1<<28 | 1<<29 | 1<<32 | 1<<33

func (l *lister) function() {
	l.line("source %q lines %d %d", l.text(), l.int(), l.int())
	l.line("upvalues %d params %d vararg %d registers %d", l.byte(), l.byte(), l.byte(), l.byte())
	code := make([]int, l.int())
	for i := range code {
		code[i] = l.int()
		l.line("%d: op %d A %d C %d B %d", i, code[i]&63, code[i]>>6&255, code[i]>>14&511, code[i]>>23)
	}
	for range l.int() {
		switch kind := l.byte(); kind {
		case 0:
			l.line("constant nil")
		case 1:
			l.line("constant bool %d", l.byte())
		case 3:
			l.line("constant number %x", l.in[:8])
			l.in = l.in[8:]
		case 4:
			l.line("constant %q", l.text())
		}
	}
	for range l.int() {
		l.function()
	}
	for i := range l.int() {
		if line := l.int(); canFail>>(code[i]&63)&1 != 0 {
			l.line("%d: line %d", i, line)
		}
	}
	for range l.int() {
		l.line("local %q %d %d", l.text(), l.int(), l.int())
	}
	for range l.int() {
		l.line("upvalue %q", l.text())
	}
}
