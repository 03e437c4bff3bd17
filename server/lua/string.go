package lua

import (
	"math"
	"strings"
)

// OpenString installs the string library, also as the methods of strings.
func (s *State) OpenString() {
	functions := s.openGlobal("string", library{
		{"byte", stringByte}, {"char", stringChar}, {"dump", stringDump}, {"find", stringFind},
		{"format", stringFormat}, {"gfind", stringGmatch}, {"gmatch", stringGmatch}, {"gsub", stringGsub},
		{"len", stringLen}, {"lower", stringLower}, {"match", stringMatch}, {"rep", stringRep},
		{"reverse", stringReverse}, {"sub", stringSub}, {"upper", stringUpper},
	})
	functions.SetStr(NewString("gfind"), functions.GetStr(NewString("gmatch"))) // its name in Lua 5.0
	s.stringMeta = s.Table(0, 1)
	s.stringMeta.SetStr(nameIndex, functions.Value())
}

// position is an index into a string of so many bytes: negative ones count from its end.
func position(i, length int) int {
	if i < 0 {
		i += length + 1
	}
	return max(i, 0)
}

func stringSub(t *Thread) (int, error) {
	s, err := t.CheckString(1)
	if err != nil {
		return 0, err
	}
	start, err := t.CheckInt(2)
	if err != nil {
		return 0, err
	}
	end, err := t.OptInt(3, -1)
	if err != nil {
		return 0, err
	}
	length := len(s.s)
	start, end = max(position(start, length), 1), min(position(end, length), length)
	if start > end {
		return t.Return(emptyString.Value())
	}
	return t.returnString(t.Substring(s, start-1, end))
}

// returnString returns a string, or the error of making it.
func (t *Thread) returnString(s *String, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	return t.Return(s.Value())
}

func stringLen(t *Thread) (int, error) {
	s, err := t.CheckString(1)
	if err != nil {
		return 0, err
	}
	return t.Return(Int(len(s.s)))
}

func stringReverse(t *Thread) (int, error) {
	return mapString(t, func(to []byte, from string) {
		for i, last := 0, len(from)-1; i <= last; i++ {
			to[i] = from[last-i]
		}
	})
}

func stringLower(t *Thread) (int, error) {
	return mapString(t, func(to []byte, from string) {
		copy(to, from)
		for i, c := range to {
			to[i] = toLower(c)
		}
	})
}

func stringUpper(t *Thread) (int, error) {
	return mapString(t, func(to []byte, from string) {
		copy(to, from)
		for i, c := range to {
			to[i] = toUpper(c)
		}
	})
}

func mapString(t *Thread, fill func(to []byte, from string)) (int, error) {
	s, err := t.CheckString(1)
	if err != nil {
		return 0, err
	}
	return t.returnString(t.mapBytes(s, fill))
}

func stringRep(t *Thread) (int, error) {
	s, err := t.CheckString(1)
	if err != nil {
		return 0, err
	}
	n, err := t.checkInt32(2)
	if err != nil {
		return 0, err
	}
	if n <= 0 || s.s == "" {
		return t.Return(emptyString.Value())
	}
	if len(s.s) > math.MaxInt/n {
		return 0, t.Reserve(math.MaxInt)
	}
	if err := t.Reserve(len(s.s) * n); err != nil {
		return 0, err
	}
	if err := t.spend(len(s.s) * n / 16); err != nil { // memmove is quick
		return 0, err
	}
	return t.returnString(t.MakeString(strings.Repeat(s.s, n)))
}

// checkInt32 is CheckInt of what C keeps in an int, which drops the high bits.
func (t *Thread) checkInt32(i int) (int, error) {
	n, err := t.CheckInt(i)
	return int(int32(n)), err
}

func (t *Thread) optInt32(i, missing int) (int, error) {
	n, err := t.OptInt(i, missing)
	return int(int32(n)), err
}

func stringByte(t *Thread) (int, error) {
	s, err := t.CheckString(1)
	if err != nil {
		return 0, err
	}
	start, err := t.OptInt(2, 1)
	if err != nil {
		return 0, err
	}
	start = position(start, len(s.s))
	end, err := t.OptInt(3, start)
	if err != nil {
		return 0, err
	}
	start, end = max(start, 1), min(position(end, len(s.s)), len(s.s))
	if start > end {
		return 0, nil
	}
	n := end - start + 1
	if !t.Room(n) {
		return 0, t.Errorf("stack overflow (string slice too long)")
	}
	for i := start; i <= end; i++ {
		t.Push(Int(int(s.s[i-1])))
	}
	return n, nil
}

func stringChar(t *Thread) (int, error) {
	b := t.newBuffer()
	for i := 1; i <= t.Count(); i++ {
		c, err := t.checkInt32(i)
		if err != nil {
			return 0, err
		}
		if c < 0 || c > 255 {
			return 0, t.ArgError(i, "invalid value")
		}
		if err := b.addByte(byte(c)); err != nil {
			return 0, err
		}
	}
	return t.returnString(b.result())
}

// stringDump answers with bytecode, which nothing takes.
func stringDump(t *Thread) (int, error) {
	f, err := t.CheckFunction(1)
	if err != nil {
		return 0, err
	}
	if f.proto == nil {
		return 0, t.Errorf("unable to dump given function")
	}
	if err := t.Reserve(int(2 * f.proto.Size())); err != nil {
		return 0, err
	}
	return t.Return(t.state.String(string(f.proto.dump())).Value())
}
