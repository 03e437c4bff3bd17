// Package arch holds the import arrows of larder as text, and a test that fails when one runs the
// wrong way.
package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/larderkv/larder/"

// levels: a package imports only packages of lower levels (and the standard library, and the
// modules of go.mod). A line is a level, its packages, and after a bar what they own. A name ending
// in /... stands for everything below it.
//
// What must not know of what follows from the levels: the data types (store) and the network
// (server/netloop) cannot import protocol's users, and the rules below keep them from protocol
// itself. Level 0 is what packages of level 1 share: requests, redis.conf and manifests are quoted
// alike, parameters name eviction policies, and tests of every level want random numbers that can
// be repeated.
const levels = `
0 words eviction protocol/chain server/yield store/invariants cmd/client tests/randtest tests/certtest | quoted words; policies; replies under way; how background work lets loops go on; what only tests check; the tools' way to a server; random numbers of tests; certificates of tests
1 cmd/advise cmd/load cmd/top protocol store/lex store/arena store/heavy server/config server/stats server/limit server/lua/syntax persistence/vfs persistence/journal | what would do better; the load generator; the dashboard in a terminal; requests and replies; lexical rules; memory; what comes most often; parameters; counters; rate limits; Lua's grammar; the file system; effects
2 store/tree store/tags server/lua server/acl server/secure | long sequences: lists, the order of sorted sets; tags; an interpreter; users and their rights; TLS by the parameters
3 store server/lua/codec | keyspace, records, data types; JSON and other forms for scripts
4 server/netloop server/pubsub persistence/rdb persistence/aof | event loops and connections; subscriptions; file formats
5 persistence    | what is loaded, saved and logged when
6 server/engine  | the kernel: rows, sessions, admission, transactions
7 server/scripting | scripts: what they have to work with, and how they run
8 server/commands server/admin | one file per family of commands; metrics, health and the dashboard over HTTP
9 server cmd/warm | composition root; what moves keys between servers and files
10 cmd/larder tests/... | the program; black-box tests
`

// forbidden: arrows that the levels would allow and the design does not.
const forbidden = `
store          protocol      | data types know no RESP
server/netloop protocol      | the network knows no command
server/netloop store         | nor any data
server/stats   log/slog      | counters do not talk
protocol       server/config | a leaf
persistence/rdb protocol     | a file format knows no wire
persistence/rdb server/config | nor parameters
persistence/aof server/config | likewise
`

// onlyFor: packages of other modules that one place alone may use.
const onlyFor = `
github.com/tidwall/redcon protocol server/netloop tests/... | accepts connections, encodes RESP2 replies
github.com/spf13/cobra    cmd/larder                        | the command line
github.com/coreos/go-systemd/v22/... cmd/larder             | the service manager
charm.land/...             cmd/top                           | a terminal's screen
github.com/charmbracelet/... cmd/top tests/...             | likewise
github.com/prometheus/client_golang/... server/admin tests/... | metrics
`

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"...")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// rows cuts a table into the words of its lines, without what follows the bar.
func rows(table string) [][]string {
	var all [][]string
	for line := range strings.Lines(table) {
		line, _, _ = strings.Cut(line, "|")
		if words := strings.Fields(line); len(words) > 0 {
			all = append(all, words)
		}
	}
	return all
}

// matches reports whether a package has this name, or lies in the folder of a name that ends in
// /...
func matches(name, pkg string) bool {
	folder, below := strings.CutSuffix(name, "...")
	return name == pkg || below && strings.HasPrefix(pkg, folder)
}

// levelOf finds a package in the table.
func levelOf(pkg string) (level int, ok bool) {
	for _, words := range rows(levels) {
		for _, name := range words[1:] {
			if matches(name, pkg) {
				level, err := strconv.Atoi(words[0])
				return level, err == nil
			}
		}
	}
	return 0, false
}

func TestImportsRunDownwards(t *testing.T) {
	for _, p := range packages(t) {
		pkg := strings.TrimPrefix(p.ImportPath, module)
		level, ok := levelOf(pkg)
		if !ok {
			t.Errorf("%s is not in the table of levels", pkg)
			continue
		}
		for _, imported := range p.Imports {
			target, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			targetLevel, ok := levelOf(target)
			tests := matches("tests/...", pkg) && matches("tests/...", target)
			if ok && targetLevel >= level && !tests {
				t.Errorf("%s (level %d) imports %s (level %d)", pkg, level, target, targetLevel)
			}
		}
	}
}

func TestForbiddenImports(t *testing.T) {
	for _, p := range packages(t) {
		pkg := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range p.Imports {
			for _, words := range rows(forbidden) {
				if words[0] == pkg && words[1] == strings.TrimPrefix(imported, module) {
					t.Errorf("%s imports %s", pkg, words[1])
				}
			}
			for _, words := range rows(onlyFor) {
				if imported == words[0] && !anyMatches(words[1:], pkg) {
					t.Errorf("%s imports %s, which is for %s only", pkg, imported, strings.Join(words[1:], ", "))
				}
			}
		}
	}
}

func anyMatches(names []string, pkg string) bool {
	for _, name := range names {
		if matches(name, pkg) {
			return true
		}
	}
	return false
}

// TestTestsLookDownwardsToo: a package's own tests may not pull in what lies above it either, or
// the arrows would be a matter of file names. Black-box tests live in tests/.
func TestTestsLookDownwardsToo(t *testing.T) {
	for _, p := range packages(t) {
		pkg := strings.TrimPrefix(p.ImportPath, module)
		level, _ := levelOf(pkg)
		for _, imported := range append(p.TestImports, p.XTestImports...) {
			target, ours := strings.CutPrefix(imported, module)
			if targetLevel, ok := levelOf(target); ours && ok && target != pkg && targetLevel > level {
				t.Errorf("the tests of %s (level %d) import %s (level %d)", pkg, level, target, targetLevel)
			}
		}
	}
}

// TestTheTableHasNoGhosts: every name in the tables is a package that exists.
func TestTheTableHasNoGhosts(t *testing.T) {
	all := packages(t)
	for _, words := range rows(levels) {
		for _, name := range words[1:] {
			found := false
			for _, p := range all {
				found = found || matches(name, strings.TrimPrefix(p.ImportPath, module))
			}
			if !found {
				t.Errorf("%s stands in the table of levels and does not exist", name)
			}
		}
	}
}
