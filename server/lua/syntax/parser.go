package syntax

import (
	"slices"
	"strconv"
)

// parser makes the tree by recursive descent, after lparser.c of Lua 5.1.5. Its functions look at
// tokens in the same order as those there, so that an error is found at the same token. Statements
// and expressions of lists are gathered on stacks, and copied once their number is known.
type parser struct {
	lexer
	fn     *function
	levels int
	depth  int // of the expression that was read last
	high   int // greatest depth in the function that is read
	stmts  []Stmt
	exprs  []Expr
	items  []Item

	hiddenName symbol // of the locals that loops keep for themselves
}

// Parse reads a chunk. name is that of the chunk as lua_load takes it: "@user_script" for messages
// that begin with user_script:1:, otherwise see ChunkID. Errors have the text of Lua 5.1.5.
//
// A source of any size is answered in bounded memory and stack. A source that begins with an escape
// byte is no bytecode here, but a syntax error.
func Parse(source, name string) (chunk *Func, err error) {
	defer func() {
		if r := recover(); r != nil {
			failed, ok := r.(*failure)
			if !ok {
				panic(r)
			}
			chunk, err = nil, failed
		}
	}()
	p := &parser{lexer: lexer{
		source: source, chunk: chunkID(name, parserIDSize), line: 1, lastLine: 1, budget: treeLimit,
		symbols: make(map[string]*symbol, 64), strings: make(map[string]string),
	}}
	p.ahead.tok = tokEOS
	for t := tokAnd; t <= tokWhile; t++ {
		p.symbols[t.String()] = &symbol{name: t.String(), reserved: t}
	}
	chunk = &Func{Vararg: true}
	p.fn = &function{fn: chunk}
	p.next()
	chunk.Body = p.block()
	p.check(tokEOS)
	chunk.LastLine = p.line
	return chunk, nil
}

// enter counts a level of recursion.
func (p *parser) enter() {
	if p.levels++; p.levels > maxLevels {
		p.tooDeep()
	}
}

func (p *parser) tooDeep() { p.fail("chunk has too many syntax levels", 0) }

// deepen notes that the expression that was read last has this depth.
func (p *parser) deepen(depth int) {
	if depth > maxDepth {
		p.tooDeep()
	}
	p.depth, p.high = depth, max(p.high, depth)
}

// accept moves on if the current token is t.
func (p *parser) accept(t token) bool {
	if p.tok != t {
		return false
	}
	p.next()
	return true
}

func (p *parser) check(t token) {
	if p.tok != t {
		p.syntaxError("'" + t.String() + "' expected")
	}
}

func (p *parser) expect(t token) {
	p.check(t)
	p.next()
}

// match moves on behind what closes the token open of a line.
func (p *parser) match(t, open token, line int) {
	if p.tok != t && line != p.line {
		p.syntaxError("'" + t.String() + "' expected (to close '" +
			open.String() + "' at line " + strconv.Itoa(line) + ")")
	}
	p.expect(t)
}

// name reads a name.
func (p *parser) name() *symbol {
	p.check(tokName)
	sym := p.sym
	p.next()
	return sym
}

// block reads statements up to what ends a block. Its locals are out of scope after it.
func (p *parser) block() []Stmt {
	scope := p.fn.active
	body := p.statements()
	p.leave(scope)
	return body
}

// statements reads statements and leaves their locals in scope.
func (p *parser) statements() []Stmt {
	base := len(p.stmts)
	p.enter()
	for last := false; !last && !p.ends(); {
		var s Stmt
		s, last = p.statement()
		p.charge(80)
		p.stmts = append(p.stmts, s)
		p.accept(';')
	}
	p.levels--
	body := slices.Clone(p.stmts[base:])
	clear(p.stmts[base:])
	p.stmts = p.stmts[:base]
	return body
}

