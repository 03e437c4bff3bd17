package lua

import "unsafe"

// Table is a table.
type Table struct {
	head
}

// Value is the table as a value.
func (t *Table) Value() Value { return Value{ref: unsafe.Pointer(t)} }
