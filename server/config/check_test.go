package config

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// judge refuses a user called nobody, and all users in the end.
type judge struct{}

func (judge) Judge(l UserLine) error {
	if l.Name == "nobody" {
		return problem("nobody")
	}
	return nil
}

func (judge) End(v *Values) error {
	if v.RequirePass == "secret" {
		return problem("not all of them")
	}
	return nil
}

// TestCheck: each line gets what a start would do with it, a refused one does not end the check, and
// the lines of an included file stand behind the one that includes it.
func TestCheck(t *testing.T) {
	part := write(t, "part.conf", "hz 20\nhz many\n")
	file := write(t, "redis.conf", `# comment
port 7000
dynamic-hz no
replicaof 10.0.0.1 6379
include `+part+`
daemonize yes
bind "127.0.0.1
include /nowhere/at/all.conf
MAXMEMORY 10furlongs
cluster-node-timeout 15000
rename-command FLUSHALL ""
nosuch 1
save
requirepass secret
user default on nopass sanitize-payload ~* &* +@all
user nobody on
user somebody on
`)
	late := LateJudge{Param: "hz",
		Judge: func(v *Values) error { return problem("late: " + strconv.FormatInt(v.Hz, 10)) }}
	got, err := checkFile(file, nil, judge{}, late, LateJudge{Param: "save", Judge: func(*Values) error { return nil }},
		LateJudge{Param: "io-threads", Judge: func(*Values) error { panic("no line has set it") }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i].Where = strings.ReplaceAll(strings.ReplaceAll(got[i].Where, part, "part"), file, "file")
	}
	words := func(v Verdict) string {
		return strings.Join([]string{v.Where, v.Name, []string{"acts", "no effect", "refused"}[v.Outcome], v.Why, v.Caution}, "|")
	}
	var lines []string
	for _, v := range got {
		lines = append(lines, words(v))
	}
	want := []string{
		"file:2|port|acts||",
		"file:3|dynamic-hz|no effect|background rounds do not walk over clients|",
		"file:4|replicaof|refused|larder does not replicate (expected: \"\")|",
		"file:5|include|acts||",
		"part:1|hz|refused|late: 20|",
		"part:2|hz|refused|argument couldn't be parsed into an integer (expected: an integer, brought into the range from 1 to 500)|",
		"file:6|daemonize|no effect|larder stays in the foreground|a service manager has to start larder in the background",
		"file:7|bind|refused|Unbalanced quotes in configuration line|",
		"file:8|include|refused|configuration file: open /nowhere/at/all.conf: no such file or directory|",
		"file:9|maxmemory|refused|argument must be a memory value (expected: bytes, an amount such as 100mb, or a share such as 75% of the memory of the machine or its control group)|",
		"file:10|cluster-node-timeout|no effect|larder is no cluster|",
		"file:11|rename-command|refused|larder does not have rename-command; it would be unsafe to go on without it: let users (user, aclfile) have fewer commands instead|",
		"file:12|nosuch|refused|there is no parameter of this name (`larder config print` lists them)|",
		"file:13|save|acts||",
		"file:14|requirepass|acts||",
		"file:15|user|acts||",
		"file:16|user|refused|nobody|",
		"file:17|user|refused|not all of them|",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
}

// TestCheckAgreesWithLoad: a file is refused by a start exactly if the check refuses a line of it,
// and the first such line is the one that the start names.
func TestCheckAgreesWithLoad(t *testing.T) {
	files, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, extra := range []string{"", "\nport many\nhz 10\nnosuch 1\n", "\nuser alice on\naclfile x\n"} {
			path := write(t, "redis.conf", string(text)+extra)
			verdicts, err := Check(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			first := ""
			for _, v := range verdicts {
				if v.Outcome == Refused {
					first = v.Where
					break
				}
			}
			_, err = Load(path, nil)
			if (err != nil) != (first != "") || err != nil && !strings.HasPrefix(err.Error(), first+":") {
				t.Errorf("%s with %q: the check refuses %q, the start says %v", file, extra, first, err)
			}
		}
	}
}

// TestCheckReading: what cannot be read is an error, and standard input a file.
func TestCheckReading(t *testing.T) {
	if _, err := Check(filepath.Join(t.TempDir(), "none.conf"), nil); err == nil {
		t.Error("a missing file")
	}
	got, err := checkFile("-", strings.NewReader("\nhz many\n"), nil)
	if err != nil || len(got) != 1 || got[0].Where != "standard input:2" || got[0].Outcome != Refused {
		t.Errorf("%+v, %v", got, err)
	}
}
