package syntax

import "slices"

// power is how strongly a binary operator binds to its left and to its right.
type power struct {
	op          Op
	left, right uint8
}

// unaryPower is how strongly unary operators bind.
const unaryPower = 8

// binary is what a token does as a binary operator. left is 0 if it is none.
func (t token) binary() power {
	switch t {
	case '+':
		return power{OpAdd, 6, 6}
	case '-':
		return power{OpSub, 6, 6}
	case '*':
		return power{OpMul, 7, 7}
	case '/':
		return power{OpDiv, 7, 7}
	case '%':
		return power{OpMod, 7, 7}
	case '^':
		return power{OpPow, 10, 9}
	case tokConcat:
		return power{OpConcat, 5, 4}
	case tokNe:
		return power{OpNe, 3, 3}
	case tokEq:
		return power{OpEq, 3, 3}
	case '<':
		return power{OpLt, 3, 3}
	case tokLe:
		return power{OpLe, 3, 3}
	case '>':
		return power{OpGt, 3, 3}
	case tokGe:
		return power{OpGe, 3, 3}
	case tokAnd:
		return power{OpAnd, 2, 2}
	case tokOr:
		return power{OpOr, 1, 1}
	}
	return power{}
}

// settle notes the line at which Lua's compiler makes the code that fetches e, if e is a variable: not
// where it stands in the source, but where the parser was when it knew that the value is wanted. Line
// is 0 until then.
func (p *parser) settle(e Expr) {
	switch e := e.(type) {
	case *Name:
		if e.Line == 0 {
			e.Line = p.lastLine
		}
	case *Index:
		if e.Line == 0 {
			e.Line = p.lastLine
		}
	}
}

// setLine sets the line of a variable that is assigned to.
func setLine(e Expr, line int) {
	switch e := e.(type) {
	case *Name:
		e.Line = line
	case *Index:
		e.Line = line
	}
}

// exprList reads expressions of which the last one is wanted when the list is over.
func (p *parser) exprList() []Expr {
	list := p.openList()
	p.settle(list[len(list)-1])
	return list
}

// openList reads expressions. The last one is to be settled by the caller.
func (p *parser) openList() []Expr {
	base := len(p.exprs)
	e := p.expr()
	depth := p.depth
	for p.accept(',') {
		p.settle(e)
		p.exprs = append(p.exprs, e)
		e = p.expr()
		depth = max(depth, p.depth)
	}
	p.depth = depth
	p.exprs = append(p.exprs, e)
	list := slices.Clone(p.exprs[base:])
	clear(p.exprs[base:])
	p.exprs = p.exprs[:base]
	return list
}

func (p *parser) expr() Expr { return p.operation(0) }

// operation reads an expression whose operators bind more strongly than limit.
func (p *parser) operation(limit uint8) Expr {
	p.enter()
	e := p.operand()
	for {
		power := p.tok.binary()
		if power.left <= limit {
			break
		}
		p.next()
		p.settle(e)
		depth := p.depth
		right := p.operation(power.right)
		p.settle(right)
		p.deepen(max(depth, p.depth) + 1)
		p.charge(64)
		e = &Binary{Op: power.op, Left: e, Right: right, Line: p.lastLine}
	}
	p.levels--
	return e
}

// operand reads an expression without binary operators.
func (p *parser) operand() Expr {
	var op Op
	switch p.tok {
	case tokNot:
		op = OpNot
	case '-':
		op = OpNeg
	case '#':
		op = OpLen
	default:
		return p.simple()
	}
	p.next()
	e := p.operation(unaryPower)
	p.settle(e)
	p.deepen(p.depth + 1)
	p.charge(32)
	return &Unary{Op: op, X: e, Line: p.lastLine}
}

// simple reads an expression without operators.
func (p *parser) simple() Expr {
	var e Expr
	p.charge(24)
	switch p.tok {
	case tokNumber:
		e = &Number{p.number}
	case tokString:
		e = &String{p.value}
	case tokNil:
		e = &Nil{}
	case tokTrue:
		e = &True{}
	case tokFalse:
		e = &False{}
	case tokDots:
		if !p.fn.fn.Vararg {
			p.syntaxError("cannot use '...' outside a vararg function")
		}
		p.fn.fn.UsesArg = false
		e = &Vararg{}
	case '{':
		return p.table()
	case tokFunction:
		p.next()
		return &Function{p.body(false, p.line)}
	default:
		return p.primary()
	}
	p.deepen(1)
	p.next()
	return e
}