// ends reports whether the current token ends a block.
func (p *parser) ends() bool {
	switch p.tok {
	case tokElse, tokElseif, tokEnd, tokUntil, tokEOS:
		return true
	}
	return false
}

// statement reads one, and reports whether it has to be the last of its block.
func (p *parser) statement() (s Stmt, last bool) {
	line := p.line
	switch p.tok {
	case tokIf:
		return p.ifStmt(line), false
	case tokWhile:
		return p.whileStmt(line), false
	case tokDo:
		p.next()
		s := &DoStmt{p.block()}
		p.match(tokEnd, tokDo, line)
		return s, false
	case tokFor:
		return p.forStmt(line), false
	case tokRepeat:
		return p.repeatStmt(line), false
	case tokFunction:
		return p.functionStmt(line), false
	case tokLocal:
		p.next()
		if p.accept(tokFunction) {
			return p.localFunction(), false
		}
		return p.localStmt(), false
	case tokReturn:
		return p.returnStmt(), true
	case tokBreak:
		p.next()
		if p.fn.loops == 0 {
			p.syntaxError("no loop to break")
		}
		return &BreakStmt{p.lastLine}, true
	}
	return p.exprStmt(), false
}

func (p *parser) ifStmt(line int) Stmt {
	s := &IfStmt{}
	for first := true; first || p.tok == tokElseif; first = false {
		p.next()
		c := Clause{Cond: p.condition(), Line: p.lastLine}
		p.expect(tokThen)
		c.Body = p.block()
		p.charge(100)
		s.Clauses = append(s.Clauses, c)
	}
	if p.accept(tokElse) {
		s.HasElse = true
		s.Else = p.block()
	}
	p.match(tokEnd, tokIf, line)
	return s
}

// condition reads an expression whose value is used at once.
func (p *parser) condition() Expr {
	e := p.expr()
	p.settle(e)
	return e
}

func (p *parser) whileStmt(line int) Stmt {
	p.next()
	s := &WhileStmt{Cond: p.condition(), Line: p.lastLine}
	p.expect(tokDo)
	s.Body = p.loop()
	p.match(tokEnd, tokWhile, line)
	return s
}

// loop reads the body of a loop.
func (p *parser) loop() []Stmt {
	p.fn.loops++
	body := p.block()
	p.fn.loops--
	return body
}

func (p *parser) repeatStmt(line int) Stmt {
	scope := p.fn.active
	p.next()
	p.fn.loops++
	s := &RepeatStmt{Body: p.statements()}
	p.match(tokUntil, tokRepeat, line)
	s.Cond = p.condition() // sees the locals of the body
	p.fn.loops--
	s.Line = p.lastLine
	p.leave(scope)
	return s
}

func (p *parser) forStmt(line int) Stmt {
	p.next()
	scope := p.fn.active
	first := p.name()
	var s Stmt
	switch p.tok {
	case '=':
		s = p.numericFor(first)
	case ',', tokIn:
		s = p.genericFor(first)
	default:
		p.syntaxError("'=' or 'in' expected")
	}
	p.leave(scope)
	p.match(tokEnd, tokFor, line)
	return s
}

func (p *parser) numericFor(name *symbol) Stmt {
	s := &NumericForStmt{Name: name.name}
	p.hidden(3)
	p.declare(name)
	p.expect('=')
	s.From = p.condition()
	p.expect(',')
	s.To = p.condition()
	if p.accept(',') {
		s.Step = p.condition()
	}
	p.expect(tokDo)
	s.Line = p.lastLine
	p.activate()
	s.Body = p.loop()
	return s
}

// hidden declares locals that a loop keeps for itself.
func (p *parser) hidden(n int) {
	for range n {
		p.declare(&p.hiddenName)
	}
}

