package lua

import (
	"math"
	"strings"

	"github.com/larderkv/larder/server/lua/syntax"
)

// library is a table of natives, in the order in which C registers them, which shows in pairs().
type library []struct {
	name string
	fn   Native
}

// open puts the natives of a library into a table.
func (s *State) open(t *Table, l library) {
	for _, f := range l {
		s.Register(t, f.name, f.fn)
	}
}

// openGlobal makes a table of a library, as large as C makes it, and puts it into a global
// variable.
func (s *State) openGlobal(name string, l library) *Table {
	t := s.Table(0, len(l))
	s.open(t, l)
	s.globals.SetStr(NewString(name), t.Value())
	return t
}

// OpenBase installs the functions that are global, of which Redis leaves out those that read files
// or change environments, and the library coroutine.
func (s *State) OpenBase() {
	g := s.globals
	g.SetStr(NewString("_G"), g.Value())
	s.open(g, library{
		{"assert", baseAssert},
		{"collectgarbage", baseCollectGarbage},
		{"error", baseError},
		{"gcinfo", baseGCInfo},
		{"getmetatable", baseGetMetatable},
		{"load", baseLoad},
		{"loadstring", baseLoadString},
		{"pcall", basePCall},
		{"rawequal", baseRawEqual},
		{"rawget", baseRawGet},
		{"rawset", baseRawSet},
		{"select", baseSelect},
		{"setmetatable", baseSetMetatable},
		{"tonumber", baseToNumber},
		{"tostring", baseToString},
		{"type", baseType},
		{"unpack", baseUnpack},
		{"xpcall", baseXPCall},
	})
	next := s.NewNative(baseNext)
	next.isNext = true
	each := s.NewNative(baseEach)
	g.SetStr(NewString("next"), next.Value())
	g.SetStr(NewString("_VERSION"), NewString("Lua 5.1").Value())
	g.SetStr(NewString("ipairs"), s.NewNative(func(t *Thread) (int, error) {
		return t.iterator(each.Value(), Int(0))
	}, each.Value()).Value())
	g.SetStr(NewString("pairs"), s.NewNative(func(t *Thread) (int, error) {
		return t.iterator(next.Value(), Nil)
	}, next.Value()).Value())
	s.openCoroutine()
}

// iterator returns what a generic for needs to walk through the table that is argument 1.
func (t *Thread) iterator(fn, start Value) (int, error) {
	table, err := t.CheckTable(1)
	if err != nil {
		return 0, err
	}
	return t.Return(fn, table.Value(), start)
}

func baseAssert(t *Thread) (int, error) {
	v, err := t.CheckAny(1)
	if err != nil {
		return 0, err
	}
	if v.Truth() {
		return t.Count(), nil
	}
	message, err := t.OptString(2, "assertion failed!")
	if err != nil {
		return 0, err
	}
	if err := t.Reserve(2 * len(message)); err != nil {
		return 0, err
	}
	return 0, t.Errorf("%s", CText(message))
}

func baseError(t *Thread) (int, error) {
	level, err := t.OptInt(2, 1)
	if err != nil {
		return 0, err
	}
	v := t.Arg(1)
	if level = int(int32(level)); level > 0 && isText(v) {
		text := (&Error{Value: v}).Error()
		if err := t.Reserve(len(text)); err != nil {
			return 0, err
		}
		return 0, t.state.newError(t.Where(level) + text)
	}
	return 0, &Error{Value: v}
}

// basePCall is the pcall of Redis, which has one of its own: of an error that is a table with a
// text as err, such as redis.call raises, it returns the text. What err is otherwise is one result
// more.
func basePCall(t *Thread) (int, error) {
	if t.Count() == 0 {
		return t.Return(False, t.state.String("attempt to call a boolean value").Value())
	}
	failure, err := t.PCall(t.Count()-1, multiple)
	if err != nil {
		return 0, err
	}
	if failure == nil {
		t.Insert(1, True)
		return t.Count(), nil
	}
	if failure.Value.Kind() != KindTable {
		return t.Return(False, failure.Value)
	}
	text, err := t.Index(failure.Value, nameErr)
	if err != nil {
		return 0, err
	}
	if isText(text) {
		return t.Return(False, text)
	}
	return t.Return(False, failure.Value, text)
}

