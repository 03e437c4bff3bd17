package rdb

import (
	"testing"

	"github.com/larderkv/larder/store"
)

// Every type of larder has a complete row, and what it writes it can read.
func TestEveryTypeHasACodec(t *testing.T) {
	for typ := range store.NumTypes {
		row := codecs[typ]
		if row.inline == nil || row.insert == nil {
			t.Errorf("type %d (%s) has no codec", typ, typ)
			continue
		}
		if typ == store.TypeString {
			continue
		}
		if row.big == 0 || row.write == nil || row.stride == 0 || row.add == nil {
			t.Errorf("the codec of type %d (%s) is incomplete", typ, typ)
		}
		if read := typeRows[row.big]; read.typ != typ || read.element == nil {
			t.Errorf("big values of type %d (%s) are written as %d (%s, %s)", typ, typ, row.big, read.name, read.form)
		}
	}
}

// Every type of the format that is not a hole in its numbering has a row, and is read as a type of
// larder's of the same name, in one way, or not at all.
func TestEveryFormIsRead(t *testing.T) {
	holes := map[byte]bool{typeModulePreGA: true, 8: true} // Redis refuses the first, and the second never was
	for typ := range typeRows {
		row := &typeRows[typ]
		if hole := row.shape == shapeNone; hole != holes[byte(typ)] || hole != (row.name == "" || row.form == "") {
			t.Errorf("type %d is %+v", typ, row)
		}
		if !row.known() {
			continue
		}
		if row.typ >= store.NumTypes || row.typ.String() != row.name || (row.blob != nil) == (row.element != nil) {
			t.Errorf("type %d (%s, %s) is read as a %s", typ, row.name, row.form, row.typ)
		}
		if counted := layouts[row.shape].skip != nil; counted != (row.element != nil) {
			t.Errorf("the shape of type %d (%s, %s) does not fit its decoder", typ, row.name, row.form)
		}
	}
}
