package lua

import (
	"fmt"
	"strings"
)

// Names of variables for error messages, found like ldebug.c does: by looking for the instruction
// that gave a register its value.

// Where is the place of a level for a message, "chunk:line: ", or "" if it has none. Level 0 is the
// function that runs, 1 its caller.
func (t *Thread) Where(level int) string {
	f := t.level(level)
	if f == nil || f.fn.proto == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", f.fn.proto.chunk, f.line())
}

// Place is where the innermost Lua function of the running thread is, "user_script:1", or "" outside
// of any. It is for hooks, and for natives that end the script.
func (s *State) Place() string {
	for t := s.current; t != nil; t = t.resumer {
		for i := len(t.frames) - 1; i > 0; i-- {
			if f := &t.frames[i]; f.fn.proto != nil {
				return fmt.Sprintf("%s:%d", f.fn.proto.chunk, f.line())
			}
		}
	}
	return ""
}

// level is the call at a level, nil if there is none, or a tail call has removed it.
func (t *Thread) level(level int) *frame {
	i := len(t.frames) - 1
	for ; level > 0 && i > 0; i-- {
		level -= 1 + int(t.frames[i].tails)
	}
	if level != 0 || i <= 0 {
		return nil
	}
	return &t.frames[i]
}

// line is the line that a Lua function is in.
func (f *frame) line() int32 { return f.fn.proto.lines[max(f.pc-1, 0)] }

// calledAs says by which name the running function was called: its kind and the name, or "".
func (t *Thread) calledAs() (kind, name string) {
	i := len(t.frames) - 1
	if i < 1 || t.frames[i].tails > 0 {
		return "", ""
	}
	caller := &t.frames[i-1]
	if caller.fn == nil || caller.fn.proto == nil {
		return "", ""
	}
	p, pc := caller.fn.proto, int(caller.pc)-1
	if op := p.code[pc].op(); op != opCall && op != opTailCall && op != opTForLoop {
		return "", ""
	}
	return p.registerName(p.code[pc].a(), pc)
}

// registerName says which variable a register holds before an instruction: "local", "global",
// "field", "upvalue" or "method", and its name; "" if it is none.
func (p *Proto) registerName(reg, pc int) (kind, name string) {
	if name := p.localName(reg+1, pc); name != "" {
		return "local", name
	}
	at := p.setter(reg, pc)
	if at < 0 {
		return "", ""
	}
	switch i := p.code[at]; i.op() {
	case opGetGlobal:
		return "global", CText(p.constants[i.bx()].AsString().s)
	case opMove:
		if i.b() < i.a() {
			return p.registerName(i.b(), at)
		}
	case opGetTable, opGetField:
		return "field", p.constantName(i.c())
	case opGetUpval:
		return "upvalue", p.upvalues[i.b()]
	case opSelf, opSelfField:
		return "method", p.constantName(i.c())
	}
	return "", ""
}

// constantName is the string that an operand is, "?" if it is none.
func (p *Proto) constantName(rk int) string {
	if rk&bitK != 0 {
		if s := p.constants[rk&maxIndexRK].AsString(); s != nil {
			return CText(s.s)
		}
	}
	return "?"
}

// setter is the last instruction before pc that changes a register, -1 if there is none.
func (p *Proto) setter(reg, pc int) int {
	last := -1
	for at := 0; at < pc; at++ {
		i := p.code[at]
		a, op := i.a(), i.op()
		if op.setsA() && reg == a {
			last = at
		}
		switch op {
		case opLoadNil:
			if a <= reg && reg <= i.b() {
				last = at
			}
		case opTForLoop:
			if reg >= a+2 {
				last = at
			}
		case opCall, opTailCall:
			if reg >= a {
				last = at
			}
		case opSelf, opSelfField:
			if reg == a+1 {
				last = at
			}
		case opJmp, opForLoop, opForPrep:
			if dest := at + 1 + i.sbx(); at < dest && dest <= pc {
				at = dest - 1
			}
		case opClosure:
			at += len(p.protos[i.bx()].upvalues)
		case opSetList:
			if i.c() == 0 {
				at++
			}
		}
	}
	return last
}

// CText is what C takes for the string: its bytes before the first zero byte.
func CText(s string) string {
	text, _, _ := strings.Cut(s, "\x00")
	return text
}
