package lua

import "math"

// What lcode.c does: expressions are kept open as long as possible, so that each is computed where
// it is wanted.

// noJump ends a list of jumps. Jumps to one place that is not known yet are a list: each has the
// distance to the next one in place of its own.
const noJump = -1

// expKind is what an expression is so far.
type expKind uint8

const (
	expVoid expKind = iota // nothing
	expNil
	expTrue
	expFalse
	expConstant // info: its index
	expNumber   // number
	expLocal    // info: register
	expUpvalue  // info: its number
	expGlobal   // info: index of the name among the constants
	expIndexed  // info: register of the table, aux: key, a register or constant
	expJump     // info: the jump, taken if the comparison before it holds
	expOpen     // info: instruction whose result may go to any register
	expRegister // info: register
	expCall     // info: instruction
	expVararg   // info: instruction
)

// expression is an expression under way: C's expdesc. Where it is true or false it may jump away.
type expression struct {
	kind      expKind
	info, aux int
	number    float64
	whenTrue  int // jumps that leave it as true, a list
	whenFalse int
}

func expr(kind expKind, info int) expression {
	return expression{kind: kind, info: info, whenTrue: noJump, whenFalse: noJump}
}

func (e *expression) jumps() bool { return e.whenTrue != e.whenFalse }

func (e *expression) numeral() bool {
	return e.kind == expNumber && e.whenTrue == noJump && e.whenFalse == noJump
}

func (e *expression) multiple() bool { return e.kind == expCall || e.kind == expVararg }

// set makes e an expression of which only the jumps remain.
func (e *expression) set(kind expKind, info int) { e.kind, e.info = kind, info }

// emit writes an instruction, and returns where.
func (b *builder) emit(i instruction) int {
	b.settleJumps()
	p := b.proto
	p.code = append(p.code, i)
	p.lines = append(p.lines, int32(b.line))
	return len(p.code) - 1
}

// settleJumps lets the pending jumps go to the next instruction.
func (b *builder) settleJumps() {
	list := b.pending
	b.pending = noJump
	b.patch(list, len(b.proto.code), noReg, len(b.proto.code))
}

// fixLine changes the line of the last instruction.
func (b *builder) fixLine(line int) { b.proto.lines[len(b.proto.lines)-1] = int32(line) }

// label is the place of the next instruction, as one that jumps go to.
func (b *builder) label() int {
	b.lastTarget = len(b.proto.code)
	return b.lastTarget
}

func (b *builder) jump() int {
	pending := b.pending
	b.pending = noJump
	at := b.emit(codeABx(opJmp, 0, noJump+maxSBx))
	return b.join(at, pending)
}

// join appends a list of jumps to another one.
func (b *builder) join(list, more int) int {
	if more == noJump {
		return list
	}
	if list == noJump {
		return more
	}
	last := b.lastJump(list)
	b.fixJump(last, more)
	if b.lastJumps == nil {
		b.lastJumps = make(map[int]int)
	}
	b.lastJumps[list] = b.lastJump(more)
	delete(b.lastJumps, more)
	return list
}

// lastJump is the last jump of a list. C looks for it from the first one on, which takes hours for
// an if of some hundred thousand elseifs.
func (b *builder) lastJump(list int) int {
	if last, ok := b.lastJumps[list]; ok {
		return last
	}
	return list // of one jump
}

func (b *builder) nextJump(at int) int {
	if offset := b.proto.code[at].sbx(); offset != noJump {
		return at + 1 + offset
	}
	return noJump
}

func (b *builder) fixJump(at, to int) {
	offset := to - (at + 1)
	if offset > maxSBx || offset < -maxSBx {
		b.fail(b.line, "control structure too long")
		offset = noJump // the list ends here
	}
	b.proto.code[at].setSBx(offset)
}

// control is the test that a jump belongs to, or the jump itself.
func (b *builder) control(at int) *instruction {
	if at > 0 && b.proto.code[at-1].op().testsAndSkips() {
		return &b.proto.code[at-1]
	}
	return &b.proto.code[at]
}

// needsValue reports whether one of the jumps does not leave a value behind.
func (b *builder) needsValue(list int) bool {
	for ; list != noJump; list = b.nextJump(list) {
		if b.control(list).op() != opTestSet {
			return true
		}
	}
	return false
}

