package lua

import (
	"encoding/binary"
	"math"
)

// dumpHeader begins bytecode: version 5.1, little endian, sizes of C's types on amd64.
const dumpHeader = "\x1bLua\x51\x00\x01\x04\x08\x04\x08\x00"

// Tags of constants in bytecode, and flags of functions with "...".
const (
	dumpNil    = 0
	dumpBool   = 1
	dumpNumber = 3
	dumpString = 4

	dumpHasArg   = 1
	dumpVararg   = 2
	dumpNeedsArg = 4
)

// dump is the code as bytecode of Lua 5.1, which string.dump returns: to the byte what C makes of
// the same source. Nothing here reads it, and Redis' loadstring does not either.
func (p *Proto) dump() []byte {
	return p.appendDump(appendDumpString([]byte(dumpHeader), p.source))
}

// appendDump appends the code behind its source.
func (p *Proto) appendDump(b []byte) []byte {
	b = appendDumpInt(b, p.line)
	b = appendDumpInt(b, p.lastLine)
	flags := 0
	if p.vararg {
		flags |= dumpVararg
	}
	if p.hasArg {
		flags |= dumpHasArg
	}
	if p.needsArg {
		flags |= dumpNeedsArg
	}
	b = append(b, byte(len(p.upvalues)), byte(p.params), byte(flags), byte(p.registers))
	b = appendDumpInt(b, len(p.code))
	for _, i := range p.general() {
		b = binary.LittleEndian.AppendUint32(b, uint32(i))
	}
	b = appendDumpInt(b, len(p.constants))
	for _, v := range p.constants {
		b = appendDumpConstant(b, v)
	}
	b = appendDumpInt(b, len(p.protos))
	for _, inner := range p.protos {
		b = inner.appendDump(binary.LittleEndian.AppendUint64(b, 0)) // no source of its own
	}
	b = appendDumpInt(b, len(p.lines))
	for _, line := range p.lines {
		b = appendDumpInt(b, int(line))
	}
	b = appendDumpInt(b, len(p.locals))
	for _, l := range p.locals {
		b = appendDumpString(b, l.name)
		b = appendDumpInt(b, int(l.start))
		b = appendDumpInt(b, int(l.end))
	}
	b = appendDumpInt(b, len(p.upvalues))
	for _, name := range p.upvalues {
		b = appendDumpString(b, name)
	}
	return b
}

func appendDumpInt(b []byte, n int) []byte { return binary.LittleEndian.AppendUint32(b, uint32(n)) }

// appendDumpString appends a string as C holds it, with a zero byte at its end.
func appendDumpString(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(len(s))+1)
	return append(append(b, s...), 0)
}

func appendDumpConstant(b []byte, v Value) []byte {
	switch v.Kind() {
	case KindNil:
		return append(b, dumpNil)
	case KindBool:
		return append(b, dumpBool, byte(v.bits))
	case KindNumber:
		return binary.LittleEndian.AppendUint64(append(b, dumpNumber), math.Float64bits(v.Num()))
	}
	return appendDumpString(append(b, dumpString), v.AsString().s)
}
