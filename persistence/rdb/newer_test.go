package rdb

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The files in testdata/newer were written by Redis 7.4.1 and 8.2.3 and Valkey 9.1.2, with the same data in
// databases 0 and 3: every type and encoding that those have. contents.jsonl is what the servers
// said that database 0 holds, but for streams and hashes with field TTLs: name, type, time of
// expiry (-1: none), value. Bytes are characters of the same number.

// newerContents describes what contents.jsonl says as contents does.
func newerContents(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("testdata/newer/contents.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(b)) {
		var key []json.RawMessage
		var name, typ string
		var expire int64
		err := json.Unmarshal([]byte(line), &key)
		if err == nil {
			err = json.Unmarshal(fmt.Appendf(nil, "[%s,%s]", key[1], key[2]), &[]any{&name, &typ})
		}
		if err == nil {
			err = json.Unmarshal(key[3], &expire)
		}
		if err != nil {
			t.Fatal(err)
		}
		all["0/"+latin1(name)] = fmt.Sprintf("%s until %d", newerValue(t, typ, key[4]), max(expire, 0))
	}
	return all
}

func newerValue(t *testing.T, typ string, value json.RawMessage) string {
	t.Helper()
	var text string
	var items []string
	var pairs [][]string
	var err error
	switch typ {
	case "string":
		err = json.Unmarshal(value, &text)
		items = []string{strconv.Quote(latin1(text))}
	case "list", "set":
		err = json.Unmarshal(value, &items)
		for i := range items {
			items[i] = strconv.Quote(latin1(items[i]))
			if typ == "set" {
				items[i] += ` ""`
			}
		}
	case "hash", "zset":
		err = json.Unmarshal(value, &pairs)
		for _, p := range pairs {
			if typ == "hash" {
				items = append(items, fmt.Sprintf("%q %q", latin1(p[0]), latin1(p[1])))
			} else {
				score, _ := strconv.ParseFloat(p[1], 64)
				items = append(items, fmt.Sprintf("%q %v", latin1(p[0]), score))
			}
		}
	default:
		t.Fatalf("contents.jsonl has a %s", typ)
	}
	if err != nil {
		t.Fatal(err)
	}
	if typ != "list" {
		slices.Sort(items)
	}
	return typ + " " + strings.Join(items, ", ")
}

// latin1 turns characters into the bytes that they stand for.
func latin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, c := range s {
		b = append(b, byte(c))
	}
	return string(b)
}

func TestFilesOfNewerServers(t *testing.T) {
	want := newerContents(t)
	want["0/h:fieldttl"] = `hash "a" "1" until 4102444800000, "b" "2", "c" "3" until 4102444800000 until 0`
	var big []string
	for i := range 700 {
		big = append(big, fmt.Sprintf(`"f%d" "v%d"`, i, i))
	}
	for _, i := range []int{1, 2, 699} {
		big[i] += " until 4102444800077"
	}
	slices.Sort(big)
	want["0/h:fieldttl-big"] = "hash " + strings.Join(big, ", ") + " until 0"
	for name, v := range maps.Clone(want) {
		want["3"+name[1:]] = v
	}
	want["3/after-rewrite"] = `string "yes" until 0`
	skipped := map[string]int64{"function": 1, "stream": 4}
	for _, by := range []struct {
		server, version string
		format          int
	}{{"redis", "7.4.1", 12}, {"redis", "8.2.3", 12}, {"valkey", "9.1.2", 80}} {
		b, err := os.ReadFile("testdata/newer/" + by.server + "-" + by.version + ".rdb")
		if err != nil {
			t.Fatal(err)
		}
		s := open(t)
		sum, err := load(b, s, LoadOptions{Now: 1, SkipUnknownTypes: true})
		if err != nil || !sum.Checksum || sum.Version != by.format || sum.Aux[by.server+"-ver"] != by.version || !maps.Equal(sum.Types, skipped) {
			t.Fatalf("%s %s: %+v, %v", by.server, by.version, sum, err)
		}
		compare(t, contents(t, s), want)
		rep, err := check(b)
		if err != nil || !strings.EqualFold(rep.Origin, fmt.Sprintf("%s %s, RDB version %d", by.server, by.version, by.format)) {
			t.Errorf("check: %q, %v", rep.Origin, err)
		}
		if _, err := load(b, open(t), LoadOptions{Now: 1}); !strings.Contains(fmt.Sprint(err), "in a file of "+rep.Origin) {
			t.Errorf("%v should name %s", err, rep.Origin)
		}
	}
}
