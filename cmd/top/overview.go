package top

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"
)

// remembered is how many readings a chart can show.
const remembered = 512

// history has the values of what is charted, the latest last.
type history map[string][]float64

func (h history) add(name string, value float64) {
	h[name] = append(h[name], value)
	if n := len(h[name]); n > remembered {
		h[name] = h[name][n-remembered:]
	}
}

func (h history) last(name string) float64 {
	if n := len(h[name]); n > 0 {
		return h[name][n-1]
	}
	return math.NaN()
}

// gauges are the lines of the overview that have a chart.
func gauges() []gauge {
	perSecond := func(field string) func(span) float64 { return func(s span) float64 { return s.rate(field) } }
	rate := func(f float64) string { return count(f) + "/s" }
	volume := func(f float64) string { return bytes(f) + "/s" }
	return []gauge{
		{"Operations", perSecond("total_commands_processed"), rate, 0},
		{"Hit rate", func(s span) float64 { return share(s.grown("keyspace_hits"), s.grown("keyspace_misses")) }, percent, 100},
		{"Mean time", meanTime, micros, 0},
		{"Memory", func(s span) float64 { return s.now.info.Number("used_memory") }, bytes, 0},
		{"Clients", func(s span) float64 { return s.now.info.Number("connected_clients") }, count, 0},
		{"Evicted", perSecond("evicted_keys"), rate, 0},
		{"Expired", perSecond("expired_keys"), rate, 0},
		{"Received", perSecond("total_net_input_bytes"), volume, 0},
		{"Sent", perSecond("total_net_output_bytes"), volume, 0},
		{"Round trip", func(s span) float64 { return float64(s.now.trip) / float64(time.Microsecond) }, micros, 0},
	}
}

// gauge is a figure over time.
type gauge struct {
	title   string
	value   func(span) float64
	format  func(float64) string
	highest float64 // of its chart, 0 for the highest value that is shown
}

// meanTime is what a command took on average, in µs, NaN if there was none.
func meanTime(s span) float64 {
	var usec, calls float64
	for _, c := range s.commands() {
		if c.newCalls > 0 {
			usec, calls = usec+c.newUsec, calls+c.newCalls
		}
	}
	return usec / calls
}

// remember adds what a span says to the charts.
func (h history) remember(s span) {
	for _, g := range gauges() {
		h.add(g.title, g.value(s))
	}
}

// titleWidth and valueWidth are the columns in front of a chart, noteWidth those behind it.
const (
	titleWidth = 11
	valueWidth = 11
	noteWidth  = 26
)

// overview draws the gauges, what INFO knows of latency, and the busiest commands.
func (m *model) overview(width, height int) []string {
	var lines []string
	in := m.span.now.info
	room := max(8, width-titleWidth-valueWidth-noteWidth-3)
	for _, g := range gauges() {
		values, highest := m.history[g.title], g.highest
		drawn := ""
		if limit := in.Number("maxmemory"); g.title == "Memory" && limit > 0 {
			drawn = bar(capped(in)/limit, room)
		} else {
			drawn = spark(values, room, highest)
		}
		note := fit(" "+m.note(g.title, values, g.format), noteWidth, false)
		value := fit(g.format(m.history.last(g.title)), valueWidth, true)
		lines = append(lines, fit(g.title, titleWidth, false)+strong.of(value)+"  "+chart.of(drawn)+faint.of(note))
	}
	busiest := commandsView()
	if height-len(lines) > 3 {
		widths := layout(busiest.columns, width)
		lines = append(lines, "", titled.of(order{column: -1}.head(busiest.columns, widths)))
		rows := commandRows(m.span) // the busiest first
		for _, r := range rows[:min(len(rows), height-len(lines))] {
			lines = append(lines, r.line(busiest.columns, widths))
		}
	}
	return lines
}

// note is what stands behind a chart.
func (m *model) note(title string, values []float64, format func(float64) string) string {
	in := m.span.now.info
	switch title {
	case "Memory":
		limit := in.Number("maxmemory")
		if limit == 0 {
			return "no cap (maxmemory)"
		}
		return fmt.Sprintf("%s of %s", percent(100*capped(in)/limit), bytes(limit))
	case "Clients":
		return fmt.Sprintf("%s waiting, %s at most",
			count(in.Number("blocked_clients")), count(in.Number("maxclients")))
	case "Hit rate":
		hits, misses := in.Number("keyspace_hits"), in.Number("keyspace_misses")
		return percent(share(hits, misses)) + " since the start"
	case "Evicted":
		return count(in.Number("evicted_keys")) + ", " + name(cmp.Or(in["maxmemory_policy"], "no policy"))
	case "Expired":
		all, expiring := in.Keys()
		return fmt.Sprintf("%s of %s expire", count(expiring), count(all))
	}
	highest := 0.0
	for _, v := range values {
		if v > highest {
			highest = v
		}
	}
	return format(highest) + " at most"
}

// heading is the line that names the server.
func (m *model) heading(width int) string {
	in := m.span.now.info
	parts := []string{name(in.Server()), name(m.addr)}
	if role := in["role"]; role != "" && role != "master" {
		parts = append(parts, name(role))
	}
	all, _ := in.Keys()
	parts = append(parts, "up "+age(in.Number("uptime_in_seconds")), keysText(all), bytes(in.Number("used_memory")))
	left := " " + strings.Join(parts, " · ")
	right := "every " + m.every.String() + " "
	if m.paused {
		right = "paused "
	}
	if width < 2*len(right) {
		right = ""
	}
	return strong.of(fit(left, width-len(right), false)) + faint.of(right)
}

func keysText(n float64) string {
	if n == 1 {
		return "1 key"
	}
	return count(n) + " keys"
}
