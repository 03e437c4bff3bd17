package commands

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// scriptMaker makes random scripts of the kind that a proof understands, with a mistake now and then:
// a value of another kind than the place asks for. Variables named k hold keys, t tables, d data, f
// functions, c redis.call; each statement is protected, so that an error does not end the script.
type scriptMaker struct {
	rng      *rand.Rand
	mistakes float64
	depth    int
	b        strings.Builder
}

func (m *scriptMaker) pick(options ...string) string { return options[m.rng.IntN(len(options))] }

func (m *scriptMaker) wrong() bool { return m.rng.Float64() < m.mistakes }

// deep reports whether an expression may have parts.
func (m *scriptMaker) deep() bool { return m.depth < 3 && m.rng.IntN(2) == 0 }

func (m *scriptMaker) variable(kind string) string {
	return fmt.Sprint(kind, 1+m.rng.IntN(2))
}

func (m *scriptMaker) key() string {
	if m.wrong() {
		return m.data()
	}
	if !m.deep() {
		return m.pick("KEYS[1]", "KEYS[2]", "KEYS[3]", "KEYS[i]", m.variable("k"), m.variable("k"))
	}
	m.depth++
	defer func() { m.depth-- }()
	switch m.rng.IntN(13) {
	case 0:
		return fmt.Sprintf("(%s and %s or %s)", m.data(), m.key(), m.key())
	case 1:
		return fmt.Sprintf("(%s or %s)", m.key(), m.key())
	case 2:
		return fmt.Sprintf("assert(%s)", m.key())
	case 3, 4:
		return "(" + m.table() + ")" + m.pick("[1]", "[2]", "[3]", "[#KEYS]", ".x", "[i]", "[d1]")
	case 5, 6:
		return fmt.Sprintf("%s(%s)", m.variable("f"), m.arguments())
	case 7:
		return fmt.Sprintf("(function(a, b) %s return %s end)(%s)", m.pick("", "a = b", "b = a"), m.pick("a", "b"), m.arguments())
	case 8:
		return "(unpack(" + m.pick("KEYS", "KEYS, 2", m.table()) + "))"
	case 9:
		return "table.remove(" + m.variable("t") + ")"
	case 10:
		return "tostring(" + m.pick("KEYS[1]", "KEYS[2]", m.key()) + ")"
	case 11:
		return "select(2, next(" + m.pick("KEYS", m.table()) + "))"
	}
	return "KEYS[" + m.data() + "]"
}

func (m *scriptMaker) data() string {
	if m.wrong() {
		return m.pick(m.key(), "redis.call", "KEYS", "redis", m.variable("t"), m.variable("f"), m.variable("c"), "nil", "false")
	}
	if !m.deep() {
		return m.pick("ARGV[1]", "ARGV[2]", "'stray'", "1", "2", "i", "#KEYS", m.variable("d"), "true")
	}
	m.depth++
	defer func() { m.depth-- }()
	return m.pick(
		m.key()+" .. 'x'", "tostring("+m.key()+")", "#("+m.table()+")", "ARGV["+m.data()+"]", "("+m.data()+" or "+m.data()+")",
		m.call(), "cjson.encode("+m.table()+")", "type("+m.key()+")", "("+m.key()+" == "+m.data()+")", "("+m.key()+"):sub(1, 2)",
		"select('#', "+m.arguments()+")", "table.concat("+m.table()+")")
}

func (m *scriptMaker) table() string {
	if m.wrong() {
		return m.pick("KEYS", "ARGV", "redis", m.data())
	}
	if !m.deep() {
		return m.variable("t")
	}
	m.depth++
	defer func() { m.depth-- }()
	return m.pick("{}", "{"+m.arguments()+"}", "{'del', "+m.key()+"}", "{x = "+m.key()+", "+m.key()+"}",
		"{"+m.key()+", unpack(KEYS)}", "{['x'] = "+m.key()+"}", "{[2] = "+m.key()+", "+m.key()+"}", "{unpack("+m.table()+")}",
		"("+m.table()+" or {})")
}

// arguments is one to three keys.
func (m *scriptMaker) arguments() string {
	list := []string{m.key(), m.key(), m.key()}[:1+m.rng.IntN(3)]
	if m.rng.IntN(6) == 0 {
		list = append(list, m.pick("unpack(KEYS)", "unpack("+m.table()+")", m.variable("f")+"("+m.key()+")"))
	}
	return strings.Join(list, ", ")
}

func (m *scriptMaker) call() string {
	c := m.pick("redis.call(", "redis.pcall(", m.variable("c")+"(", "pcall(redis.call, ", "pcall("+m.variable("c")+", ")
	switch m.rng.IntN(10) {
	case 0:
		return c + "'set', " + m.key() + ", " + m.data() + ")"
	case 1:
		return c + "'del', " + m.arguments() + ")"
	case 2:
		return c + "'zunionstore', " + m.key() + ", " + m.pick("1", "2", "#KEYS", "d1") + ", " + m.arguments() + ")"
	case 3:
		return c + "unpack(" + m.variable("t") + "))"
	case 4:
		return c + "'mset', " + m.key() + ", " + m.data() + ", " + m.key() + ", " + m.data() + ")"
	case 5:
		return c + m.pick("'mget'", "'exists'", "d2") + ", unpack(" + m.pick("KEYS", m.table()) + "))"
	case 6:
		return c + "'rename', " + m.key() + ", " + m.key() + ")"
	}
	return c + "'get', " + m.key() + ")"
}