var nameErr = NewString("err").Value()

func baseXPCall(t *Thread) (int, error) {
	handler, err := t.CheckAny(2)
	if err != nil {
		return 0, err
	}
	t.top = t.base + 2 // more arguments are dropped
	t.stack[t.base+1] = t.stack[t.base]
	failure, err := t.protect(t.base+1, multiple, func(e *Error) (*Error, error) {
		return t.handle(handler, e)
	})
	if err != nil {
		return 0, err
	}
	if failure != nil {
		return t.Return(False, failure.Value)
	}
	t.stack[t.base] = True
	return t.Count(), nil
}

// handle lets a function make of an error what xpcall returns. Its own errors go to itself, as deep
// as calls may nest.
func (t *Thread) handle(handler Value, e *Error) (*Error, error) {
	if e.memory {
		return e, nil
	}
	t.top = max(t.top, int(t.frames[len(t.frames)-1].top))
	for depth := t.state.goCalls; depth < maxGoCallsError && handler.Kind() == KindFunction; depth++ {
		results, err := t.CallValue(handler, e.Value)
		if err == nil {
			result := &Error{Value: Nil}
			if len(results) > 0 {
				result.Value = results[0]
			}
			return result, nil
		}
		next, catchable := err.(*Error)
		if !catchable {
			return nil, err
		}
		e = next
	}
	return t.state.newError("error in error handling"), nil
}

func baseToString(t *Thread) (int, error) {
	v, err := t.CheckAny(1)
	if err != nil {
		return 0, err
	}
	if handler := t.state.metamethod(v, nameToString); !handler.IsNil() {
		t.Push(handler)
		t.Push(v)
		return 1, t.Call(1, 1)
	}
	s, err := t.ToString(v)
	if err != nil {
		return 0, err
	}
	return t.Return(s.Value())
}

func baseToNumber(t *Thread) (int, error) {
	base, err := t.OptInt(2, 10)
	if err != nil {
		return 0, err
	}
	if base = int(int32(base)); base == 10 {
		v, err := t.CheckAny(1)
		if err != nil {
			return 0, err
		}
		if n, ok := v.ToNumber(); ok {
			return t.Return(Number(n))
		}
		return t.Return(Nil)
	}
	s, err := t.CheckString(1)
	if err != nil {
		return 0, err
	}
	if base < 2 || base > 36 {
		return 0, t.ArgError(2, "base out of range")
	}
	if n, ok := parseUnsigned(s.s, uint64(base)); ok {
		return t.Return(Number(float64(n)))
	}
	return t.Return(Nil)
}

// parseUnsigned reads an integer as C's strtoul, with space around it: a minus sign makes its
// complement, and what is too large becomes the largest.
func parseUnsigned(s string, base uint64) (uint64, bool) {
	s = CText(s)
	s = s[skipSpace(s):]
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	if base == 16 && len(s) > 2 && hasFold(s, "0x") && isHexDigit(s[2]) {
		s = s[2:]
	}
	n, digits, overflow := uint64(0), 0, false
	for ; digits < len(s); digits++ {
		d := digitValue(s[digits])
		if d >= base {
			break
		}
		if n > (math.MaxUint64-d)/base {
			overflow = true
		}
		n = n*base + d
	}
	if rest := s[digits:]; digits == 0 || skipSpace(rest) < len(rest) {
		return 0, false
	}
	switch {
	case overflow:
		return math.MaxUint64, true
	case negative:
		return -n, true
	}
	return n, true
}

