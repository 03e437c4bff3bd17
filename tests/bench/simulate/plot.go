package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// svg collects the elements of a drawing; lengths are in pixels, y goes down.
type svg struct {
	strings.Builder
	width, height float64
}

func (s *svg) line(x1, y1, x2, y2 float64, color string) {
	fmt.Fprintf(s, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, color)
}

func (s *svg) rect(x, y, width, height float64, color string) {
	fmt.Fprintf(s, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y, width, height, color)
}

// text is anchored at its start, middle or end.
func (s *svg) text(x, y float64, anchor, text string) {
	fmt.Fprintf(s, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, html.EscapeString(text))
}

// curve joins points by lines and marks each.
func (s *svg) curve(xs, ys []float64, color string, width float64) {
	fmt.Fprintf(s, `<polyline fill="none" stroke="%s" stroke-width="%.1f" points="`, color, width)
	for i := range xs {
		fmt.Fprintf(s, "%.1f,%.1f ", xs[i], ys[i])
	}
	s.WriteString("\"/>\n")
	for i := range xs {
		fmt.Fprintf(s, `<circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s"/>`+"\n", xs[i], ys[i], width+0.5, color)
	}
}

// document is the finished file, on white, so that it is read on any page.
func (s *svg) document() string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="11">
<rect width="100%%" height="100%%" fill="white"/>
%s</svg>
`, s.width, s.height, s.width, s.height, s.String())
}

const (
	panelWidth, panelHeight = 300.0, 210.0
	panelColumns            = 4
	marginLeft, marginRight = 36.0, 12.0
	marginTop, marginBottom = 24.0, 30.0
	legendHeight            = 28.0
	gridColor, axisColor    = "#e4e4e4", "#888888"
)

// plotWorkloads draws a panel for each trace: hit ratio over the size of the cache, on a
// logarithmic axis.
func (r *report) plotWorkloads() string {
	columns := min(panelColumns, len(r.tables))
	s := &svg{}
	s.width = float64(max(columns, 3)) * panelWidth
	s.height = legendHeight + math.Ceil(float64(len(r.tables))/float64(columns))*panelHeight
	x := marginLeft
	for _, p := range r.settings.policies {
		if p.color != "" {
			s.rect(x, 12, 14, 4, p.color)
			s.text(x+18, 18, "start", p.name)
			x += 34 + 6.2*float64(len(p.name))
		}
	}
	for i, t := range r.tables {
		r.panel(s, t, float64(i%columns)*panelWidth, legendHeight+float64(i/columns)*panelHeight)
	}
	return s.document()
}

// panel draws a trace with its top left corner at x and y. Its vertical axis ends at the next tenth
// above all hit ratios.
func (r *report) panel(s *svg, t table, x, y float64) {
	top := 0.1
	for _, row := range t.results[0] {
		for _, v := range row {
			top = max(top, math.Ceil(10*v.hits)/10)
		}
	}
	left, right := x+marginLeft, x+panelWidth-marginRight
	upper, lower := y+marginTop, y+panelHeight-marginBottom
	s.text((left+right)/2, upper-8, "middle", t.name)
	for tick := 0.0; tick <= 4; tick++ {
		at := lower - tick/4*(lower-upper)
		s.line(left, at, right, at, gridColor)
		s.text(left-4, at+4, "end", decimal(math.Round(1000*top*tick/4)/10))
	}
	sizes := r.settings.sizes
	least, most := sizes[0], sizes[0]
	for _, size := range sizes {
		least, most = min(least, size), max(most, size)
	}
	xs := make([]float64, len(sizes))
	for i, size := range sizes {
		xs[i] = (left + right) / 2
		if most > least {
			xs[i] = left + math.Log(size/least)/math.Log(most/least)*(right-left)
		}
		s.line(xs[i], lower, xs[i], lower+4, axisColor)
		s.text(xs[i], lower+16, "middle", decimal(100*size)+" %")
	}
	s.line(left, lower, right, lower, axisColor)
	for p, policy := range r.settings.policies {
		if policy.color == "" {
			continue
		}
		ys := make([]float64, len(sizes))
		for i, v := range t.results[0][p] {
			ys[i] = lower - v.hits/top*(lower-upper)
		}
		width := 1.3
		if policy.kind == adaptive {
			width = 2.6
		}
		s.curve(xs, ys, policy.color, width)
	}
}

// plotSummary draws two bars for each policy: the means of hits and of bytes hit.
func (r *report) plotSummary() string {
	const rowHeight, barHeight, labels, length = 26.0, 9.0, 130.0, 560.0
	s := &svg{width: labels + length + 70, height: legendHeight + rowHeight*float64(len(r.settings.policies)) + 8}
	most := 0.0
	for p := range r.settings.policies {
		m := r.mean(0, p)
		most = max(most, m.hits, m.bytes)
	}
	if most == 0 {
		most = 1
	}
	const hitColor, ownColor, byteColor = "#4c78a8", "#d62728", "#c3d0de"
	s.rect(labels, 10, 14, 8, hitColor)
	s.text(labels+18, 18, "start", "hits, mean of all traces and sizes, %")
	s.rect(labels+250, 10, 14, 8, byteColor)
	s.text(labels+268, 18, "start", "bytes hit")
	for p, policy := range r.settings.policies {
		y := legendHeight + rowHeight*float64(p)
		m := r.mean(0, p)
		color := hitColor
		if policy.kind == adaptive {
			color = ownColor
		}
		s.text(labels-6, y+14, "end", policy.name)
		s.rect(labels, y+3, m.hits/most*length, barHeight, color)
		s.rect(labels, y+3+barHeight, m.bytes/most*length, barHeight, byteColor)
		s.text(labels+m.hits/most*length+5, y+12, "start", percent(m.hits))
	}
	return s.document()
}
