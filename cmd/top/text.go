package top

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// unknownText stands for a figure that is not known, such as the hit rate of no reads.
const unknownText = "–"

// escape makes text safe to show: printable characters stay, all others, and bytes that are no
// UTF-8, become \x1b or \u202e. Marks are among these, although they are printable: terminals do
// not agree on the width of what they combine with, and a table must not lose its columns. A
// backslash is doubled, so that no name can look like another one's escape.
func escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\\':
			b.WriteString(`\\`)
		case r == ' ' || unicode.IsPrint(r) && !unicode.IsMark(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += n
	}
	return b.String()
}

// shown is how many bytes of a name are looked at: no terminal has so many columns.
const shown = 1 << 10

// name is a name of any length, escaped.
func name(s string) string {
	if len(s) > shown {
		return escape(s[:shown]) + "…"
	}
	return escape(s)
}

// fit cuts text to a width and fills it up to it, on the right side if it is a number.
func fit(s string, width int, right bool) string {
	s = ansi.Truncate(s, width, "…")
	fill := strings.Repeat(" ", max(0, width-ansi.StringWidth(s)))
	if right {
		return fill + s
	}
	return s + fill
}

// count is a number of things in at most 7 columns: 12,345 or 1.2M.
func count(f float64) string {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return unknownText
	case f < 0:
		return "-" + count(-f)
	case f != math.Trunc(f) && f < 9.95:
		return strconv.FormatFloat(f, 'f', 1, 64)
	case f < 99_999.5:
		s := strconv.FormatFloat(f, 'f', 0, 64)
		if len(s) > 3 {
			s = s[:len(s)-3] + "," + s[len(s)-3:]
		}
		return s
	}
	return scaled(f, 1000, []string{"", "k", "M", "G", "T", "P", "E"})
}

// whole is a number with all its digits.
func whole(f float64) string { return strconv.FormatFloat(f, 'f', 0, 64) }

// bytes is an amount of memory in at most 7 columns; 1 KB are 1024 bytes, as INFO has it.
func bytes(f float64) string {
	if math.IsNaN(f) {
		return unknownText
	}
	return scaled(f, 1024, []string{" B", " KB", " MB", " GB", " TB", " PB", " EB"})
}

// scaled has three digits and a unit.
func scaled(f, step float64, units []string) string {
	unit := 0
	for math.Abs(f) >= step*0.9995 && unit < len(units)-1 {
		f /= step
		unit++
	}
	digits := 0
	if unit > 0 && math.Abs(f) < 99.95 {
		digits = 1
	}
	return strconv.FormatFloat(f, 'f', digits, 64) + units[unit]
}

// percent is a share of 100.
func percent(f float64) string {
	if math.IsNaN(f) {
		return unknownText
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + "%"
}

// micros is a time in microseconds.
func micros(f float64) string {
	switch {
	case math.IsNaN(f):
		return unknownText
	case f == 0:
		return "0"
	case f < 99.95:
		return strconv.FormatFloat(f, 'f', 1, 64) + "µs"
	case f < 999.5:
		return strconv.FormatFloat(f, 'f', 0, 64) + "µs"
	case f < 999_500:
		return strconv.FormatFloat(f/1e3, 'f', 1, 64) + "ms"
	}
	return strconv.FormatFloat(f/1e6, 'f', 1, 64) + "s"
}

// age is a time in its two largest units: 3d 4h.
func age(seconds float64) string {
	s := int64(seconds)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm %ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh %dm", s/3600, s%3600/60)
	}
	return fmt.Sprintf("%dd %dh", s/86400, s%86400/3600)
}

// clock is the time of day of a unix time, with the date unless it is today's.
func clock(unix int64, now time.Time) string {
	t := time.Unix(unix, 0)
	if t.Format(time.DateOnly) != now.Format(time.DateOnly) {
		return t.Format("01-02 15:04:05")
	}
	return t.Format(time.TimeOnly)
}

// spark draws the last values as columns between 0 and a highest value, which is theirs if it is 0.
// What is not known is a gap.
func spark(values []float64, width int, highest float64) string {
	values = values[max(0, len(values)-width):]
	if highest == 0 {
		for _, v := range values {
			if v > highest {
				highest = v
			}
		}
	}
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", width-len(values)))
	steps := []rune("▁▂▃▄▅▆▇█")
	for _, v := range values {
		switch {
		case math.IsNaN(v):
			b.WriteByte(' ')
		case highest == 0:
			b.WriteRune(steps[0])
		default:
			b.WriteRune(steps[min(len(steps)-1, max(0, int(v/highest*float64(len(steps)))))])
		}
	}
	return b.String()
}

// bar is a filled part of a width.
func bar(part float64, width int) string {
	full := max(0, min(width, int(math.Round(part*float64(width)))))
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}
