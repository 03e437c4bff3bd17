package lua

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// TestTableOrder does the same things to tables on both sides, and compares the order in which pairs
// walks them, and the border that # finds, again and again.
func TestTableOrder(t *testing.T) {
	d := newDuel(t)
	rnd := randtest.New(t)
	for i := range 300 {
		script := tableScript(rnd)
		if !d.compare(fmt.Sprintf("script %d: %s", i, script), script) {
			return
		}
	}
}

// walk is a function for scripts that shows a table in the order of pairs, with its border.
const walk = `local function walk(t) ` +
	`local all = {} ` +
	`for k, v in pairs(t) do all[#all + 1] = tostring(k) .. '=' .. tostring(v) end ` +
	`return '#' .. #t .. ' ' .. table.concat(all, ' ') end `

// tableScript makes a table and changes it at random. Changes are of one character, so that a
// failure is quick to read.
func tableScript(rnd *rand.Rand) string {
	var b strings.Builder
	// A collector that runs in between drops deleted keys, and these get another place when they come
	// back. Larder's has nothing to do in so short a script.
	b.WriteString("collectgarbage('stop') " + walk + "local out, t = {}, " + constructor(rnd) + "\n")
	integers := 1 + rnd.IntN(60)
	for range 5 + rnd.IntN(120) {
		switch rnd.IntN(20) {
		case 0:
			b.WriteString("out[#out + 1] = walk(t)\n")
		case 1:
			b.WriteString("t[#t + 1] = 'e'\n")
		case 2:
			b.WriteString("t[#t] = nil\n")
		case 3:
			fmt.Fprintf(&b, "for i = 1, %d do t[i] = 'l' end\n", rnd.IntN(integers))
		case 4:
			fmt.Fprintf(&b, "for i = %d, 1, -1 do t[i] = 'd' end\n", rnd.IntN(integers))
		case 5:
			fmt.Fprintf(&b, "for k in pairs(t) do if (tostring(k):byte(-1)) %% %d == 0 then t[k] = nil end end\n", 1+rnd.IntN(4))
		case 6:
			fmt.Fprintf(&b, "table.insert(t, %d, 'i')\n", 1+rnd.IntN(integers))
		case 7:
			b.WriteString("table.remove(t, 1)\n")
		case 8, 9, 10:
			fmt.Fprintf(&b, "t[%s] = nil\n", tableKey(rnd, integers))
		default:
			fmt.Fprintf(&b, "t[%s] = %d\n", tableKey(rnd, integers), rnd.IntN(10))
		}
	}
	b.WriteString("out[#out + 1] = walk(t)\nreturn table.concat(out, '|')")
	return b.String()
}

// tableKey is a key: mostly a small integer or a word, sometimes another number or a boolean.
func tableKey(rnd *rand.Rand, integers int) string {
	switch rnd.IntN(12) {
	case 0:
		return fmt.Sprint(rnd.IntN(2) == 0)
	case 1:
		return fmt.Sprint(rnd.NormFloat64() * 100)
	case 2:
		return fmt.Sprint((rnd.IntN(2*integers) - integers) * (1 << rnd.IntN(30)))
	case 3:
		return fmt.Sprintf("%d.5", rnd.IntN(integers))
	case 4, 5, 6, 7:
		return fmt.Sprint(1 + rnd.IntN(integers))
	case 8:
		return fmt.Sprintf("'%s'", strings.Repeat(string(rune('a'+rnd.IntN(26))), 1+rnd.IntN(80)))
	}
	return fmt.Sprintf("'k%d'", rnd.IntN(integers))
}

// constructor is a table constructor: its sizes are hints.
func constructor(rnd *rand.Rand) string {
	var items []string
	if rnd.IntN(2) == 0 {
		for range rnd.IntN(70) {
			items = append(items, []string{"'c'", "nil", "false"}[max(rnd.IntN(8)-5, 0)])
		}
	}
	if rnd.IntN(2) == 0 {
		for range rnd.IntN(30) {
			at := 0
			if len(items) > 0 {
				at = rnd.IntN(len(items))
			}
			items = append(items[:at], append([]string{fmt.Sprintf("[%s] = 'h'", tableKey(rnd, 20))}, items[at:]...)...)
		}
	}
	return "{" + strings.Join(items, ", ") + "}"
}
