package warm

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/larderkv/larder/store"
)

// records spells out what a source gives, until it ends.
func records(t testing.TB, src source, size int) []string {
	t.Helper()
	var all []string
	for r, at := (record{}), int64(0); ; {
		err := src.next(&r)
		bad := (*badRecord)(nil)
		if src.position() < at || src.position() > int64(size) {
			t.Fatalf("position %d after %d of %d", src.position(), at, size)
		}
		at = src.position()
		switch {
		case errors.As(err, &bad):
			all = append(all, "bad "+bad.Error())
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			return append(all, "end "+err.Error())
		case r.raw != nil:
			all = append(all, fmt.Sprintf("%d replies in %d to %q", r.replies, r.db, r.raw))
		case r.typ == store.TypeString:
			all = append(all, fmt.Sprintf("%q=%q for %d", r.key, r.text, r.ttl))
		default:
			all = append(all, fmt.Sprintf("%q=%d%q for %d", r.key, r.typ, r.items, r.ttl))
		}
		if len(all) > size {
			t.Fatalf("%d records in %d bytes", len(all), size)
		}
	}
}

func sources(in string, limit int) []source {
	input := func() *input {
		i := newInput(strings.NewReader(in), 0)
		i.max = limit
		return i
	}
	return []source{&ndjson{input: input()}, &csvFile{input: input()}, &respFile{input: input()}}
}

func TestNDJSON(t *testing.T) {
	for in, want := range map[string]string{
		`{"key":"k","value":"v"}`: `"k"="v" for 0`,
		` { "ttl_ms" : 5 , "value" : [ "a" , 2 ] , "type":"list", "key":"k" } `: `"k"=3["a" "2"] for 5`,
		`{"key":7,"value":-1.50e3,"ttl_ms":null}`:                               `"7"="-1.50e3" for 0`,
		`{"key":{"base64":"/w=="},"value":{"base64":""}}`:                       `"\xff"="" for 0`,
		`{"key":"k","value":"\u00fc\ud83d\ude00\n\"\\\/\b\f\r\t\u0000"}`:        `"k"="ü😀\n\"\\/\b\f\r\t\x00" for 0`,
		`{"key":"k","type":"set","value":["a","b","a"]}`:                        `"k"=2["a" "b"] for 0`,
		`{"key":"k","type":"hash","value":{"f":1,"g":"x","f":2}}`:               `"k"=1["f" "2" "g" "x"] for 0`,
		`{"key":"k","type":"hash","value":[["f",{"base64":"eA=="}]]}`:           `"k"=1["f" "x"] for 0`,
		`{"key":"k","type":"zset","value":{"m":1}}`:                             `"k"=4["m" "\x00\x00\x00\x00\x00\x00\xf0?"] for 0`,
		`{"key":"k","type":"zset","value":[["m","-inf"]]}`:                      `"k"=4["m" "\x00\x00\x00\x00\x00\x00\xf0\xff"] for 0`,

		`{"key":"k"}`:                                   `key or value is missing`,
		`{"key":"k","value":"v"`:                        `the line ends`,
		`{"key":"k","value":"v"}}`:                      `'}' in column 24`,
		`{"key":"k","value":"v","x":1}`:                 `"x" is none of`,
		`{"key":"k","key":"l","value":"v"}`:             `twice`,
		`{"key":"k","value":true}`:                      `'t' in column 20`,
		`{"key":"k","value":null}`:                      `'n' in column 20`,
		`{"key":"k","value":"\ud83d"}`:                  `half a pair`,
		`{"key":"k","value":"\ud83d\u0041"}`:            `half a pair`,
		`{"key":"k","value":"\x"}`:                      `unknown escape`,
		`{"key":"k","value":"\u12"}`:                    `four hexadecimal digits`,
		"{\"key\":\"k\",\"value\":\"\x01\"}":            `control character`,
		`{"key":"k","value":{"base64":"?"}}`:            `malformed base64`,
		`{"key":"k","value":{"base65":""}}`:             `"base64" is expected`,
		`{"key":"k","value":1-2}`:                       `column`,
		`{"key":"k","value":"v","ttl_ms":0}`:            `ttl_ms`,
		`{"key":"k","value":"v","ttl_ms":1.5}`:          `ttl_ms`,
		`{"key":"k","value":"v","ttl_ms":1e30}`:         `ttl_ms`,
		`{"key":"k","type":"zset","value":{"m":"nan"}}`: `no score`,
		`{"key":"k","type":"list","value":[]}`:          `empty`,
		`{"key":"k","type":"hash","value":[["f"]]}`:     `','`,
		strings.Repeat(`{"value":`, 1000):               `nested too deep`,
		"\"key\"":                                       `'{'`,
	} {
		got := records(t, &ndjson{input: newInput(strings.NewReader(in), 0)}, len(in))
		if len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%s: %v, want %s", in, got, want)
		}
	}
}

