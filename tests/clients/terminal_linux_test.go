package clients

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/larderkv/larder/tests/harness"
)

// terminalDeadline is how long a terminal may take to show what is waited for.
const terminalDeadline = harness.Patience

// columns is the terminal's width. redis-cli cuts a line that is longer, and the hints with it.
const columns = 500

// terminal is a pseudo-terminal in which redis-cli runs, which behaves otherwise there: it prompts,
// shows hints, and refreshes its figures until it is ended.
type terminal struct {
	t     *testing.T
	side  *os.File // the side of who sits in front of it
	shown string   // what has not been looked at yet, without the terminal's own sequences
	rest  string   // the bytes of a sequence that is not whole
}

// inTerminal starts redis-cli, which ends with the test.
func inTerminal(t *testing.T, s *harness.Server, args ...string) *terminal {
	t.Helper()
	side, other := openTerminal(t)
	cmd := exec.Command(harness.Tool(t, "redis-cli", harness.InstallRedis), append(address(t, s), args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = other, other, other
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "REDISCLI_HISTFILE=/dev/null", "REDISCLI_RCFILE=/dev/null")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err := cmd.Start()
	_ = other.Close() // it is redis-cli's now
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		_ = cmd.Wait()         // killed
	})
	return &terminal{t: t, side: side}
}

// openTerminal returns both sides of a new pseudo-terminal.
func openTerminal(t *testing.T) (side, other *os.File) {
	t.Helper()
	// Not by os.OpenFile: a descriptor has to be non-blocking from the start to have deadlines.
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	side = os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { _ = side.Close() }) // nothing was written that could be lost
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: columns})
	}
	if err == nil {
		other, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return side, other
}

// types presses keys.
func (c *terminal) types(keys string) {
	c.t.Helper()
	if _, err := c.side.WriteString(keys); err != nil {
		c.t.Fatal(err)
	}
}

var (
	// sequences move the cursor, erase and colour.
	sequences = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)
	// begun is a sequence that has not been read to its end.
	begun = regexp.MustCompile(`\x1b(\[[0-9;]*)?$`)
)

