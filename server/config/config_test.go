package config

import (
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func fresh(t *testing.T) *Config {
	t.Helper()
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// globs is a matcher for tests; the server passes its own.
func globs(pattern string) func(name string) bool {
	return func(name string) bool {
		ok, err := path.Match(strings.ToLower(pattern), name)
		return err == nil && ok
	}
}

func TestTableIsSound(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range Params() {
		for _, name := range row.names() {
			if seen[name] || name != strings.ToLower(name) {
				t.Errorf("%s stands twice or is not in lower case", name)
			}
			seen[name] = true
		}
		if row.Meaning == "" || row.Kind.Expects == "" {
			t.Errorf("%s has no meaning or does not say what it expects", row.Name)
		}
		if row.Inert != "" && row.Kind.assign != nil {
			t.Errorf("%s has no effect and a typed field", row.Name)
		}
		if row.Inert == "" && row.Kind.assign == nil {
			t.Errorf("%s is acted on and has no typed field", row.Name)
		}
	}
}

// TestDefaultsAreRedis compares with what CONFIG GET of a fresh redis-server says, where larder has
// no reason to differ.
func TestDefaultsAreRedis(t *testing.T) {
	c := fresh(t)
	for name, want := range map[string]string{
		"bind": "* -::*", "port": "6379", "maxclients": "10000", "timeout": "0", "tcp-keepalive": "300", "tcp-backlog": "511",
		"client-output-buffer-limit": "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
		"client-query-buffer-limit":  "1073741824", "proto-max-bulk-len": "536870912", "maxmemory": "0",
		"maxmemory-policy": "noeviction", "hash-max-listpack-entries": "512", "hash-max-ziplist-value": "64",
		"set-max-intset-entries": "512", "set-max-listpack-entries": "128", "unixsocketperm": "0", "requirepass": "",
		"latency-tracking-info-percentiles": "50 99 99.9", "oom-score-adj-values": "0 200 800", "appendfilename": "appendonly.aof",
		"save": "3600 1 300 100 60 10000", "dbfilename": "dump.rdb", "appenddirname": "appendonlydir", "appendonly": "no",
		"appendfsync": "everysec", "auto-aof-rewrite-min-size": "67108864", "auto-aof-rewrite-percentage": "100", "stream-node-max-bytes": "4096", "proc-title-template": "{title} {listen-addr} {server-mode}",
		"shutdown-on-sigterm": "default", "databases": "16", "hz": "10", "loglevel": "notice", "slave-priority": "100",
	} {
		if got := get(t, c, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// TestSet holds answers of redis-server 7.0.15: one CONFIG SET a line, names and values in turn,
// then the answer.
func TestSet(t *testing.T) {
	const failed = "CONFIG SET failed (possibly related to argument "
	const unknown = "Unknown option or number of arguments for CONFIG SET - "
	tests := []struct {
		args []string
		want string // "" for OK
	}{
		{[]string{"maxclients", "abc"}, failed + "'maxclients') - argument couldn't be parsed into an integer"},
		{[]string{"maxclients", "0"}, failed + "'maxclients') - argument must be between 1 and 4294967295 inclusive"},
		{[]string{"timeout", "-1"}, failed + "'timeout') - argument must be between 0 and 2147483647 inclusive"},
		{[]string{"timeout", "01"}, failed + "'timeout') - argument couldn't be parsed into an integer"},
		{[]string{"timeout", " 1"}, failed + "'timeout') - argument couldn't be parsed into an integer"},
		{[]string{"timeout", ""}, failed + "'timeout') - argument couldn't be parsed into an integer"},
		{[]string{"maxmemory", "abc"}, failed + "'maxmemory') - argument must be a memory value"},
		{[]string{"maxmemory", "-1"}, failed + "'maxmemory') - argument must be a memory value"},
		{[]string{"maxmemory", "1.5gb"}, failed + "'maxmemory') - argument must be a memory value"},
		{[]string{"maxmemory", "1 mb"}, failed + "'maxmemory') - argument must be a memory value"},
		{[]string{"maxmemory", "99999999999999999999"}, ""},
		{[]string{"maxmemory", ""}, ""},
		{[]string{"maxmemory", "1kB"}, ""},
		{[]string{"maxmemory-clients", "200%"}, failed + "'maxmemory-clients') - percentage argument must be less or equal to 100"},
		{[]string{"maxmemory-clients", "10%"}, ""},
		{[]string{"proto-max-bulk-len", "1"}, failed + "'proto-max-bulk-len') - argument must be between 1048576 and 9223372036854775807 inclusive"},
		{[]string{"loglevel", "foo"}, failed + "'loglevel') - argument(s) must be one of the following: debug, verbose, notice, warning"},
		{[]string{"loglevel", "WARNING"}, ""},
		{[]string{"protected-mode", "maybe"}, failed + "'protected-mode') - argument must be 'yes' or 'no'"},
		{[]string{"protected-mode", "YES"}, ""},
		{[]string{"databases", "3"}, failed + "'databases') - can't set immutable config"},
		{[]string{"DATABASES", "3"}, failed + "'DATABASES') - can't set immutable config"},
		{[]string{"databases", "3", "nosuch", "3"}, failed + "'databases') - can't set immutable config"},
		{[]string{"nosuch", "3", "databases", "3"}, unknown + "'nosuch'"},
		{[]string{"NoSuch", "3"}, unknown + "'NoSuch'"},
		{[]string{"HZ", "abc"}, failed + "'hz') - argument couldn't be parsed into an integer"},
		{[]string{"hz", "-1"}, failed + "'hz') - argument must be between 0 and 2147483647 inclusive"},
		{[]string{"hz", "1", "HZ", "2"}, failed + "'HZ') - duplicate parameter"},
		{[]string{"hash-max-listpack-entries", "10", "hash-max-ziplist-entries", "11"}, ""},
		{[]string{"hash-max-listpack-entries", "-5"}, failed + "'hash-max-listpack-entries') - argument must be between 0 and 9223372036854775807 inclusive"},
		{[]string{"hash-max-listpack-entries", "99999999999999999999"}, failed + "'hash-max-listpack-entries') - argument couldn't be parsed into an integer"},
		{[]string{"hash-max-ziplist-value", "abc"}, failed + "'hash-max-ziplist-value') - argument must be a memory value"},
		{[]string{"dir", "/"}, failed + "'dir') - can't set protected config"},
		{[]string{"save", "abc"}, failed + "'save') - Invalid save parameters"},
		{[]string{"save", "1 -2"}, failed + "'save') - Invalid save parameters"},
		{[]string{"save", "0 2"}, failed + "'save') - Invalid save parameters"},
		{[]string{"save", "10 10  20 20"}, failed + "'save') - Invalid save parameters"},
		{[]string{"save", " "}, failed + "'save') - Invalid save parameters"},
		{[]string{"save", "900 1 300"}, failed + "'save') - Invalid save parameters"},
		{[]string{"save", "1x 2"}, failed + "'save') - Invalid save parameters"},
		{[]string{"save", "900 1 +300 010"}, ""},
		{[]string{"appendonly", "maybe"}, failed + "'appendonly') - argument must be 'yes' or 'no'"},
		{[]string{"appendfsync", "sometimes"}, failed + "'appendfsync') - argument(s) must be one of the following: everysec, always, no"},
		{[]string{"appendfilename", "x"}, failed + "'appendfilename') - can't set immutable config"},
		{[]string{"rdbchecksum", "no"}, failed + "'rdbchecksum') - can't set immutable config"},
		{[]string{"dbfilename", "x"}, failed + "'dbfilename') - can't set protected config"},
		{[]string{"auto-aof-rewrite-percentage", "-1"}, failed + "'auto-aof-rewrite-percentage') - argument must be between 0 and 2147483647 inclusive"},
		{[]string{"client-output-buffer-limit", "normal 0 0"}, failed + "'client-output-buffer-limit') - Wrong number of arguments in buffer limit configuration."},
		{[]string{"client-output-buffer-limit", "normal 0 0  0"}, failed + "'client-output-buffer-limit') - Wrong number of arguments in buffer limit configuration."},
		{[]string{"client-output-buffer-limit", "master 0 0 0"}, failed + "'client-output-buffer-limit') - Invalid client class specified in buffer limit configuration."},
		{[]string{"client-output-buffer-limit", "normal a 0 0"}, failed + "'client-output-buffer-limit') - Error in hard, soft or soft_seconds setting in buffer limit configuration."},
		{[]string{"client-output-buffer-limit", "normal 1mb 0 -1"}, failed + "'client-output-buffer-limit') - Error in hard, soft or soft_seconds setting in buffer limit configuration."},
		{[]string{"client-output-buffer-limit", ""}, ""},
		{[]string{"client-output-buffer-limit", "slave 1 1 1 normal 1 1 1 normal 2 2 2"}, ""},
		{[]string{"oom-score-adj-values", "1 2"}, failed + "'oom-score-adj-values') - wrong number of arguments"},
		{[]string{"oom-score-adj-values", "9999 2 1"}, failed + "'oom-score-adj-values') - Invalid oom-score-adj-values, elements must be between -2000 and 2000."},
		{[]string{"latency-tracking-info-percentiles", "50 101"}, failed + "'latency-tracking-info-percentiles') - latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"},
		{[]string{"latency-tracking-info-percentiles", "50 a"}, failed + "'latency-tracking-info-percentiles') - Invalid latency-tracking-info-percentiles parameters"},
		{[]string{"shutdown-on-sigterm", "foo"}, failed + "'shutdown-on-sigterm') - argument(s) must be one of the following: default, save, nosave, now, force"},
		{[]string{"shutdown-on-sigterm", ""}, failed + "'shutdown-on-sigterm') - argument(s) must be one of the following: default, save, nosave, now, force"},
		{[]string{"shutdown-on-sigterm", "save nosave"}, failed + "'shutdown-on-sigterm') - shutdown options SAVE and NOSAVE can't be used simultaneously"},
		{[]string{"shutdown-on-sigterm", "force default NOSAVE nosave"}, ""},
		{[]string{"notify-keyspace-events", "Kq"}, failed + "'notify-keyspace-events') - " + eventsError},
		{[]string{"notify-keyspace-events", "K E"}, failed + "'notify-keyspace-events') - " + eventsError},
		{[]string{"notify-keyspace-events", "a"}, failed + "'notify-keyspace-events') - " + eventsError},
		{[]string{"active-expire-effort", "11"}, failed + "'active-expire-effort') - argument must be between 1 and 10 inclusive"},
	}
	c := fresh(t)
	for _, test := range tests {
		err := c.Set(settings(test.args...), true)
		if got := errorText(err); got != test.want {
			t.Errorf("CONFIG SET %q\n got %q\nwant %q", test.args, got, test.want)
		}
	}
	want := [][2]string{
		{"client-output-buffer-limit", "normal 2 2 2 slave 1 1 1 pubsub 33554432 8388608 60"},
		{"HZ", "10"}, {"loglevel", "warning"}, {"maxmemory", "1024"}, {"maxmemory-clients", "10%"},
		{"hash-max-listpack-entries", "11"}, {"hash-max-ziplist-entries", "11"}, {"save", "900 1 300 10"}, {"shutdown-on-sigterm", "nosave force"},
	}
	got := c.Get([]string{"client-out*", "HZ", "h[z]", "loglevel", "nosuch", "maxmemory", "maxmemory-cl?ents", "hash-max-*entries", "save", "shutdown-on-sigterm"}, globs)
	v := c.Values()
	if diff := cmp.Diff([]SavePoint{{900, 1}, {300, 10}}, v.SavePoints); diff != "" {
		t.Error(diff)
	}
	if v.ShutdownOnSigterm != (ShutdownFlags{NoSave: true, Force: true}) || v.ShutdownOnSigint != (ShutdownFlags{}) {
		t.Errorf("shutdown-on-sigterm %+v, shutdown-on-sigint %+v", v.ShutdownOnSigterm, v.ShutdownOnSigint)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestEvents holds what redis-server 7.0.15 makes of notify-keyspace-events, but for the last column:
// Redis' file has no n beside an A.
func TestEvents(t *testing.T) {
	for _, test := range []struct{ set, said, classes, written string }{
		{"", "", "", `""`},
		{"KEA", "AKE", "g$lshzxetdKE", `"AKE"`},
		{"AA\x00q", "A", "g$lshzxetd", `"A"`},
		{"nmKEA", "AKEm", "g$lshzxetdnKEm", `"AnKEm"`},
		{"EKeg$", "g$eKE", "g$eKE", `"g$eKE"`},
		{"dtexzhsl$g", "A", "g$lshzxetd", `"A"`},
		{"Kn", "nK", "nK", `"nK"`},
		{"m", "m", "m", `"m"`},
	} {
		file := write(t, "redis.conf", "notify-keyspace-events gK")
		c, err := Load(file, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Set(settings("notify-keyspace-events", test.set), true); err != nil {
			t.Errorf("%q: %v", test.set, err)
		}
		if got := get(t, c, "notify-keyspace-events"); got != test.said {
			t.Errorf("%q: CONFIG GET says %q, want %q", test.set, got, test.said)
		}
		if got := c.Values().NotifyKeyspaceEvents; got != test.classes {
			t.Errorf("%q: classes %q, want %q", test.set, got, test.classes)
		}
		if err := c.Rewrite(); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if line, _, _ := strings.Cut(string(content), "\n"); line != "notify-keyspace-events "+test.written {
			t.Errorf("%q: the file has %q", test.set, line)
		}
		if again, err := Load(file, nil); err != nil || again.Values().NotifyKeyspaceEvents != test.classes {
			t.Errorf("%q: the file is read as another value: %v", test.set, err)
		}
	}
}

func settings(args ...string) []Setting {
	var all []Setting
	for i := 0; i+1 < len(args); i += 2 {
		all = append(all, Setting{args[i], args[i+1]})
	}
	return all
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestSetIsAllOrNothing(t *testing.T) {
	c := fresh(t)
	calls := 0
	c.OnChange("hz", func(v *Values) { calls += int(v.Hz) })
	before := c.Values()
	if err := c.Set(settings("hz", "20", "maxclients", "5", "timeout", "x"), false); err == nil {
		t.Fatal("a bad value was accepted")
	}
	if c.Values() != before || calls != 0 {
		t.Errorf("a failed CONFIG SET changed something or told subscribers")
	}
	if err := c.Set(settings("hz", "1000", "maxclients", "5"), false); err != nil {
		t.Fatal(err)
	}
	if v := c.Values(); v.Hz != 500 || v.MaxClients != 5 || calls != 500 || before.Hz != 10 {
		t.Errorf("hz %d (want 500), maxclients %d, subscribers were told %d, the old values say %d", v.Hz, v.MaxClients, calls, before.Hz)
	}
}

// TestApply holds what hooks may do: agree, once, to values nobody else sees yet, or refuse, and
// then nothing has changed.
func TestApply(t *testing.T) {
	c := fresh(t)
	var calls []string
	refuse := map[string]error{}
	add := func(name string, params ...string) {
		c.OnApply(params, func(v *Values) error {
			calls = append(calls, fmt.Sprintf("%s:%v:%d:%v", name, v.AppendOnly, v.Hz, c.Values() == v))
			if !v.AppendOnly && calls[0] != calls[len(calls)-1] {
				return refuse["undo "+name]
			}
			return refuse[name]
		})
	}
	c.OnApplyLast([]string{"maxclients", "timeout"}, func(_ *Values, name string) error {
		calls = append(calls, "last "+name)
		return refuse["last"]
	})
	add("log", "appendonly", "save")
	add("rate", "hz")
	changes := 0
	c.OnChange("hz", func(*Values) { changes++ })
	set := func(wantError string, wantCalls []string, args ...string) {
		t.Helper()
		calls = nil
		if got := errorText(c.Set(settings(args...), false)); got != wantError {
			t.Errorf("CONFIG SET %q\n got %q\nwant %q", args, got, wantError)
		}
		if diff := cmp.Diff(wantCalls, calls); diff != "" {
			t.Error(diff)
		}
	}
	const failed = "CONFIG SET failed (possibly related to argument "
	before := c.Values()
	refuse["rate"] = problem("not so often")
	set(failed+"'hz') - not so often", []string{"log:true:20:false", "rate:true:20:false", "log:false:10:true"}, "Appendonly", "yes", "save", "", "HZ", "20")
	refuse["undo log"] = problem("cannot stop")
	set(failed+"'hz') - not so often; going back to the old values: cannot stop",
		[]string{"log:true:20:false", "rate:true:20:false", "log:false:10:true"}, "appendonly", "yes", "hz", "20")
	refuse["log"] = problem("no disk")
	set(failed+"'appendonly') - no disk", []string{"log:true:20:false"}, "hz", "20", "appendonly", "yes")
	set("", nil, "loglevel", "debug")
	if v := c.Values(); v.AppendOnly || v.Hz != before.Hz || len(v.SavePoints) != len(before.SavePoints) || changes != 0 {
		t.Errorf("a refused CONFIG SET changed something or told subscribers")
	}
	clear(refuse)
	refuse["last"] = problem("no")
	set(failed+"'timeout') - no", []string{"rate:false:20:false", "last timeout", "rate:false:10:true"},
		"maxclients", strconv.FormatInt(before.MaxClients, 10), "timeout", "7", "hz", "20")
	clear(refuse)
	set("", []string{"log:true:20:false", "rate:true:20:false"}, "appendonly", "yes", "hz", "20")
	if v := c.Values(); !v.AppendOnly || v.Hz != 20 || changes != 1 {
		t.Errorf("appendonly %v, hz %d, subscribers were told %d times", v.AppendOnly, v.Hz, changes)
	}
}

func TestDeniedWhileLoading(t *testing.T) {
	c := fresh(t)
	for want, names := range map[bool][]string{true: {"hz", "1", "APPENDONLY", "no"}, false: {"hz", "1", "nosuch", "1", "appendfsync", "no"}} {
		if got := c.DeniedWhileLoading(settings(names...)); got != want {
			t.Errorf("CONFIG SET %q while loading is refused: %v", names, got)
		}
	}
}

func TestProtectedParameters(t *testing.T) {
	dir := t.TempDir()
	c, err := Load("", []string{"--enable-protected-configs", "local", "--dir", dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, value, want string
		local             bool
	}{
		{"dir", dir, "can't set protected config", false},
		{"dir", dir + "/none", "No such file or directory", true},
		{"dir", "/dev/null", "Not a directory", true},
		{"dir", "..", "", true},
		{"dbfilename", "a/b", "dbfilename can't be a path, just a filename", true},
	} {
		got := errorText(c.Set(settings(test.name, test.value), test.local))
		if _, after, ok := strings.Cut(got, " - "); ok {
			got = after
		}
		if got != test.want {
			t.Errorf("CONFIG SET %s %s: %q, want %q", test.name, test.value, got, test.want)
		}
	}
	if got := get(t, c, "dir"); got != path.Dir(dir) {
		t.Errorf("dir is %s, want %s", got, path.Dir(dir))
	}
}

func TestCautions(t *testing.T) {
	c, err := Load("", []string{"--appendonly", "yes", "--maxmemory", "75",
		"--maxmemory-policy", "allkeys-lru", "--daemonize", "yes", "--activerehashing", "no"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"maxmemory 75: this is less than 1 MB, which a server without keys takes; units are kb, mb, gb and %",
		"daemonize yes: a service manager has to start larder in the background",
	}
	if diff := cmp.Diff(want, c.Cautions()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"daemonize", "activerehashing"}, c.Ignored()); diff != "" {
		t.Error(diff)
	}
	if c := fresh(t); len(c.Cautions())+len(c.Ignored()) != 0 {
		t.Errorf("the defaults call for warnings: %v %v", c.Cautions(), c.Ignored())
	}
}
