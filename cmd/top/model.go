package top

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	tea "charm.land/bubbletea/v2"
)

// model is the state of the screen. Bubble Tea calls it from one goroutine.
type model struct {
	ctx   context.Context
	src   *source
	addr  string
	every time.Duration

	span    span
	history history
	lost    error     // why the server cannot be read at the moment
	since   time.Time // when it was lost

	asking bool // a reading is under way
	round  int  // of the timer that counts: those of before an interval changed do not
	paused bool

	views   []view
	view    *view // nil for the overview
	orders  map[string]order
	offset  int // the first row that is shown
	filter  string
	typing  bool // keys go to the filter
	help    bool
	width   int
	height  int
	visible int // rows that the screen had room for
	rows    int // that there were
}

// answered is a reading, or why there is none; due says that it is time for the next.
type (
	answered struct {
		reading *reading
		err     error
	}
	due struct{ round int }
)

func newModel(ctx context.Context, src *source, o Options, first *reading) *model {
	m := &model{
		ctx: ctx, src: src, addr: o.Addr, every: o.Every, span: span{now: first}, history: history{},
		views: views(), orders: map[string]order{}, width: 80, height: 24,
	}
	for _, v := range m.views {
		m.orders[v.key] = order{column: v.first}
	}
	m.history.remember(m.span)
	return m
}

func (m *model) Init() tea.Cmd { return m.wait() }

// wait starts the timer of the next reading.
func (m *model) wait() tea.Cmd {
	m.round++
	round := m.round
	return tea.Tick(m.every, func(time.Time) tea.Msg { return due{round} })
}

// ask reads the server, unless a reading is under way.
func (m *model) ask() tea.Cmd {
	if m.asking {
		return nil
	}
	m.asking = true
	view := m.view
	return func() tea.Msg {
		r, err := m.src.read(m.ctx, view)
		return answered{r, err}
	}
}

func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case due:
		if msg.round == m.round && !m.paused {
			return m, m.ask()
		}
	case answered:
		m.asking = false
		m.take(msg)
		if m.stale() && m.lost == nil {
			return m, m.ask() // another view was chosen meanwhile
		}
		return m, m.wait()
	case tea.KeyPressMsg:
		return m, m.key(msg)
	}
	return m, nil
}

// take shows a reading, or notes that there is none.
func (m *model) take(a answered) {
	if a.err != nil {
		if m.lost == nil {
			m.since = time.Now()
		}
		m.lost = a.err
		return
	}
	if m.lost != nil {
		m.lost = nil
		m.span = span{} // a rate over the time without a connection would be none of now
	}
	// A view that was just chosen has its rows at once; charts have one value per interval.
	early := m.span.now != nil && a.reading.at.Sub(m.span.now.at) < m.every/2
	if early && m.span.now.view != a.reading.view {
		m.span.now = a.reading
		return
	}
	m.span = m.span.next(a.reading)
	m.history.remember(m.span)
}

// stale reports whether the rows of the chosen view have not been read yet.
func (m *model) stale() bool {
	return m.view != nil && m.view.ask != nil && m.span.now.view != m.view.key
}

// cause is what went wrong, without the wrapping of who noticed.
func cause(err error) string {
	var timeout net.Error
	var errno syscall.Errno
	switch {
	case errors.Is(err, io.EOF):
		return "the server closed the connection"
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer"
	}
	return name(err.Error())
}

// View draws the screen. It is the whole of it, line by line, none longer than the terminal's.
func (m *model) View() tea.View {
	lines := []string{m.heading(m.width), m.tabs(), m.status()}
	room := max(1, m.height-len(lines)-1)
	var body []string
	switch {
	case m.help:
		body = strings.Split(strings.TrimRight(helpText, "\n"), "\n")
	case m.view == nil:
		body = m.overview(m.width, room)
	default:
		body = m.table(room)
	}
	for len(body) < room {
		body = append(body, "")
	}
	lines = append(append(lines, body[:room]...), m.footer())
	for i := range lines {
		lines[i] = fit(lines[i], m.width, false)
	}
	v := tea.NewView(strings.Join(lines, "\n"))
	v.AltScreen = true
	return v
}

func (m *model) tabs() string {
	var b strings.Builder
	tab := func(key, title string, shown bool) {
		text := " " + key + " " + title + " "
		if shown {
			text = chosen.of(text)
		}
		b.WriteString(text)
	}
	tab(overviewKey, "Overview", m.view == nil)
	for _, v := range m.views {
		tab(v.key, v.title, m.view != nil && m.view.key == v.key)
	}
	return b.String()
}

// status is the line that says whether what is shown is true at the moment.
func (m *model) status() string {
	if m.lost == nil {
		return ""
	}
	return bad.of(fmt.Sprintf(" Connection lost %s ago: %s. Trying again; the figures are of then.",
		age(time.Since(m.since).Seconds()), cause(m.lost)))
}

// table draws the chosen view into so many lines.
func (m *model) table(room int) []string {
	v := m.view
	m.rows = 0
	if m.stale() {
		return []string{"", " Reading ..."}
	}
	if err := m.span.now.refused; err != nil {
		if v.missing != "" && unknown(err) {
			return []string{"", " " + v.missing}
		}
		return []string{"", bad.of(" The server refuses: ") + name(err.Error())}
	}
	rows := v.rows(m.span)
	if len(rows) == 0 {
		return []string{"", " " + v.nothing}
	}
	o := m.orders[v.key]
	rows = matching(v.columns, rows, m.filter)
	o.sort(v.columns, rows)
	m.rows, m.visible = len(rows), room-1
	m.offset = max(0, min(m.offset, m.rows-m.visible))
	widths := layout(v.columns, m.width)
	lines := []string{titled.of(o.head(v.columns, widths))}
	for _, r := range rows[m.offset:min(m.rows, m.offset+m.visible)] {
		lines = append(lines, r.line(v.columns, widths))
	}
	if m.rows == 0 {
		lines = append(lines, "", " Nothing has "+escape(m.filter)+" in it.")
	}
	return lines
}

// footer says which keys there are, and where in a table one is.
func (m *model) footer() string {
	switch {
	case m.typing:
		return " Show only: " + escape(m.filter) + "█   Enter keeps it, Esc shows all"
	case m.help:
		return faint.of(" any key: back")
	case m.view == nil:
		return faint.of(" 1-6 views   space pause   +/- interval   ? help   q quit")
	}
	text := " ←/→ sort by   r reverse   ↑/↓ scroll   / filter   ? help   q quit"
	if m.filter != "" {
		text = fmt.Sprintf(" only %q   / change   Esc all", escape(m.filter))
	}
	if m.rows > m.visible && m.visible > 0 {
		text = fmt.Sprintf(" %d-%d of %d ", m.offset+1, min(m.rows, m.offset+m.visible), m.rows) + text
	}
	return faint.of(text)
}
