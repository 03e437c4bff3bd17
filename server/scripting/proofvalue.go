package scripting

import "slices"

// kind is what a proof knows of a value. All but the first four are data, with which nobody can call
// a command or change KEYS.
type kind uint8

const (
	kindNone    kind = iota // nothing but nil or false, as far as is known
	kindRedis               // the table redis
	kindCall                // redis.call or redis.pcall
	kindKeys                // the table KEYS
	kindKey                 // an element of KEYS, or what is no argument of a command
	kindConst               // one of a few strings or integers, as commands get them
	kindLib                 // a table of functions such as string
	kindBuiltin             // a function of Lua's
	kindFunc                // a function of the script
	kindTable               // a table of the script
	kindAny                 // any data
)

// value is what is known of a value.
type value struct {
	kind   kind
	null   bool     // it may also be nil or false
	need   int      // kindKey: it is there if a call has so many keys
	consts []string // kindConst
	name   string   // kindLib, kindBuiltin
	fn     *function
	table  *object
}

var (
	nothing = value{null: true}
	unknown = value{kind: kindAny, null: true}
)

// same reports whether a and b say the same. Constants only become more.
func (a value) same(b value) bool {
	return a.kind == b.kind && a.null == b.null && a.need == b.need && len(a.consts) == len(b.consts) &&
		a.name == b.name && a.fn == b.fn && a.table == b.table
}

// join is what is known of a value that is one of two.
func (p *prover) join(a, b value) value {
	null := a.null || b.null
	switch {
	case a.kind == kindNone:
		a = b
	case b.kind == kindNone:
	case a.kind != b.kind || a.name != b.name || a.fn != b.fn || a.table != b.table:
		p.escape(a)
		p.escape(b)
		return unknown
	case a.kind == kindConst:
		a.consts = union(a.consts, b.consts)
		if len(a.consts) > proofConst {
			return unknown
		}
	case a.kind == kindKey:
		a.need = max(a.need, b.need)
	}
	a.null = null
	return a
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(slices.Clip(a), s)
		}
	}
	return a
}

// escape notes that a value gets to where it cannot be followed.
func (p *prover) escape(v value) {
	p.step(1)
	switch v.kind {
	case kindRedis, kindCall, kindKeys:
		p.fail()
	case kindFunc:
		if !v.fn.escaped {
			v.fn.escaped, p.changed = true, true
		}
	case kindTable:
		p.escapeTable(v.table)
	}
}

func (p *prover) escapeTable(t *object) {
	if t.escaped {
		return
	}
	t.escaped, p.changed = true, true
	for _, v := range t.prefix {
		p.escape(v)
	}
	for _, v := range t.fields {
		p.escape(v)
	}
	p.escape(t.rest)
	p.escape(t.named)
}

// list is several values: those of arguments or results. There may also be fewer.
type list struct {
	values []value
	open   bool  // there may be more, each of them
	rest   value // so
}

var anything = list{open: true, rest: unknown}

// at is the value at an index.
func (l list) at(i int) value {
	switch {
	case i < len(l.values):
		return l.values[i]
	case l.open:
		v := l.rest
		v.null = true
		return v
	}
	return nothing
}

// from is the list without its first n values.
func (l list) from(n int) list {
	l.values = l.values[min(n, len(l.values)):]
	return l
}

func (p *prover) escapeList(l list) {
	for _, v := range l.values {
		p.escape(v)
	}
	if l.open {
		p.escape(l.rest)
	}
}

// mergeList joins a list into what is known at to.
func (p *prover) mergeList(to *list, l list) {
	p.step(len(l.values))
	n := min(max(len(to.values), len(l.values)), proofList)
	for i := range n {
		if i == len(to.values) {
			to.values = append(to.values, to.at(i))
			p.changed = true
		}
		p.merge(&to.values[i], l.at(i))
	}
	if l.open && !to.open {
		to.open, p.changed = true, true
	}
	if l.open {
		p.merge(&to.rest, l.rest)
	}
	for i := n; i < len(l.values); i++ {
		if !to.open {
			to.open, p.changed = true, true
		}
		p.merge(&to.rest, l.values[i])
	}
}
