package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseTrace(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		limit    int
		ids      []uint32
		bytes    []uint32
		times    []int64
	}{
		{name: "csv", in: "time,obj_id,obj_size,next_access_vtime\n1,a,10,3\n1.5,b,20,-1\n\n2,a,10,-1\n", ids: []uint32{0, 1, 0}, bytes: []uint32{10, 20}, times: []int64{1000, 1500, 2000}},
		{name: "csv without header", in: "0, 77 ,5\r\n0,78,0\r\n3,77,9", ids: []uint32{0, 1, 0}, bytes: []uint32{5, 0}, times: []int64{0, 0, 3000}},
		{name: "ARC", in: "100 3 0 0\n101 1 0 1\n", ids: []uint32{0, 1, 2, 1}, bytes: []uint32{4096, 4096, 4096}},
		{name: "LIRS", in: "*\n7\n8\n\n7\n*\n", ids: []uint32{0, 1, 0}, bytes: []uint32{4096, 4096}},
		{name: "limit", in: "100 3 0 0\n101 1 0 1\nnonsense\n", limit: 2, ids: []uint32{0, 1}, bytes: []uint32{4096, 4096}},
	} {
		tr, err := parseTrace(strings.NewReader(tc.in), "x.txt", tc.limit)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if !slices.Equal(tr.ids, tc.ids) || !slices.Equal(tr.bytes, tc.bytes) || !slices.Equal(tr.times, tc.times) {
			t.Errorf("%s: %v, sizes %v, times %v", tc.name, tr.ids, tr.bytes, tr.times)
		}
	}
}

func TestParseTraceErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                                 "x.txt: no requests",
		"*\n\n":                            "x.txt: no requests",
		"time,obj_id,obj_size\n":           "x.txt: no requests",
		"1,a,10\n2,b\n":                    "x.txt:2: 2 columns; expected time,obj_id,obj_size[,next_access_vtime]",
		"1,a,10\nx,b,5\n":                  `x.txt:2: time "x" is not a number of seconds`,
		"1,a,10\nNaN,b,5\n":                `x.txt:2: time "NaN" is not a number of seconds`,
		"5,a,10\n4,b,5\n":                  "x.txt:2: time 4 is before the line above",
		"1,,10\n":                          "x.txt:1: obj_id is empty",
		"1,a,-1\n":                         `x.txt:1: obj_size "-1" is not a number of bytes below 2^31`,
		"1,a,99999999999\n":                `x.txt:1: obj_size "99999999999" is not a number of bytes below 2^31`,
		"1,a,1,soon\n":                     `x.txt:1: next_access_vtime "soon" is not an integer`,
		"1 2 3\n":                          "x.txt:1: 3 fields; expected a line of csv, four numbers (ARC) or one (LIRS)",
		"1 2 0 0\n1 2 0\n":                 "x.txt:2: 3 fields; expected start count ignored number",
		"1 2 0 0\n-1 2 0 0\n":              `x.txt:2: "-1" is not an unsigned integer`,
		"1 99999999 0 0\n":                 "x.txt:1: 99999999 blocks in one request",
		"1\n\n1.5\n":                       `x.txt:3: "1.5" is not the number of a block`,
		"\x00\xff\n":                       `x.txt:1: "\x00\xff" is not the number of a block`,
		"1\n" + strings.Repeat("9", 2<<20): "x.txt:2: bufio.Scanner: token too long",
	} {
		if _, err := parseTrace(strings.NewReader(in), "x.txt", 0); err == nil || err.Error() != want {
			t.Errorf("%.40q: %v, want %s", in, err, want)
		}
	}
	if _, err := readTrace(filepath.Join(t.TempDir(), "missing"), 0); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

// small is a run that takes a moment.
func small(t *testing.T) *settings {
	t.Helper()
	chosen, err := matching(policies(), "^(belady|lru|redis-lfu-5|larder-l)", func(p policy) string { return p.name })
	if err != nil {
		t.Fatal(err)
	}
	return &settings{policies: chosen, sizes: []float64{0.01, 0.1}, rates: []float64{1000, 100_000}, requests: 5000, seed: 3, overhead: 32, workers: 3, samples: 5}
}

// runSmall simulates two workloads.
func runSmall(t *testing.T) *report {
	t.Helper()
	s := small(t)
	rep := &report{settings: s}
	for _, w := range workloads() {
		if w.name == "zipf-0.9-mixed" || w.name == "twitter" {
			result, err := s.run(w.generate(s.requests, s.seed))
			if err != nil {
				t.Fatal(err)
			}
			rep.tables = append(rep.tables, result)
		}
	}
	return rep
}

// TestReports: everything is there, and a seed repeats it, however many workers there are.
func TestReports(t *testing.T) {
	first, second := runSmall(t), runSmall(t)
	folder := t.TempDir()
	if err := first.write(folder); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, reportFile))
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != second.markdown() {
		t.Error("one seed gave two reports")
	}
	for _, want := range []string{"## zipf-0.9-mixed\n", "## twitter\n", "| belady |", "| redis-lfu-5 |", " 100000/s |", summaryFile, plotFile} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s has no %q", reportFile, want)
		}
	}
	for _, name := range []string{plotFile, summaryFile} {
		f, err := os.Open(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		dec := xml.NewDecoder(f)
		for {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

// TestMeansAndDuels is arithmetic on invented results.
func TestMeansAndDuels(t *testing.T) {
	r := &report{
		settings: &settings{policies: []policy{{name: "own", kind: adaptive}, {name: "other", kind: exact}}, sizes: []float64{0.01, 0.1}, rates: []float64{1000}},
		tables: []table{
			{name: "a", results: [][][]ratios{{{{0.5, 0.1}, {0.7, 0.3}}, {{0.1, 0}, {0.9, 0}}}}},
			{name: "b", results: [][][]ratios{{{{0.2, 0.1}, {0.2, 0.1}}, {{0.3, 0}, {0.2, 0}}}}},
		},
	}
	if got, want := r.meansRow(0), []string{"own", "40.00", "15.00", "35.00", "45.00"}; !slices.Equal(got, want) {
		t.Errorf("means %v, want %v", got, want)
	}
	if got, want := r.duel(0, 1), []string{"other", "+2.50", "1", "b", "-5.00", "a at 10 %", "-20.00"}; !slices.Equal(got, want) {
		t.Errorf("duel %v, want %v", got, want)
	}
}

func TestNumbers(t *testing.T) {
	if got, err := numbers("1, 2.5,100", 1, 100); err != nil || !slices.Equal(got, []float64{1, 2.5, 100}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, in := range []string{"", "1,", "0.5", "101", "NaN", "x"} {
		if _, err := numbers(in, 1, 100); err == nil {
			t.Errorf("%q was accepted", in)
		}
	}
	if _, err := matching(policies(), "nonesuch", func(p policy) string { return p.name }); err == nil {
		t.Error("a regexp that matches nothing was accepted")
	}
	if _, err := small(t).run(&trace{name: "x", ids: []uint32{0}, bytes: []uint32{1}}); err != nil {
		t.Error(err)
	}
	s := small(t)
	s.rates = []float64{0}
	if _, err := s.run(&trace{name: "x", ids: []uint32{0}, bytes: []uint32{1}}); err == nil {
		t.Error("times of a trace without any were accepted")
	}
}
