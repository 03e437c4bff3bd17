package lua

import "github.com/larderkv/larder/server/lua/syntax"

// expression compiles an expression.
func (b *builder) expression(e syntax.Expr) expression {
	switch e := e.(type) {
	case *syntax.Nil:
		return expr(expNil, 0)
	case *syntax.True:
		return expr(expTrue, 0)
	case *syntax.False:
		return expr(expFalse, 0)
	case *syntax.Number:
		v := expr(expNumber, 0)
		v.number = e.Value
		return v
	case *syntax.String:
		return expr(expConstant, b.text(e.Value))
	case *syntax.Vararg:
		return expr(expVararg, b.emit(codeABC(opVararg, 0, 1, 0)))
	case *syntax.Name:
		v := b.variable(e.Name)
		b.line = e.Line
		return v
	case *syntax.Index:
		return b.indexExp(e)
	case *syntax.Call:
		f := b.expression(e.Func)
		b.next(&f)
		return b.call(&f, e.Args, e.Line)
	case *syntax.Method:
		return b.method(e)
	case *syntax.Function:
		return b.closure(e.Func)
	case *syntax.Binary:
		return b.binary(e)
	case *syntax.Unary:
		return b.unary(e)
	case *syntax.Paren:
		v := b.expression(e.X)
		b.discharge(&v)
		return v
	case *syntax.Table:
		return b.table(e)
	}
	panic("BUG: lua: an expression of an unknown kind")
}

func (b *builder) indexExp(e *syntax.Index) expression {
	object := b.expression(e.Object)
	b.any(&object)
	key := b.expression(e.Key)
	b.value(&key)
	b.index(&object, &key)
	b.line = e.Line
	return object
}

func (b *builder) method(e *syntax.Method) expression {
	f := b.expression(e.Object)
	switch e.Object.(type) {
	case *syntax.Name, *syntax.Index: // their line is that of the method's name
	default:
		b.line = e.Line
	}
	b.self(&f, e.Name)
	return b.call(&f, e.Args, e.Line)
}

// call compiles the arguments of a function, which is in a register, and the call.
func (b *builder) call(f *expression, args []syntax.Expr, line int) expression {
	base := f.info
	count := 0
	open := false
	for i, arg := range args {
		v := b.expression(arg)
		if i == len(args)-1 && v.multiple() {
			b.setReturns(&v, multiple)
			open = true
		} else {
			b.next(&v)
		}
	}
	if !open {
		count = b.free - (base + 1) + 1
	}
	b.line = line
	v := expr(expCall, b.emit(codeABC(opCall, base, count, 2)))
	b.free = base + 1
	return v
}

// closure compiles a function within this one.
func (b *builder) closure(f *syntax.Func) expression {
	inner := b.function(f, b, false)
	p := b.proto
	if len(p.protos) > maxBx {
		b.fail(b.line, "constant table overflow")
	}
	p.protos = append(p.protos, inner.proto)
	v := expr(expOpen, b.emit(codeABx(opClosure, 0, len(p.protos)-1)))
	for _, origin := range inner.upvalues {
		op := opGetUpval
		if origin.local {
			op = opMove
		}
		b.emit(codeABC(op, 0, origin.index, 0))
	}
	return v
}

// binaryCode is what the compiler does for an operator: the instruction, and for comparisons
// whether it has to hold.
type binaryCode struct {
	op   opcode
	cond int
}

var binaryCodes = [...]binaryCode{
	syntax.OpAdd: {op: opAdd}, syntax.OpSub: {op: opSub}, syntax.OpMul: {op: opMul},
	syntax.OpDiv: {op: opDiv}, syntax.OpMod: {op: opMod}, syntax.OpPow: {op: opPow},
	syntax.OpEq: {opEq, 1}, syntax.OpNe: {opEq, 0},
	syntax.OpLt: {opLt, 1}, syntax.OpGe: {opLe, 0},
	syntax.OpLe: {opLe, 1}, syntax.OpGt: {opLt, 0},
}

