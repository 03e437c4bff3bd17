package scripting

import (
	"strconv"

	"github.com/larderkv/larder/server/lua/syntax"
)

// global is what a script can name without declaring it. Whatever else it names ends the proof.
func global(name string) (value, bool) {
	switch name {
	case "KEYS":
		return value{kind: kindKeys}, true
	case "redis":
		return value{kind: kindRedis}, true
	case "ARGV", "_VERSION":
		return value{kind: kindAny}, true
	case "bit", "cjson", "cmsgpack", "coroutine", "math", "os", "string", "struct", "table":
		return value{kind: kindLib, name: name}, true
	case "assert", "collectgarbage", "error", "getmetatable", "ipairs", "next", "pairs", "pcall",
		"print", "rawequal", "rawget", "rawset", "select", "setmetatable", "tonumber", "tostring",
		"type", "unpack", "xpcall":
		return value{kind: kindBuiltin, name: name}, true
	}
	return value{}, false
}

// eval is what is known of the value of an expression.
func (p *prover) eval(e syntax.Expr) value {
	p.step(1)
	switch e := e.(type) {
	case *syntax.Nil, *syntax.False:
		return nothing
	case *syntax.String:
		return value{kind: kindConst, consts: []string{e.Value}}
	case *syntax.Number:
		if i := int64(e.Value); float64(i) == e.Value && i >= 0 && i < 1<<53 {
			return value{kind: kindConst, consts: []string{strconv.FormatInt(i, 10)}}
		}
		return value{kind: kindAny}
	case *syntax.Name:
		return p.name(e.Name)
	case *syntax.Index:
		return p.index(p.eval(e.Object), e.Key)
	case *syntax.Paren:
		return p.eval(e.X)
	case *syntax.Function:
		return value{kind: kindFunc, fn: p.walk(e.Func)}
	case *syntax.Table:
		return p.makeTable(e)
	case *syntax.Binary:
		return p.binary(e)
	case *syntax.Unary:
		if v := p.eval(e.X); e.Op == syntax.OpNeg {
			p.escape(v)
		}
		return value{kind: kindAny, null: true}
	case *syntax.Call, *syntax.Method, *syntax.Vararg:
		return p.evalList(e).at(0)
	}
	return value{kind: kindAny} // true
}

// evalList is what is known of an expression that may be several values.
func (p *prover) evalList(e syntax.Expr) list {
	switch e := e.(type) {
	case *syntax.Call:
		return p.call(p.eval(e.Func), e.Args)
	case *syntax.Method:
		return p.method(e)
	case *syntax.Vararg:
		return p.fn.varargs
	}
	return list{values: []value{p.eval(e)}}
}

// exprs is what is known of the values of a list of expressions.
func (p *prover) exprs(all []syntax.Expr) list {
	var l list
	for i, e := range all {
		if i == len(all)-1 && several(e) {
			last := p.evalList(e)
			l.values = append(l.values, last.values...)
			l.open, l.rest = last.open, last.rest
			p.step(len(last.values))
		} else {
			l.values = append(l.values, p.eval(e))
		}
	}
	return l
}

// name is what is known of a variable.
func (p *prover) name(name string) value {
	if v := p.local(name); v != nil {
		p.read(v)
		return v.value
	}
	v, ok := global(name)
	if !ok || p.library && v.kind == kindKeys {
		p.fail()
	}
	return v
}

// index is object[key].
func (p *prover) index(object value, key syntax.Expr) value {
	field, isField := key.(*syntax.String)
	switch object.kind {
	case kindTable:
		return p.load(object.table, key)
	case kindKeys:
		if number, ok := key.(*syntax.Number); ok {
			if i := int(number.Value); float64(i) == number.Value && i > 0 {
				return value{kind: kindKey, need: i}
			}
		}
		p.eval(key)
		return value{kind: kindKey, null: true}
	case kindRedis:
		switch {
		case !isField:
			p.fail()
		case field.Value == "call" || field.Value == "pcall":
			return value{kind: kindCall}
		case p.library && field.Value == "register_function":
			return value{kind: kindBuiltin, name: registerName}
		}
		return unknown
	case kindLib:
		if isField {
			return value{kind: kindBuiltin, name: object.name + "." + field.Value}
		}
	case kindNone:
		p.eval(key)
		return value{}
	}
	p.escape(object)
	p.escape(p.eval(key))
	return unknown
}

// binary is the value of an operation.
func (p *prover) binary(e *syntax.Binary) value {
	left, right := p.eval(e.Left), p.eval(e.Right)
	switch e.Op {
	case syntax.OpAnd:
		right.null = true
		return right
	case syntax.OpOr:
		left.null, left.need = right.null, 0
		return p.join(left, right)
	case syntax.OpEq, syntax.OpNe: // of tables without metamethods, or escaped ones
	default:
		p.escape(left)
		p.escape(right)
	}
	return unknown
}
