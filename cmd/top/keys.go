package top

import (
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"
)

const helpText = `
  1 ... 6      overview, commands, prefixes, hot keys, slow log, clients
  Tab          the next of them, Shift-Tab the one before
  ← →  < >     sort by the column on the left, on the right
  r            reverse the order
  ↑ ↓ PgUp PgDn Home End    scroll; also k j
  /            show only rows with some text in them; Esc shows all again
  space        stop reading, and go on
  + -          read more often, less often (4 times a second to once a minute)
  ?            this page
  q  Ctrl-C    leave

  /S and NOW are of the last interval, and so is MEAN if the command was called in
  it; all else since the server's start or CONFIG RESETSTAT. Times are those that
  commands took to run.
  – is a figure that is not known, such as the hit rate of no reads.
  Names are escaped: \x1b is a byte, \u202e a character that cannot be shown.
`

// intervals are what + and - choose from.
func intervals() []time.Duration {
	return []time.Duration{time.Second / 4, time.Second / 2, time.Second,
		2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute}
}

// key does what a key is for.
func (m *model) key(k tea.KeyPressMsg) tea.Cmd {
	if k.String() == "ctrl+c" {
		return tea.Quit
	}
	switch {
	case m.typing:
		m.typed(k)
		return nil
	case m.help:
		m.help = false
		return nil
	}
	switch s := k.String(); s {
	case "q":
		return tea.Quit
	case "?", "h":
		m.help = true
	case "1", "2", "3", "4", "5", "6":
		return m.show(int(s[0] - '1'))
	case "tab":
		return m.show((m.shown() + 1) % (len(m.views) + 1))
	case "shift+tab":
		return m.show((m.shown() + len(m.views)) % (len(m.views) + 1))
	case "space":
		if m.paused = !m.paused; !m.paused {
			return m.ask()
		}
	case "+", "=":
		return m.change(-1)
	case "-":
		return m.change(+1)
	}
	if m.view != nil {
		m.tableKey(k.String())
	}
	return nil
}

// shown is the number of the view that is shown, 0 for the overview.
func (m *model) shown() int {
	return 1 + slices.IndexFunc(m.views, func(v view) bool { return m.view != nil && v.key == m.view.key })
}

// show shows a view and reads its rows.
func (m *model) show(n int) tea.Cmd {
	m.view, m.offset, m.filter, m.rows = nil, 0, "", 0
	if n > 0 {
		m.view = &m.views[n-1]
	}
	if m.stale() && m.lost == nil {
		return m.ask()
	}
	return nil
}

// change makes readings rarer or, below 0, more frequent.
func (m *model) change(by int) tea.Cmd {
	all := intervals()
	at, _ := slices.BinarySearch(all, m.every)
	m.every = all[max(0, min(len(all)-1, at+by))]
	if m.asking {
		return nil // the next timer starts when that is answered
	}
	return m.wait()
}

// tableKey sorts, scrolls and filters.
func (m *model) tableKey(k string) {
	o := m.orders[m.view.key]
	switch k {
	case "left", "<", ",":
		o = order{column: max(0, o.column-1)}
	case "right", ">", ".":
		o = order{column: min(len(layout(m.view.columns, m.width))-1, o.column+1)}
	case "r":
		o.reversed = !o.reversed
	case "up", "k":
		m.offset--
	case "down", "j":
		m.offset++
	case "pgup":
		m.offset -= m.visible
	case "pgdown":
		m.offset += m.visible
	case "home", "g":
		m.offset = 0
	case "end", "G":
		m.offset = m.rows
	case "/":
		m.typing = true
	case "esc":
		m.filter = ""
	}
	m.orders[m.view.key] = o
	m.offset = max(0, min(m.offset, m.rows-m.visible))
}

// typed is a key while the filter is typed.
func (m *model) typed(k tea.KeyPressMsg) {
	switch k.String() {
	case "enter":
		m.typing = false
	case "esc":
		m.typing, m.filter = false, ""
	case "backspace":
		if r := []rune(m.filter); len(r) > 0 {
			m.filter = string(r[:len(r)-1])
		}
	default:
		m.filter += k.Text
	}
}