// patchTest says where a TESTSET puts its value; noReg: nowhere. It reports whether there is one.
func (b *builder) patchTest(at, reg int) bool {
	i := b.control(at)
	if i.op() != opTestSet {
		return false
	}
	if reg != noReg && reg != i.b() {
		i.setA(reg)
	} else {
		*i = codeABC(opTest, i.b(), 0, i.c())
	}
	return true
}

func (b *builder) removeValues(list int) {
	for ; list != noJump; list = b.nextJump(list) {
		b.patchTest(list, noReg)
	}
}

// patch lets jumps that leave a value in reg go to target, and others elsewhere.
func (b *builder) patch(list, target, reg, elsewhere int) {
	delete(b.lastJumps, list)
	for list != noJump {
		next := b.nextJump(list)
		if b.patchTest(list, reg) {
			b.fixJump(list, target)
		} else {
			b.fixJump(list, elsewhere)
		}
		list = next
	}
}

func (b *builder) patchTo(list, target int) {
	if target == len(b.proto.code) {
		b.patchHere(list)
	} else {
		b.patch(list, target, noReg, target)
	}
}

func (b *builder) patchHere(list int) {
	b.label()
	b.pending = b.join(b.pending, list)
}

// testJump writes a test and the jump that is taken if it succeeds.
func (b *builder) testJump(op opcode, a, bb, c int) int {
	b.emit(codeABC(op, a, bb, c))
	return b.jump()
}

func (b *builder) emitReturn(first, count int) {
	b.emit(codeABC(opReturn, first, count+1, 0))
}

// emitNil sets registers to nil. They are so at the start of a function.
func (b *builder) emitNil(from, n int) {
	p := b.proto
	if len(p.code) > b.lastTarget {
		if len(p.code) == 0 {
			if from >= b.inScope {
				return
			}
		} else if last := &p.code[len(p.code)-1]; last.op() == opLoadNil {
			if last.a() <= from && from <= last.b()+1 {
				if from+n-1 > last.b() {
					last.setB(from + n - 1)
				}
				return
			}
		}
	}
	b.emit(codeABC(opLoadNil, from, from+n-1, 0))
}

// check sees to it that the function has n registers more.
func (b *builder) check(n int) {
	if need := b.free + n; need > b.proto.registers {
		if need >= maxRegisters {
			b.fail(b.line, "function or expression too complex")
			b.free = b.inScope // of code that nobody will run
			return
		}
		b.proto.registers = need
	}
}

func (b *builder) reserve(n int) {
	b.check(n)
	b.free += n
}

func (b *builder) release(reg int) {
	if reg&bitK == 0 && reg >= b.inScope {
		b.free--
	}
}

func (b *builder) releaseExp(e *expression) {
	if e.kind == expRegister {
		b.release(e.info)
	}
}

// constant adds a constant.
func (b *builder) constant(v Value) int {
	p := b.proto
	if len(p.constants) > maxBx {
		b.fail(b.line, "constant table overflow")
		return 0
	}
	p.constants = append(p.constants, v)
	return len(p.constants) - 1
}

// text is the constant of a string.
func (b *builder) text(s string) int {
	if i, ok := b.texts[s]; ok {
		return i
	}
	shared := b.strings[s]
	if shared == nil {
		shared = NewString(s)
		b.strings[s] = shared
	}
	i := b.constant(shared.Value())
	b.texts[s] = i
	return i
}

// numberConstant is the constant of a number.
func (b *builder) numberConstant(n float64) int {
	if i, ok := b.numbers[n]; ok {
		return i
	}
	i := b.constant(Number(n))
	b.numbers[n] = i
	return i
}

// otherConstant is the constant of nil, false or true.
func (b *builder) otherConstant(kind expKind) int {
	at, v := &b.others[0], Nil
	switch kind {
	case expFalse:
		at, v = &b.others[1], False
	case expTrue:
		at, v = &b.others[2], True
	}
	if *at == 0 {
		*at = b.constant(v) + 1
	}
	return *at - 1
}

func (b *builder) code(e *expression) *instruction { return &b.proto.code[e.info] }

// setReturns says how many values a call or ... shall have.
func (b *builder) setReturns(e *expression, n int) {
	switch e.kind {
	case expCall:
		b.code(e).setC(n + 1)
	case expVararg:
		b.code(e).setB(n + 1)
		b.code(e).setA(b.free)
		b.reserve(1)
	}
}

