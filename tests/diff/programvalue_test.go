package diff

import (
	"fmt"
	"strings"
)

// Expressions of random programs.

// variable is the name of one in scope, mostly of that sort; empty if there is none.
func (w *writer) variable(holds holding) string {
	var fitting []string
	for _, v := range w.scope {
		if v.holds == holds || w.oneIn(60) {
			fitting = append(fitting, v.name)
		}
	}
	if len(fitting) == 0 {
		return ""
	}
	return w.pick(fitting...)
}

// any is an expression of any sort.
func (w *writer) any(depth int) string {
	if w.oneIn(12) {
		return "nil"
	}
	if w.varargs && w.oneIn(12) {
		return w.pick("...", "(...)", "select('#', ...)", "{...}", "(select(2, ...))")
	}
	return w.value(holding(w.rnd.IntN(int(holdings))), depth)
}

// list is some expressions with commas between.
func (w *writer) list(least, most int) string {
	var values []string
	for range least + w.rnd.IntN(most-least+1) {
		values = append(values, w.any(2))
	}
	if len(values) == 0 {
		return ""
	}
	return strings.Join(values, ", ")
}

// value is an expression of a sort, if nothing goes wrong in it.
func (w *writer) value(holds holding, depth int) string {
	if w.oneIn(50) {
		return w.any(depth - 1)
	}
	if name := w.variable(holds); name != "" && (depth <= 0 || w.oneIn(3)) {
		return name
	}
	if f := w.variable(aFunction); f != "" && depth > 0 && w.oneIn(8) {
		return fmt.Sprintf("%s(%s)", f, w.list(0, 2))
	}
	if t := w.variable(aTable); t != "" && depth > 0 && w.oneIn(8) {
		return w.pick(t+"."+w.field(), fmt.Sprintf("%s[ %s ]", t, w.any(depth-1)), fmt.Sprintf("%s[ %s ]", t, w.small()))
	}
	switch holds {
	case aNumber:
		return w.numeric(depth)
	case aText:
		return w.textual(depth)
	case aTable:
		return w.tabular(depth)
	case aFunction:
		return w.pick(fmt.Sprintf("function(x, ...) tick() return %s end", w.outside(depth-1)), "tostring", "tonumber", "type", "string.upper", "math.floor", "select")
	}
	return w.logical(depth)
}

// outside is an expression that has no ... of the function around it.
func (w *writer) outside(depth int) string {
	outer := w.varargs
	w.varargs = true
	w.scope = append(w.scope, variable{"x", holding(w.rnd.IntN(int(holdings)))})
	value := w.any(depth)
	w.scope = w.scope[:len(w.scope)-1]
	w.varargs = outer
	return value
}

// comparison is what a function to sort by returns, right or not.
func (w *writer) comparison() string {
	outer := w.varargs
	w.varargs = false
	value := w.pick("x < y", "x > y", "type(x) < type(y)", w.value(aTruth, 1))
	w.varargs = outer
	return value
}

func (w *writer) field() string { return w.pick("x", "y", "name", "value", "next", "n") }

func (w *writer) small() string { return w.pick("0", "1", "2", "3", "4", "5", "-1") }

func (w *writer) numeric(depth int) string {
	if depth <= 0 {
		return w.pick("0", "1", "2", "3", "-1", "0.5", "10", "7", "1e3", "0x1F", "2^31", "1e15", "1/3", "-0.25", "255", "1e300", "(0/0)", "(1/0)", "100", "'12'", "' 0x1f '")
	}
	sub := func() string { return w.value(aNumber, depth-1) }
	switch w.rnd.IntN(12) {
	case 0, 1, 2, 3:
		return fmt.Sprintf("(%s %s %s)", sub(), w.pick("+", "-", "*", "/", "%", "^", "+", "-", "*"), sub())
	case 4:
		return fmt.Sprintf("-(%s)", sub())
	case 5:
		return "# " + w.pick(w.value(aText, 0), w.value(aTable, 0))
	case 6:
		return fmt.Sprintf("math.%s(%s)", w.pick("floor", "ceil", "abs", "sqrt", "modf", "frexp", "exp", "log"), sub())
	case 7:
		return fmt.Sprintf("math.%s(%s, %s)", w.pick("max", "min", "fmod", "pow", "ldexp"), sub(), sub())
	case 8:
		return fmt.Sprintf("tonumber(%s)", w.any(depth-1))
	case 9:
		return fmt.Sprintf("(tonumber(%s, %s))", w.value(aText, depth-1), w.pick("10", "16", "2", "36", "8"))
	case 10:
		return fmt.Sprintf("(string.byte(%s, %s))", w.value(aText, depth-1), w.small())
	}
	return fmt.Sprintf("(string.find(%s, %s))", w.value(aText, depth-1), w.pattern())
}