// digitValue is the value of a digit in any base, at least 36 of what is none.
func digitValue(c byte) uint64 {
	switch {
	case isDigit(c):
		return uint64(c - '0')
	case isAlpha(c):
		return uint64(c|0x20-'a') + 10
	}
	return math.MaxUint64
}

func baseType(t *Thread) (int, error) {
	v, err := t.CheckAny(1)
	if err != nil {
		return 0, err
	}
	return t.Return(kindStrings[v.Kind()].Value())
}

// kindStrings are what type() answers.
var kindStrings = func() (names [len(kindNames)]*String) {
	for i, name := range kindNames {
		names[i] = NewString(name)
	}
	return names
}()

func baseSelect(t *Thread) (int, error) {
	n := t.Count()
	if s := t.Arg(1).AsString(); s != nil && strings.HasPrefix(s.s, "#") {
		return t.Return(Int(n - 1))
	}
	i, err := t.CheckInt(1)
	if err != nil {
		return 0, err
	}
	if i = int(int32(i)); i < 0 {
		i += n
	} else {
		i = min(i, n)
	}
	if i < 1 {
		return 0, t.ArgError(1, "index out of range")
	}
	return n - i, nil
}

func baseUnpack(t *Thread) (int, error) {
	table, err := t.CheckTable(1)
	if err != nil {
		return 0, err
	}
	first, err := t.OptInt(2, 1)
	if err != nil {
		return 0, err
	}
	var last int
	if t.Arg(3).IsNil() {
		last = table.Len()
	} else if last, err = t.CheckInt(3); err != nil {
		return 0, err
	}
	// C has integers of 32 bits here, and their difference wraps around.
	from, to := int32(first), int32(last)
	if from > to {
		return 0, nil
	}
	n := to - from + 1
	if n <= 0 || !t.Room(int(n)) {
		return 0, t.Errorf("too many results to unpack")
	}
	for i := range int(n) {
		t.Push(table.GetInt(int(from) + i))
	}
	return int(n), nil
}

func baseGetMetatable(t *Thread) (int, error) {
	v, err := t.CheckAny(1)
	if err != nil {
		return 0, err
	}
	meta := t.state.metatable(v)
	if meta == nil {
		return t.Return(Nil)
	}
	if protected := meta.GetStr(nameMetatable); !protected.IsNil() {
		return t.Return(protected)
	}
	return t.Return(meta.Value())
}

func baseSetMetatable(t *Thread) (int, error) {
	table, err := t.CheckTable(1)
	if err != nil {
		return 0, err
	}
	meta := t.Arg(2).AsTable()
	if meta == nil && (t.Count() < 2 || !t.Arg(2).IsNil()) {
		return 0, t.ArgError(2, "nil or table expected")
	}
	if table.meta != nil && !table.meta.GetStr(nameMetatable).IsNil() {
		return 0, t.Errorf("cannot change a protected metatable")
	}
	if err := t.CheckWritable(table); err != nil {
		return 0, err
	}
	table.meta = meta
	return t.Return(table.Value())
}

func baseRawEqual(t *Thread) (int, error) {
	for i := 1; i <= 2; i++ {
		if _, err := t.CheckAny(i); err != nil {
			return 0, err
		}
	}
	return t.Return(Bool(Equal(t.Arg(1), t.Arg(2))))
}

func baseRawGet(t *Thread) (int, error) {
	table, err := t.CheckTable(1)
	if err != nil {
		return 0, err
	}
	key, err := t.CheckAny(2)
	if err != nil {
		return 0, err
	}
	return t.Return(table.Get(key))
}

func baseRawSet(t *Thread) (int, error) {
	table, err := t.CheckTable(1)
	if err != nil {
		return 0, err
	}
	for i := 2; i <= 3; i++ {
		if _, err := t.CheckAny(i); err != nil {
			return 0, err
		}
	}
	if err := t.CheckWritable(table); err != nil {
		return 0, err
	}
	if err := t.RawSet(table, t.Arg(2), t.Arg(3)); err != nil {
		return 0, err
	}
	return t.Return(table.Value())
}

