//go:build linux

package main

import (
	"errors"
	"math"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	for _, tc := range []struct {
		in   []float64
		want float64
	}{
		{[]float64{3}, 3},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 2}, 2.5},
	} {
		before := append([]float64(nil), tc.in...)
		if got := median(tc.in); got != tc.want {
			t.Errorf("median(%v) = %v, want %v", tc.in, got, tc.want)
		}
		if !cmp.Equal(before, tc.in) {
			t.Errorf("median changed its argument to %v", tc.in)
		}
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("median of nothing = %v", got)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.05: "0.05", 0.95: "0.95", 1: "1", 8.1234: "8.123", 12.345: "12.35", 113: "113", 999.94: "999.9", 20480.4: "20480", -1.5: "-1.5", 100: "100",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
	if got := number(math.NaN()); got != "-" {
		t.Errorf("number(NaN) = %q", got)
	}
}

func TestLine(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   result
		want line
	}{
		{"the ratio is the median of the pairs' ratios",
			result{measure: measure{what: "GET", unit: "us", bars: []bar{ratio(0.65)}}, pairs: [][2]float64{{1, 2}, {3, 4}, {6, 10}}},
			line{"GET", "3 us", "4 us", "0.6", "at most 0.65", "reached"}},
		{"a bar may be met exactly",
			result{measure: measure{what: "p99.9", unit: "us", bars: []bar{notAboveRedis}}, pairs: [][2]float64{{2, 2}}},
			line{"p99.9", "2 us", "2 us", "1", "at most 1", "reached"}},
		{"unless it is strict",
			result{measure: measure{what: "idle", unit: "B", bars: []bar{belowRedis}}, pairs: [][2]float64{{2, 2}}},
			line{"idle", "2 B", "2 B", "1", "below 1", "NOT reached"}},
		{"all bars count",
			result{measure: measure{what: "RSS", unit: "B", bars: []bar{ratio(0.66), atMost(113)}}, pairs: [][2]float64{{114, 200}}},
			line{"RSS", "114 B", "200 B", "0.57", "at most 0.66, at most 113 B", "NOT reached"}},
		{"a value Redis does not have, the worst of all",
			result{measure: measure{what: "gc", unit: "ms", bars: []bar{atMost(1)}, worst: true}, pairs: [][2]float64{{0.1, notMeasured}, {1.5, notMeasured}, {0.2, notMeasured}}},
			line{"gc", "1.5 ms", "-", "-", "at most 1 ms", "NOT reached"}},
		{"more is better",
			result{measure: measure{what: "SET", unit: "/s", bars: []bar{notBelowRedis}}, pairs: [][2]float64{{99, 100}}},
			line{"SET", "99 /s", "100 /s", "0.99", "at least 1", "NOT reached"}},
		{"more is better, and as much is enough",
			result{measure: measure{what: "SET", unit: "/s", bars: []bar{notBelowRedis}}, pairs: [][2]float64{{100, 100}}},
			line{"SET", "100 /s", "100 /s", "1", "at least 1", "reached"}},
		{"above Redis means above",
			result{measure: measure{what: "hits", unit: "%", bars: []bar{aboveRedis}}, pairs: [][2]float64{{50, 50}}},
			line{"hits", "50 %", "50 %", "1", "above 1", "NOT reached"}},
		{"without a bar there is no verdict",
			result{measure: measure{what: "share", unit: "x"}, pairs: [][2]float64{{0.2, 0.4}}},
			line{"share", "0.2", "0.4", "0.5", "-", "-"}},
		{"not measured",
			result{measure: measure{what: "idle", unit: "B", bars: []bar{belowRedis}}, err: errors.New("no room")},
			line{"idle", "-", "-", "-", "below 1", "not measured"}},
	} {
		if diff := cmp.Diff(tc.want, tc.in.line(), cmp.AllowUnexported(line{})); diff != "" {
			t.Errorf("%s:\n%s", tc.name, diff)
		}
	}
}

func TestReport(t *testing.T) {
	r := report{other: "Redis", facts: []fact{{"processor", "A|B"}}, pairs: 2, results: []result{
		{measure: measure{what: "GET", unit: "us", bars: []bar{ratio(0.95)}}, pairs: [][2]float64{{1, 2}, {1, 4}}},
		{measure: measure{what: "idle", unit: "B", bars: []bar{belowRedis}}, err: errors.New("no\nroom")},
	}}
	if n := r.failed(); n != 1 {
		t.Errorf("failed() = %d", n)
	}
	for _, want := range []string{
		"**1 of 2 bars reached.**", `| processor | A\|B |`, "| GET | 1 us | 3 us | 0.375 | at most 0.95 | reached |",
		"| GET | us | 1, 1 | 2, 4 |", "| idle | B | not measured: no; room | |",
	} {
		if !strings.Contains(r.markdown(), want) {
			t.Errorf("the report lacks %q:\n%s", want, r.markdown())
		}
	}
	if !strings.Contains(r.text(), "1 of 2 bars reached; medians of 2 pairs") {
		t.Errorf("the table lacks its last line:\n%s", r.text())
	}
}

