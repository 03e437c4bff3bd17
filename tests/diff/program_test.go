package diff

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A program is a random script in Lua whose reply says everything that it has computed. It ends,
// whatever its statements are: loops and functions count their rounds, strings are kept short.
// What two right interpreters may do differently is left out of it: addresses, and so the order of
// tables that have tables or functions as keys; the sign of what is not a number.
type program []*statement

// statement is text with blocks of statements in between: parts[0], bodies[0], parts[1] ...
type statement struct {
	parts  []string
	bodies []program
	stays  bool // bounds the program, which must not be made smaller by it
}

func plain(format string, args ...any) *statement {
	return &statement{parts: []string{fmt.Sprintf(format, args...)}}
}

// around is a statement with one block in it.
func around(head string, body program, tail string) *statement {
	return &statement{parts: []string{head, tail}, bodies: []program{body}}
}

// bound is a statement that counts rounds and calls.
func bound(more ...string) *statement {
	s := plain("tick() %s", strings.Join(more, " "))
	s.stays = true
	return s
}

// prelude is what programs use. emit notes what they have computed, tick bounds them.
const prelude = `local out, steps, depth = {}, 0, 0
local ascii = tostring
local function tostring(v)
  local s = ascii(v)
  if s:find("^%a+: 0x") then return type(v) end
  return s
end
local function show(v)
  if type(v) == "function" or type(v) == "thread" then return type(v) end
  if type(v) ~= "table" then return type(v) .. ":" .. tostring(v) end
  if depth > 2 then return "deep" end
  depth = depth + 1
  local t = {}
  for k, w in next, v do
    t[#t + 1] = show(k) .. "=" .. show(w)
    if #t > 30 then break end
  end
  depth = depth - 1
  return "{" .. table.concat(t, ",") .. "}#" .. #v
end
local function emit(...)
  for i = 1, select("#", ...) do out[#out + 1] = show((select(i, ...))) end
  if #out > 400 then error("much is said", 0) end
end
local function guard(...)
  local ok, e = pcall(...)
  if not ok then emit(e) end
end
local function tick()
  steps = steps + 1
  if steps > 1500 then error("many steps", 0) end
end
local function clip(v)
  if type(v) == "string" and #v > 150 then return v:sub(1, 150) end
  return v
end
local function key(v)
  if type(v) == "table" or type(v) == "function" or type(v) == "thread" then return type(v) end
  return v
end
`

func (p program) String() string {
	var b strings.Builder
	b.WriteString(prelude)
	b.WriteString("emit(pcall(function(...)\n")
	p.write(&b, 1)
	b.WriteString("end, 1, \"two\", nil))\nreturn table.concat(out, \"\\n\")\n")
	return b.String()
}

func (p program) write(b *strings.Builder, indent int) {
	for _, s := range p {
		for i, part := range s.parts {
			b.WriteString(strings.Repeat("  ", indent))
			b.WriteString(part)
			b.WriteByte('\n')
			if i < len(s.bodies) {
				s.bodies[i].write(b, indent+1)
			}
		}
	}
}

// shrink leaves out statements, or puts bodies in the place of the statements around them, as long
// as what is left still fails.
func (p program) shrink(fails func(program) bool) program {
	for again := true; again; {
		again = false
		for i := 0; i < len(p); i++ {
			for _, candidate := range p.without(i) {
				if fails(candidate) {
					p, again = candidate, true
					i--
					break
				}
			}
		}
	}
	return p
}

// without returns programs that are smaller at one statement.
func (p program) without(i int) (smaller []program) {
	with := func(instead ...*statement) {
		candidate := append(append(program{}, p[:i]...), instead...)
		smaller = append(smaller, append(candidate, p[i+1:]...))
	}
	if p[i].stays {
		return nil
	}
	with()
	for _, body := range p[i].bodies {
		with(body...)
	}
	for j, body := range p[i].bodies {
		for k := range body {
			for _, less := range body.without(k) {
				s := &statement{parts: p[i].parts, bodies: append([]program{}, p[i].bodies...)}
				s.bodies[j] = less
				with(s)
			}
		}
	}
	return smaller
}

// holding is what a variable is meant to hold; a program may say so wrongly.
type holding uint8

const (
	aNumber holding = iota
	aText
	aTable
	aFunction
	aTruth
	holdings
)

// variable is a local name in scope.
type variable struct {
	name  string
	holds holding
}

// writer makes a program.
type writer struct {
	rnd     *rand.Rand
	scope   []variable
	made    int  // names so far
	left    int  // statements that may still be made
	loops   int  // around the place
	varargs bool // of the function around it
	yields  bool // inside a coroutine
}

func writeProgram(rnd *rand.Rand) program {
	w := &writer{rnd: rnd, left: 10 + rnd.IntN(50), varargs: true}
	return w.block(0)
}

func (w *writer) pick(choices ...string) string { return choices[w.rnd.IntN(len(choices))] }

