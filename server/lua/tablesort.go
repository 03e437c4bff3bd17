package lua

// sorter sorts a table as ltablib.c does, comparison by comparison: a function that compares sees
// the same calls, an inconsistent one is found out at the same point, and elements that compare
// equal end in the same order.
type sorter struct {
	t     *Thread
	table *Table
	less  *Function // nil: <
}

func tableSort(t *Thread) (int, error) {
	table, err := t.CheckTable(1)
	if err != nil {
		return 0, err
	}
	s := sorter{t: t, table: table}
	n := table.Len()
	if !t.Arg(2).IsNil() {
		if s.less, err = t.CheckFunction(2); err != nil {
			return 0, err
		}
	}
	return 0, s.sort(1, n)
}

// compare reports whether a is less than b.
func (s *sorter) compare(a, b Value) (bool, error) {
	t := s.t
	if s.less == nil {
		if err := t.Step(1); err != nil {
			return false, err
		}
		if a.IsNumber() && b.IsNumber() {
			return a.Num() < b.Num(), nil
		}
		return t.Less(a, b)
	}
	// The elements stay on the stack, where the walk of memory meets them, whatever the function does
	// to the table.
	for _, v := range [...]Value{a, b, s.less.Value(), a, b} {
		t.Push(v)
	}
	if err := t.Call(2, 1); err != nil {
		return false, err
	}
	result := t.Arg(t.Count()).Truth()
	t.Pop(3)
	return result, nil
}

// set assigns two elements.
func (s *sorter) set(i int, v Value, j int, w Value) error {
	if err := s.t.setInt(s.table, i, v); err != nil {
		return err
	}
	return s.t.setInt(s.table, j, w)
}

// order swaps elements i and j, i < j, if the second is less.
func (s *sorter) order(i, j int) (swapped bool, err error) {
	a, b := s.table.GetInt(i), s.table.GetInt(j)
	less, err := s.compare(b, a)
	if err != nil || !less {
		return false, err
	}
	return true, s.set(i, b, j, a)
}

// sort sorts the elements from low to high: the smaller half by calling itself.
func (s *sorter) sort(low, high int) error {
	for low < high {
		if _, err := s.order(low, high); err != nil {
			return err
		}
		if high-low == 1 {
			return nil
		}
		middle := (low + high) / 2
		swapped, err := s.order(low, middle)
		if err == nil && !swapped {
			_, err = s.order(middle, high)
		}
		if err != nil {
			return err
		}
		if high-low == 2 {
			return nil
		}
		pivot := s.table.GetInt(middle)
		if err := s.set(middle, s.table.GetInt(high-1), high-1, pivot); err != nil {
			return err
		}
		i, err := s.partition(low, high, pivot)
		if err != nil {
			return err
		}
		// All before i are at most as large as the pivot in it, all behind at least.
		from, to := low, i-1
		if i-low < high-i {
			low = i + 1
		} else {
			from, to, high = i+1, high, i-1
		}
		if err := s.sort(from, to); err != nil {
			return err
		}
	}
	return nil
}

// partition moves what is less than the pivot before what is greater, and the pivot, which is in
// high-1, between them.
func (s *sorter) partition(low, high int, pivot Value) (int, error) {
	i, j := low, high-1
	for {
		var a, b Value
		for {
			i++
			a = s.table.GetInt(i)
			less, err := s.compare(a, pivot)
			if err != nil {
				return 0, err
			}
			if !less {
				break
			}
			if i > high {
				return 0, s.invalid()
			}
		}
		for {
			j--
			b = s.table.GetInt(j)
			less, err := s.compare(pivot, b)
			if err != nil {
				return 0, err
			}
			if !less {
				break
			}
			if j < low {
				return 0, s.invalid()
			}
		}
		if j < i {
			a, b = s.table.GetInt(high-1), s.table.GetInt(i)
			return i, s.set(high-1, b, i, a)
		}
		if err := s.set(i, b, j, a); err != nil {
			return 0, err
		}
	}
}

func (s *sorter) invalid() error { return s.t.Errorf("invalid order function for sorting") }
