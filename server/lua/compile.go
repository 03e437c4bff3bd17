package lua

import (
	"errors"
	"fmt"

	"github.com/larderkv/larder/server/lua/syntax"
)

// The compiler makes of each syntax tree the code that C's makes while it parses (lparser.c and
// lcode.c, which say why things are so): code.go says why it has to be the same.

// compiler is what the functions of a chunk share while they are compiled.
type compiler struct {
	name    string             // of the chunk
	chunk   string             // what errors call it
	strings map[string]*String // one of each, so that most comparisons are of addresses
	err     error              // the first one; compilation goes on, since nothing depends on it
}

// Compile makes code of a syntax tree. Name is the chunk's, as Parse got it. The error is of a
// limit that the code exceeds, and has Lua's text.
func Compile(f *syntax.Func, name string) (*Proto, error) {
	c := &compiler{name: name, chunk: syntax.ChunkID(name), strings: map[string]*String{}}
	p := c.function(f, nil, true).proto
	if c.err != nil {
		return nil, c.err
	}
	return p, nil
}

// fail notes an error.
func (c *compiler) fail(line int, format string, args ...any) {
	if c.err == nil {
		c.err = errors.New(fmt.Sprintf("%s:%d: ", c.chunk, line) + fmt.Sprintf(format, args...))
	}
}

// builder is a function while it is compiled: C's FuncState.
type builder struct {
	*compiler
	proto      *Proto
	outer      *builder
	block      *block
	line       int         // of the source, for the instructions that are written
	lastTarget int         // the last place that jumps go to
	pending    int         // jumps to the next instruction, a list
	lastJumps  map[int]int // by the first one, of lists of several
	free       int         // the first free register
	active     []int       // locals in scope, or about to be, as indices of proto.locals
	inScope    int         // how many of them are
	upvalues   []upvalueOrigin
	numbers    map[float64]int // constants; 0 and -0 are one, as in C
	texts      map[string]int
	others     [3]int // constants nil, false and true: index+1
}

// block is a scope.
type block struct {
	outer   *block
	breaks  int  // jumps out of the loop, a list
	active  int  // locals outside of the block
	upvalue bool // a local of the block is an upvalue of another function
	loop    bool // break leaves it
}

// upvalueOrigin says where a closure finds an upvalue when it is made: in a register of the
// function around it, or among its upvalues.
type upvalueOrigin struct {
	local bool
	index int
}

// function compiles a function. A chunk has no local called arg.
func (c *compiler) function(f *syntax.Func, outer *builder, chunk bool) *builder {
	b := &builder{
		compiler: c, outer: outer, lastTarget: -1, pending: noJump, line: f.Line,
		proto:   &Proto{source: c.name, chunk: c.chunk, line: f.Line, vararg: f.Vararg, registers: 2},
		numbers: map[float64]int{}, texts: map[string]int{},
	}
	for _, name := range f.Params {
		b.newLocal(name)
	}
	b.activate(len(f.Params))
	b.proto.params = len(f.Params)
	if f.Vararg && !chunk {
		b.newLocal("arg")
		b.activate(1)
		b.proto.hasArg, b.proto.needsArg = true, f.UsesArg
	}
	b.reserve(len(b.active))
	b.statements(f.Body)
	if b.line = f.LastLine; !chunk {
		b.proto.lastLine = f.LastLine // of a chunk C does not say
	}
	b.deactivate(0)
	b.emitReturn(0, 0)
	b.proto.specialize()
	return b
}

// newLocal makes a local that is not in scope yet. How many there may be is the parser's matter.
func (b *builder) newLocal(name string) {
	b.active = append(b.active, len(b.proto.locals))
	b.proto.locals = append(b.proto.locals, localName{name: name})
}

// activate begins the scope of the n locals that were made last.
func (b *builder) activate(n int) {
	b.inScope += n
	for _, i := range b.active[b.inScope-n : b.inScope] {
		b.proto.locals[i].start = int32(len(b.proto.code))
	}
}

// deactivate ends the scope of all locals but the first n.
func (b *builder) deactivate(n int) {
	for _, i := range b.active[n:] {
		b.proto.locals[i].end = int32(len(b.proto.code))
	}
	b.active, b.inScope = b.active[:n], n
}

// enter begins a block.
func (b *builder) enter(bl *block, loop bool) {
	*bl = block{outer: b.block, breaks: noJump, active: b.inScope, loop: loop}
	b.block = bl
}

// leave ends the block.
func (b *builder) leave() {
	bl := b.block
	b.block = bl.outer
	b.deactivate(bl.active)
	if bl.upvalue {
		b.emit(codeABC(opClose, bl.active, 0, 0))
	}
	b.free = b.inScope
	b.patchHere(bl.breaks)
}

// findLocal is the register of a local, false if no local has this name.
func (b *builder) findLocal(name string) (int, bool) {
	for i := b.inScope - 1; i >= 0; i-- {
		if b.proto.locals[b.active[i]].name == name {
			return i, true
		}
	}
	return 0, false
}

// variable finds what a name stands for.
func (b *builder) variable(name string) expression {
	if reg, ok := b.findLocal(name); ok {
		return expr(expLocal, reg)
	}
	if i, ok := b.upvalueOf(name); ok {
		return expr(expUpvalue, i)
	}
	return expr(expGlobal, b.text(name))
}

// upvalueOf is the number of the upvalue of this name, false if no function around has such a
// local.
func (b *builder) upvalueOf(name string) (int, bool) {
	if b.outer == nil {
		return 0, false
	}
	origin := upvalueOrigin{local: true}
	var ok bool
	if origin.index, ok = b.outer.findLocal(name); ok {
		b.outer.markUpvalue(origin.index)
	} else if origin.index, ok = b.outer.upvalueOf(name); ok {
		origin.local = false
	} else {
		return 0, false
	}
	for i, known := range b.upvalues {
		if known == origin {
			return i, true
		}
	}
	b.upvalues = append(b.upvalues, origin)
	b.proto.upvalues = append(b.proto.upvalues, name)
	return len(b.upvalues) - 1, true
}

// markUpvalue notes that the block of a local has to close upvalues.
func (b *builder) markUpvalue(reg int) {
	bl := b.block
	for bl != nil && bl.active > reg {
		bl = bl.outer
	}
	if bl != nil {
		bl.upvalue = true
	}
}