func (w *writer) oneIn(n int) bool { return w.rnd.IntN(n) == 0 }

// name makes a new local variable, which the caller brings into scope.
func (w *writer) name() string {
	w.made++
	return fmt.Sprintf("%c%d", 'a'+rune(w.rnd.IntN(26)), w.made)
}

func (w *writer) declare(name string, holds holding) {
	w.scope = append(w.scope, variable{name, holds})
}

// inner runs what makes a block, and takes its locals out of scope.
func (w *writer) inner(make func() program) program {
	scope := len(w.scope)
	body := make()
	w.scope = w.scope[:scope]
	return body
}

func (w *writer) block(depth int) program {
	return w.inner(func() (p program) {
		for range 1 + w.rnd.IntN(8) {
			if w.left <= 0 {
				break
			}
			w.left--
			p = append(p, w.statement(depth))
		}
		switch {
		case w.loops > 0 && w.oneIn(6):
			p = append(p, plain("if %s then break end", w.value(aTruth, 1)))
		case depth > 0 && w.oneIn(8):
			p = append(p, plain("do return %s end", w.list(1, 1)))
		}
		return p
	})
}

func (w *writer) statement(depth int) *statement {
	if depth > 3 {
		return w.simple()
	}
	switch w.rnd.IntN(14) {
	case 0, 1:
		return w.conditional(depth)
	case 2:
		return w.loop(depth)
	case 3:
		return w.numericFor(depth)
	case 4:
		return w.genericFor(depth)
	case 5, 6:
		return w.function(depth)
	case 7:
		return w.protected(depth)
	case 8:
		return w.coroutine(depth)
	case 9:
		return w.object(depth)
	}
	return w.simple()
}

// simple is a statement without blocks.
func (w *writer) simple() *statement {
	switch w.rnd.IntN(12) {
	case 0, 1, 2:
		holds := holding(w.rnd.IntN(int(holdings)))
		name, value := w.name(), w.value(holds, 1)
		w.declare(name, holds)
		return plain("local %s = clip(%s)", name, value)
	case 3, 4:
		holds := holding(w.rnd.IntN(int(holdings)))
		if name := w.variable(holds); name != "" {
			return w.guarded("%s = clip(%s)", name, w.value(holds, 3))
		}
	case 5:
		a, b := w.name(), w.name()
		values := w.list(1, 2)
		w.declare(a, aNumber)
		w.declare(b, aText)
		return plain("local %s, %s = %s", a, b, values)
	case 6, 7:
		if t := w.variable(aTable); t != "" {
			return w.guarded("%s[key(%s)] = %s", t, w.any(1), w.any(2))
		}
	case 8:
		if t := w.variable(aTable); t != "" {
			return w.guarded("%s", w.pick(
				fmt.Sprintf("table.insert(%s, %s)", t, w.any(1)),
				fmt.Sprintf("table.insert(%s, %s, %s)", t, w.small(), w.any(1)),
				fmt.Sprintf("emit(table.remove(%s))", t),
				fmt.Sprintf("emit(table.remove(%s, %s))", t, w.small()),
				fmt.Sprintf("table.sort(%s)", t),
				fmt.Sprintf("table.sort(%s, function(x, y) return tostring(x) > tostring(y) end)", t),
				fmt.Sprintf("table.sort(%s, function(x, y) return %s end)", t, w.comparison()),
				fmt.Sprintf("%s.%s = %s", t, w.field(), w.any(2)),
				fmt.Sprintf("%s[#%s + 1] = %s", t, t, w.any(1)),
				fmt.Sprintf("%s[#%s] = nil", t, t)))
		}
	case 9:
		if w.yields {
			return plain("emit(coroutine.yield(%s))", w.list(0, 2))
		}
		if w.oneIn(4) {
			return plain("error(%s)", w.list(1, 1))
		}
	}
	return w.guarded("emit(%s)", w.list(1, 3))
}

// guarded is a statement whose errors mostly do not end the program.
func (w *writer) guarded(format string, args ...any) *statement {
	if w.oneIn(4) {
		return plain(format, args...)
	}
	call := fmt.Sprintf(format, args...)
	if w.varargs {
		return plain("guard(function(...) %s end, ...)", call)
	}
	return plain("guard(function() %s end)", call)
}

func (w *writer) conditional(depth int) *statement {
	s := &statement{
		parts:  []string{fmt.Sprintf("if %s then", w.value(aTruth, 2))},
		bodies: []program{w.block(depth + 1)},
	}
	if w.oneIn(3) {
		s.parts = append(s.parts, fmt.Sprintf("elseif %s then", w.value(aTruth, 2)))
		s.bodies = append(s.bodies, w.block(depth+1))
	}
	if w.oneIn(2) {
		s.parts = append(s.parts, "else")
		s.bodies = append(s.bodies, w.block(depth+1))
	}
	s.parts = append(s.parts, "end")
	return s
}

