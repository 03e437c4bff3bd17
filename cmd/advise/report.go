package advise

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Report is what was found. Its JSON form is an interface: fields may be added, not renamed.
type Report struct {
	Addr        string   `json:"addr"`
	Server      string   `json:"server"`
	Seconds     float64  `json:"seconds"`
	Requests    int64    `json:"requests"`     // that MONITOR has shown
	Reads       int64    `json:"reads"`        // by the server's own count
	HitRate     *float64 `json:"hit_rate"`     // 0 to 1, null without reads
	Keys        int64    `json:"keys"`         // in the database
	SampledKeys int      `json:"sampled_keys"` // that were looked at
	TracedKeys  int      `json:"traced_keys"`  // whose accesses were kept,
	TracedPart  float64  `json:"traced_part"`  // which is this part of all
	Policy      string   `json:"policy"`

	Advice  []Advice `json:"advice"`
	Unknown []string `json:"unknown"` // what could not be judged, and why
}

// Advice is one thing to do.
type Advice struct {
	Kind    string             `json:"kind"`
	Prefix  string             `json:"prefix,omitempty"`
	Policy  string             `json:"policy,omitempty"` // to be chosen
	Text    string             `json:"text"`
	Figures map[string]float64 `json:"figures"`
}

func (r *Report) advise(kind, prefix, text string, figures map[string]float64) {
	r.Advice = append(r.Advice, Advice{Kind: kind, Prefix: prefix, Text: text, Figures: figures})
}

func (r *Report) unknown(format string, args ...any) {
	r.Unknown = append(r.Unknown, fmt.Sprintf(format, args...))
}

// about reports whether a prefix has an advice of one of these kinds already.
func (r *Report) about(prefix string, kinds ...string) bool {
	return slices.ContainsFunc(r.Advice,
		func(a Advice) bool { return a.Prefix == prefix && slices.Contains(kinds, a.Kind) })
}

func (r *Report) has(kind string) bool { return r.about("", kind) }

// textWidth is the width of lines of text.
const textWidth = 96

// Write writes the report as text.
func (r *Report) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s, %.0f seconds: %s requests seen, %s of %s keys looked at.\n",
		quoteless(r.Server), quoteless(r.Addr), r.Seconds,
		number0(int(r.Requests)), number0(r.SampledKeys), number0(int(r.Keys)))
	if r.HitRate != nil {
		fmt.Fprintf(&b, "Hit rate in this time: %s of %s reads.\n", percent(*r.HitRate), number0(int(r.Reads)))
	}
	for i, a := range r.Advice {
		b.WriteString("\n" + wrap(fmt.Sprintf("%d. ", i+1), a.Text))
	}
	if len(r.Advice) == 0 {
		b.WriteString("\nNothing to advise.\n")
	}
	if len(r.Unknown) > 0 {
		b.WriteString("\nNot judged, for lack of data:\n")
		for _, text := range r.Unknown {
			b.WriteString(wrap("- ", text))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// wrap breaks text into lines, the first behind a mark and the others below it.
func wrap(mark, text string) string {
	var b strings.Builder
	at := len(mark)
	b.WriteString(mark)
	for i, word := range strings.Fields(text) {
		if i > 0 && at+1+len(word) > textWidth {
			b.WriteString("\n" + strings.Repeat(" ", len(mark)))
			at = len(mark)
		} else if i > 0 {
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	return b.String() + "\n"
}

// quote shows a prefix, which may be any bytes, in printable characters.
func quote(prefix string) string {
	const longest = 60
	if prefix == "" {
		return "(none)"
	}
	if len(prefix) > longest {
		return strconv.QuoteToASCII(prefix[:longest]) + "..."
	}
	return strconv.QuoteToASCII(prefix)
}

// quoteless is printable text without quotes.
func quoteless(s string) string {
	q := strconv.QuoteToASCII(s)
	return q[1 : len(q)-1]
}

func percent(part float64) string { return strconv.FormatFloat(100*part, 'f', 1, 64) + " %" }

// number0 is a number in groups of three digits.
func number0(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func size(bytes float64) string {
	for _, unit := range []string{"B", "KB", "MB", "GB"} {
		if bytes < 1024 {
			return strconv.FormatFloat(bytes, 'f', 1, 64) + " " + unit
		}
		bytes /= 1024
	}
	return strconv.FormatFloat(bytes, 'f', 1, 64) + " TB"
}

// duration is a time in ms in words.
func duration(ms float64) string {
	d := time.Duration(ms * float64(time.Millisecond))
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
