package lua

import "slices"

// The machine is that of Lua 5.1 in C (lopcodes.h), with its instructions and its allocation of
// registers: the names of variables in error messages are found by going back through the code, and
// are the same only if the code is.

// instruction is an operation with its operands: six bits of opcode, then A of 8 bits, C of 9 and B
// of 9, or Bx of 18 in place of the last two.
type instruction uint32

// Sizes of operands.
const (
	sizeOp = 6
	sizeA  = 8
	sizeC  = 9
	sizeB  = 9

	posA  = sizeOp
	posC  = posA + sizeA
	posB  = posC + sizeC
	posBx = posC

	maxA   = 1<<sizeA - 1
	maxC   = 1<<sizeC - 1
	maxBx  = 1<<(sizeB+sizeC) - 1
	maxSBx = maxBx >> 1 // the range of jumps, in both directions

	bitK       = 1 << (sizeB - 1) // in B or C: a constant, not a register
	maxIndexRK = bitK - 1

	noReg        = maxA // a register that is not known yet
	fieldsFlush  = 50   // items of a constructor that one SETLIST stores
	maxRegisters = 250  // of a function
	multiple     = -1   // results: as many as there are
)

func (i instruction) op() opcode { return opcode(i & (1<<sizeOp - 1)) }
func (i instruction) a() int     { return int(i >> posA & maxA) }
func (i instruction) b() int     { return int(i >> posB) }
func (i instruction) c() int     { return int(i >> posC & maxC) }
func (i instruction) bx() int    { return int(i >> posBx) }
func (i instruction) sbx() int   { return int(i>>posBx) - maxSBx }

func codeABC(op opcode, a, b, c int) instruction {
	return instruction(op) | instruction(a)<<posA | instruction(b)<<posB | instruction(c)<<posC
}

func codeABx(op opcode, a, bx int) instruction {
	return instruction(op) | instruction(a)<<posA | instruction(bx)<<posBx
}

func (i *instruction) setOp(op opcode) { *i = *i&^(1<<sizeOp-1) | instruction(op) }
func (i *instruction) setA(a int)      { *i = *i&^(maxA<<posA) | instruction(a)<<posA }
func (i *instruction) setB(b int)      { *i = *i&^(maxC<<posB) | instruction(b)<<posB }
func (i *instruction) setC(c int)      { *i = *i&^(maxC<<posC) | instruction(c)<<posC }
func (i *instruction) setSBx(n int)    { *i = *i&^(maxBx<<posBx) | instruction(n+maxSBx)<<posBx }

// opcode is the kind of an instruction.
type opcode uint8

// The opcodes, as in lopcodes.h. R is a register, K a constant, RK one or the other, U an upvalue.
const (
	opMove      opcode = iota // R(A) = R(B)
	opLoadK                   // R(A) = K(Bx)
	opLoadBool                // R(A) = B; if C, skip the next
	opLoadNil                 // R(A) ... R(B) = nil
	opGetUpval                // R(A) = U(B)
	opGetGlobal               // R(A) = G[K(Bx)]
	opGetTable                // R(A) = R(B)[RK(C)]
	opSetGlobal               // G[K(Bx)] = R(A)
	opSetUpval                // U(B) = R(A)
	opSetTable                // R(A)[RK(B)] = RK(C)
	opNewTable                // R(A) = {}, with room for B and C as floating bytes
	opSelf                    // R(A+1) = R(B); R(A) = R(B)[RK(C)]
	opAdd                     // R(A) = RK(B) + RK(C), likewise those to opPow
	opSub
	opMul
	opDiv
	opMod
	opPow
	opUnm    // R(A) = -R(B)
	opNot    // R(A) = not R(B)
	opLen    // R(A) = #R(B)
	opConcat // R(A) = R(B) .. ... .. R(C)
	opJmp    // pc += sBx
	opEq     // if (RK(B) == RK(C)) != A, skip the next; likewise those to opLe
	opLt
	opLe
	opTest     // if truth of R(A) != C, skip the next
	opTestSet  // if truth of R(B) == C, R(A) = R(B), else skip the next
	opCall     // R(A) ... R(A+C-2) = R(A)(R(A+1) ... R(A+B-1)); B or C 0: up to, or set, top
	opTailCall // return R(A)(R(A+1) ... R(A+B-1))
	opReturn   // return R(A) ... R(A+B-2)
	opForLoop  // R(A) += R(A+2); if it is within R(A+1), pc += sBx and R(A+3) = R(A)
	opForPrep  // R(A) -= R(A+2); pc += sBx
	opTForLoop // R(A+3) ... R(A+2+C) = R(A)(R(A+1), R(A+2)); if R(A+3), R(A+2) = R(A+3), else skip the next
	opSetList  // R(A)[(C-1)*50+i] = R(A+i), i from 1 to B; C 0: it is the next instruction
	opClose    // close upvalues from R(A) on
	opClosure  // R(A) = closure of function Bx; a MOVE or GETUPVAL that follows stands for an upvalue
	opVararg   // R(A) ... R(A+B-2) = ...; B 0: all of them, and set top

	// Not in C: what specialize makes of GETTABLE, SETTABLE and SELF whose key is a constant
	// string.
	opGetField
	opSetField
	opSelfField
)

