package load

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// Picture draws the result as an SVG: latency over percentiles, a curve per operation, and below it
// requests per second and latency over time.
func (r *Result) Picture() string {
	d := &drawing{}
	d.text(margin, 26, "start", 16, inkColor, r.title())
	d.text(margin, 46, "start", 12, axisColor, r.subtitle()+fmt.Sprintf("; %.1f s, %s requests, %s",
		r.Seconds, grouped(r.Total.Requests), errorsText(r.Total.Errors)))
	r.drawPercentiles(d, panel{x: margin + labelWidth, y: 84, width: pictureWidth - 2*margin - labelWidth, height: 260})
	height := 400.0
	if len(r.Samples) > 1 {
		half := panel{x: margin + labelWidth, y: 432, width: (pictureWidth-2*margin)/2 - labelWidth - 12, height: 130}
		r.drawOverTime(d, half, "requests per second",
			[]series{{"", curveColors[0], func(s Sample) float64 { return s.PerSec }}}, func(v float64) string {
				return short(v)
			})
		half.x += half.width + labelWidth + 24
		r.drawOverTime(d, half, "latency", []series{
			{"p99", curveColors[1], func(s Sample) float64 { return s.P99 }},
			{"p50", curveColors[0], func(s Sample) float64 { return s.P50 }},
		}, duration)
		height = 604
	}
	return d.document(pictureWidth, height)
}

const (
	pictureWidth = 860.0
	margin       = 24.0
	labelWidth   = 52.0
	inkColor     = "#1f2933"
	axisColor    = "#616e7c"
	gridColor    = "#e4e7eb"
)

// curveColors are told apart by people who see colours differently, too (Okabe and Ito).
var curveColors = [...]string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"}

// panel is where a chart is drawn, without its labels; y goes down.
type panel struct{ x, y, width, height float64 }

// at finds a point by its parts of width and height, from the lower left corner.
func (p panel) at(across, up float64) (x, y float64) {
	return p.x + across*p.width, p.y + (1-up)*p.height
}

// drawPercentiles draws the curves over a logarithmic axis of nines, to a logarithmic scale.
func (r *Result) drawPercentiles(d *drawing, p panel) {
	rows := slices.DeleteFunc(slices.Clone(r.Operations), func(o OperationResult) bool { return o.Latency.Max == 0 })
	if len(rows) > len(curveColors) {
		rows = []OperationResult{r.Total}
	}
	low, high, nines := math.Inf(1), 0.0, 1.0
	for _, o := range rows {
		for _, point := range o.Latency.Curve {
			low, high = min(low, point[1]), max(high, point[1])
			nines = max(nines, ninesOf(point[0]))
		}
	}
	d.text(p.x, p.y-12, "start", 12, inkColor, "latency by percentile")
	if high == 0 {
		d.text(p.x+p.width/2, p.y+p.height/2, "middle", 12, axisColor, "nothing was answered")
		return
	}
	bottom, top := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high)+1e-9)
	for decade := bottom; decade <= top; decade++ {
		d.gridLine(p, (decade-bottom)/(top-bottom), plain(duration(math.Pow(10, decade))))
	}
	for n := 0.0; n <= nines; n++ {
		x, y := p.at(n/nines, 0)
		d.line(x, p.y, x, y, gridColor)
		d.text(x, y+18, "middle", 11, axisColor, percentileName(int(n)))
	}
	for i, o := range rows {
		var xs, ys []float64
		for _, point := range o.Latency.Curve {
			x, y := p.at(ninesOf(point[0])/nines, (math.Log10(point[1])-bottom)/(top-bottom))
			xs, ys = append(xs, x), append(ys, y)
		}
		d.curve(xs, ys, curveColors[i])
		x := p.x + 14 + float64(i%3)*150
		y := p.y + 18 + float64(i/3)*18
		d.line(x, y-4, x+18, y-4, curveColors[i])
		d.text(x+24, y, "start", 12, inkColor, o.Name)
	}
}