// TestWithSection: a section is replaced where it stands, with its parts, and nothing else is
// changed.
func TestWithSection(t *testing.T) {
	const section = "## Mine\n\nnew\n"
	for _, tc := range []struct{ name, all, want string }{
		{"empty file", "", "\n\n## Mine\n\nnew\n"},
		{"behind the rest", "# All\n\n## Other\n\nkept\n", "# All\n\n## Other\n\nkept\n\n## Mine\n\nnew\n"},
		{"in the middle", "# All\n\n## Mine\n\nold\n\n### Every trial\n\nold\n\n## Other\n\nkept\n", "# All\n\n## Mine\n\nnew\n\n## Other\n\nkept\n"},
		{"at the end", "# All\n\n## Mine\n\nold\n", "# All\n\n## Mine\n\nnew\n"},
		{"at the beginning", "## Mine\n\nold\n", "## Mine\n\nnew\n"},
		{"a longer title is another", "# All\n\n## Mine too\n\nkept\n", "# All\n\n## Mine too\n\nkept\n\n## Mine\n\nnew\n"},
	} {
		got := withSection(tc.all, section)
		if diff := cmp.Diff(strings.TrimLeft(tc.want, "\n"), got); diff != "" {
			t.Errorf("%s:\n%s", tc.name, diff)
		}
		if again := withSection(got, section); again != got {
			t.Errorf("%s: the second time it gives\n%s", tc.name, again)
		}
	}
}

func TestSection(t *testing.T) {
	r := report{other: "Redis", quick: true, pairs: 2, notes: []fact{{"hits", "of 100 keys"}}, results: []result{
		{measure: measure{what: "GET", unit: "us"}, pairs: [][2]float64{{1, 2}}},
	}}
	got := r.section("Mine", "^hits")
	for _, want := range []string{
		"## Mine\n\nWritten by `go run ./tests/bench -run '^hits' -section 'Mine' -pairs 2`. ", "\n- hits: of 100 keys\n", "\n### Every trial\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the section lacks %q:\n%s", want, got)
		}
	}
	if !strings.Contains(r.text(), "hits: of 100 keys") {
		t.Errorf("the table lacks the note:\n%s", r.text())
	}
}

func TestNotes(t *testing.T) {
	var r report
	for _, n := range []fact{{"a", "x"}, {"b", "x"}, {"c", ""}, {"d", "y"}} {
		r.note(n.name, n.value)
	}
	if diff := cmp.Diff([]fact{{"a, b", "x"}, {"d", "y"}}, r.notes, cmp.AllowUnexported(fact{})); diff != "" {
		t.Error(diff)
	}
}

func TestFactsFromText(t *testing.T) {
	if got := cpuModel("processor\t: 0\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n"); got != "AMD EPYC" {
		t.Errorf("cpuModel = %q", got)
	}
	if got := loadBefore("0.12 0.30 0.10 1/90 4242"); got != "0.12" {
		t.Errorf("loadBefore = %q", got)
	}
	if got := loadBefore("3.40 0.30 0.10 1/90 4242"); !strings.HasPrefix(got, "3.40 (") {
		t.Errorf("loadBefore = %q", got)
	}
	if got := redisVersion("Redis server v=7.0.15 sha=0:0 malloc=jemalloc\n"); got != "7.0.15" {
		t.Errorf("redisVersion = %q", got)
	}
}

// TestFigures checks the table itself: names are unique, and every measure has a text and a unit.
func TestFigures(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range (&bench{pairs: 5, ioThreads: 1}).figures() {
		if seen[f.name] || f.name == "" || f.trial == nil || len(f.measures) == 0 {
			t.Errorf("figure %q: name taken, or nothing to do or to measure", f.name)
		}
		seen[f.name] = true
		for _, m := range f.measures {
			if m.what == "" || m.unit == "" {
				t.Errorf("figure %q: measure without text or unit: %+v", f.name, m)
			}
		}
	}
}

// TestReadmeNamesFigures: README's table of figures has them all, and no others.
func TestReadmeNamesFigures(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(content), "\n| names | what is measured |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	used := map[string]bool{} // by pattern
	for row := range strings.Lines(table) {
		for i, pattern := range strings.Split(strings.Split(row, "|")[1], "`") {
			if i%2 == 1 {
				used[pattern] = false
			}
		}
	}
	for _, f := range new(bench).figures() {
		found := false
		for pattern := range used {
			if ok, err := path.Match(pattern, f.name); ok && err == nil {
				found, used[pattern] = true, true
			}
		}
		if !found {
			t.Errorf("README.md: no name in the table of figures stands for %s", f.name)
		}
	}
	for pattern, is := range used {
		if !is {
			t.Errorf("README.md: no figure has the name %s", pattern)
		}
	}
}
