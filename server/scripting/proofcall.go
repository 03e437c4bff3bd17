package scripting

import (
	"strconv"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/lua/syntax"
)

// call is a call of f.
func (p *prover) call(f value, args []syntax.Expr) list { return p.apply(f, p.exprs(args)) }

// apply is a call of f whose arguments are known.
func (p *prover) apply(f value, args list) list {
	p.step(len(args.values))
	switch f.kind {
	case kindCall:
		p.command(args)
		return list{values: []value{unknown}}
	case kindFunc:
		return p.enter(f.fn, args)
	case kindBuiltin:
		return p.builtin(f.name, args)
	case kindNone:
		return list{}
	}
	p.escape(f)
	p.escapeList(args)
	return anything
}

// enter is a call of a function of the script.
func (p *prover) enter(fn *function, args list) list {
	for i, v := range fn.params {
		p.assign(v, args.at(i))
	}
	p.mergeList(&fn.varargs, args.from(len(fn.params)))
	return fn.results
}

// method is a call of a function that is an element.
func (p *prover) method(e *syntax.Method) list {
	self := p.eval(e.Object)
	args := p.exprs(e.Args)
	switch self.kind {
	case kindTable:
		f := p.load(self.table, &syntax.String{Value: e.Name})
		args.values = append([]value{self}, args.values...)
		return p.apply(f, args)
	case kindNone:
		return list{}
	}
	p.escape(self)
	p.escapeList(args)
	return anything
}

// builtin is a call of a function of Lua's. Those that are not listed may do anything with their
// arguments.
func (p *prover) builtin(name string, args list) list {
	first := args.at(0)
	switch name {
	case registerName:
		p.register(args)
		return list{}
	case "tostring":
		if first.kind == kindKey && !first.null { // of nil it makes "nil"
			p.least = max(p.least, first.need)
			first.need = 0
			return list{values: []value{first}}
		}
		return list{values: []value{unknown}}
	case "type", "tonumber", "rawequal", "print", "table.concat", "table.getn",
		"table.maxn", "cjson.encode", "cmsgpack.pack": // keep nothing of what they are given
		return list{values: []value{unknown}}
	case "unpack", "table.unpack":
		return p.unpack(first, args)
	case "assert":
		if len(args.values) > 0 {
			args.values = append([]value(nil), args.values...)
			args.values[0].null, args.values[0].need = false, 0
		}
		return args
	case "pcall":
		p.escapeList(p.apply(first, args.from(1)))
		return anything
	case "xpcall":
		p.escape(args.at(1))
		p.escapeList(p.apply(first, list{}))
		return anything
	case "next":
		switch first.kind {
		case kindKeys:
			return list{values: []value{unknown, {kind: kindKey, null: true}}}
		case kindTable:
			return list{values: []value{unknown, p.anyElement(first.table)}}
		}
	case "table.insert", "table.remove", "table.sort":
		if first.kind == kindTable {
			return p.rearrange(name, first.table, args)
		}
	}
	p.escapeList(args)
	return anything
}

// unpack is a call of unpack.
func (p *prover) unpack(from value, args list) list {
	whole := len(args.values) < 2 && !args.open
	switch from.kind {
	case kindKeys:
		return list{open: true, rest: value{kind: kindKey, null: true}}
	case kindTable:
		if whole {
			return p.unpacked(from.table)
		}
		return list{open: true, rest: p.element(from.table)}
	case kindNone:
		return list{}
	}
	p.escape(from)
	return anything
}

// rearrange is a call of a function that changes a table.
func (p *prover) rearrange(name string, t *object, args list) list {
	switch {
	case name == "table.insert" && len(args.values) == 2 && !args.open:
		p.appendTo(t, args.values[1])
		return list{}
	case name == "table.insert":
		for i := 1; i < max(len(args.values), 3); i++ {
			p.storeSome(t, args.at(i))
		}
		p.shuffle(t)
		return list{}
	case name == "table.remove":
		p.shuffle(t)
		return list{values: []value{p.element(t)}}
	}
	p.escape(args.at(1)) // is called with elements
	p.shuffle(t)
	if args.at(1).kind != kindNone {
		p.escapeTable(t)
	}
	return list{}
}

// command is a call of redis.call.
func (p *prover) command(args list) {
	name := args.at(0)
	if name.kind == kindNone {
		return // an error, or not known yet
	}
	if name.kind != kindConst {
		p.fail()
	}
	for _, name := range name.consts {
		spec := p.table.Lookup([]byte(name))
		if spec == nil {
			p.fail()
		}
		if subs := spec.Subtable(); subs != nil {
			p.subcommand(subs, args)
		} else {
			p.keeps(spec, args)
		}
	}
}

// subcommand is a call of a command that has subcommands.
func (p *prover) subcommand(subs *engine.Table, args list) {
	name := args.at(1)
	if name.kind != kindConst {
		p.fail()
	}
	for _, name := range name.consts {
		spec := subs.Lookup([]byte(name))
		if spec == nil {
			p.fail()
		}
		p.keeps(spec, args)
	}
}

// keeps ends the proof if a command may touch a key that is not one of KEYS. An argument that is
// neither a string nor a number is none: the command is not called then.
func (p *prover) keeps(spec *engine.Spec, args list) {
	const elsewhere = engine.AllShards | engine.OwnLocks | engine.NoScript
	if spec.Flags&elsewhere != 0 || spec.Strays != nil ||
		spec.Undeclared != nil || spec.Locks != nil || spec.KeysAt != nil {
		p.fail()
	}
	for i := range spec.Keys {
		if k := &spec.Keys[i]; k.Flags&engine.NotKey == 0 {
			p.keepsRange(k, args)
		}
	}
}

// keepsRange looks at the arguments that are keys by one rule.
func (p *prover) keepsRange(k *engine.KeySpec, args list) {
	if k.Unknown || k.Pos == 0 || k.Limit > 1 {
		p.fail() // found by words among the arguments, which may be any
	}
	first, step := k.Pos, k.Step
	last := len(args.values) - 1
	open := args.open // keys may be among the arguments behind those that are told apart
	switch {
	case k.ByCount:
		first += k.FirstAt
		if n, ok := largest(args.at(k.Pos + k.CountAt)); ok {
			end := first + (n-1)*step
			open = open && end > last
			last = min(last, end)
		} else {
			step = 1
		}
	case k.Last >= 0:
		open = open && first+k.Last > last
		last = min(last, first+k.Last)
	case open:
		step = 1
	default:
		last = len(args.values) + k.Last
	}
	p.step(max(last-first, 0))
	for i := first; i <= last; i += step {
		p.isKey(args.values[i])
	}
	if open {
		p.isKey(args.rest)
	}
}

// largest is the largest of what a count may be.
func largest(v value) (n int, ok bool) {
	for _, text := range v.consts {
		c, err := strconv.ParseUint(text, 10, 20)
		if err != nil {
			return 0, false
		}
		n = max(n, int(c))
	}
	return n, v.kind == kindConst
}

func (p *prover) isKey(v value) {
	if v.kind != kindKey && v.kind != kindNone {
		p.fail()
	}
}