func ninesOf(percentile float64) float64 { return -math.Log10(max(1-percentile/100, 1e-12)) }

// percentileName is 0 %, 90 %, 99 %, 99.9 %.
func percentileName(nines int) string {
	switch nines {
	case 0:
		return "0 %"
	case 1:
		return "90 %"
	case 2:
		return "99 %"
	}
	return "99." + strings.Repeat("9", nines-2) + " %"
}

// series is one line over time.
type series struct {
	name  string
	color string
	of    func(Sample) float64
}

// drawOverTime draws lines from zero on.
func (r *Result) drawOverTime(d *drawing, p panel, title string, lines []series, label func(float64) string) {
	d.text(p.x, p.y-12, "start", 12, inkColor, title)
	most, end := 0.0, r.Samples[len(r.Samples)-1].At
	for _, s := range r.Samples {
		for _, l := range lines {
			most = max(most, l.of(s))
		}
	}
	top := roundUp(most)
	for _, part := range []float64{0, 0.5, 1} {
		text := "0"
		if part > 0 {
			text = plain(label(part * top))
		}
		d.gridLine(p, part, text)
	}
	for _, part := range []float64{0, 0.5, 1} {
		x, y := p.at(part, 0)
		d.text(x, y+18, "middle", 11, axisColor, fmt.Sprintf("%.3g s", part*end))
	}
	for i, l := range lines {
		var xs, ys []float64
		for _, s := range r.Samples {
			x, y := p.at(s.At/end, l.of(s)/top)
			xs, ys = append(xs, x), append(ys, y)
		}
		d.curve(xs, ys, l.color)
		if l.name != "" {
			d.text(p.x+p.width-float64(i)*36, p.y-12, "end", 12, l.color, l.name)
		}
	}
}

// roundUp is the next 1, 2 or 5 with zeros behind it, or before.
func roundUp(v float64) float64 {
	if v <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, step := range []float64{1, 2, 5} {
		if v <= step*unit {
			return step * unit
		}
	}
	return 10 * unit
}

// plain takes zeros away that a round number does not need.
func plain(number string) string {
	digits, unit, _ := strings.Cut(number, " ")
	if strings.Contains(digits, ".") {
		digits = strings.TrimSuffix(strings.TrimRight(digits, "0"), ".")
	}
	return strings.TrimSpace(digits + " " + unit)
}

// short is 950, 12k, 1.5M.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.3gM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%.3gk", v/1e3)
	}
	return fmt.Sprintf("%.3g", v)
}

// drawing collects the elements of an SVG; lengths are in pixels.
type drawing struct{ strings.Builder }

func (d *drawing) line(x1, y1, x2, y2 float64, color string) {
	fmt.Fprintf(d, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, color)
}

// text is anchored at its start, middle or end.
func (d *drawing) text(x, y float64, anchor string, size int, color, text string) {
	fmt.Fprintf(d, `<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d" fill="%s">%s</text>`+"\n",
		x, y, anchor, size, color, html.EscapeString(text))
}

// gridLine is a horizontal one, at a part of the panel's height, with its label.
func (d *drawing) gridLine(p panel, up float64, label string) {
	x, y := p.at(0, up)
	d.line(x, y, x+p.width, y, gridColor)
	d.text(x-8, y+4, "end", 11, axisColor, label)
}

func (d *drawing) curve(xs, ys []float64, color string) {
	fmt.Fprintf(d, `<polyline fill="none" stroke="%s" stroke-width="2" stroke-linejoin="round" points="`, color)
	for i := range xs {
		fmt.Fprintf(d, "%.1f,%.1f ", xs[i], ys[i])
	}
	d.WriteString("\"/>\n")
}

// document is the finished file, on white, so that it can be read on any page.
func (d *drawing) document(width, height float64) string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="system-ui, sans-serif">
<rect width="100%%" height="100%%" fill="white"/>
%s</svg>
`, width, height, width, height, d.String())
}
