package lua

import (
	"math/rand/v2"
	"strings"
)

// generator makes programs that are right in their syntax, and sense nothing.
type generator struct {
	rng   *rand.Rand
	b     strings.Builder
	loops int
	vars  bool // "..." may be used
}

func (g *generator) chunk() string {
	g.b.Reset()
	g.loops, g.vars = 0, true
	g.block(4)
	return g.b.String()
}

// pick is one of several words.
func (g *generator) pick(words ...string) string { return words[g.rng.IntN(len(words))] }

// put writes words, with a space or the end of a line behind each.
func (g *generator) put(words ...string) {
	for _, w := range words {
		g.b.WriteString(w)
		g.b.WriteString(g.pick(" ", " ", " ", " ", "\n"))
	}
}

func (g *generator) name() string { return g.pick("a", "b", "c", "d", "self", "arg", "x1") }

// list writes up to n things with commas between them, at least one.
func (g *generator) list(n int, one func()) {
	for i := range 1 + g.rng.IntN(n) {
		if i > 0 {
			g.put(",")
		}
		one()
	}
}

func (g *generator) names(n int) { g.list(n, func() { g.put(g.name()) }) }

func (g *generator) block(depth int) {
	for range g.rng.IntN(5) {
		g.statement(depth - 1)
		if g.rng.IntN(4) == 0 {
			g.put(";")
		}
	}
	switch {
	case g.rng.IntN(6) == 0:
		g.put("return")
		if g.rng.IntN(4) > 0 {
			g.list(3, func() { g.expr(depth) })
		}
	case g.loops > 0 && g.rng.IntN(5) == 0:
		g.put("break")
	}
}

func (g *generator) statement(depth int) {
	if depth <= 0 {
		g.simple(1)
		return
	}
	switch g.rng.IntN(12) {
	case 0:
		g.put("do")
		g.block(depth)
		g.put("end")
	case 1:
		g.put("while")
		g.expr(depth)
		g.put("do")
		g.loop(depth)
		g.put("end")
	case 2:
		g.put("repeat")
		g.loop(depth)
		g.put("until")
		g.expr(depth)
	case 3:
		g.conditional(depth)
	case 4:
		g.put("for", g.name(), "=")
		g.expr(2)
		g.put(",")
		g.expr(2)
		if g.rng.IntN(2) == 0 {
			g.put(",")
			g.expr(2)
		}
		g.put("do")
		g.loop(depth)
		g.put("end")
	case 5:
		g.put("for")
		g.names(3)
		g.put("in")
		g.list(3, func() { g.expr(2) })
		g.put("do")
		g.loop(depth)
		g.put("end")
	case 6:
		g.put("local", "function", g.name())
		g.body(depth)
	case 7:
		g.put("function", g.name())
		for g.rng.IntN(2) == 0 {
			g.put(".", g.name())
		}
		if g.rng.IntN(3) == 0 {
			g.put(":", g.name())
		}
		g.body(depth)
	default:
		g.simple(depth)
	}
}

// simple writes a statement without a block.
func (g *generator) simple(depth int) {
	switch g.rng.IntN(3) {
	case 0:
		g.put("local")
		g.names(4)
		if g.rng.IntN(3) > 0 {
			g.put("=")
			g.list(4, func() { g.expr(depth) })
		}
	case 1:
		g.list(3, func() { g.target(depth) })
		g.put("=")
		g.list(3, func() { g.expr(depth) })
	default:
		g.put(g.name())
		g.call(depth)
	}
}

func (g *generator) loop(depth int) {
	g.loops++
	g.block(depth)
	g.loops--
}

func (g *generator) conditional(depth int) {
	g.put("if")
	g.expr(depth)
	g.put("then")
	g.block(depth)
	for g.rng.IntN(3) == 0 {
		g.put("elseif")
		g.expr(depth)
		g.put("then")
		g.block(depth)
	}
	if g.rng.IntN(2) == 0 {
		g.put("else")
		g.block(depth)
	}
	g.put("end")
}

// body writes a function from its parameters on.
func (g *generator) body(depth int) {
	loops, vars := g.loops, g.vars
	g.loops, g.vars = 0, false
	g.put("(")
	switch g.rng.IntN(3) {
	case 0:
		g.names(3)
	case 1:
		if g.rng.IntN(2) == 0 {
			g.names(2)
			g.put(",")
		}
		g.put("...")
		g.vars = true
	}
	g.put(")")
	g.block(depth)
	g.put("end")
	g.loops, g.vars = loops, vars
}

func (g *generator) target(depth int) {
	g.put(g.name())
	for g.rng.IntN(2) == 0 {
		g.index(depth)
	}
}

func (g *generator) index(depth int) {
	if g.rng.IntN(2) == 0 {
		g.put(".", g.name())
		return
	}
	g.put("[")
	g.expr(depth - 1)
	g.put("]")
}

// call writes a call of what stands before it. Its bracket has to be in the same line.
func (g *generator) call(depth int) {
	text := strings.TrimRight(g.b.String(), " \n")
	g.b.Reset()
	g.b.WriteString(text)
	switch g.rng.IntN(6) {
	case 0:
		g.put(" 'text'")
		return
	case 1:
		g.b.WriteByte(' ')
		g.table(depth - 1)
		return
	case 2:
		g.b.WriteString(":" + g.name())
	}
	g.put("(")
	if g.rng.IntN(3) > 0 {
		g.list(3, func() { g.expr(depth - 1) })
	}
	g.put(")")
}

func (g *generator) table(depth int) {
	g.put("{")
	for range g.rng.IntN(4) {
		switch g.rng.IntN(4) {
		case 0:
			g.put(g.name(), "=")
		case 1:
			g.put("[")
			g.expr(depth)
			g.put("]", "=")
		}
		g.expr(depth)
		g.put(g.pick(",", ";"))
	}
	g.put("}")
}

func (g *generator) expr(depth int) {
	if depth <= 0 {
		g.atom()
		return
	}
	switch g.rng.IntN(10) {
	case 0, 1, 2, 3:
		g.expr(depth - 1)
		g.put(g.pick("+", "-", "*", "/", "%", "^", "..", "==", "~=", "<", "<=", ">", ">=", "and", "or", "and", "or"))
		g.expr(depth - 1)
	case 4:
		g.put(g.pick("not", "- ", "#"))
		g.expr(depth - 1)
	case 5:
		g.put("(")
		g.expr(depth - 1)
		g.put(")")
		if g.rng.IntN(4) == 0 {
			g.call(depth)
		}
	case 6:
		g.target(depth - 1)
		if g.rng.IntN(2) == 0 {
			g.call(depth)
		}
	case 7:
		g.table(depth - 1)
	case 8:
		if g.rng.IntN(3) == 0 {
			g.put("function")
			g.body(depth - 1)
			return
		}
		g.atom()
	default:
		g.atom()
	}
}

func (g *generator) atom() {
	if g.vars && g.rng.IntN(8) == 0 {
		g.put("...")
		return
	}
	g.put(g.pick("nil", "true", "false", "1", "2", "0", "0.5", "'text'", "'a'", "a", "b", "c", "d", "x1", "a.b", "f(a)"))
}