// looping runs what makes the body of a loop.
func (w *writer) looping(depth int, before ...string) program {
	w.loops++
	body := append(program{bound(before...)}, w.block(depth+1)...)
	w.loops--
	return body
}

func (w *writer) loop(depth int) *statement {
	count := w.name()
	w.declare(count, aNumber)
	if w.oneIn(2) {
		body := w.looping(depth, fmt.Sprintf("%s = %s + 1", count, count))
		head := fmt.Sprintf("local %s = 0 while %s < %s do", count, count, w.pick("3", "7", "12"))
		return around(head, body, "end")
	}
	last := w.name()
	body := w.looping(depth, fmt.Sprintf("%s = %s + 1 local %s = %s", count, count, last, w.value(aTruth, 1)))
	return around(fmt.Sprintf("local %s = 0 repeat", count), body, fmt.Sprintf("until %s or %s > 5", last, count))
}

func (w *writer) numericFor(depth int) *statement {
	name := w.name()
	bounds := w.pick("1, 5", "10, 1, -3", "1, 2, 0.25", "0, -1", "-3, 3, 2", fmt.Sprintf("1, %s", w.small()),
		fmt.Sprintf("%s, %s", w.small(), w.value(aNumber, 1)))
	body := w.inner(func() program {
		w.declare(name, aNumber)
		return w.looping(depth)
	})
	return around(fmt.Sprintf("for %s = %s do", name, bounds), body, "end")
}

func (w *writer) genericFor(depth int) *statement {
	k, v := w.name(), w.name()
	over := fmt.Sprintf(w.pick("pairs(%s)", "ipairs(%s)", "next, %s"), w.value(aTable, 1))
	if w.oneIn(4) {
		over = fmt.Sprintf("string.gmatch(%s, %s)", w.value(aText, 1), w.pattern())
	}
	body := w.inner(func() program {
		w.declare(k, aNumber)
		w.declare(v, aText)
		return w.looping(depth)
	})
	return around(fmt.Sprintf("for %s, %s in %s do", k, v, over), body, "end")
}

// within runs what makes the body of a function with these parameters.
func (w *writer) within(depth int, varargs, yields bool, parameters ...string) program {
	loops, outer, yielding := w.loops, w.varargs, w.yields
	w.loops, w.varargs, w.yields = 0, varargs, yields
	body := w.inner(func() program {
		for i, p := range parameters {
			w.declare(p, holding(i%int(holdings)))
		}
		body := append(program{bound()}, w.block(depth+1)...)
		return append(body, plain("do return %s end", w.list(0, 2)))
	})
	w.loops, w.varargs, w.yields = loops, outer, yielding
	return body
}

func (w *writer) function(depth int) *statement {
	name, a, b := w.name(), w.name(), w.name()
	head := w.pick("local function %s(%s, %s)", "local %s = function(%s, %s)")
	varargs := w.oneIn(3)
	if varargs {
		head = strings.Replace(head, "%s)", "%s, ...)", 1)
	}
	callsItself := strings.HasPrefix(head, "local function")
	if callsItself {
		w.declare(name, aFunction)
	}
	body := w.within(depth, varargs, false, a, b)
	if !callsItself {
		w.declare(name, aFunction)
	}
	return around(fmt.Sprintf(head, name, a, b), body, "end")
}

func (w *writer) protected(depth int) *statement {
	if w.oneIn(3) {
		body := w.within(depth, false, false)
		handler := w.pick("function(e) return show(e) .. \"!\" end", "tostring", "show", "error", "nil")
		return around("emit(xpcall(function()", body, fmt.Sprintf("end, %s))", handler))
	}
	a := w.name()
	body := w.within(depth, true, false, a)
	return around(fmt.Sprintf("emit(pcall(function(%s, ...)", a), body, fmt.Sprintf("end, %s))", w.list(1, 3)))
}

func (w *writer) coroutine(depth int) *statement {
	name, a := w.name(), w.name()
	body := w.within(depth, false, true, a)
	w.declare(name, aFunction)
	if w.oneIn(2) {
		return around(fmt.Sprintf("local %s = coroutine.wrap(function(%s)", name, a), body, "end)")
	}
	end := fmt.Sprintf("end) local function %s(...) local s = coroutine.status(%sco) return s, "+
		"coroutine.resume(%sco, ...) end", name, name, name)
	return around(fmt.Sprintf("local %sco = coroutine.create(function(%s)", name, a), body, end)
}

// object is a table with a metatable.
func (w *writer) object(depth int) *statement {
	name, a, b := w.name(), w.name(), w.name()
	event := "__" + w.pick("index", "newindex", "add", "sub", "mul", "div", "mod", "pow", "unm", "concat", "eq", "lt",
		"le",
		"call", "len", "tostring")
	body := w.within(depth, false, false, a, b)
	w.declare(name, aTable)
	open := fmt.Sprintf("local %s = setmetatable(%s, {%s = function(%s, %s)", name, w.constructor(1), event, a, b)
	return around(open, body, "end})")
}
