// Proofs: which scripts keep to the keys that they declare (engine/straying.go says what for).
//
// A proof is a walk through the syntax tree that knows of each variable what it may hold, whatever the
// script is called with, and looks at each place where a command is called. It is done when a walk
// has learned nothing new. What it does not understand makes the script unproved, which costs such a
// script a lock and nothing else.
//
// # What is understood
//
//   - Keys are what KEYS holds: KEYS[i] for any i, elements of loops over ipairs(KEYS), pairs(KEYS),
//     unpack(KEYS, ...), next(KEYS), under any name that they or KEYS are given, through "and", "or",
//     function calls, results and tables.
//   - redis.call and redis.pcall under any name, also as pcall(redis.call, ...).
//   - A command's name is a constant, or one of a few. Where its keys are, the row says (engine.Spec);
//     where that depends on a number, such as ZUNIONSTORE's, the number is a constant, or all that
//     could be keys are.
//   - Functions of the script: a parameter is all that it is called with. A function that is handed to
//     a function of a library is called with anything.
//   - Tables that the script makes: the elements that they begin with, those of a name, and the others
//     all together. So arguments may be gathered: local a = {'zadd', KEYS[1]}; a[#a+1] = x;
//     redis.call(unpack(a)). That needs KEYS[1] to be there, or the first x would take its place: a
//     proof says with how many keys it holds.
//
// # Why it holds
//
// A command is called by nobody who was not given redis or redis.call, and these are followed
// everywhere. Where they cannot be followed (a table or function of unknown kind, an argument of a
// library's function) the proof ends at once, and so for KEYS, lest it be changed. All else is data:
// value kindAny, which can be everything but these. A table or a function of the script that gets to
// where it cannot be followed has "escaped": the one holds anything from then on, the other is called
// with anything. Globals are a fixed list, and cannot be assigned to; names that lead to others, such
// as _G, getfenv, loadstring, are not on it.
//
// The order of a script's statements plays no part: a variable may hold at any time what it is given
// anywhere. So `key = key .. ':x'` makes key unknown even before. What is known only shrinks, and a
// walk that learned nothing is one in which every command was looked at with all that its arguments
// may be.

package scripting

import (
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/lua/syntax"
)

// Bounds of a proof, so that it costs no more than some milliseconds whatever the source is. Known
// scripts of libraries take two to four walks and some hundreds of steps.
const (
	proofWalks = 50
	proofSteps = 200_000
	proofList  = 64 // values of a list that are told apart
	proofConst = 8  // constants that one variable may hold
)

// Prove looks for a proof that a script touches no keys but those in KEYS. It holds for calls with at
// least so many keys.
func Prove(chunk *syntax.Func, table *engine.Table) (least int, ok bool) {
	return newProver(table).prove(chunk)
}

func newProver(table *engine.Table) *prover {
	return &prover{
		table:  table,
		vars:   make(map[place]*variable),
		funcs:  make(map[*syntax.Func]*function),
		tables: make(map[*syntax.Table]*object),
		steps:  proofSteps,
	}
}

func (p *prover) prove(chunk *syntax.Func) (least int, ok bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, unproved := r.(unproved); !unproved {
				panic(r)
			}
			least, ok = 0, false
		}
	}()
	for range proofWalks {
		p.changed = false
		p.walk(chunk)
		if !p.changed {
			return p.least, true
		}
	}
	return 0, false
}

// unproved is the panic that ends a proof.
type unproved struct{}

// prover is a proof under way.
type prover struct {
	table   *engine.Table
	vars    map[place]*variable
	funcs   map[*syntax.Func]*function
	tables  map[*syntax.Table]*object
	scope   []binding // locals that the walk sees
	fn      *function // that the walk is in
	changed bool      // in this walk something became less known
	steps   int       // that are left
	least   int
	library bool // the chunk registers functions, see prooflibrary.go
}

// place is where a variable is declared: the statement or function, and which of its names.
type place struct {
	node any
	i    int
}

type binding struct {
	name string
	v    *variable
}

// variable is what a local may hold.
type variable struct {
	value value
	fn    *function // in which it is declared
}

// function is a function of the script.
type function struct {
	outer   *function // in which it is; nil: it is the chunk
	params  []*variable
	varargs list
	results list
	escaped bool
}

// object is all tables that one constructor makes.
type object struct {
	prefix  []value // elements 1, 2, ... that the constructor lists
	rest    value   // elements beyond
	fields  map[string]value
	named   value // of fields whose names are not known
	escaped bool
	shared  bool // a function sees it in a variable of another one
}

// step counts work.
func (p *prover) step(n int) {
	if p.steps -= n; p.steps < 0 {
		p.fail()
	}
}

func (p *prover) fail() { panic(unproved{}) }

// declare brings a local into scope.
func (p *prover) declare(node any, i int, name string) *variable {
	at := place{node, i}
	v := p.vars[at]
	if v == nil {
		v = &variable{fn: p.fn}
		p.vars[at] = v
	}
	p.scope = append(p.scope, binding{name, v})
	return v
}

// assign lets a variable hold v, too.
func (p *prover) assign(to *variable, v value) { p.merge(&to.value, v) }

// merge joins v into what is known at to.
func (p *prover) merge(to *value, v value) {
	if joined := p.join(*to, v); !joined.same(*to) {
		*to, p.changed = joined, true
	}
}

// local finds a local, nil if the name is a global's.
func (p *prover) local(name string) *variable {
	for i := len(p.scope) - 1; i >= 0; i-- {
		if p.scope[i].name == name {
			p.step((len(p.scope) - i) / 8)
			return p.scope[i].v
		}
	}
	p.step(len(p.scope) / 8)
	return nil
}

// walk goes through a function's body.
func (p *prover) walk(f *syntax.Func) *function {
	fn := p.funcs[f]
	if fn == nil {
		fn = &function{outer: p.fn}
		p.funcs[f] = fn
	}
	outer, scope := p.fn, len(p.scope)
	p.fn = fn
	fn.params = fn.params[:0]
	for i, name := range f.Params {
		fn.params = append(fn.params, p.declare(f, i, name))
	}
	switch {
	case f.Line == 0:
		fn.varargs = anything // of a chunk
	case f.Vararg:
		arg := p.declare(f, len(f.Params), "arg")
		p.assign(arg, nothing)
		if f.UsesArg {
			p.escapeList(fn.varargs)
			p.assign(arg, unknown)
		}
	}
	if fn.escaped {
		for _, v := range fn.params {
			p.assign(v, unknown)
		}
		p.mergeList(&fn.varargs, anything)
	}
	p.block(f.Body)
	if fn.escaped {
		p.escapeList(fn.results)
	}
	p.fn, p.scope = outer, p.scope[:scope]
	return fn
}
