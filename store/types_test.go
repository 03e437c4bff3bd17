package store

import "testing"

// Every type has a complete row, and a name of its own.
func TestTypeRows(t *testing.T) {
	seen := map[string]bool{}
	for typ := range NumTypes {
		row := &typeRows[typ]
		if row.name == "" || row.encoding == nil || row.count == nil || row.each == nil {
			t.Errorf("the row of type %d is not complete: %+v", typ, row)
		}
		if seen[row.name] {
			t.Errorf("two types are called %q", row.name)
		}
		seen[row.name] = true
	}
}
