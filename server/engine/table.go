// The command table: from a name as a client sent it to its row.
//
// A lookup happens once per command, so it neither allocates nor converts: the
// first and the last bytes of the name, with its letters folded, are looked for in a small
// open-addressed table that is never more than a quarter full. A Go map would need a
// lower-cased copy of the name.

package engine

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Table is the immutable set of rows. Lookups are safe from any goroutine.
type Table struct {
	rows  []*Spec // commands in the order given, without subcommands
	slots []*Spec
	mask  uint32
	count int // rows and subcommands
}

// NewTable checks the rows, derives what follows from them and indexes them.
// It takes the rows over. An error is a bug in a row.
func NewTable(specs []Spec) (*Table, error) {
	var n int
	return newTable(specs, nil, &n)
}

func newTable(specs []Spec, parent *Spec, next *int) (*Table, error) {
	size := 1 << bits.Len(uint(len(specs)*4))
	t := &Table{slots: make([]*Spec, size), mask: uint32(size - 1)}
	for i := range specs {
		s := &specs[i]
		s.parent, s.full = parent, s.Name
		if parent != nil {
			s.full = parent.Name + "|" + s.Name
		}
		if err := s.check(); err != nil {
			return nil, err
		}
		if t.Lookup([]byte(s.Name)) != nil {
			return nil, fmt.Errorf("BUG: two rows for command %q", s.full)
		}
		s.index = *next
		*next++
		s.deriveKeys()
		if len(s.Subcommands) > 0 {
			subs, err := newTable(s.Subcommands, s, next)
			if err != nil {
				return nil, err
			}
			s.subs = subs
		}
		t.insert(s)
		t.rows = append(t.rows, s)
	}
	t.count = *next
	return t, nil
}

// check finds rows that contradict themselves.
func (s *Spec) check() error {
	switch {
	case s.Name == "" || s.Arity == 0:
		return fmt.Errorf("BUG: row %q lacks a name or an arity", s.full)
	case s.Handler == nil && len(s.Subcommands) == 0:
		return fmt.Errorf("BUG: row %q lacks a handler", s.full)
	case s.parent != nil && len(s.Subcommands) > 0:
		return fmt.Errorf("BUG: row %q nests subcommands", s.full)
	case s.Flags&Write != 0 && s.Flags&ReadOnly != 0:
		return fmt.Errorf("BUG: row %q is both write and readonly", s.full)
	}
	if _, err := ParseSyntax(s.Syntax); err != nil {
		return fmt.Errorf("BUG: row %q: %w", s.full, err)
	}
	for i := range s.Name {
		if c := s.Name[i]; c >= 'A' && c <= 'Z' {
			return fmt.Errorf("BUG: row %q is not in lower case", s.full)
		}
	}
	return s.checkKeys()
}

func (t *Table) insert(s *Spec) {
	s.deriveEnds()
	i := s.ends.hash() & t.mask
	for t.slots[i] != nil {
		i = (i + 1) & t.mask
	}
	t.slots[i] = s
}

// Lookup finds a row by its name in any case, nil when there is none. It does
// not allocate.
func (t *Table) Lookup(name []byte) *Spec {
	ends := endsOf(name)
	for i := ends.hash() & t.mask; ; i = (i + 1) & t.mask {
		s := t.slots[i]
		if s == nil || s.isCalled(name, ends) {
			return s
		}
	}
}

func (s *Spec) deriveEnds() {
	s.ends = endsOf([]byte(s.Name))
	s.cases = nameEnds{caseBits(s.ends.head), caseBits(s.ends.tail)}
}

// isCalled reports whether a name of these ends is the row's.
func (s *Spec) isCalled(name []byte, e nameEnds) bool {
	other := (e.head^s.ends.head)&^s.cases.head | (e.tail^s.ends.tail)&^s.cases.tail
	return other == 0 && len(name) == len(s.Name) && (len(name) <= 16 || equalFold(name, s.Name))
}

