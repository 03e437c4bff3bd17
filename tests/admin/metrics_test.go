package admin_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
)

const (
	installPrometheus = "apt-get install prometheus"
	installExporter   = "apt-get install prometheus-redis-exporter"
)

// scrape is what /metrics says: the values of series, "name{labels}", and types of metrics by name.
type scrape struct {
	values map[string]float64
	types  map[string]string
	text   string
}

var seriesLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*(?:\{.*\})?) (\S+)$`)

func parse(t testing.TB, text string) scrape {
	t.Helper()
	s := scrape{map[string]float64{}, map[string]string{}, text}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if words := strings.Fields(line); len(words) == 4 && words[1] == "TYPE" {
			s.types[words[2]] = words[3]
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		m := seriesLine.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("no series: %q", line)
		}
		value, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		s.values[m[1]] = value
	}
	return s
}

func (r *rig) scrape() scrape {
	r.t.Helper()
	return parse(r.t, r.expect(200, "GET", "/metrics").body)
}

// name is that of the metric that a series belongs to.
func (s *scrape) name(series string) string {
	name, _, _ := strings.Cut(series, "{")
	if s.types[name] != "" {
		return name
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, ok := strings.CutSuffix(name, suffix); ok && s.types[base] == "histogram" {
			return base
		}
	}
	return ""
}

// everything makes a server have something to say in each metric.
func everything(r *rig) {
	for _, request := range []string{
		"SET user:1 v EX 1000", "GET user:1", "GET user:2", "DEL user:1", "SET s v EX 1000", "NOSUCH", "LPUSH s x", "HSET h f v", "ZADD z 1 m",
		"EVAL return(1) 0", "PUBLISH c m", "SET <script>:1 v", `SET "quoted":1 v`, "SET \xff\xfe\n:1 v", "SET (other):1 v", "BGREWRITEAOF",
	} {
		r.conn.Do(strings.Split(request, " ")...)
	}
}

// promtool finds nothing to say against names, types and texts.
func TestPromtoolLikesTheMetrics(t *testing.T) {
	promtool := harness.Tool(t, "promtool", installPrometheus)
	r := start(t, "appendonly yes", "appendfsync always")
	everything(r)
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = strings.NewReader(r.scrape().text)
	if out, err := check.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// promtool loads the alert rules.
func TestPromtoolLoadsTheAlerts(t *testing.T) {
	promtool := harness.Tool(t, "promtool", installPrometheus)
	file := filepath.Join(harness.RepoRoot(t), "server/admin/monitoring/alerts.yml")
	out, err := exec.Command(promtool, "check", "rules", file).CombinedOutput()
	if err != nil || !regexp.MustCompile(`SUCCESS: 1[0-9] rules found`).Match(out) {
		t.Errorf("%v\n%s", err, out)
	}
}

// What the dashboard for Grafana and the alert rules name is there.
func TestMonitoringNamesWhatThereIs(t *testing.T) {
	r := start(t, "appendonly yes", "appendfsync always", "maxmemory 100mb")
	everything(r)
	s := r.scrape()
	for _, file := range []string{"dashboard.json", "alerts.yml"} {
		text, err := os.ReadFile(filepath.Join(harness.RepoRoot(t), "server/admin/monitoring", file))
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, name := range regexp.MustCompile(`\b(?:redis|larder)_[a-z0-9_]+`).FindAllString(string(text), -1) {
			found[name] = true
		}
		if len(found) < 15 {
			t.Errorf("%s names %d metrics", file, len(found))
		}
		for name := range found {
			if s.name(name) == "" {
				t.Errorf("%s names %s, which is not there", file, name)
			}
		}
	}
}

// What bears a name of redis_exporter's is of the same type, has the same labels, and says the same.
func TestNamesAreRedisExporters(t *testing.T) {
	r := start(t, "appendonly yes", "appendfsync always")
	everything(r)
	exporter := harness.Launch(t, harness.Tool(t, "prometheus-redis-exporter", installExporter),
		"-redis.addr", "redis://"+r.Addr, "-web.listen-address", "127.0.0.1:0", "-redis-only-metrics", "-include-system-metrics")
	resp, err := r.http.Get("http://" + exporter.Listening(t) + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	theirs, ours := parse(t, string(text)), r.scrape()
	// own are those that differ on purpose, or that only later versions than Debian's have.
	own := map[string]string{
		"redis_instance_info":                   "it says larder_version, too",
		"redis_acl_access_denied_auth_total":    "since 1.50",
		"redis_acl_access_denied_cmd_total":     "since 1.50",
		"redis_acl_access_denied_key_total":     "since 1.50",
		"redis_acl_access_denied_channel_total": "since 1.50",
	}
	same := 0
	for name, kind := range ours.types {
		if !strings.HasPrefix(name, "redis_") || own[name] != "" {
			continue
		}
		if theirs.types[name] != kind {
			t.Errorf("%s is a %s, and redis_exporter's a %q", name, kind, theirs.types[name])
		}
		same++
	}
	for series, value := range ours.values {
		if steady.MatchString(series) && theirs.values[series] != value {
			t.Errorf("%s is %v, and %v by redis_exporter", series, value, theirs.values[series])
		}
	}
	if same < 40 {
		t.Errorf("%d names are compared", same)
	}
}

// steady matches series that redis_exporter itself does not change by looking.
var steady = regexp.MustCompile(`^redis_(db_keys|db_keys_expiring|config_maxclients|keyspace_\w+|expired_keys_total|evicted_keys_total|aof_enabled|` +
	`rdb_last_bgsave_status|rdb_changes_since_last_save|memory_max_bytes|commands_failed_calls_total\{cmd="lpush"\}|commands_total\{cmd="(set|get|del|hset)"\}|` +
	`pubsub_channels|slowlog_length|aof_last_write_status)`)

// load is what a client has done.
type load struct {
	mu                        sync.Mutex
	calls                     map[string]int64
	hits, misses, errors      int64
	sent, received, connected int64
	byPrefix                  map[string]int64 // series of prefixes
}

// A scrape under load says what has happened: no counter ever falls, and in the end each is what the
// clients have counted.
func TestCountersAreTrue(t *testing.T) {
	for _, params := range [][]string{{"io-threads 2"}, {"io-threads 2", "network-driver portable"}} {
		t.Run(strings.Join(params, ","), func(t *testing.T) {
			r := start(t, append(params, "appendonly yes", "appendfsync everysec")...)
			r.conn.Do("PING") // which connects, and has to be counted before anything else
			var before scrape
			harness.Eventually(t, patience, "the first connection is counted", func() bool {
				before = r.scrape()
				return before.values["redis_connections_received_total"] == 1 && before.values["redis_net_output_bytes_total"] == float64(len("+PONG\r\n"))
			})
			done := make(chan struct{})
			l := &load{calls: map[string]int64{}, byPrefix: map[string]int64{}}
			var clients sync.WaitGroup
			for i := range 4 {
				clients.Go(func() { l.run(r, i) })
			}
			go func() { clients.Wait(); close(done) }()
			last := before
			for scrapes := 0; ; scrapes++ {
				now := r.scrape()
				last.neverFalls(t, &now)
				last = now
				select {
				case <-done:
					l.compare(r, &before)
					if scrapes < 3 {
						t.Errorf("only %d scrapes under load", scrapes)
					}
					return
				default:
				}
			}
		})
	}
}

// neverFalls compares the counters of two scrapes.
func (s *scrape) neverFalls(t *testing.T, later *scrape) {
	t.Helper()
	for series, value := range s.values {
		name := s.name(series)
		if s.types[name] == "gauge" {
			continue
		}
		if now, ok := later.values[series]; !ok || now < value {
			t.Errorf("%s falls from %v to %v", series, value, now)
		}
	}
}

// run is one client.
func (l *load) run(r *rig, id int) {
	c := r.Dial(r.t)
	mine := load{calls: map[string]int64{}, connected: 1, byPrefix: map[string]int64{}}
	do := func(args ...string) harness.Reply {
		mine.sent += int64(len(harness.Encode(args...)))
		reply := c.Do(args...)
		mine.received += int64(len(reply.Raw))
		mine.calls[strings.ToLower(args[0])]++
		if reply.IsError() {
			mine.errors++
			return reply
		}
		prefix, _, _ := strings.Cut(args[1], ":")
		mine.byPrefix[fmt.Sprintf("larder_prefix_in_bytes_total{prefix=%q}", prefix)] += int64(len(harness.Encode(args...)))
		mine.byPrefix[fmt.Sprintf("larder_prefix_out_bytes_total{prefix=%q}", prefix)] += int64(len(reply.Raw))
		if args[0] != "GET" {
			mine.byPrefix[fmt.Sprintf("larder_prefix_sets_total{prefix=%q}", prefix)]++
		}
		return reply
	}
	for i := range 2000 {
		key := fmt.Sprintf("p%d:%d", id, i%300)
		switch i % 5 {
		case 0:
			do("SET", key, strings.Repeat("v", i%50))
		case 1, 2:
			if do("GET", fmt.Sprintf("p%d:%d", id, i%400)).IsNull() {
				mine.misses++
				mine.byPrefix[fmt.Sprintf(`larder_prefix_misses_total{prefix="p%d",reason="never"}`, id)]++
			} else {
				mine.hits++
				mine.byPrefix[fmt.Sprintf(`larder_prefix_hits_total{prefix="p%d"}`, id)]++
			}
		case 3:
			do("LPUSH", fmt.Sprintf("p%d:0", id), "x") // a string
		case 4:
			do("INCR", fmt.Sprintf("n%d:%d", id, i%7))
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hits, l.misses, l.errors = l.hits+mine.hits, l.misses+mine.misses, l.errors+mine.errors
	l.sent, l.received, l.connected = l.sent+mine.sent, l.received+mine.received, l.connected+mine.connected
	for name, n := range mine.calls {
		l.calls[name] += n
	}
	maps.Copy(l.byPrefix, mine.byPrefix)
}

// compare waits until the scrapes say what the clients know; a loop publishes its bytes some rounds
// later.
func (l *load) compare(r *rig, before *scrape) {
	r.t.Helper()
	want := map[string]int64{
		"redis_keyspace_hits_total": l.hits, "redis_keyspace_misses_total": l.misses, "redis_connections_received_total": l.connected,
		"redis_net_input_bytes_total": l.sent, "redis_net_output_bytes_total": l.received, `redis_errors_total{err="WRONGTYPE"}`: l.errors,
		`redis_commands_failed_calls_total{cmd="lpush"}`: l.errors,
	}
	maps.Copy(want, l.byPrefix)
	all, loopIn := int64(0), int64(0)
	for name, n := range l.calls {
		want[fmt.Sprintf("redis_commands_total{cmd=%q}", name)] = n
		all += n
	}
	want["redis_commands_processed_total"] = all
	keys := number(r.conn.Do("DBSIZE"))
	want["redis_commands_processed_total"]++
	dbsize := []string{"DBSIZE"}
	want["redis_net_input_bytes_total"] += int64(len(harness.Encode(dbsize...)))
	want["redis_net_output_bytes_total"] += int64(len(fmt.Sprintf(":%d\r\n", keys)))
	differing := func() (list []string) {
		now := r.scrape()
		for _, series := range slices.Sorted(maps.Keys(want)) {
			if got := int64(now.values[series] - before.values[series]); got != want[series] {
				list = append(list, fmt.Sprintf("%s: %d, want %d", series, got, want[series]))
			}
		}
		if got := int64(now.values[`redis_db_keys{db="db0"}`]); got != keys {
			list = append(list, fmt.Sprintf("keys: %d, want %d", got, keys))
		}
		families := now.values[`larder_command_duration_seconds_count{family="string"}`]
		if got, want := int64(families), l.calls["get"]+l.calls["set"]+l.calls["incr"]; got != want {
			list = append(list, fmt.Sprintf("calls in the family string: %d, want %d", got, want))
		}
		loopIn = 0
		for series, value := range now.values {
			if strings.HasPrefix(series, "larder_loop_read_bytes_total") {
				loopIn += int64(value)
			}
		}
		return list
	}
	for end := time.Now().Add(patience); ; {
		list := differing()
		if len(list) == 0 {
			break
		}
		if time.Now().After(end) {
			r.t.Fatal(strings.Join(list, "\n"))
		}
	}
	if total := int64(r.scrape().values["redis_net_input_bytes_total"]); loopIn != 0 && loopIn != total {
		r.t.Errorf("the loops have read %d bytes, and all %d", loopIn, total)
	}
}
