package syntax

import "fmt"

// Limits of Lua 5.1 (luaconf.h).
const (
	maxLocals   = 200       // in scope at once in a function
	maxNamed    = 1<<15 - 1 // in all scopes of a function
	maxUpvalues = 60
	maxLevels   = 200 // LUAI_MAXCCALLS: of what the parser recurses for
)

// maxDepth bounds how deep a tree is. The levels bound what nests to the right; what nests to the
// left (a+b+c, a.b.c) is a loop in the parser, without a bound in C, but whoever walks through a tree
// recurses for it.
const maxDepth = 10000

// function is a function that is being read.
type function struct {
	outer    *function
	fn       *Func
	locals   []*symbol // in scope, or declared and about to be
	active   int       // how many of locals are in scope
	upvalues []*symbol
	named    int
	loops    int // that enclose the statement
}

// declare makes a local, which is in scope from activate on.
func (p *parser) declare(sym *symbol) {
	f := p.fn
	if len(f.locals) >= maxLocals {
		p.limit(f, maxLocals, "local variables")
	}
	if f.named++; f.named > maxNamed {
		panic(&failure{"too many local variables"})
	}
	f.locals = append(f.locals, sym)
}

// activate brings what was declared into scope.
func (p *parser) activate() {
	f := p.fn
	for _, sym := range f.locals[f.active:] {
		sym.visible++
	}
	f.active = len(f.locals)
}

// leave takes all locals but the first n out of scope.
func (p *parser) leave(n int) {
	f := p.fn
	for _, sym := range f.locals[n:f.active] {
		sym.visible--
	}
	f.locals, f.active = f.locals[:n], n
}

// limit ends the parse because a function has too much of something.
func (p *parser) limit(f *function, limit int, what string) {
	message := fmt.Sprintf("main function has more than %d %s", limit, what)
	if f.fn.Line != 0 {
		message = fmt.Sprintf("function at line %d has more than %d %s", f.fn.Line, limit, what)
	}
	p.fail(message, 0)
}

// use notes that a name occurs, for the count of upvalues.
func (p *parser) use(sym *symbol) {
	if sym.visible > 0 {
		p.capture(p.fn, sym)
	}
}

// capture makes a visible name an upvalue of f and of the functions around it up to where it is
// local. An upvalue is found by its name: what the functions around f call so does not change while
// f is read.
func (p *parser) capture(f *function, sym *symbol) {
	for i := f.active - 1; i >= 0; i-- {
		if f.locals[i] == sym {
			return
		}
	}
	for _, known := range f.upvalues {
		if known == sym {
			return
		}
	}
	p.capture(f.outer, sym)
	if len(f.upvalues) >= maxUpvalues {
		p.limit(f, maxUpvalues, "upvalues")
	}
	f.upvalues = append(f.upvalues, sym)
}