func (p *parser) genericFor(name *symbol) Stmt {
	s := &GenericForStmt{Names: []string{name.name}}
	p.hidden(3)
	p.declare(name)
	for p.accept(',') {
		name = p.name()
		p.declare(name)
		s.Names = append(s.Names, name.name)
	}
	p.expect(tokIn)
	s.Line = p.line
	s.Exprs = p.exprList()
	p.expect(tokDo)
	p.activate()
	s.Body = p.loop()
	return s
}

func (p *parser) functionStmt(line int) Stmt {
	p.next()
	var target Expr = p.variable()
	method := false
	for !method && (p.tok == '.' || p.tok == ':') {
		method = p.tok == ':'
		p.settle(target)
		p.deepen(p.depth + 1)
		target = p.field(target)
	}
	s := &FunctionStmt{Line: line}
	s.Func = p.body(method, line)
	s.Target = target
	setLine(target, line)
	return s
}

func (p *parser) localFunction() Stmt {
	sym := p.name()
	p.declare(sym)
	p.activate()
	return &LocalFunctionStmt{Name: sym.name, Func: p.body(false, p.line), Line: p.lastLine}
}

func (p *parser) localStmt() Stmt {
	s := &LocalStmt{}
	for {
		sym := p.name()
		p.declare(sym)
		p.charge(16)
		s.Names = append(s.Names, sym.name)
		if !p.accept(',') {
			break
		}
	}
	if p.accept('=') {
		s.Exprs = p.exprList()
	}
	p.activate()
	s.Line = p.lastLine
	return s
}

func (p *parser) returnStmt() Stmt {
	p.next()
	s := &ReturnStmt{}
	if !p.ends() && p.tok != ';' {
		s.Exprs = p.exprList()
	}
	s.Line = p.lastLine
	return s
}

// exprStmt reads a call or an assignment.
func (p *parser) exprStmt() Stmt {
	e := p.primary()
	switch e := e.(type) {
	case *Call:
		return &CallStmt{e, e.Line}
	case *Method:
		return &CallStmt{e, e.Line}
	}
	return p.assignment(e)
}

// assignment reads what follows the first target of one.
func (p *parser) assignment(e Expr) Stmt {
	s := &AssignStmt{}
	for {
		switch e.(type) {
		case *Name, *Index:
		default:
			p.syntaxError("syntax error")
		}
		s.Targets = append(s.Targets, e)
		if !p.accept(',') {
			break
		}
		e = p.primary()
		// C takes a level of its stack for each target.
		if most := maxLevels - p.levels; len(s.Targets) > most {
			p.limit(p.fn, most, "variables in assignment")
		}
	}
	p.expect('=')
	s.Exprs = p.exprList()
	s.Line = p.lastLine
	for _, target := range s.Targets {
		setLine(target, s.Line)
	}
	return s
}

// body reads a function from its parameters to its end.
func (p *parser) body(method bool, line int) *Func {
	fn := &Func{Line: line}
	p.charge(128)
	p.fn = &function{outer: p.fn, fn: fn}
	high := p.high
	p.high = 0
	p.expect('(')
	if method {
		self := p.symbol("self")
		p.declare(self)
		fn.Params = append(fn.Params, self.name)
	}
	p.params(fn)
	p.expect(')')
	fn.Body = p.block()
	fn.LastLine = p.line
	p.match(tokEnd, tokFunction, line)
	p.leave(0)
	p.fn = p.fn.outer
	depth := p.high + 1
	p.high = high
	p.deepen(depth)
	return fn
}

func (p *parser) params(fn *Func) {
	for p.tok != ')' {
		switch p.tok {
		case tokName:
			sym := p.name()
			p.declare(sym)
			fn.Params = append(fn.Params, sym.name)
		case tokDots:
			p.next()
			p.declare(p.symbol("arg"))
			fn.Vararg, fn.UsesArg = true, true
		default:
			p.syntaxError("<name> or '...' expected")
		}
		if fn.Vararg || !p.accept(',') {
			break
		}
		if p.tok == ')' {
			p.syntaxError("<name> or '...' expected")
		}
	}
	p.activate()
}
