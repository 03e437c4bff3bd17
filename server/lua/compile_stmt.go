package lua

import "github.com/larderkv/larder/server/lua/syntax"

// statements compiles the body of a block.
func (b *builder) statements(body []syntax.Stmt) {
	for _, s := range body {
		b.statement(s)
		b.free = b.inScope
	}
}

// body compiles a block of its own scope.
func (b *builder) body(body []syntax.Stmt) {
	var bl block
	b.enter(&bl, false)
	b.statements(body)
	b.leave()
}

func (b *builder) statement(s syntax.Stmt) {
	switch s := s.(type) {
	case *syntax.LocalStmt:
		b.local(s)
	case *syntax.AssignStmt:
		b.assign(s)
	case *syntax.CallStmt:
		v := b.expression(s.Call)
		b.code(&v).setC(1)
	case *syntax.DoStmt:
		b.body(s.Body)
	case *syntax.WhileStmt:
		b.while(s)
	case *syntax.RepeatStmt:
		b.repeat(s)
	case *syntax.IfStmt:
		b.conditional(s)
	case *syntax.NumericForStmt:
		b.numericFor(s)
	case *syntax.GenericForStmt:
		b.genericFor(s)
	case *syntax.FunctionStmt:
		b.functionStmt(s)
	case *syntax.LocalFunctionStmt:
		b.localFunction(s)
	case *syntax.ReturnStmt:
		b.returnStmt(s)
	case *syntax.BreakStmt:
		b.line = s.Line
		b.breakLoop()
	}
}

// list compiles expressions, all but the last into registers. Without any it is void.
func (b *builder) list(exprs []syntax.Expr) expression {
	v := expr(expVoid, 0)
	for i, e := range exprs {
		if i > 0 {
			b.next(&v)
		}
		v = b.expression(e)
	}
	return v
}

// adjust makes of so many values those for so many variables. The last value is still open.
func (b *builder) adjust(variables, values int, last *expression) {
	missing := variables - values
	if last.multiple() {
		missing = max(missing+1, 0)
		b.setReturns(last, missing)
		if missing > 1 {
			b.reserve(missing - 1)
		}
		return
	}
	if last.kind != expVoid {
		b.next(last)
	}
	if missing > 0 {
		reg := b.free
		b.reserve(missing)
		b.emitNil(reg, missing)
	}
}

func (b *builder) local(s *syntax.LocalStmt) {
	v := b.list(s.Exprs)
	for _, name := range s.Names {
		b.newLocal(name)
	}
	b.line = s.Line
	b.adjust(len(s.Names), len(s.Exprs), &v)
	b.activate(len(s.Names))
}

func (b *builder) localFunction(s *syntax.LocalFunctionStmt) {
	b.newLocal(s.Name)
	variable := expr(expLocal, b.free)
	b.reserve(1)
	b.activate(1)
	v := b.closure(s.Func)
	b.line = s.Line
	b.store(&variable, &v)
	// Debugging tools should see the local once it has its value.
	b.proto.locals[b.active[b.inScope-1]].start = int32(len(b.proto.code))
}

func (b *builder) functionStmt(s *syntax.FunctionStmt) {
	target := b.expression(s.Target)
	v := b.closure(s.Func)
	b.store(&target, &v)
	b.fixLine(s.Line)
}

// assign compiles a, b.c = x, y: values are computed before the first of them is stored, and stored
// from the last to the first.
func (b *builder) assign(s *syntax.AssignStmt) {
	targets := make([]expression, len(s.Targets))
	for i, t := range s.Targets {
		targets[i] = b.expression(t)
		if targets[i].kind == expLocal {
			b.conflict(targets[:i], targets[i].info)
		}
	}
	v := b.list(s.Exprs)
	b.line = s.Line
	last := len(targets) - 1
	if len(targets) == len(s.Exprs) {
		b.setOneReturn(&v)
		b.store(&targets[last], &v)
		last--
	} else {
		b.adjust(len(targets), len(s.Exprs), &v)
		if extra := len(s.Exprs) - len(targets); extra > 0 {
			b.free -= extra
		}
	}
	for ; last >= 0; last-- {
		v := expr(expRegister, b.free-1)
		b.store(&targets[last], &v)
	}
}

// conflict looks whether a local that is assigned to is the table or key of a target before it, and
// then lets that one use a copy.
func (b *builder) conflict(targets []expression, local int) {
	reg := b.free
	found := false
	for i := range targets {
		t := &targets[i]
		if t.kind != expIndexed {
			continue
		}
		if t.info == local {
			t.info, found = reg, true
		}
		if t.aux == local {
			t.aux, found = reg, true
		}
	}
	if found {
		b.emit(codeABC(opMove, reg, local, 0))
		b.reserve(1)
	}
}