func (b *builder) setOneReturn(e *expression) {
	switch e.kind {
	case expCall:
		e.set(expRegister, b.code(e).a())
	case expVararg:
		b.code(e).setB(2)
		e.kind = expOpen
	}
}

// discharge fetches the value of a variable or a call.
func (b *builder) discharge(e *expression) {
	switch e.kind {
	case expLocal:
		e.kind = expRegister
	case expUpvalue:
		e.set(expOpen, b.emit(codeABC(opGetUpval, 0, e.info, 0)))
	case expGlobal:
		e.set(expOpen, b.emit(codeABx(opGetGlobal, 0, e.info)))
	case expIndexed:
		b.release(e.aux)
		b.release(e.info)
		e.set(expOpen, b.emit(codeABC(opGetTable, 0, e.info, e.aux)))
	case expCall, expVararg:
		b.setOneReturn(e)
	}
}

// dischargeTo puts the value into a register, without regard to jumps.
func (b *builder) dischargeTo(e *expression, reg int) {
	b.discharge(e)
	switch e.kind {
	case expNil:
		b.emitNil(reg, 1)
	case expFalse, expTrue:
		truth := 0
		if e.kind == expTrue {
			truth = 1
		}
		b.emit(codeABC(opLoadBool, reg, truth, 0))
	case expConstant:
		b.emit(codeABx(opLoadK, reg, e.info))
	case expNumber:
		b.emit(codeABx(opLoadK, reg, b.numberConstant(e.number)))
	case expOpen:
		b.code(e).setA(reg)
	case expRegister:
		if reg != e.info {
			b.emit(codeABC(opMove, reg, e.info, 0))
		}
	default: // void or a jump
		return
	}
	e.set(expRegister, reg)
}

func (b *builder) dischargeAny(e *expression) {
	if e.kind != expRegister {
		b.reserve(1)
		b.dischargeTo(e, b.free-1)
	}
}

// to puts the value into a register.
func (b *builder) to(e *expression, reg int) {
	b.dischargeTo(e, reg)
	if e.kind == expJump {
		e.whenTrue = b.join(e.whenTrue, e.info)
	}
	if e.jumps() {
		loadFalse, loadTrue := noJump, noJump
		if b.needsValue(e.whenTrue) || b.needsValue(e.whenFalse) {
			over := noJump
			if e.kind != expJump {
				over = b.jump()
			}
			b.label()
			loadFalse = b.emit(codeABC(opLoadBool, reg, 0, 1))
			b.label()
			loadTrue = b.emit(codeABC(opLoadBool, reg, 1, 0))
			b.patchHere(over)
		}
		end := b.label()
		b.patch(e.whenFalse, end, reg, loadFalse)
		b.patch(e.whenTrue, end, reg, loadTrue)
	}
	*e = expr(expRegister, reg)
}

// next puts the value into the next free register.
func (b *builder) next(e *expression) {
	b.discharge(e)
	b.releaseExp(e)
	b.reserve(1)
	b.to(e, b.free-1)
}

// any puts the value into some register and returns it.
func (b *builder) any(e *expression) int {
	b.discharge(e)
	if e.kind == expRegister {
		if !e.jumps() {
			return e.info
		}
		if e.info >= b.inScope { // no local
			b.to(e, e.info)
			return e.info
		}
	}
	b.next(e)
	return e.info
}

// value makes e something without jumps.
func (b *builder) value(e *expression) {
	if e.jumps() {
		b.any(e)
	} else {
		b.discharge(e)
	}
}

// rk makes e a register or constant that fits an operand, and returns it.
func (b *builder) rk(e *expression) int {
	b.value(e)
	switch e.kind {
	case expNumber, expTrue, expFalse, expNil:
		if len(b.proto.constants) <= maxIndexRK {
			if e.kind == expNumber {
				e.info = b.numberConstant(e.number)
			} else {
				e.info = b.otherConstant(e.kind)
			}
			e.kind = expConstant
			return e.info | bitK
		}
	case expConstant:
		if e.info <= maxIndexRK {
			return e.info | bitK
		}
	}
	return b.any(e)
}

// store assigns e to a variable.
func (b *builder) store(variable, e *expression) {
	switch variable.kind {
	case expLocal:
		b.releaseExp(e)
		b.to(e, variable.info)
		return
	case expUpvalue:
		b.emit(codeABC(opSetUpval, b.any(e), variable.info, 0))
	case expGlobal:
		b.emit(codeABx(opSetGlobal, b.any(e), variable.info))
	case expIndexed:
		b.emit(codeABC(opSetTable, variable.info, variable.aux, b.rk(e)))
	}
	b.releaseExp(e)
}

