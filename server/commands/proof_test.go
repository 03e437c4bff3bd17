package commands

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/lua/syntax"
	"github.com/larderkv/larder/server/scripting"
)

// provable is a script and what is to be proved of it: the least number of keys, or "no".
type provable struct{ name, want, source string }

func provables(t testing.TB) []provable {
	t.Helper()
	file, err := os.ReadFile("testdata/proofs/scripts.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []provable
	for _, part := range strings.Split(string(file), "\n=== ")[1:] {
		heading, source, _ := strings.Cut(part, "\n")
		colon := strings.LastIndex(heading, ": ")
		all = append(all, provable{heading[:colon], heading[colon+2:], source})
	}
	return all
}

func prove(t testing.TB, table *engine.Table, source string) string {
	t.Helper()
	chunk, err := syntax.Parse(source, "@user_script")
	if err != nil {
		t.Fatalf("%s\n%v", source, err)
	}
	least, ok := scripting.Prove(chunk, table)
	if !ok {
		return "no"
	}
	return strconv.Itoa(least)
}

func TestProofs(t *testing.T) {
	table, err := engine.NewTable(All(scripting.New(nil, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range provables(t) {
		if got := prove(t, table, c.source); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func BenchmarkProof(b *testing.B) {
	table, err := engine.NewTable(All(scripting.New(nil, nil)))
	if err != nil {
		b.Fatal(err)
	}
	var chunks []*syntax.Func
	bytes := 0
	for _, c := range provables(b) {
		chunk, err := syntax.Parse(c.source, "@user_script")
		if err != nil {
			b.Fatal(err)
		}
		chunks = append(chunks, chunk)
		bytes += len(c.source)
	}
	b.SetBytes(int64(bytes))
	for b.Loop() {
		for _, chunk := range chunks {
			scripting.Prove(chunk, table)
		}
	}
}