// until reads until the terminal has shown this, and returns all that came up to its end.
func (c *terminal) until(pattern *regexp.Regexp) string {
	c.t.Helper()
	if err := c.side.SetReadDeadline(time.Now().Add(terminalDeadline)); err != nil {
		c.t.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	for {
		if at := pattern.FindStringIndex(c.shown); at != nil {
			got := c.shown[:at[1]]
			c.shown = c.shown[at[1]:]
			return got
		}
		n, err := c.side.Read(buf)
		if err != nil {
			c.t.Fatalf("the terminal shows no %s: %v\n%s", pattern, err, c.shown)
		}
		raw := c.rest + string(buf[:n])
		c.rest = begun.FindString(raw)
		c.shown += sequences.ReplaceAllString(strings.TrimSuffix(raw, c.rest), "")
	}
}

// prompt is what redis-cli shows when it reads a line. Keys typed before it are lost.
var prompt = regexp.MustCompile(`\d(\[\d+\])?(\(TX\))?> `)

// ask types a line behind the prompt and returns the reply, up to the next prompt.
func (c *terminal) ask(line string) string {
	c.t.Helper()
	c.types(line + "\r")
	c.until(regexp.MustCompile(`\n`)) // of the line itself
	return strings.ReplaceAll(c.until(prompt), "\r\n", "\n")
}

// hint is what redis-cli shows, in grey, behind a command that is typed.
func (c *terminal) hint(typed string) string {
	c.t.Helper()
	const cancel = "\x15" // Ctrl-U empties the line
	c.types(typed)
	shown := c.until(regexp.MustCompile(`> ` + regexp.QuoteMeta(typed) + `[^\r]*\r`))
	c.ask(cancel + "ping")
	_, hint, _ := strings.Cut(shown[strings.LastIndex(shown, "> "):], typed)
	return strings.TrimSpace(hint)
}

// newer are the hints for commands whose arguments are other ones in Redis 7.4 than in 7.0.
var newer = map[string]string{
	"lcs":      "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
	"hscan":    "key cursor [MATCH pattern] [COUNT count] [NOVALUES]",
	"zrank":    "key member [WITHSCORE]",
	"zrevrank": "key member [WITHSCORE]",
	"acl cat":  "[category]",
	"migrate": `host port key|"" destination-db timeout [COPY] [REPLACE] ` +
		`[AUTH password|AUTH2 username password] [KEYS key [key ...]]`,
	"waitaof":     "numlocal numreplicas timeout",
	"client kill": "ip:port|" + killFilters + " [" + killFilters + " ...]",

	"cache.stats":             "[PREFIX prefix] [TOP count [BY HITS|MISSES|BYTES|KEYS]] [HELP]",
	"client setinfo":          "LIB-NAME libname|LIB-VER libver",
	"client no-touch":         "ON|OFF",
	"command getkeys":         "command [arg [arg ...]]",
	"command getkeysandflags": "command [arg [arg ...]]",

	// Commands of later versions, and of larder alone.
	"bless clear":      "key NO-EVICT",
	"bless get":        "key",
	"bless scan":       "cursor [MATCH pattern] [COUNT count] [TYPE type]",
	"bless set":        "key NO-EVICT",
	"blmovem":          "source destination LEFT|RIGHT LEFT|RIGHT timeout [COUNT|EXACTLY count OBO|BULK]",
	"cache.fail":       "key token [STALE milliseconds]",
	"cache.get":        "key [LEASE milliseconds [WAIT milliseconds [STALE]] [BETA beta]]",
	"cache.getttl":     "key",
	"cache.invalidate": "tag [tag ...]",
	"cache.mget":       "numkeys key [key ...] [LEASE milliseconds [BETA beta]]",
	"cache.mset": "numkeys key value [key value ...] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT " +
		"unix-time-milliseconds] [FRESH milliseconds] [TAGS numtags tag [tag ...]]",
	"cache.purge start":  "MATCH pattern|PREFIX prefix [TYPE type] [RATE keys-per-second]",
	"cache.purge status": "[id]",
	"cache.purge stop":   "[id]",
	"cache.set": "key value [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds] [FRESH " +
		"milliseconds] [TAGS numtags tag [tag ...]] [NX|XX|VERSION version|LEASE token]",
	"cache.stale":   "tag [tag ...]",
	"cache.tag":     "key tag [tag ...]",
	"cache.tags":    "key",
	"cache.tagscan": "cursor [MATCH pattern] [COUNT count]",
	"cache.untag":   "key [tag [tag ...]]",
	"cl.throttle":   "key max-burst count period [quantity]",
	"cl.window":     "key limit milliseconds [quantity]",
	"delex":         "key [IFEQ match-value|IFNE match-value|IFDEQ match-digest|IFDNE match-digest]",
	"delifeq":       "key value",
	"digest":        "key",
	"hexpire":       "key seconds [NX|XX|GT|LT] FIELDS numfields field [field ...]",
	"hexpireat":     "key unix-time-seconds [NX|XX|GT|LT] FIELDS numfields field [field ...]",
	"hexpiretime":   "key FIELDS numfields field [field ...]",
	"hgetdel":       "key FIELDS numfields field [field ...]",
	"hgetex": "key [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|PERSIST] FIELDS " +
		"numfields field [field ...]",
	"hpersist":     "key FIELDS numfields field [field ...]",
	"hpexpire":     "key milliseconds [NX|XX|GT|LT] FIELDS numfields field [field ...]",
	"hpexpireat":   "key unix-time-milliseconds [NX|XX|GT|LT] FIELDS numfields field [field ...]",
	"hpexpiretime": "key FIELDS numfields field [field ...]",
	"hpttl":        "key FIELDS numfields field [field ...]",
	"hsetex": "key [FNX|FXX] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT " +
		"unix-time-milliseconds|KEEPTTL] FIELDS numfields field value [field value ...]",
	"httl": "key FIELDS numfields field [field ...]",
	"increx": "key [BYFLOAT increment|BYINT increment] [LBOUND lower-bound] [UBOUND upper-bound] [SATURATE] [EX " +
		"seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|PERSIST] [ENX]",
	"lmovem": "source destination LEFT|RIGHT LEFT|RIGHT [COUNT|EXACTLY count OBO|BULK]",
	"msetex": "numkeys key value [key value ...] [NX|XX] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT " +
		"unix-time-milliseconds|KEEPTTL]",
	"rm": "cursor [MATCH pattern] [TYPE type] [COUNT count]",
	"saddex": "key [MNX|MXX] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL] " +
		"seconds member [member ...]|MEMBERS nummembers member [member ...]",
	"sexpire":      "key seconds [NX|XX|GT|LT] MEMBERS nummembers member [member ...]",
	"sexpireat":    "key unix-time-seconds [NX|XX|GT|LT] MEMBERS nummembers member [member ...]",
	"sexpiretime":  "key MEMBERS nummembers member [member ...]",
	"spersist":     "key MEMBERS nummembers member [member ...]",
	"spexpire":     "key milliseconds [NX|XX|GT|LT] MEMBERS nummembers member [member ...]",
	"spexpireat":   "key unix-time-milliseconds [NX|XX|GT|LT] MEMBERS nummembers member [member ...]",
	"spexpiretime": "key MEMBERS nummembers member [member ...]",
	"spttl":        "key MEMBERS nummembers member [member ...]",
	"sttl":         "key MEMBERS nummembers member [member ...]",
	"sdiffcard":    "numkeys key [key ...] [LIMIT limit]",
	"set": "key value [NX|XX|IFEQ match-value|IFNE match-value|IFDEQ match-digest|IFDNE match-digest] [GET] [EX " +
		"seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]",
	"sunioncard":  "numkeys key [key ...] [APPROX] [LIMIT limit]",
	"zinter":      "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM|MIN|MAX|COUNT] [WITHSCORES]",
	"zinterstore": "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM|MIN|MAX|COUNT]",
	"zunion":      "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM|MIN|MAX|COUNT] [WITHSCORES]",
	"zunionstore": "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM|MIN|MAX|COUNT]",
}

const killFilters = "ID client-id|TYPE NORMAL|MASTER|SLAVE|REPLICA|PUBSUB|USER username|" +
	"ADDR ip:port|LADDR ip:port|SKIPME YES|NO|MAXAGE maxage"

// TestRedisCLIHints: redis-cli reads by COMMAND DOCS which arguments commands take, and shows them
// while a command is typed. Of every command it shows here what it shows for redis-server.
func TestRedisCLIHints(t *testing.T) {
	s, oracle := harness.Start(t), harness.StartRedis(t)
	larder, redis := inTerminal(t, s), inTerminal(t, oracle)
	larder.until(prompt)
	redis.until(prompt)
	for _, e := range s.Dial(t).Do("COMMAND", "LIST").Elems {
		name := strings.ReplaceAll(e.Text, "|", " ")
		got, want := larder.hint(name+" "), redis.hint(name+" ")
		if is, ok := newer[name]; ok {
			if want == is {
				t.Errorf("%s: redis-server has the same hint", name)
			}
			want = is
		}
		if got != want {
			t.Errorf("%s: %q, not %q", name, got, want)
		}
	}
	// Behind arguments it shows what is left of them.
	for typed, want := range map[string]string{
		"zadd z ":               "[NX|XX] [GT|LT] [CH] [INCR] score member [score member ...]",
		"config get maxmemory ": "[parameter ...]",
		"nosuch ":               "",
	} {
		if got := larder.hint(typed); got != want {
			t.Errorf("%q: %q, not %q", typed, got, want)
		}
	}
}

// TestRedisCLISession: a session looks as it does with redis-server, prompts and all.
func TestRedisCLISession(t *testing.T) {
	for _, proto := range []string{"-2", "-3"} {
		s, oracle := harness.Start(t), harness.StartRedis(t)
		larder, redis := inTerminal(t, s, proto), inTerminal(t, oracle, proto)
		larder.until(prompt)
		redis.until(prompt)
		for _, line := range []string{
			"set k v", `set "with \"quotes\"" '\x00'`, "get k", "get none", "nosuch", "get", `get "`, "3 incr n",
			"rpush l a b c", "lrange l 0 -1", "lrange none 0 -1",
			"hset h f v", "hgetall h", "zadd z 1.5 a 2 b", "zrange z 0 -1 withscores", "zscore z a", "sadd s m",
			"smembers s", "get l",
			"multi", "incr n", "get k", "exec", "multi", "nosuch", "exec", "multi", "discard", "select 3", "dbsize",
			"multi", "reset",
			"select 3", "select 999", "dbsize", "select 0", "scan 0 count 100 type hash", "object help",
			"config get maxmemory",
			"eval 'return {1,{2,{3}},redis.status_reply(\"FINE\")}' 0", "auth nopassword", "hello 3 auth a b",
			"hello 9",
			"command info get", "client no-evict on", "memory doctors", "help nosuch", "watch k", "exec",
		} {
			got, want := larder.ask(line), redis.ask(line)
			got, want = strings.ReplaceAll(got, s.Addr, "server"), strings.ReplaceAll(want, oracle.Addr, "server")
			if got != want {
				t.Errorf("%s %s\n%s\nand redis-server\n%s", proto, line, got, want)
			}
		}
	}
}

// TestRedisCLIHelp: so are the help for a command, that for a group of them, and the names that the
// tabulator completes.
func TestRedisCLIHelp(t *testing.T) {
	larder := inTerminal(t, harness.Start(t))
	larder.until(prompt)
	help := larder.ask("help getdel")
	wanted := `(?s)^\s+GETDEL key\s+summary: [A-Z][^\n]+\.\s+since: 6\.2\.0\s+group: string\s`
	if !regexp.MustCompile(wanted).MatchString(help) {
		t.Errorf("help getdel:\n%s", help)
	}
	group := larder.ask("help @sorted-set")
	for part, has := range map[string]bool{"ZADD key [NX|XX]": true, "ZUNIONSTORE destination numkeys": true,
		"GET key": false} {
		if strings.Contains(group, "\n  "+part) != has {
			t.Errorf("help @sorted-set with %s:\n%s", part, group)
		}
	}
	larder.types("getr\t")
	larder.until(regexp.MustCompile(`> GETRANGE`))
}

// TestRedisCLIStreams: what goes on until it is ended shows one line after the other. Of the modes
// --intrinsic-latency is not tried, since it talks to no server, nor are --rdb, --functions-rdb and
// --replica, which need a server that has replicas, and --ldb, which needs the debugger of scripts.
func TestRedisCLIStreams(t *testing.T) {
	s := harness.Start(t)
	c := s.Dial(t)
	for mode, shows := range map[string]string{
		"--stat -i 0.01": `(?s)keys +mem +clients blocked requests +connections.*` +
			`\n3 +\d+\.\d+M +[1-9]\d* +0 +\d+ \(\+0\) +\d+.*\n3 .*\(\+[1-9]`,
		"--latency":                 `(?s)min: \d+, max: \d+, avg: \d+\.\d\d \(1 samples\).*\(5 samples\)`,
		"--lru-test 3":              `\d+ Gets/sec \| Hits: \d+ \(\d+\.\d\d%\) \| Misses: \d+ \(`,
		"--latency-history -i 0.05": `(?s)samples\) -- 0\.\d\d seconds range.*samples\) -- 0\.\d\d seconds range`,
		"--latency-dist -i 0.05":    `(?s)From 0 to 100%.*\n\.-\*#123456789ABCDEFGHIJKLMNOPQ\?\r\n\.-`,
	} {
		c.MustOK("FLUSHALL")
		c.MustOK("MSET", "a", "1", "b", "2", "c", "3")
		t.Run(strings.Fields(mode)[0], func(t *testing.T) {
			inTerminal(t, s, strings.Fields(mode)...).until(regexp.MustCompile(shows))
		})
	}
	monitor := inTerminal(t, s, "monitor")
	monitor.until(regexp.MustCompile(`OK`))
	c.Do("GET", "a")
	monitor.until(regexp.MustCompile(`\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "GET" "a"`))
}

// TestRedisCLISubscribes: the messages are shown as they come, and in RESP3 the prompt goes on
// working beside them.
func TestRedisCLISubscribes(t *testing.T) {
	s := harness.Start(t)
	c := s.Dial(t)
	for _, proto := range []string{"-2", "-3"} {
		cli := inTerminal(t, s, proto)
		cli.until(prompt)
		channel := "news" + proto
		cli.types("subscribe " + channel + "\r")
		cli.until(regexp.MustCompile(`1\) "subscribe"\r\n2\) "` + channel + `"\r\n3\) \(integer\) 1\r\n`))
		if r := c.Do("PUBLISH", channel, "it rains"); r.Raw != ":1\r\n" {
			t.Errorf("PUBLISH: %v", r)
		}
		cli.until(regexp.MustCompile(`1\) "message"\r\n2\) "` + channel + `"\r\n3\) "it rains"\r\n`))
	}
}
