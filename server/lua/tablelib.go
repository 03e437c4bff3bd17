package lua

// OpenTable installs the table library.
func (s *State) OpenTable() {
	s.openGlobal("table", library{
		{"concat", tableConcat}, {"foreach", tableForeach}, {"foreachi", tableForeachi}, {"getn", tableGetn},
		{"maxn", tableMaxn}, {"insert", tableInsert}, {"remove", tableRemove}, {"setn", tableSetn}, {"sort", tableSort},
	})
}

// setInt is an assignment by a native, without metamethods, in a table that scripts may change.
func (t *Thread) setInt(table *Table, i int, v Value) error {
	if table.readOnly {
		return t.errReadOnly()
	}
	return table.putInt(t.state, i, v)
}

func tableConcat(t *Thread) (int, error) {
	separator, err := t.OptString(2, "")
	if err != nil {
		return 0, err
	}
	table, err := t.CheckTable(1)
	if err != nil {
		return 0, err
	}
	first, err := t.optInt32(3, 1)
	if err != nil {
		return 0, err
	}
	last := 0
	if t.Arg(4).IsNil() {
		last = table.Len()
	} else if last, err = t.checkInt32(4); err != nil {
		return 0, err
	}
	b := t.newBuffer()
	for i := first; i <= last; i++ {
		if i > first {
			if err := b.add(separator); err != nil {
				return 0, err
			}
		}
		v := table.GetInt(i)
		ok, err := b.addValue(v)
		if err != nil {
			return 0, err
		}
		if !ok {
			return 0, t.Errorf("invalid value (%s) at index %d in table for 'concat'", v.Kind(), i)
		}
		if err := t.Step(1); err != nil {
			return 0, err
		}
	}
	return t.returnString(b.result())
}

func tableForeach(t *Thread) (int, error) {
	table, err := t.CheckTable(1)
	if err != nil {
		return 0, err
	}
	f, err := t.CheckFunction(2)
	if err != nil {
		return 0, err
	}
	for k, v, more, err := table.Next(Nil); more || err != nil; k, v, more, err = table.Next(k) {
		if err != nil {
			return 0, t.runError("%s", err)
		}
		if stop, err := t.visit(f, k, v); stop || err != nil {
			return 1, err
		}
	}
	return 0, nil
}

func tableForeachi(t *Thread) (int, error) {
	table, err := t.CheckTable(1)
	if err != nil {
		return 0, err
	}
	n := table.Len()
	f, err := t.CheckFunction(2)
	if err != nil {
		return 0, err
	}
	for i := 1; i <= n; i++ {
		if stop, err := t.visit(f, Int(i), table.GetInt(i)); stop || err != nil {
			return 1, err
		}
	}
	return 0, nil
}

// visit calls a function with a pair. What it answers ends the walk unless it is nil: then it is
// left on the stack.
func (t *Thread) visit(f *Function, k, v Value) (stop bool, err error) {
	// The pair stays on the stack, where the walk of memory meets it, whatever f does to the table.
	for _, v := range [...]Value{k, v, f.Value(), k, v} {
		t.Push(v)
	}
	if err := t.Call(2, 1); err != nil {
		return false, err
	}
	if !t.Arg(t.Count()).IsNil() {
		return true, nil
	}
	t.Pop(3)
	return false, nil
}

func tableGetn(t *Thread) (int, error) {
	table, err := t.CheckTable(1)
	if err != nil {
		return 0, err
	}
	return t.Return(Int(table.Len()))
}

func tableMaxn(t *Thread) (int, error) {
	table, err := t.CheckTable(1)
	if err != nil {
		return 0, err
	}
	if err := t.spend(int(table.Size())); err != nil {
		return 0, err
	}
	return t.Return(Number(table.largest()))
}

func tableSetn(t *Thread) (int, error) {
	if _, err := t.CheckTable(1); err != nil {
		return 0, err
	}
	return 0, t.Errorf("'setn' is obsolete")
}

func tableInsert(t *Thread) (int, error) {
	table, err := t.CheckTable(1)
	if err != nil {
		return 0, err
	}
	end := table.Len() + 1
	at := end
	switch t.Count() {
	case 2:
	case 3:
		if at, err = t.checkInt32(2); err != nil {
			return 0, err
		}
		for i := max(at, end); i > at; i-- {
			if err := t.setInt(table, i, table.GetInt(i-1)); err != nil {
				return 0, err
			}
			if err := t.Step(1); err != nil {
				return 0, err
			}
		}
	default:
		return 0, t.Errorf("wrong number of arguments to 'insert'")
	}
	return 0, t.setInt(table, at, t.Arg(t.Count()))
}

func tableRemove(t *Thread) (int, error) {
	table, err := t.CheckTable(1)
	if err != nil {
		return 0, err
	}
	end := table.Len()
	at, err := t.optInt32(2, end)
	if err != nil {
		return 0, err
	}
	if at < 1 || at > end {
		return 0, nil
	}
	removed := table.GetInt(at)
	for ; at < end; at++ {
		if err := t.setInt(table, at, table.GetInt(at+1)); err != nil {
			return 0, err
		}
		if err := t.Step(1); err != nil {
			return 0, err
		}
	}
	if err := t.setInt(table, end, Nil); err != nil {
		return 0, err
	}
	return t.Return(removed)
}