// specialize gives accesses to fields instructions of their own.
func (p *Proto) specialize() {
	field := func(operand int) bool {
		return operand&bitK != 0 && p.constants[operand&maxIndexRK].Kind() == KindString
	}
	p.eachInstruction(p.code, func(i *instruction) {
		switch op := i.op(); {
		case op == opGetTable && field(i.c()):
			i.setOp(opGetField)
		case op == opSetTable && field(i.b()):
			i.setOp(opSetField)
		case op == opSelf && field(i.c()):
			i.setOp(opSelfField)
		}
	})
}

// general is a copy of the code with C's instructions alone.
func (p *Proto) general() []instruction {
	code := slices.Clone(p.code)
	p.eachInstruction(code, func(i *instruction) {
		switch i.op() {
		case opGetField:
			i.setOp(opGetTable)
		case opSetField:
			i.setOp(opSetTable)
		case opSelfField:
			i.setOp(opSelf)
		}
	})
	return code
}

// eachInstruction calls f for each instruction, but not for the numbers that follow some SETLIST.
func (p *Proto) eachInstruction(code []instruction, f func(*instruction)) {
	for at := 0; at < len(code); at++ {
		f(&code[at])
		if i := code[at]; i.op() == opSetList && i.c() == 0 {
			at++
		}
	}
}

// testsAndSkips reports whether a jump follows the instruction, to be taken or not.
func (op opcode) testsAndSkips() bool {
	return op >= opEq && op <= opTestSet || op == opTForLoop
}

// setsA reports whether the instruction changes R(A). C says so of TEST as well.
func (op opcode) setsA() bool {
	switch op {
	case opSetGlobal, opSetUpval, opSetTable, opSetField, opJmp, opEq, opLt, opLe, opReturn,
		opTForLoop, opSetList, opClose:
		return false
	}
	return true
}

// Proto is the code of a function. It does not change after Compile, so that States may share it.
type Proto struct {
	code      []instruction
	lines     []int32 // of each instruction
	constants []Value
	protos    []*Proto // of the functions within
	upvalues  []string // names
	locals    []localName
	source    string // the chunk's name
	chunk     string // what errors call it
	line      int    // where the function begins; 0: a chunk
	lastLine  int
	params    int
	vararg    bool // it has ...
	hasArg    bool // and a local called arg, behind the parameters
	needsArg  bool // which is a table, as there is no use of ...
	registers int
	owner     *loaded // nil: code that no State's account has to know
}

// loaded is code that a script itself has loaded, which counts as its memory while a function of it
// is alive.
type loaded struct {
	size int64
	mark uint8 // of the walk that last met it
}

// own makes the code and that of the functions within belong to a State.
func (p *Proto) own(by *loaded) {
	p.owner = by
	for _, inner := range p.protos {
		inner.own(by)
	}
}

// localName is a local variable, and for which instructions it is there.
type localName struct {
	name       string
	start, end int32
}

// localName is the name of local number n (from 1) at an instruction, "" if there are not so many.
func (p *Proto) localName(n, pc int) string {
	for _, l := range p.locals {
		if int(l.start) > pc {
			break
		}
		if pc < int(l.end) {
			if n--; n == 0 {
				return l.name
			}
		}
	}
	return ""
}

// Size is an estimate of the memory that the code takes.
func (p *Proto) Size() int64 {
	size := int64(len(p.code))*8 + int64(len(p.constants))*valueSize + int64(len(p.locals))*24 + 200
	for _, k := range p.constants {
		if s := k.AsString(); s != nil {
			size += stringSize + int64(len(s.s))
		}
	}
	for _, inner := range p.protos {
		size += inner.Size()
	}
	return size
}
