package lua

import (
	"strings"
	"testing"
)

// TestManyJumps compiles what has jumps in long lists, or over long ways. A list that is walked for each
// jump would take minutes here.
func TestManyJumps(t *testing.T) {
	const many, tooLong = 200_000, "user_script:1: control structure too long"
	long := strings.Repeat("a=1 ", 100_000)
	for _, c := range []struct{ what, source, err string }{
		{"elseif", "if a then " + strings.Repeat("elseif a then ", many) + " end", tooLong},
		{"break", "while a do " + strings.Repeat("if a then break end ", many) + "end", tooLong},
		{"or", "return a" + strings.Repeat(" or a", 9000), ""},
		{"and", "return a" + strings.Repeat(" and a or b", 4000), ""},
		{"break over a long way", "while a do if a then break end " + long + "if a then break end end", tooLong},
		{"if over a long way", "if a then " + long + "elseif a then a = 1 else a = 2 end", tooLong},
		{"for over a long way", "for i = 1, 2 do " + long + "end", tooLong},
		{"repeat over a long way", "repeat if a then break end " + long + "until a or b and c", tooLong},
	} {
		_, err := Load(c.source, "@user_script")
		if (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%s: %v, want %q", c.what, err, c.err)
		}
	}
}
