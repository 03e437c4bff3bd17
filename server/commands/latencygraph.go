package commands

import (
	"fmt"
	"strings"
	"time"

	"github.com/larderkv/larder/server/stats"
)

// LATENCY GRAPH, drawn as in Redis: a column per sample, graphRows high, and below it, from top to
// bottom, how long ago it was.

const (
	graphColumns = 80
	graphRows    = 4
	// graphInk is the upper end of a column, in three heights of one row; what is below it is a bar.
	graphInk = "_o#"
)

func graph(e *stats.Event, now time.Time) string {
	all := e.Summarize(now)
	var b strings.Builder
	fmt.Fprintf(&b, "%s - high %d ms, low %d ms (all time high %d ms)\n", e.Name, all.Max, all.Min, e.Worst)
	b.WriteString(strings.Repeat("-", graphColumns) + "\n")
	for from := 0; from < len(e.Samples); from += graphColumns {
		if from > 0 {
			b.WriteByte('\n')
		}
		part := e.Samples[from:min(from+graphColumns, len(e.Samples))]
		drawColumns(&b, part, all.Min, all.Max)
		drawAges(&b, part, now)
	}
	return b.String()
}

func drawColumns(b *strings.Builder, samples []stats.Sample, low, high int64) {
	steps := int64(len(graphInk) * graphRows)
	for row := range int64(graphRows) {
		below := (graphRows - row - 1) * int64(len(graphInk))
		for _, s := range samples {
			step := min((s.Took-low)*steps/max(high-low, 1), steps-1) - below
			switch {
			case step < 0:
				b.WriteByte(' ')
			case step < int64(len(graphInk)):
				b.WriteByte(graphInk[step])
			default:
				b.WriteByte('|')
			}
		}
		b.WriteByte('\n')
	}
}

// drawAges writes the ages of samples, each under its column, below an empty row.
func drawAges(b *strings.Builder, samples []stats.Sample, now time.Time) {
	ages, longest := make([]string, len(samples)), 0
	for i, s := range samples {
		ages[i] = age(now.Unix() - s.Time)
		longest = max(longest, len(ages[i]))
	}
	b.WriteString(strings.Repeat(" ", len(samples)) + "\n")
	for row := range longest {
		for _, a := range ages {
			if row < len(a) {
				b.WriteByte(a[row])
			} else {
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
}

// age is a number of seconds in the largest unit that fits.
func age(seconds int64) string {
	const minute, hour, day = 60, 60 * 60, 24 * 60 * 60
	switch {
	case seconds < minute:
		return fmt.Sprintf("%ds", seconds)
	case seconds < hour:
		return fmt.Sprintf("%dm", seconds/minute)
	case seconds < day:
		return fmt.Sprintf("%dh", seconds/hour)
	}
	return fmt.Sprintf("%dd", seconds/day)
}
