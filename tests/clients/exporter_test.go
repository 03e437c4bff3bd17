package clients

import (
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// installExporter is the line that brings redis_exporter, which hands what it reads of a server to
// Prometheus.
const installExporter = "apt-get install prometheus-redis-exporter"

const sizes = "INFO all has the lines of Redis 8's section keysizes, of which it takes every one for a metric"

// differing are the metrics that redis_exporter has of one of the servers only, and why.
var differing = map[string]string{
	"redis_cpu_sys_main_thread_seconds_total{}":  "used_cpu_sys_main_thread: larder has no main thread",
	"redis_cpu_user_main_thread_seconds_total{}": "used_cpu_user_main_thread: larder has no main thread",
	"redis_db_keys_cached{db}":                   "INFO keyspace of Redis 7.4 has subexpiry, which it takes for KeyDB's cached_keys",
	"redis_db0_distrib_hashes_items{}":           sizes,
	"redis_db0_distrib_lists_items{}":            sizes,
	"redis_db0_distrib_sets_items{}":             sizes,
	"redis_db0_distrib_strings_sizes{}":          sizes,
	"redis_db0_distrib_zsets_items{}":            sizes,
	"redis_db3_distrib_strings_sizes{}":          sizes,
	`redis_commands_total{cmd="pfcount"}`:        "it counts a string as a HyperLogLog first, which larder does not have",
}

// scrape runs redis_exporter beside a server, and returns what Prometheus would read of it.
func scrape(t *testing.T, s *harness.Server, scheme string, options ...string) string {
	t.Helper()
	exporter := harness.Launch(t, harness.Tool(t, "prometheus-redis-exporter", installExporter), append([]string{
		"-redis.addr", scheme + "://" + s.Addr, "-web.listen-address", "127.0.0.1:0", "-redis-only-metrics",
	}, options...)...)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // idle connections outlive the test
	response, err := client.Get("http://" + exporter.Listening(t) + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v", response.Status, err)
	}
	for _, line := range []string{"redis_up 1", `redis_exporter_last_scrape_error{err=""} 0`} {
		if !strings.Contains(string(text), "\n"+line+"\n") {
			t.Errorf("%s: no %s in\n%s", s.Name, line, text)
		}
	}
	if strings.Contains(exporter.Log(), "level=error") {
		t.Errorf("%s: redis_exporter logs\n%s", s.Name, exporter.Log())
	}
	return string(text)
}

// series matches one line of what is scraped: name, labels, value.
var series = regexp.MustCompile(`(?m)^([a-z_0-9]+)(?:\{(.*)\})? (\S+)$`)

// labels matches a label of a series.
var labels = regexp.MustCompile(`([a-z_]+)="((?:[^"\\]|\\.)*)"`)

// metrics are the names in what was scraped, each with the names of its labels; for those of
// commands and parameters with the value of the label, since it matters which there are.
func metrics(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range series.FindAllStringSubmatch(text, -1) {
		named := m[1] == "redis_commands_total"
		name := labels.ReplaceAllString(m[2], "$1")
		if named {
			name = m[2]
		}
		found[m[1]+"{"+name+"}"] = true
	}
	return found
}

// fill makes some keys of each type, and has some commands fail and some be slow.
func fill(c *harness.Conn) {
	for _, request := range []string{
		"SET user:1 12", "SET user:2 abc EX 1000", "RPUSH queue:jobs a b c", "HSET hash:h f v g w",
		"SADD set:s 1 2 3 4",
		"ZADD zset:z 1 a 2 b", "SELECT 3", "SET other:1 x", "SELECT 0", "GET none", "GET user:1", "LPUSH user:1 x",
		"CONFIG SET slowlog-log-slower-than 0", "CONFIG SET latency-monitor-threshold 1", "DEBUG SLEEP 0.01",
		"CONFIG SET slowlog-log-slower-than 10000",
	} {
		c.Do(strings.Fields(request)...)
	}
}

// TestRedisExporter: redis_exporter finds the same metrics as of redis-server, with all that it can be
// told to look at, and says the same of the keys.
func TestRedisExporter(t *testing.T) {
	larder := harness.Start(t, "requirepass long-word", "enable-debug-command yes")
	redis := harness.StartRedis(t, "requirepass long-word")
	script := filepath.Join(t.TempDir(), "collect.lua")
	if err := os.WriteFile(script, []byte(`redis.call("SELECT", 3) return {"other", tostring(redis.call("DBSIZE"))}`),
		0o600); err != nil {
		t.Fatal(err)
	}
	options := []string{
		"-redis.password", "long-word", "-include-system-metrics", "-export-client-list", "-export-client-port",
		"-ping-on-connect",
		"-include-config-metrics",
		"-script", script, "-check-keys", "db0=*,db3=*", "-check-key-groups", "^([a-z]+):,^(.*)$", "-count-keys",
		"db0=user:*,db3=*",
		"-check-single-keys", "db0=user:1",
	}
	text := map[*harness.Server]string{}
	for _, s := range []*harness.Server{larder, redis} {
		c := s.Dial(t)
		c.MustOK("AUTH", "long-word")
		fill(c)
		text[s] = scrape(t, s, "redis", options...)
	}
	got, want := metrics(text[larder]), metrics(text[redis])
	if len(want) < 150 {
		t.Errorf("%d metrics of redis-server", len(want))
	}
	for _, name := range slices.Sorted(maps.Keys(union(got, want))) {
		_, explained := differing[name]
		if differs := got[name] != want[name]; differs != explained {
			t.Errorf("%s: of larder %v, of redis-server %v", name, got[name], want[name])
		}
	}
	// What is said of the keys is the same, but for the memory they take.
	ofKeys := regexp.MustCompile(`(?m)^redis_(key_size|key_value.*|db_keys|db_keys_expiring|keys_count|key_group_count|` +
		`number_of_distinct_key_groups|script_values)\{.*$`)
	if got, want := ofKeys.FindAllString(text[larder], -1), ofKeys.FindAllString(text[redis], -1); !slices.Equal(got,
		want) || len(got) < 20 {
		t.Errorf("of the keys of larder\n%q\nof redis-server\n%q", got, want)
	}
}

// rights are those that redis_exporter's documentation asks for, but for commands that larder does not
// have, CLUSTER, XINFO, XLEN and PFCOUNT, and with EVALSHA, by which it runs its scripts.
const rights = "+client +ping +info +config|get +slowlog +latency +memory " +
	"+select +get +scan +type +strlen +llen +scard +zcard +hlen +eval +evalsha allkeys"

// TestRedisExporterTLS: it reads as a user of its own with few rights, over TLS with a certificate.
func TestRedisExporterTLS(t *testing.T) {
	a := newAuthority(t, "of the servers")
	s := startTLS(t, a, "user default off", "user exporter on >long-word "+rights)
	text := scrape(t, s, "rediss",
		"-redis.user", "exporter", "-redis.password", "long-word", "-check-keys", "*", "-check-key-groups", "^(.)",
		"-tls-ca-cert-file", a.file("ca.crt"), "-tls-client-cert-file", a.file("client.crt"), "-tls-client-key-file",
		a.file("client.key"))
	for _, name := range []string{
		"redis_config_maxclients{}", "redis_slowlog_length{}", "redis_db_keys{db}",
		"redis_number_of_distinct_key_groups{db}",
	} {
		if !metrics(text)[name] {
			t.Errorf("no %s in\n%s", name, text)
		}
	}
	if strings.Contains(text, `err="NOPERM"`) {
		t.Errorf("it was refused something:\n%s", text)
	}
}

func union(a, b map[string]bool) map[string]bool {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}
