package lua

import (
	"math"
	"unsafe"
)

// registers are those of the function that runs, and what is above them on the stack: see slack.
type registers = [slack]Value

// rk is an operand: a register, or a constant.
func rk(regs *registers, constants []Value, operand int) *Value {
	if operand&bitK != 0 {
		return &constants[operand&maxIndexRK]
	}
	return &regs[uint8(operand)]
}

// setNumber makes v a number. Most are already: then a store of a pointer is saved, which costs
// more than others for the sake of Go's collector.
func (v *Value) setNumber(n float64) {
	if v.ref != unsafe.Pointer(&numberHead) {
		v.ref = unsafe.Pointer(&numberHead)
	}
	v.bits = math.Float64bits(n)
}

// execute runs the function that was entered last until it returns. An error leaves the calls that
// are under way as they are, for who handles it.
//
// In a Lua function the top of the stack is at the end of its registers, but between an instruction
// with an open number of results and the one that takes them. What calls other functions, or may
// make the stack grow, is followed by a new look at the registers and at the frame.
func (t *Thread) execute() error {
	s := t.state
call:
	fr := &t.frames[len(t.frames)-1]
	fn := fr.fn
	code, constants := fn.proto.code, fn.proto.constants
	base := int(fr.base)
	regs := (*registers)(t.stack[base:])
	pc := int(fr.pc)
	for {
		i := code[pc]
		pc++
		switch i.op() {
		case opMove:
			regs[i.a()] = regs[uint8(i.b())]
			continue
		case opLoadK:
			regs[i.a()] = constants[i.bx()]
			continue
		case opLoadBool:
			regs[i.a()] = Bool(i.b() != 0)
			if i.c() != 0 {
				pc++
			}
			continue
		case opLoadNil:
			clear(regs[i.a() : i.b()+1])
			continue
		case opGetUpval:
			regs[i.a()] = *fn.upvalues[i.b()].v
			continue
		case opSetUpval:
			*fn.upvalues[i.b()].v = regs[i.a()]
			continue
		case opGetGlobal:
			key := &constants[i.bx()]
			v := fn.env.field((*String)(key.ref))
			if v.IsNil() && fn.env.meta != nil {
				fr.pc = int32(pc)
				var err error
				if v, err = t.index(fn.env.Value(), *key, unnamed); err != nil {
					return err
				}
				fr, regs = t.look(base)
			}
			regs[i.a()] = v
			continue
		case opSetGlobal:
			fr.pc = int32(pc)
			if err := t.setIndex(fn.env.Value(), constants[i.bx()], regs[i.a()], unnamed); err != nil {
				return err
			}
			fr, regs = t.look(base)
			continue
		case opGetTable:
			if table := regs[uint8(i.b())].AsTable(); table != nil {
				if v := table.fetch(rk(regs, constants, i.c())); !v.IsNil() || table.meta == nil {
					regs[i.a()] = v
					continue
				}
			}
			goto index
		case opGetField:
			if table := regs[uint8(i.b())].AsTable(); table != nil {
				key := (*String)(constants[i.c()&maxIndexRK].ref)
				if v := table.field(key); !v.IsNil() || table.meta == nil {
					regs[i.a()] = v
					continue
				}
			}
			goto index
		case opSetField:
			if table := regs[i.a()].AsTable(); table != nil && table.meta == nil && !table.readOnly {
				key := (*String)(constants[i.b()&maxIndexRK].ref)
				if p := table.slotStr(key); p != nil {
					*p = *rk(regs, constants, i.c())
					continue
				}
			}
			goto setIndex
		case opSetTable:
			if table := regs[i.a()].AsTable(); table != nil &&
				table.overwrite(rk(regs, constants, i.b()), rk(regs, constants, i.c())) {
				continue
			}
			goto setIndex
		case opNewTable:
			fr.pc = int32(pc)
			table := s.Table(fromFloatingByte(i.b()), fromFloatingByte(i.c()))
			regs[i.a()] = table.Value()
			if s.count > s.due {
				if err := s.checkDue(); err != nil {
					return err
				}
			}
			continue
		case opSelf:
			object := regs[uint8(i.b())]
			regs[uint8(i.a()+1)] = object
			if table := object.AsTable(); table != nil {
				if v := table.Get(*rk(regs, constants, i.c())); !v.IsNil() || table.meta == nil {
					regs[i.a()] = v
					continue
				}
			}
			goto index
		case opSelfField:
			object := regs[uint8(i.b())]
			regs[uint8(i.a()+1)] = object
			if table := object.AsTable(); table != nil {
				key := (*String)(constants[i.c()&maxIndexRK].ref)
				if v := table.field(key); !v.IsNil() || table.meta == nil {
					regs[i.a()] = v
					continue
				}
			}
			goto index
		case opAdd:
			x, y := rk(regs, constants, i.b()), rk(regs, constants, i.c())
			if x.IsNumber() && y.IsNumber() {
				regs[i.a()].setNumber(x.Num() + y.Num())
				continue
			}
		case opSub:
			x, y := rk(regs, constants, i.b()), rk(regs, constants, i.c())
			if x.IsNumber() && y.IsNumber() {
				regs[i.a()].setNumber(x.Num() - y.Num())
				continue
			}
		case opMul:
			x, y := rk(regs, constants, i.b()), rk(regs, constants, i.c())
			if x.IsNumber() && y.IsNumber() {
				regs[i.a()].setNumber(x.Num() * y.Num())
				continue
			}
		case opDiv:
			x, y := rk(regs, constants, i.b()), rk(regs, constants, i.c())
			if x.IsNumber() && y.IsNumber() {
				regs[i.a()].setNumber(x.Num() / y.Num())
				continue
			}
		case opMod:
			x, y := rk(regs, constants, i.b()), rk(regs, constants, i.c())
			if x.IsNumber() && y.IsNumber() {
				a, b := x.Num(), y.Num()
				regs[i.a()].setNumber(a - math.Floor(a/b)*b)
				continue
			}
		case opPow, opUnm:
			// below, by arith
		case opNot:
			regs[i.a()] = Bool(!regs[uint8(i.b())].Truth())
			continue
		case opLen:
			fr.pc = int32(pc)
			v, err := t.length(regs[uint8(i.b())], i.b())
			if err != nil {
				return err
			}
			regs[i.a()] = v
			continue
		case opConcat:
			fr.pc = int32(pc)
			first := base + i.b()
			if err := t.concat(first, base+i.c()); err != nil {
				return err
			}
			fr, regs = t.look(base)
			regs[i.a()] = t.stack[first]
			continue
		case opJmp:
			pc--
			goto jump
		case opEq:
			x, y := rk(regs, constants, i.b()), rk(regs, constants, i.c())
			equal := Equal(*x, *y)
			if !equal && x.Kind() == KindTable {
				goto compare
			}
			if equal == (i.a() != 0) {
				goto jump
			}
			pc++
			continue
		case opLt:
			x, y := rk(regs, constants, i.b()), rk(regs, constants, i.c())
			if !x.IsNumber() || !y.IsNumber() {
				goto compare
			}
			if (x.Num() < y.Num()) == (i.a() != 0) {
				goto jump
			}
			pc++
			continue
		case opLe:
			x, y := rk(regs, constants, i.b()), rk(regs, constants, i.c())
			if !x.IsNumber() || !y.IsNumber() {
				goto compare
			}
			if (x.Num() <= y.Num()) == (i.a() != 0) {
				goto jump
			}
			pc++
			continue
		case opTest:
			if regs[i.a()].Truth() == (i.c() != 0) {
				goto jump
			}
			pc++
			continue
		case opTestSet:
			if v := &regs[uint8(i.b())]; v.Truth() == (i.c() != 0) {
				regs[i.a()] = *v
				goto jump
			}
			pc++
			continue
		case opCall:
			slot := base + i.a()
			if b := i.b(); b != 0 {
				t.top = slot + b
			}
			fr.pc = int32(pc)
			if s.steps--; s.steps <= 0 {
				if err := s.step(0); err != nil {
					return err
				}
			}
			callee := regs[i.a()].AsFunction()
			if callee == nil {
				var err error
				if callee, err = t.callee(slot); err != nil {
					return err
				}
			}
			if callee.proto != nil {
				if err := t.enter(callee, slot, i.c()-1); err != nil {
					return err
				}
				goto call
			}
			if err := t.callNative(callee, slot, i.c()-1); err != nil {
				return err
			}
			fr, regs = t.look(base)
			if i.c() != 0 {
				t.top = int(fr.top)
			}
			continue
		case opTailCall:
			slot := base + i.a()
			if b := i.b(); b != 0 {
				t.top = slot + b
			}
			fr.pc = int32(pc)
			if err := s.step(1); err != nil {
				return err
			}
			callee, err := t.callee(slot)
			if err != nil {
				return err
			}
			if callee.proto != nil {
				if err := t.replace(callee, slot); err != nil {
					return err
				}
				goto call
			}
			if err := t.callNative(callee, slot, multiple); err != nil {
				return err
			}
			fr, regs = t.look(base)
			continue
		case opReturn:
			from, n := base+i.a(), i.b()-1
			if n < 0 {
				n = t.top - from
			}
			if t.open != nil {
				t.closeUpvalues(base)
			}
			fresh, wanted := fr.fresh, fr.results
			t.leave(from, n)
			if fresh {
				return nil
			}
			if wanted >= 0 {
				t.top = int(t.frames[len(t.frames)-1].top)
			}
			goto call
		case opForLoop:
			// The operands are numbers: opForPrep has seen to it.
			a := i.a()
			step := regs[uint8(a+2)].Num()
			index := regs[a].Num() + step
			limit := regs[uint8(a+1)].Num()
			if step > 0 && index <= limit || step <= 0 && limit <= index {
				regs[a].setNumber(index)
				regs[uint8(a+3)].setNumber(index)
				pc += i.sbx()
				if s.steps--; s.steps <= 0 {
					fr.pc = int32(pc)
					if err := s.step(0); err != nil {
						return err
					}
				}
			}
			continue
		case opForPrep:
			fr.pc = int32(pc)
			if err := t.prepareFor((*[3]Value)(regs[i.a():])); err != nil {
				return err
			}
			pc += i.sbx()
			continue
		case opTForLoop:
			fr.pc = int32(pc)
			more, err := t.iterate(base+i.a(), i.c())
			if err != nil {
				return err
			}
			fr, regs = t.look(base)
			if more {
				goto jump
			}
			pc++
			continue
		case opSetList:
			fr.pc = int32(pc)
			n, batch := i.b(), i.c()
			if n == 0 {
				n = t.top - (base + i.a()) - 1
				t.top = int(fr.top)
			}
			if batch == 0 {
				batch = int(code[pc])
				pc++
			}
			from := base + i.a() + 1
			if err := t.setList(regs[i.a()].AsTable(), (batch-1)*fieldsFlush, t.stack[from:from+n]); err != nil {
				return err
			}
			continue
		case opClose:
			t.closeUpvalues(base + i.a())
			continue
		case opClosure:
			fr.pc = int32(pc)
			p := fn.proto.protos[i.bx()]
			regs[i.a()] = t.closure(fn, p, code[pc:], base).Value()
			pc += len(p.upvalues)
			if s.count > s.due {
				if err := s.checkDue(); err != nil {
					return err
				}
			}
			continue
		case opVararg:
			n := i.b() - 1
			actual := base - int(fr.slot) - fn.proto.params - 1
			to := base + i.a()
			if n < 0 {
				n = actual
				if t.top = to; to+n+slack > len(t.stack) {
					if err := t.growForCall(to + n + slack); err != nil {
						return err
					}
					regs = (*registers)(t.stack[base:])
				}
				t.top = to + n
				if n > longCopy {
					fr.pc = int32(pc)
					if err := s.step(n / longCopy); err != nil {
						return err
					}
				}
			}
			from := base - actual
			copied := copy(t.stack[to:to+n], t.stack[from:base])
			clear(t.stack[to+copied : to+n])
			continue
		default:
			panic("BUG: lua: an instruction of an unknown kind")
		}

		{ // arithmetic with something that is no number
			b, c := i.b(), i.c()
			if i.op() == opUnm {
				c = b
			}
			x, y := *rk(regs, constants, b), *rk(regs, constants, c)
			if x.IsNumber() && y.IsNumber() { // of a kind without a case of its own
				regs[i.a()].setNumber(arithmetic(i.op(), x.Num(), y.Num()))
				continue
			}
			fr.pc = int32(pc)
			v, err := t.arith(i.op(), x, y, b, c)
			if err != nil {
				return err
			}
			fr, regs = t.look(base)
			regs[i.a()] = v
			continue
		}

	index: // a read that metamethods may have to answer
		{
			fr.pc = int32(pc)
			v, err := t.index(regs[uint8(i.b())], *rk(regs, constants, i.c()), i.b())
			if err != nil {
				return err
			}
			fr, regs = t.look(base)
			regs[i.a()] = v
			continue
		}

	setIndex: // a write that metamethods may have to take, or that makes a table grow
		{
			key, v := rk(regs, constants, i.b()), rk(regs, constants, i.c())
			fr.pc = int32(pc)
			if err := t.setIndex(regs[i.a()], *key, *v, i.a()); err != nil {
				return err
			}
			fr, regs = t.look(base)
			continue
		}

	compare: // what is no pair of numbers
		{
			fr.pc = int32(pc)
			holds, err := t.compare(i.op(), *rk(regs, constants, i.b()), *rk(regs, constants, i.c()))
			if err != nil {
				return err
			}
			fr, regs = t.look(base)
			if holds != (i.a() != 0) {
				pc++
				continue
			}
		}

	jump: // by the jump instruction at pc
		{
			offset := code[pc].sbx()
			pc += 1 + offset
			if offset < 0 {
				if s.steps--; s.steps <= 0 {
					fr.pc = int32(pc)
					if err := s.step(0); err != nil {
						return err
					}
				}
			}
		}
	}
}

// longCopy is how many values are copied in about the time of a step.
const longCopy = 16

// look is the frame and the registers of the function that runs, after anything that may have moved
// them.
func (t *Thread) look(base int) (*frame, *registers) {
	return &t.frames[len(t.frames)-1], (*registers)(t.stack[base:])
}