// variable reads a name that stands for a variable.
func (p *parser) variable() *Name {
	sym := p.name()
	p.use(sym)
	p.deepen(1)
	p.charge(24)
	return &Name{Name: sym.name}
}

// prefix reads what fields and calls may follow.
func (p *parser) prefix() Expr {
	switch p.tok {
	case tokName:
		return p.variable()
	case '(':
		line := p.line
		p.next()
		e := p.expr()
		p.match(')', '(', line)
		p.settle(e)
		p.deepen(p.depth + 1)
		return &Paren{e}
	}
	p.syntaxError("unexpected symbol")
	return nil
}

// primary reads a name or an expression in parentheses, with the fields and calls that follow it.
func (p *parser) primary() Expr {
	e := p.prefix()
	for {
		depth := p.depth
		switch p.tok {
		case '.':
			p.settle(e)
			e = p.field(e)
		case '[':
			p.settle(e)
			key := p.key()
			e = &Index{Object: e, Key: key}
		case ':':
			p.next()
			name := p.name().name
			p.settle(e)
			args, line := p.args()
			e = &Method{Object: e, Name: name, Args: args, Line: line}
		case '(', tokString, '{':
			p.settle(e)
			args, line := p.args()
			e = &Call{Func: e, Args: args, Line: line}
		default:
			return e
		}
		p.charge(80)
		p.deepen(max(depth, p.depth) + 1)
	}
}

// field reads a point, or a colon, and a name.
func (p *parser) field(object Expr) *Index {
	p.next()
	p.charge(64)
	return &Index{Object: object, Key: &String{p.name().name}}
}

// key reads an index in brackets.
func (p *parser) key() Expr {
	p.next()
	e := p.expr()
	p.settle(e)
	p.expect(']')
	return e
}

// args reads the arguments of a call, and returns the line that Lua gives to it.
func (p *parser) args() ([]Expr, int) {
	line := p.line
	switch p.tok {
	case '(':
		if line != p.lastLine {
			p.syntaxError("ambiguous syntax (function call x new statement)")
		}
		p.next()
		p.depth = 1
		var args []Expr
		if p.tok != ')' {
			args = p.openList()
		}
		p.match(')', '(', line)
		if len(args) > 0 {
			p.settle(args[len(args)-1])
		}
		return args, line
	case '{':
		return []Expr{p.table()}, line
	case tokString:
		p.depth = 1
		s := &String{p.value}
		p.next()
		return []Expr{s}, line
	}
	p.syntaxError("function arguments expected")
	return nil, 0
}

// table reads a constructor.
func (p *parser) table() Expr {
	line := p.line
	base, depth := len(p.items), 1
	var pending Expr // of the list, without its line
	p.expect('{')
	for p.tok != '}' {
		p.settle(pending)
		item := p.item()
		pending = nil
		if item.Key == nil {
			pending = item.Value
		}
		depth = max(depth, p.depth)
		p.charge(40)
		p.items = append(p.items, item)
		if !p.accept(',') && !p.accept(';') {
			break
		}
	}
	p.match('}', '{', line)
	p.settle(pending)
	p.deepen(depth + 1)
	t := &Table{Items: slices.Clone(p.items[base:]), Line: line}
	clear(p.items[base:])
	p.items = p.items[:base]
	return t
}

// item reads an entry of a constructor.
func (p *parser) item() Item {
	var key Expr
	depth := 1
	switch {
	case p.tok == tokName && p.lookahead() == '=':
		key = &String{p.name().name}
	case p.tok == '[':
		key = p.key()
		depth = p.depth
	default:
		e := p.expr()
		return Item{Value: e, Line: p.lastLine}
	}
	p.expect('=')
	value := p.expr()
	p.settle(value)
	p.deepen(max(depth, p.depth))
	return Item{Key: key, Value: value, Line: p.lastLine}
}