func (w *writer) textual(depth int) string {
	if depth <= 0 {
		return w.pick(`""`, `"a"`, `"abc"`, `"10"`, `"hello world"`, `"key=value, k2=v2"`, `"a\0b"`, `"\255\1"`, `"  x  "`, `"ABC def 123"`, `'%d'`, `"f(a(b)c)"`, `[[long]]`, `"é"`)
	}
	sub := func() string { return w.value(aText, depth-1) }
	switch w.rnd.IntN(13) {
	case 0, 1, 2:
		return fmt.Sprintf("(%s .. %s)", sub(), w.pick(sub(), w.value(aNumber, depth-1)))
	case 3:
		return fmt.Sprintf("tostring(%s)", w.pick(w.value(aNumber, depth-1), w.value(aTruth, depth-1)))
	case 4:
		return fmt.Sprintf("string.%s(%s)", w.pick("upper", "lower", "reverse"), sub())
	case 5:
		return fmt.Sprintf("string.sub(%s, %s, %s)", sub(), w.pick(w.small(), w.value(aNumber, 0)), w.pick(w.small(), "-2"))
	case 6:
		return fmt.Sprintf("string.rep(%s, %s %% 5)", sub(), w.value(aNumber, depth-1))
	case 7:
		return w.format(depth)
	case 8, 9:
		return w.substitution(depth)
	case 10:
		return fmt.Sprintf("(string.match(%s, %s))", sub(), w.pattern())
	case 11:
		return fmt.Sprintf("table.concat(%s, %s)", w.value(aTable, depth-1), w.value(aText, 0))
	}
	return fmt.Sprintf("string.char(%s %% 256)", w.value(aNumber, depth-1))
}

func (w *writer) format(depth int) string {
	directive := "%" + w.pick("", "-", "0", "+", " ", "#", "5", "-8", "08", ".3", "10.4", "+.2")
	switch w.rnd.IntN(3) {
	case 0:
		return fmt.Sprintf("string.format(%q, %s)", directive+w.pick("d", "i", "x", "X", "o", "u", "c"), w.value(aNumber, depth-1)+" % 1e6")
	case 1:
		return fmt.Sprintf("string.format(%q, %s)", directive+w.pick("f", "g", "e", "G", "E"), w.value(aNumber, 0))
	}
	return fmt.Sprintf("string.format(%q, %s)", w.pick("%s", "%10s", "%-5s|", "%.2s", "%q", "<%s>%%"), w.value(aText, depth-1))
}

func (w *writer) substitution(depth int) string {
	subject, pattern := w.value(aText, depth-1), w.pattern()
	by := w.pick(`"%0%0"`, `"-"`, `"%1"`, `""`, `"<%1>"`, `"%%"`, `"%2"`, "{a = 1, b = 'B', hello = true}",
		"function(m) tick() return m .. '!' end", "string.upper", "function() end", w.value(aFunction, 1), w.value(aTable, 0))
	call := fmt.Sprintf("string.gsub(%s, %s, %s)", subject, pattern, by)
	if w.oneIn(3) {
		call = fmt.Sprintf("string.gsub(%s, %s, %s, %s)", subject, pattern, by, w.small())
	}
	return "(" + call + ")"
}

// pattern is a quoted one that is sometimes malformed. It has two repetitions at most, so that
// matching stays quick.
func (w *writer) pattern() string {
	item := func() string {
		return w.pick("a", "b", "l", ".", "%a", "%d", "%w", "%s", "%p", "[a-c]", "[^%s]", "%S", "[%w_]", "=", "%.", "x", "%u", "%x", "[]]", "(a)", "(.)", "()", "(%w)", "%b()", "%f[%w]", "%1", "%z")
	}
	var b strings.Builder
	if w.oneIn(6) {
		b.WriteByte('^')
	}
	repeated := 0
	for range 1 + w.rnd.IntN(4) {
		part := item()
		if repeated < 2 && w.oneIn(2) {
			repeated++
			part = w.pick(part+w.pick("*", "+", "-", "?"), "("+w.pick("%a", "%w", ".", "[^,]")+w.pick("*", "+", "-", "?")+")")
		}
		b.WriteString(part)
	}
	switch w.rnd.IntN(30) {
	case 0:
		b.WriteString(w.pick("(", ")", "[", "%", "[a", "%b", "%f", "[^"))
	case 1, 2, 3:
		b.WriteByte('$')
	}
	return "'" + b.String() + "'"
}

func (w *writer) tabular(depth int) string {
	if depth > 1 && w.oneIn(4) {
		return fmt.Sprintf("{%s(%s)}", w.pick("string.find", "string.match", "string.gsub", "string.byte", "unpack", "select", "pcall", "next", "math.modf"), w.list(1, 3))
	}
	return w.constructor(depth)
}

// constructor is a table's.
func (w *writer) constructor(depth int) string {
	var items []string
	for range w.rnd.IntN(5) {
		switch w.rnd.IntN(4) {
		case 0:
			items = append(items, fmt.Sprintf("%s = %s", w.field(), w.any(depth-1)))
		case 1:
			items = append(items, fmt.Sprintf("[ %s ] = %s", w.pick(w.small(), "key("+w.value(aText, 0)+")", "true", "1.5", "2^40", "-5"), w.any(depth-1)))
		default:
			items = append(items, w.any(depth-1))
		}
	}
	return "{" + strings.Join(items, ", ") + "}"
}

func (w *writer) logical(depth int) string {
	if depth <= 0 {
		return w.pick("true", "false", "nil", "1 < 2", `"a" < "b"`)
	}
	holds := holding(w.rnd.IntN(2))
	a, b := w.value(holds, depth-1), w.value(holds, depth-1)
	switch w.rnd.IntN(7) {
	case 0:
		return fmt.Sprintf("not %s", w.any(depth-1))
	case 1:
		return fmt.Sprintf("(%s %s %s)", w.any(depth-1), w.pick("==", "~="), w.any(depth-1))
	case 2:
		return fmt.Sprintf("(%s %s %s)", w.any(depth-1), w.pick("and", "or"), w.any(depth-1))
	case 3:
		return fmt.Sprintf("rawequal(%s, %s)", a, b)
	}
	return fmt.Sprintf("(%s %s %s)", a, w.pick("<", "<=", ">", ">=", "=="), b)
}