func baseNext(t *Thread) (int, error) {
	table, err := t.CheckTable(1)
	if err != nil {
		return 0, err
	}
	key, v, ok, err := table.Next(t.Arg(2))
	if err != nil {
		return 0, t.placed(err)
	}
	if !ok {
		return t.Return(Nil)
	}
	return t.Return(key, v)
}

// baseEach is the iterator of ipairs.
func baseEach(t *Thread) (int, error) {
	i, err := t.CheckInt(2)
	if err != nil {
		return 0, err
	}
	table, err := t.CheckTable(1)
	if err != nil {
		return 0, err
	}
	i = int(int32(i) + 1)
	v := table.GetInt(i)
	if v.IsNil() {
		return 0, nil
	}
	return t.Return(Int(i), v)
}

func baseLoadString(t *Thread) (int, error) {
	s, err := t.CheckString(1)
	if err != nil {
		return 0, err
	}
	name, err := t.OptString(2, s.s)
	if err != nil {
		return 0, err
	}
	return t.load(s.s, name)
}

func baseLoad(t *Thread) (int, error) {
	name, err := t.OptString(2, "=(load)")
	if err != nil {
		return 0, err
	}
	if _, err := t.CheckFunction(1); err != nil {
		return 0, err
	}
	var source []byte
	for {
		t.Push(t.Arg(1))
		failure, err := t.PCall(0, 1)
		if err != nil {
			return 0, err
		}
		if failure != nil {
			return t.Return(Nil, failure.Value)
		}
		piece := t.Arg(t.Count())
		t.Pop(1)
		if piece.IsNil() {
			break
		}
		if !isText(piece) {
			return t.Return(Nil, t.state.String(t.Where(1)+"reader function must return a string").Value())
		}
		text := (&Error{Value: piece}).Error()
		if text == "" {
			break
		}
		if err := t.Reserve(2 * (len(source) + len(text))); err != nil {
			return 0, err
		}
		source = append(source, text...)
	}
	return t.load(string(source), name)
}

// load makes a function of a source.
func (t *Thread) load(source, name string) (int, error) {
	// A tree takes up to about forty times the bytes of its source, for a short time.
	const treeFactor = 16
	if err := t.Step(len(source) >> 4); err != nil {
		return 0, err
	}
	if err := t.Reserve(treeFactor * len(source)); err != nil {
		return 0, err
	}
	p, err := Load(source, name)
	if err != nil {
		return t.Return(Nil, t.state.String(err.Error()).Value())
	}
	p.own(&loaded{size: p.Size()})
	t.state.count += p.owner.size
	return t.Return(t.state.NewFunction(p).Value())
}

// Load makes code of a source.
func Load(source, name string) (*Proto, error) {
	tree, err := syntax.Parse(source, name)
	if err != nil {
		return nil, err
	}
	return Compile(tree, name)
}

func baseGCInfo(t *Thread) (int, error) {
	return t.Return(Int(int(t.state.count >> 10)))
}

// baseCollectGarbage answers as C's collector does, which is not the one that frees memory here.
func baseCollectGarbage(t *Thread) (int, error) {
	option, err := t.OptString(1, "collect")
	if err != nil {
		return 0, err
	}
	if _, err := t.OptInt(2, 0); err != nil {
		return 0, err
	}
	switch option {
	case "count":
		return t.Return(Number(float64(t.state.count) / 1024))
	case "collect", "step":
		if err := t.state.measure(); err != nil {
			return 0, err
		}
		if option == "step" {
			return t.Return(True)
		}
		return t.Return(Int(0))
	case "stop", "restart":
		return t.Return(Int(0))
	case "setpause", "setstepmul":
		return t.Return(Int(200)) // the value before, which a script never changes
	}
	return 0, t.ArgError(1, "invalid option '"+CText(option)+"'")
}
