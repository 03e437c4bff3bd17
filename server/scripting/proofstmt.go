package scripting

import "github.com/larderkv/larder/server/lua/syntax"

// block goes through statements, whose locals are out of scope after them.
func (p *prover) block(body []syntax.Stmt) {
	scope := len(p.scope)
	p.statements(body)
	p.scope = p.scope[:scope]
}

// statements goes through statements, whose locals stay in scope.
func (p *prover) statements(body []syntax.Stmt) {
	for _, s := range body {
		p.step(1)
		p.statement(s)
	}
}

func (p *prover) statement(s syntax.Stmt) {
	switch s := s.(type) {
	case *syntax.LocalStmt:
		values := p.exprs(s.Exprs)
		for i, name := range s.Names {
			p.assign(p.declare(s, i, name), values.at(i))
		}
	case *syntax.AssignStmt:
		values := p.exprs(s.Exprs)
		for i, target := range s.Targets {
			p.set(target, values.at(i))
		}
	case *syntax.CallStmt:
		p.evalList(s.Call)
	case *syntax.DoStmt:
		p.block(s.Body)
	case *syntax.WhileStmt:
		p.eval(s.Cond)
		p.block(s.Body)
	case *syntax.RepeatStmt:
		p.repeat(s)
	case *syntax.IfStmt:
		for _, c := range s.Clauses {
			p.eval(c.Cond)
			p.block(c.Body)
		}
		p.block(s.Else)
	case *syntax.NumericForStmt:
		p.numericFor(s)
	case *syntax.GenericForStmt:
		p.genericFor(s)
	case *syntax.FunctionStmt:
		p.set(s.Target, value{kind: kindFunc, fn: p.walk(s.Func)})
	case *syntax.LocalFunctionStmt:
		v := p.declare(s, 0, s.Name)
		p.assign(v, value{kind: kindFunc, fn: p.walk(s.Func)})
	case *syntax.ReturnStmt:
		p.mergeList(&p.fn.results, p.exprs(s.Exprs))
	}
}

// set assigns to a variable or an element.
func (p *prover) set(target syntax.Expr, v value) {
	switch target := target.(type) {
	case *syntax.Name:
		local := p.local(target.Name)
		if local == nil {
			p.fail() // a global
		}
		if local.fn != p.fn {
			p.outlives(v)
		}
		p.assign(local, v)
	case *syntax.Index:
		switch object := p.eval(target.Object); object.kind {
		case kindTable:
			p.store(object.table, target.Key, v)
		case kindNone, kindAny:
			p.escape(p.eval(target.Key))
			p.escape(v)
		default:
			p.fail()
		}
	}
}

// repeat goes through a loop whose condition sees the locals of the body.
func (p *prover) repeat(s *syntax.RepeatStmt) {
	scope := len(p.scope)
	p.statements(s.Body)
	p.eval(s.Cond)
	p.scope = p.scope[:scope]
}

func (p *prover) numericFor(s *syntax.NumericForStmt) {
	p.eval(s.From)
	p.eval(s.To)
	if s.Step != nil {
		p.eval(s.Step)
	}
	scope := len(p.scope)
	p.assign(p.declare(s, 0, s.Name), value{kind: kindAny})
	p.block(s.Body)
	p.scope = p.scope[:scope]
}

func (p *prover) genericFor(s *syntax.GenericForStmt) {
	values := p.iteration(s.Exprs)
	scope := len(p.scope)
	for i, name := range s.Names {
		p.assign(p.declare(s, i, name), values.at(i))
	}
	p.block(s.Body)
	p.scope = p.scope[:scope]
}

// iteration is what the variables of a loop get.
func (p *prover) iteration(exprs []syntax.Expr) list {
	call, ok := exprs[0].(*syntax.Call)
	if !ok || len(exprs) > 1 {
		p.escapeList(p.exprs(exprs))
		return anything
	}
	f := p.eval(call.Func)
	if f.kind != kindBuiltin || f.name != "ipairs" && f.name != "pairs" {
		p.escapeList(p.call(f, call.Args))
		return anything
	}
	key, element := value{kind: kindAny}, unknown
	switch over := p.exprs(call.Args).at(0); over.kind {
	case kindKeys:
		element = value{kind: kindKey}
	case kindTable:
		element = p.element(over.table)
		if f.name == "pairs" {
			element = p.anyElement(over.table)
		}
		element.null = false
	case kindRedis:
		p.fail()
	case kindNone:
		return list{values: []value{{}, {}}}
	}
	return list{values: []value{key, element}}
}