// condition compiles a condition, and returns the jumps that are taken if it is false.
func (b *builder) condition(e syntax.Expr, line int) int {
	v := b.expression(e)
	b.line = line
	if v.kind == expNil {
		v.kind = expFalse
	}
	b.goIfTrue(&v)
	return v.whenFalse
}

func (b *builder) while(s *syntax.WhileStmt) {
	var bl block
	start := b.label()
	exit := b.condition(s.Cond, s.Line)
	b.enter(&bl, true)
	b.body(s.Body)
	b.patchTo(b.jump(), start)
	b.leave()
	b.patchHere(exit)
}

func (b *builder) repeat(s *syntax.RepeatStmt) {
	var loop, scope block
	start := b.label()
	b.enter(&loop, true)
	b.enter(&scope, false)
	b.statements(s.Body)
	again := b.condition(s.Cond, s.Line)
	if !scope.upvalue {
		b.leave()
		b.patchTo(again, start)
	} else { // the upvalues are to be closed whether the loop ends or not
		b.breakLoop()
		b.patchHere(again)
		b.leave()
		b.patchTo(b.jump(), start)
	}
	b.leave()
}

func (b *builder) breakLoop() {
	bl := b.block
	upvalue := false
	for !bl.loop {
		upvalue = upvalue || bl.upvalue
		bl = bl.outer
	}
	if upvalue {
		b.emit(codeABC(opClose, bl.active, 0, 0))
	}
	bl.breaks = b.join(bl.breaks, b.jump())
}

func (b *builder) conditional(s *syntax.IfStmt) {
	escape := noJump
	for i := range s.Clauses {
		c := &s.Clauses[i]
		otherwise := b.condition(c.Cond, c.Line)
		b.body(c.Body)
		if i < len(s.Clauses)-1 || s.HasElse {
			escape = b.join(escape, b.jump())
			b.patchHere(otherwise)
		} else {
			escape = b.join(escape, otherwise)
		}
	}
	if s.HasElse {
		b.body(s.Else)
	}
	b.patchHere(escape)
}

func (b *builder) numericFor(s *syntax.NumericForStmt) {
	var loop block
	b.enter(&loop, true)
	base := b.free
	for _, e := range []syntax.Expr{s.From, s.To} {
		v := b.expression(e)
		b.next(&v)
	}
	step := expr(expNumber, 0)
	step.number = 1
	if s.Step != nil {
		step = b.expression(s.Step)
	}
	b.next(&step)
	for _, name := range []string{"(for index)", "(for limit)", "(for step)"} {
		b.newLocal(name)
	}
	b.activate(3)
	b.line = s.Line
	prep := b.emit(codeABx(opForPrep, base, noJump+maxSBx))
	b.forBody([]string{s.Name}, s.Body)
	b.patchHere(prep)
	end := b.emit(codeABx(opForLoop, base, noJump+maxSBx))
	b.fixLine(s.Line)
	b.patchTo(end, prep+1)
	b.leave()
}

func (b *builder) genericFor(s *syntax.GenericForStmt) {
	var loop block
	b.enter(&loop, true)
	base := b.free
	v := b.list(s.Exprs)
	b.adjust(3, len(s.Exprs), &v)
	b.check(3) // for the call of the iterator
	for _, name := range []string{"(for generator)", "(for state)", "(for control)"} {
		b.newLocal(name)
	}
	b.activate(3)
	prep := b.jump()
	b.forBody(s.Names, s.Body)
	b.patchHere(prep)
	b.emit(codeABC(opTForLoop, base, 0, len(s.Names)))
	b.fixLine(s.Line)
	b.patchTo(b.jump(), prep+1)
	b.leave()
}

// forBody compiles the body of a loop with its variables.
func (b *builder) forBody(names []string, body []syntax.Stmt) {
	var bl block
	b.enter(&bl, false)
	for _, name := range names {
		b.newLocal(name)
	}
	b.activate(len(names))
	b.reserve(len(names))
	b.body(body)
	b.leave()
}

func (b *builder) returnStmt(s *syntax.ReturnStmt) {
	v := b.list(s.Exprs)
	b.line = s.Line
	if len(s.Exprs) == 0 {
		b.emitReturn(0, 0)
		return
	}
	first, count := b.inScope, len(s.Exprs)
	switch {
	case v.multiple():
		b.setReturns(&v, multiple)
		if v.kind == expCall && count == 1 {
			b.code(&v).setOp(opTailCall)
		}
		count = multiple
	case count == 1:
		first = b.any(&v)
	default:
		b.next(&v)
	}
	b.emitReturn(first, count)
}
