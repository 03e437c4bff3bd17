package protocol

import (
	"math"
	"strconv"
	"testing"
)

func TestWriter(t *testing.T) {
	for _, c := range []struct {
		name         string
		write        func(*Writer)
		resp2, resp3 string // resp3 "": the same
	}{
		{"ok", func(w *Writer) { w.OK() }, "+OK\r\n", ""},
		{"status", func(w *Writer) { w.Status("QUEUED") }, "+QUEUED\r\n", ""},
		{"error", func(w *Writer) { w.Error("ERR no") }, "-ERR no\r\n", ""},
		{"error with line ends", func(w *Writer) { w.Error("ERR '\r' no\r\n") }, "-ERR ' ' no\r\n", ""},
		{"int", func(w *Writer) { w.Int(-12) }, ":-12\r\n", ""},
		{"bulk", func(w *Writer) { w.Bulk([]byte("a\r\nb")) }, "$4\r\na\r\nb\r\n", ""},
		{"empty bulk", func(w *Writer) { w.Bulk(nil) }, "$0\r\n\r\n", ""},
		{"bulk string", func(w *Writer) { w.BulkString("ab") }, "$2\r\nab\r\n", ""},
		{"bulk int", func(w *Writer) { w.BulkInt(math.MinInt64) }, "$20\r\n-9223372036854775808\r\n", ""},
		{"null", func(w *Writer) { w.Null() }, "$-1\r\n", "_\r\n"},
		{"null array", func(w *Writer) { w.NullArray() }, "*-1\r\n", "_\r\n"},
		{"array", func(w *Writer) { w.Array(12) }, "*12\r\n", ""},
		{"map", func(w *Writer) { w.Map(12) }, "*24\r\n", "%12\r\n"},
		{"set", func(w *Writer) { w.Set(0) }, "*0\r\n", "~0\r\n"},
		{"push", func(w *Writer) { w.Push(3) }, "*3\r\n", ">3\r\n"},
		{"double", func(w *Writer) { w.Double(1.5) }, "$3\r\n1.5\r\n", ",1.5\r\n"},
		{"infinity", func(w *Writer) { w.Double(math.Inf(-1)) }, "$4\r\n-inf\r\n", ",-inf\r\n"},
		{"true", func(w *Writer) { w.Bool(true) }, ":1\r\n", "#t\r\n"},
		{"false", func(w *Writer) { w.Bool(false) }, ":0\r\n", "#f\r\n"},
		{"big number", func(w *Writer) { w.BigNumber("123") }, "$3\r\n123\r\n", "(123\r\n"},
		{"verbatim", func(w *Writer) { w.Verbatim("txt", "hello") }, "$5\r\nhello\r\n", "=9\r\ntxt:hello\r\n"},
		{"raw", func(w *Writer) { w.Raw([]byte("+x\r\n")) }, "+x\r\n", ""},
	} {
		w := NewWriter()
		w.Write([]byte("before"))
		c.write(w)
		if got := string(w.Bytes()); got != "before"+c.resp2 {
			t.Errorf("%s: %q, want %q", c.name, got, c.resp2)
		}
		if c.resp3 == "" {
			c.resp3 = c.resp2
		}
		w.SetRESP3(true)
		w.Truncate(0)
		c.write(w)
		if got := string(w.Bytes()); got != c.resp3 || w.Len() != len(got) || !w.RESP3() {
			t.Errorf("%s in RESP3: %q, want %q", c.name, got, c.resp3)
		}
	}
	w := NewWriter()
	w.SetRESP3(true)
	w.Attribute(1)
	if got := string(w.Bytes()); got != "|1\r\n" {
		t.Errorf("attribute: %q", got)
	}
}

func TestFormatDouble(t *testing.T) {
	for _, c := range []struct {
		f    float64
		want string
	}{
		{0, "0"}, {math.Copysign(0, -1), "-0"}, {math.NaN(), "nan"}, {math.Inf(1), "inf"}, {math.Inf(-1), "-inf"},
		{1, "1"}, {-1, "-1"}, {0.1, "0.1"}, {0.30000000000000004, "0.30000000000000004"}, {3.14159, "3.14159"}, {-2.5, "-2.5"},
		{1e15, "1000000000000000"}, {1e18, "1000000000000000000"}, {4611686018427387904, "4611686018427387904"},
		{1e19, "1e+19"}, {1.5e19, "1.5e+19"}, {1e20, "1e+20"}, {1.7976931348623157e308, "1.7976931348623157e+308"},
		{5e-324, "5e-324"}, {1e-5, "0.00001"}, {1e-6, "0.000001"}, {1e-7, "1e-7"}, {1.5e-7, "1.5e-7"}, {1.25e-5, "1.25e-5"}, {1.25e-4, "0.000125"},
		{123456.789, "123456.789"}, {12345.678901234567, "1.2345678901234567e+4"}, {1234.5678901234567, "1234.5678901234567"},
		{0.00012345678901234567, "1.2345678901234567e-4"}, {1e100, "1e+100"}, {1.23e-10, "1.23e-10"},
	} {
		if got := string(FormatDouble(nil, c.f)); got != c.want {
			t.Errorf("%v: %s, want %s", c.f, got, c.want)
		}
	}
}

func FuzzFormatDouble(f *testing.F) {
	f.Add(math.Float64bits(0.1))
	f.Add(math.Float64bits(-1e300))
	f.Fuzz(func(t *testing.T, bits uint64) {
		want := math.Float64frombits(bits)
		s := FormatDouble(nil, want)
		got, err := strconv.ParseFloat(string(s), 64)
		if err != nil || got != want && want == want || len(s) > maxDouble {
			t.Errorf("%v: %s reads back as %v (%v)", want, s, got, err)
		}
	})
}