// index makes e the field of a key.
func (b *builder) index(e, key *expression) {
	e.aux = b.rk(key)
	e.kind = expIndexed
}

// self makes e the method of a name, with e as its first argument behind it.
func (b *builder) self(e *expression, name string) {
	key := expr(expConstant, b.text(name))
	b.any(e)
	b.releaseExp(e)
	reg := b.free
	b.reserve(2)
	b.emit(codeABC(opSelf, reg, e.info, b.rk(&key)))
	b.releaseExp(&key)
	e.set(expRegister, reg)
}

func (b *builder) invert(e *expression) {
	i := b.control(e.info)
	i.setA(1 - i.a())
}

// jumpIf jumps if e is cond, and is e then.
func (b *builder) jumpIf(e *expression, cond int) int {
	if e.kind == expOpen {
		if i := *b.code(e); i.op() == opNot {
			b.proto.code = b.proto.code[:len(b.proto.code)-1]
			b.proto.lines = b.proto.lines[:len(b.proto.code)]
			return b.testJump(opTest, i.b(), 0, 1-cond)
		}
	}
	b.dischargeAny(e)
	b.releaseExp(e)
	return b.testJump(opTestSet, noReg, e.info, cond)
}

// goIfTrue goes on if e is true, and jumps otherwise.
func (b *builder) goIfTrue(e *expression) {
	b.discharge(e)
	jump := noJump
	switch e.kind {
	case expConstant, expNumber, expTrue:
	case expJump:
		b.invert(e)
		jump = e.info
	default:
		jump = b.jumpIf(e, 0)
	}
	e.whenFalse = b.join(e.whenFalse, jump)
	b.patchHere(e.whenTrue)
	e.whenTrue = noJump
}

// goIfFalse goes on if e is false, and jumps otherwise.
func (b *builder) goIfFalse(e *expression) {
	b.discharge(e)
	jump := noJump
	switch e.kind {
	case expNil, expFalse:
	case expJump:
		jump = e.info
	default:
		jump = b.jumpIf(e, 1)
	}
	e.whenTrue = b.join(e.whenTrue, jump)
	b.patchHere(e.whenFalse)
	e.whenFalse = noJump
}

// not negates e.
func (b *builder) not(e *expression) {
	b.discharge(e)
	switch e.kind {
	case expNil, expFalse:
		e.kind = expTrue
	case expConstant, expNumber, expTrue:
		e.kind = expFalse
	case expJump:
		b.invert(e)
	case expOpen, expRegister:
		b.dischargeAny(e)
		b.releaseExp(e)
		e.set(expOpen, b.emit(codeABC(opNot, 0, e.info, 0)))
	}
	e.whenTrue, e.whenFalse = e.whenFalse, e.whenTrue
	b.removeValues(e.whenFalse)
	b.removeValues(e.whenTrue)
}

// arith writes an operation, or computes it now. The operation of one operand gets it as left.
func (b *builder) arith(op opcode, left, right *expression) {
	if fold(op, left, right) {
		return
	}
	second := 0
	if op != opUnm && op != opLen {
		second = b.rk(right)
	}
	first := b.rk(left)
	if first > second {
		b.releaseExp(left)
		b.releaseExp(right)
	} else {
		b.releaseExp(right)
		b.releaseExp(left)
	}
	left.set(expOpen, b.emit(codeABC(op, 0, first, second)))
}

// fold computes an operation of constants, unless it is one that the machine should see fail.
func fold(op opcode, left, right *expression) bool {
	if !left.numeral() || !right.numeral() || op == opLen || op == opConcat {
		return false
	}
	if (op == opDiv || op == opMod) && right.number == 0 {
		return false
	}
	n := arithmetic(op, left.number, right.number)
	if math.IsNaN(n) {
		return false
	}
	left.number = n
	return true
}

// compare writes a comparison.
func (b *builder) compare(op opcode, cond int, left, right *expression) {
	first := b.rk(left)
	second := b.rk(right)
	b.releaseExp(right)
	b.releaseExp(left)
	if cond == 0 && op != opEq { // a > b is b < a
		first, second = second, first
		cond = 1
	}
	left.set(expJump, b.testJump(op, cond, first, second))
}
