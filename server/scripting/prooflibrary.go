package scripting

import (
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/lua/syntax"
)

// Proofs of libraries.
//
// A function of a library gets its keys as its first argument, and all that has been said of KEYS is
// said of that. What is different is that a library's variables live on from one call to the next: a
// key that one call leaves in a variable is none of the next one's. So a proof of a library also shows
// that no call leaves anything but data:
//
//   - An assignment to a variable of another function, or of the library itself, is one of data.
//   - So is one to an element of a table that a function may find in such a variable (object.shared),
//     whoever made it: what is in the table may be there in the next call.
//   - A function that gets to where it cannot be followed may be kept there, such as in a coroutine,
//     with the variables that it uses, and with the functions in them. It must not use a variable of
//     another function that holds keys.
//
// What the library itself does, outside of functions, happens before there are any keys.

// ProveLibrary is Prove for a library: it holds for all functions.
func ProveLibrary(chunk *syntax.Func, table *engine.Table) (least int, ok bool) {
	p := newProver(table)
	p.library = true
	return p.prove(chunk)
}

const registerName = "redis.register_function"

// register is a call of redis.register_function.
func (p *prover) register(args list) {
	callback := args.at(1)
	if args.open {
		p.fail()
	}
	if len(args.values) == 1 {
		named := args.at(0)
		if named.kind == kindNone {
			return // an error, or not known yet
		}
		if named.kind != kindTable || named.table.escaped || named.table.named.kind != kindNone {
			p.fail()
		}
		for name := range named.table.fields {
			switch name {
			case "function_name", "description", "flags", "callback":
			default:
				p.fail() // it may be callback in another case
			}
		}
		callback = named.table.fields["callback"]
	}
	switch callback.kind {
	case kindNone:
	case kindFunc:
		p.enter(callback.fn, list{values: []value{{kind: kindKeys}, {kind: kindAny}}})
	default:
		p.fail()
	}
}

// isData reports whether a value may outlive a call.
func isData(v value) bool {
	switch v.kind {
	case kindKeys, kindKey, kindFunc, kindTable:
		return false
	}
	return true
}

// outlives ends the proof if a call may leave v behind.
func (p *prover) outlives(v value) {
	if p.library && p.fn.outer != nil && !isData(v) {
		p.fail()
	}
}

// put notes that a table gets v.
func (p *prover) put(t *object, v value) {
	if !t.shared {
		return
	}
	p.outlives(v)
	p.share(v)
}

// read notes that a function uses a variable.
func (p *prover) read(v *variable) {
	if !p.library || v.fn == p.fn {
		return
	}
	p.share(v.value)
	for f := p.fn; f != v.fn; f = f.outer {
		if !f.escaped {
			continue
		}
		if v.value.kind == kindKeys || v.value.kind == kindKey {
			p.fail()
		}
		if v.value.kind == kindFunc {
			p.escape(v.value)
		}
	}
}

// share notes that a function finds v in a variable of another one.
func (p *prover) share(v value) {
	if v.kind != kindTable || v.table.shared {
		return
	}
	t := v.table
	p.step(len(t.prefix) + len(t.fields))
	t.shared, p.changed = true, true
	for _, v := range t.prefix {
		p.share(v)
	}
	for _, v := range t.fields {
		p.share(v)
	}
	p.share(t.rest)
	p.share(t.named)
}