// statement makes one. name is a variable that it may assign to.
func (m *scriptMaker) statement() string {
	switch m.rng.IntN(22) {
	case 0, 1:
		return m.variable("k") + " = " + m.key()
	case 2, 3:
		return m.variable("t") + " = " + m.table()
	case 4:
		return m.variable("d") + " = " + m.data()
	case 5, 6:
		return m.variable("t") + m.pick("[#t1 + 1]", "[#t2 + 1]", "[1]", "[2]", ".x", "[i]", "[d1]", "["+m.data()+"]") + " = " + m.key()
	case 7:
		return "table.insert(" + m.variable("t") + ", " + m.pick("", "1, ", "2, ") + m.key() + ")"
	case 8:
		return m.variable("f") + " = function(a, b, ...) local i = 1 " + m.inner() + " return " + m.pick("a", "b", "a, b", "...", m.key()) + " end"
	case 9:
		return "for i, k1 in " + m.pick("ipairs", "pairs") + "(" + m.pick("KEYS", m.table()) + ") do " + m.inner() + " end"
	case 10:
		return "for i = 1, 3 do " + m.inner() + " end"
	case 11:
		return "if " + m.data() + " then " + m.inner() + " else " + m.inner() + " end"
	case 12:
		return m.variable("f") + "(" + m.arguments() + ")"
	case 13:
		return m.pick("local k1, k2 = ", "k1, k2 = ", "k1, t1[1] = ") + m.arguments() + " " + m.inner()
	case 14:
		return m.variable("c") + " = " + m.pick("redis.call", "redis.pcall")
	case 15:
		return m.odd()
	case 16:
		return m.gathered()
	}
	return "local r = " + m.call()
}

// inner is statements in statements.
func (m *scriptMaker) inner() string {
	if m.depth >= 3 {
		return ""
	}
	m.depth++
	defer func() { m.depth-- }()
	s := m.statement()
	if m.rng.IntN(3) == 0 {
		s += "; " + m.statement()
	}
	return s
}

// gathered is a call whose arguments are put behind a key, which may be missing.
func (m *scriptMaker) gathered() string {
	s := "local t1 = {" + m.pick("'del'", "'rpush'", "'get', "+m.data()) + ", " + m.key() + m.pick("", ", "+m.key(), ", x = "+m.key()) + "} "
	for range 1 + m.rng.IntN(3) {
		s += m.pick("t1[#t1 + 1] = ", "table.insert(t1, ") + m.pick("ARGV[1]", "'stray'", m.data())
		if strings.LastIndex(s, "table.insert(") > strings.LastIndex(s, "t1[#") {
			s += ")"
		}
		s += m.pick(" ", " ", " "+m.inner()+" ")
	}
	return s + "redis.call(unpack(t1))"
}

// odd is what ends most proofs, or should.
func (m *scriptMaker) odd() string {
	if right := !m.wrong(); right && !m.wrong() { // twice: it is to be rare
		return m.call()
	}
	return m.pick(
		"string.gsub('ab', '.', "+m.variable("f")+")", "setmetatable("+m.variable("t")+", {__index = "+m.table()+"})",
		"coroutine.wrap("+m.variable("f")+")("+m.data()+")", "rawset("+m.variable("t")+", 1, "+m.data()+")",
		"table.sort("+m.variable("t")+", "+m.variable("f")+")", "KEYS[1] = "+m.data(), "pcall(error, "+m.data()+")",
		"local KEYS = "+m.table()+" "+m.inner(), "local redis = {call = "+m.variable("c")+"} "+m.inner(),
		"for f in pairs("+m.table()+") do f('get', 'stray') end", m.variable("t")+"["+m.variable("c")+"] = 1",
		"getmetatable('').__index = "+m.variable("f"), "for a, b in next, "+m.table()+" do k1 = b end",
		m.variable("t")+".call = "+m.variable("c")+" "+m.variable("t")+".call('get', "+m.key()+")",
		"local a, b = pcall("+m.variable("f")+", "+m.data()+") k1 = b",
		"table.sort("+m.variable("t")+")", "table.insert(KEYS, 1, 'stray')", "t1, t2 = t2, t1", "k1 = t1", "f1 = f2")
}

// script makes a script that declares all variables first.
func (m *scriptMaker) script() string {
	m.b.Reset()
	m.b.WriteString("local i, d1, d2, k1, k2, t1, t2, f1, f2 = 1, ARGV[1], 'exists', KEYS[1], KEYS[2]\n")
	m.b.WriteString("local c1, c2 = redis.call, redis.pcall\nf1 = function(a, b) return a end\n")
	m.b.WriteString("f2 = function(a, ...) return ... end\n")
	fmt.Fprintf(&m.b, "t1, t2 = {%s}, {%s}\n", m.pick("", m.arguments(), "'del', "+m.key()),
		m.pick("", m.arguments(), "'exists', "+m.key()))
	for range 1 + m.rng.IntN(12) {
		m.b.WriteString("pcall(function() " + m.statement() + " end)\n")
	}
	return m.b.String()
}