func (b *builder) binary(e *syntax.Binary) expression {
	left := b.expression(e.Left)
	switch e.Op {
	case syntax.OpAnd:
		b.goIfTrue(&left)
		right := b.expression(e.Right)
		b.line = e.Line
		b.discharge(&right)
		right.whenFalse = b.join(right.whenFalse, left.whenFalse)
		return right
	case syntax.OpOr:
		b.goIfFalse(&left)
		right := b.expression(e.Right)
		b.line = e.Line
		b.discharge(&right)
		right.whenTrue = b.join(right.whenTrue, left.whenTrue)
		return right
	case syntax.OpConcat:
		return b.concat(&left, e)
	}
	code := binaryCodes[e.Op]
	if compares := code.op >= opEq; compares || !left.numeral() {
		b.rk(&left)
	}
	right := b.expression(e.Right)
	b.line = e.Line
	if code.op >= opEq {
		b.compare(code.op, code.cond, &left, &right)
	} else {
		b.arith(code.op, &left, &right)
	}
	return left
}

// concat compiles a .. b .. c as one instruction.
func (b *builder) concat(left *expression, e *syntax.Binary) expression {
	b.next(left)
	right := b.expression(e.Right)
	b.line = e.Line
	b.value(&right)
	if right.kind == expOpen && b.code(&right).op() == opConcat {
		b.releaseExp(left)
		b.code(&right).setB(left.info)
		return right
	}
	b.next(&right)
	b.arith(opConcat, left, &right)
	return *left
}

func (b *builder) unary(e *syntax.Unary) expression {
	v := b.expression(e.X)
	b.line = e.Line
	none := expr(expNumber, 0)
	switch e.Op {
	case syntax.OpNot:
		b.not(&v)
	case syntax.OpNeg:
		if !v.numeral() {
			b.any(&v)
		}
		b.arith(opUnm, &v, &none)
	case syntax.OpLen:
		b.any(&v)
		b.arith(opLen, &v, &none)
	}
	return v
}

// table compiles a constructor.
func (b *builder) table(e *syntax.Table) expression {
	b.line = e.Line
	at := b.emit(codeABC(opNewTable, 0, 0, 0))
	t := expr(expOpen, at)
	b.next(&t)
	list, fields, stored := 0, 0, 0
	for i := range e.Items {
		item := &e.Items[i]
		if item.Key != nil {
			b.field(&t, item)
			fields++
			continue
		}
		v := b.expression(item.Value)
		list++
		if i == len(e.Items)-1 && v.multiple() {
			b.setReturns(&v, multiple)
			b.setList(t.info, list, multiple)
			list--
			stored = list
			break
		}
		b.next(&v)
		if list-stored == fieldsFlush && i < len(e.Items)-1 {
			b.setList(t.info, list, list-stored)
			stored = list
		}
	}
	if list > stored {
		b.setList(t.info, list, list-stored)
	}
	b.proto.code[at].setB(floatingByte(list))
	b.proto.code[at].setC(floatingByte(fields))
	return t
}

// field compiles an entry with a key.
func (b *builder) field(t *expression, item *syntax.Item) {
	free := b.free
	key := b.expression(item.Key)
	b.value(&key)
	rk := b.rk(&key)
	v := b.expression(item.Value)
	b.line = item.Line
	b.emit(codeABC(opSetTable, t.info, rk, b.rk(&v)))
	b.free = free
}

// setList stores the values behind a table, count of them or those up to the top, as its items up
// to number last.
func (b *builder) setList(table, last, count int) {
	batch := (last-1)/fieldsFlush + 1
	if count == multiple {
		count = 0
	}
	if batch <= maxC {
		b.emit(codeABC(opSetList, table, count, batch))
	} else {
		b.emit(codeABC(opSetList, table, count, 0))
		b.emit(instruction(batch))
	}
	b.free = table + 1
}

// floatingByte writes a size in eight bits, rounding up: luaO_int2fb.
func floatingByte(n int) int {
	exponent := 0
	for ; n >= 16; exponent++ {
		n = (n + 1) >> 1
	}
	if n < 8 {
		return n
	}
	return (exponent+1)<<3 | (n - 8)
}

// fromFloatingByte is the size that a byte stands for.
func fromFloatingByte(b int) int {
	if b>>3 == 0 {
		return b
	}
	return (b&7 + 8) << (b>>3 - 1)
}
