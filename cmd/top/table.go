package top

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// column is a column of a table. Names and other text stand left, figures right.
type column struct {
	title string
	width int  // 0: whatever is left, for one column of a table
	least int  // of a column of what is left, 0 for leastWidth
	text  bool // sorted as text, upwards at first; figures are sorted downwards
}

// cell is shown as text and sorted by value, or by text in columns of text.
type cell struct {
	text  string
	value float64
}

// words is a cell of text from the server.
func words(s string) cell { return cell{text: name(s)} }

// figure is a cell of a number, shown by a format.
func figure(f float64, format func(float64) string) cell { return cell{format(f), f} }

type row []cell

// leastWidth is how narrow the column of what is left may get, before columns on the right are left
// out.
const leastWidth = 14

// layout is which columns there is room for, from the left, and how wide each is.
func layout(columns []column, width int) []int {
	fixed := func(n int) (sum int) {
		for _, c := range columns[:n] {
			if sum += c.width + 1; c.width == 0 {
				sum += cmp.Or(c.least, leastWidth)
			}
		}
		return sum - 1
	}
	n := len(columns)
	for n > 1 && fixed(n) > width {
		n--
	}
	widths := make([]int, n)
	for i, c := range columns[:n] {
		if widths[i] = c.width; c.width == 0 {
			widths[i] = max(1, cmp.Or(c.least, leastWidth)+width-fixed(n))
		}
	}
	return widths
}

// order is how a table is sorted.
type order struct {
	column   int
	reversed bool
}

// sort sorts rows, equal ones by their first column, and unknown figures last.
func (o order) sort(columns []column, rows []row) {
	slices.SortStableFunc(rows, func(a, b row) int {
		x, y := a[o.column], b[o.column]
		d := cmp.Compare(x.text, y.text)
		if !columns[o.column].text {
			if unknown := math.IsNaN(x.value); unknown != math.IsNaN(y.value) {
				if unknown {
					return 1
				}
				return -1
			}
			d = cmp.Compare(y.value, x.value)
		}
		if o.reversed {
			d = -d
		}
		return cmp.Or(d, cmp.Compare(a[0].text, b[0].text))
	})
}

// matching are the rows of which a column of text has the filter in it, whatever the case.
func matching(columns []column, rows []row, filter string) []row {
	if filter == "" {
		return rows
	}
	filter = strings.ToLower(filter)
	return slices.DeleteFunc(rows, func(r row) bool {
		for i, c := range columns {
			if c.text && strings.Contains(strings.ToLower(r[i].text), filter) {
				return false
			}
		}
		return true
	})
}

// head is the line of titles, with an arrow at the one that is sorted by.
func (o order) head(columns []column, widths []int) string {
	var parts []string
	for i, w := range widths {
		title := columns[i].title
		if i == o.column {
			arrow := "▼"
			if columns[i].text != o.reversed {
				arrow = "▲"
			}
			title += arrow
		}
		parts = append(parts, fit(title, w, !columns[i].text))
	}
	return strings.Join(parts, " ")
}

func (r row) line(columns []column, widths []int) string {
	var parts []string
	for i, w := range widths {
		parts = append(parts, fit(r[i].text, w, !columns[i].text))
	}
	return strings.Join(parts, " ")
}

// style is how text looks. Colours are of the terminal's own sixteen, which its user has chosen.
type style uint8

const (
	plain style = iota
	strong
	faint
	titled // a line of titles
	chosen // the view that is shown
	good
	bad
	chart
)

func (s style) of(text string) string {
	var a ansi.Style
	switch s {
	case strong:
		a = a.Bold()
	case faint:
		a = a.Faint()
	case titled:
		a = a.Bold().Underline(true)
	case chosen:
		a = a.Reverse(true)
	case good:
		a = a.ForegroundColor(ansi.Green)
	case bad:
		a = a.Bold().ForegroundColor(ansi.Red)
	case chart:
		a = a.ForegroundColor(ansi.Cyan)
	}
	return a.Styled(text)
}
