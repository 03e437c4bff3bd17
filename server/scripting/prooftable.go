package scripting

import (
	"slices"

	"github.com/larderkv/larder/server/lua/syntax"
)

// makeTable is the value of a constructor.
func (p *prover) makeTable(e *syntax.Table) value {
	t := p.tables[e]
	if t == nil {
		t = &object{fields: make(map[string]value)}
		p.tables[e] = t
	}
	position := 0
	for i, item := range e.Items {
		switch {
		case item.Key != nil:
			p.store(t, item.Key, p.eval(item.Value))
		case i == len(e.Items)-1 && several(item.Value):
			l := p.evalList(item.Value)
			for _, v := range l.values {
				p.storeRest(t, v)
			}
			if l.open {
				p.storeRest(t, l.rest)
			}
		default:
			v := p.eval(item.Value)
			if position == len(t.prefix) {
				t.prefix, p.changed = append(t.prefix, value{}), true
			}
			p.storeAt(t, position, v)
			position++
		}
	}
	return value{kind: kindTable, table: t}
}

// several reports whether an expression may be several values.
func several(e syntax.Expr) bool {
	switch e.(type) {
	case *syntax.Call, *syntax.Method, *syntax.Vararg:
		return true
	}
	return false
}

// storeAt is an assignment to element i+1.
func (p *prover) storeAt(t *object, i int, v value) {
	p.put(t, v)
	switch {
	case t.escaped:
		p.escape(v)
	case i < len(t.prefix):
		p.merge(&t.prefix[i], v)
	default:
		p.merge(&t.rest, v)
	}
}

// storeRest is an assignment to an element beyond the first ones.
func (p *prover) storeRest(t *object, v value) { p.storeAt(t, len(t.prefix), v) }

// storeSome is an assignment to an element of which it is not known which.
func (p *prover) storeSome(t *object, v value) {
	p.step(len(t.prefix) + len(t.fields))
	for i := range t.prefix {
		p.storeAt(t, i, v)
	}
	p.storeRest(t, v)
}

// store is an assignment to t[key].
func (p *prover) store(t *object, key syntax.Expr, v value) {
	if t.escaped {
		p.escape(p.eval(key))
		p.escape(v)
		return
	}
	p.put(t, v)
	switch k := key.(type) {
	case *syntax.String:
		field := t.fields[k.Value]
		p.merge(&field, v)
		t.fields[k.Value] = field
		return
	case *syntax.Number:
		if i := int(k.Value); float64(i) == k.Value && i > 0 {
			p.storeAt(t, i-1, v)
			return
		}
	case *syntax.Binary:
		if p.isAppend(t, k) {
			p.appendTo(t, v)
			return
		}
	}
	p.escape(p.eval(key)) // pairs would give it
	p.storeSome(t, v)
	p.merge(&t.named, v)
	for name, field := range t.fields {
		p.merge(&field, v)
		t.fields[name] = field
	}
}

// isAppend reports whether an index is #t+1.
func (p *prover) isAppend(t *object, e *syntax.Binary) bool {
	length, ok := e.Left.(*syntax.Unary)
	one, isNumber := e.Right.(*syntax.Number)
	if !ok || !isNumber || e.Op != syntax.OpAdd || length.Op != syntax.OpLen || one.Value != 1 {
		return false
	}
	of, ok := length.X.(*syntax.Name)
	return ok && p.eval(of).table == t
}

// appendTo is an assignment behind the last element. The elements that a table begins with are not
// touched as long as all of them are there: a border, which is what # finds, is behind them.
func (p *prover) appendTo(t *object, v value) {
	if t.escaped {
		p.escape(v)
		return
	}
	i := 0
	for ; i < len(t.prefix) && !t.prefix[i].null && t.prefix[i].kind != kindNone; i++ {
		p.least = max(p.least, t.prefix[i].need)
	}
	for ; i < len(t.prefix); i++ {
		p.storeAt(t, i, v)
	}
	p.storeRest(t, v)
}

// shuffle lets any element be where any other was, or none.
func (p *prover) shuffle(t *object) {
	if v := p.element(t); !t.escaped {
		p.storeSome(t, v)
	}
}

// element is any of the elements at integers.
func (p *prover) element(t *object) value {
	if t.escaped {
		return unknown
	}
	p.step(len(t.prefix))
	v := t.rest
	for _, w := range t.prefix {
		v = p.join(v, w)
	}
	v.null = true
	return v
}

// load is t[key].
func (p *prover) load(t *object, key syntax.Expr) value {
	var v value
	switch k := key.(type) {
	case *syntax.String:
		v = p.join(t.fields[k.Value], t.named)
	case *syntax.Number:
		i := int(k.Value)
		switch {
		case float64(i) != k.Value || i < 1:
			v = p.join(t.rest, t.named)
		case i <= len(t.prefix):
			if t.escaped {
				return unknown
			}
			return t.prefix[i-1]
		default:
			v = t.rest
		}
	default:
		p.eval(key)
		v = p.anyElement(t)
	}
	if t.escaped {
		return unknown
	}
	v.null = true
	return v
}

// unpacked is what unpack gives for a table from its first element on. It may give fewer: up to a
// border, and where elements are missing there may be several.
func (p *prover) unpacked(t *object) list {
	if t.escaped {
		return anything
	}
	p.step(len(t.prefix))
	l := list{values: slices.Clone(t.prefix), open: true, rest: t.rest}
	for i := range l.values {
		l.values[i].null = true
	}
	return l
}

// anyElement is any of the elements, whatever their names.
func (p *prover) anyElement(t *object) value {
	v := p.join(p.element(t), t.named)
	p.step(len(t.fields))
	for _, field := range t.fields {
		v = p.join(v, field)
	}
	if t.escaped {
		return unknown
	}
	return v
}