// Resolve finds the row of a request: the subcommand's where the command is a
// container and has a second argument. nil when either is unknown.
func (t *Table) Resolve(args [][]byte) *Spec {
	s := t.Lookup(args[0])
	if s == nil || s.subs == nil || len(args) == 1 {
		return s
	}
	return s.subs.Lookup(args[1])
}

// Rows lists the rows of the table in their order, without subcommands. The
// slice belongs to the table.
func (t *Table) Rows() []*Spec { return t.rows }

// Each calls fn for every row and, after it, for each of its subcommands.
func (t *Table) Each(fn func(*Spec)) {
	for _, s := range t.rows {
		fn(s)
		if s.subs != nil {
			s.subs.Each(fn)
		}
	}
}

// Len counts rows and subcommands: indexes are below it.
func (t *Table) Len() int { return t.count }

// nameEnds is the first and the last eight bytes of a name. One that has no more is in both whole, but
// for its length.
type nameEnds struct{ head, tail uint64 }

func endsOf(name []byte) nameEnds {
	switch n := len(name); {
	case n >= 8:
		return nameEnds{binary.LittleEndian.Uint64(name), binary.LittleEndian.Uint64(name[n-8:])}
	case n >= 4:
		all := uint64(binary.LittleEndian.Uint32(name)) | uint64(binary.LittleEndian.Uint32(name[n-4:]))<<32
		return nameEnds{all, all}
	case n > 0:
		all := uint64(name[0]) | uint64(name[n>>1])<<8 | uint64(name[n-1])<<16
		return nameEnds{all, all}
	}
	return nameEnds{}
}

// hash is the same for names that differ in the case of letters.
func (e nameEnds) hash() uint32 {
	const lower = eachByte * 0x20 // maps upper to lower case, and some other bytes onto each other
	return uint32(((e.tail|lower)*0xD6E8FEB86659FD93 ^ (e.head | lower)) * 0x9E3779B97F4A7C15 >> 48)
}

// equalFold reports whether b is the lower-case ASCII word s in any case. It compares eight bytes at a
// time, the last ones perhaps twice.
func equalFold(b []byte, s string) bool {
	n := len(s)
	if len(b) != n {
		return false
	}
	switch {
	case n >= 8:
		for len(s) > 8 {
			if want := eight(s); !sameLetters(binary.LittleEndian.Uint64(b)^want, want) {
				return false
			}
			step := min(8, len(s)-8)
			b, s = b[step:], s[step:]
		}
		want := eight(s)
		return sameLetters(binary.LittleEndian.Uint64(b)^want, want)
	case n >= 4:
		want := uint64(four(s)) | uint64(four(s[n-4:]))<<32
		have := uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<32
		return sameLetters(have^want, want)
	}
	if n == 0 {
		return true
	}
	want := uint64(s[0]) | uint64(s[n>>1])<<8 | uint64(s[n-1])<<16
	have := uint64(b[0]) | uint64(b[n>>1])<<8 | uint64(b[n-1])<<16
	return sameLetters(have^want, want)
}

// eachByte times a byte is a word of eight such bytes.
const eachByte = 0x0101010101010101

// eight is the first eight bytes as a word, as binary.LittleEndian reads them.
func eight(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// four is the first four bytes as a word.
func four(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// sameLetters reports whether eight ASCII bytes differ from others, by diff, in the case of letters
// alone.
func sameLetters(diff, ascii uint64) bool { return diff == 0 || diff&^caseBits(ascii) == 0 }

// caseBits has the bit that says the case of a letter for each of eight ASCII bytes that is one.
func caseBits(ascii uint64) uint64 {
	ascii |= eachByte * 0x20
	letters := (ascii + eachByte*(0x80-'a')) &^ (ascii + eachByte*(0x80-'z'-1)) & (eachByte * 0x80)
	return letters >> 2
}