// TestLongRecordsArePassedOver: in memory for the limit, and the next one is read.
func TestLongRecordsArePassedOver(t *testing.T) {
	long := strings.Repeat("x", 3*readBuffer)
	for i, in := range []string{
		`{"key":"k","value":"` + long + "\"}\n" + `{"key":"a","value":"1"}`,
		"k," + long + "\na,1\n",
	} {
		got := records(t, sources(in, readBuffer+1)[i], len(in))
		if len(got) != 2 || !strings.Contains(got[0], "bad line 1") || got[1] != `"a"="1" for 0` {
			t.Errorf("%.100q", got)
		}
	}
	in := "*2\r\n$3\r\nGET\r\n$786432\r\n" + long
	if got := records(t, sources(in, readBuffer+1)[2], len(in)); len(got) != 1 || !strings.HasPrefix(got[0], "end ") {
		t.Errorf("%.100q", got)
	}
}

// TestReadersInSmallParts: where a read ends changes nothing.
func TestReadersInSmallParts(t *testing.T) {
	const in = "key,value\r\n\"a\nb\",1\r\nc,\"2\"\"\",3\n"
	want := records(t, &csvFile{input: newInput(strings.NewReader(in), 0)}, len(in))
	got := records(t, &csvFile{input: newInput(iotest.OneByteReader(strings.NewReader(in)), 0)}, len(in))
	if strings.Join(got, "|") != strings.Join(want, "|") ||
		strings.Join(want, "|") != `"a\nb"="1" for 0|"c"="2\"" for 3000` {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCommands(t *testing.T) {
	in := "set a '1 2'\r\n*0\r\n\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n7\r\n*1\r\n$5\r\nMULTI\r\n#TS:1\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nEXEC\r\nEXEC\nselect x\nmulti\nblpop a 0\nexec\n"
	want := []string{
		`1 replies in 0 to "*3\r\n$3\r\nset\r\n$1\r\na\r\n$3\r\n1 2\r\n"`,
		`3 replies in 7 to "*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nEXEC\r\n"`,
		`EXEC without MULTI`, `malformed SELECT`, `BLPOP is no command to fill a server with`,
	}
	got := records(t, &respFile{input: newInput(strings.NewReader(in), 0)}, len(in))
	for i := range want {
		if len(got) != len(want) || !strings.Contains(got[i], want[i]) {
			t.Fatalf("%q, want %q", got, want)
		}
	}
}

// FuzzSources: any file ends, and no record is made of nothing.
func FuzzSources(f *testing.F) {
	for _, seed := range []string{
		"", "\n", `{"key":"k","type":"hash","value":{"f":"v"},"ttl_ms":1}`,
		`{"key":{"base64":"/w=="},"value":"\ud83d\ude00"}`,
		"a,\"b\"\"\n\",1\r\n", "*2\r\n$3\r\nGET\r\n$1\r\na\r\n", "multi\nset a b\nexec\n", "*1\r\n$-1\r\n", "\"a",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for _, src := range sources(in, 1<<10) {
			records(t, src, len(in)+1)
		}
	})
}
