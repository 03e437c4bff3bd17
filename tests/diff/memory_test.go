package diff

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// later says which names Redis 7.4 has after which of 7.0's, in its order.
type later map[string][]string

// added are the names that larder has.
func (l later) added(names []string) []string {
	if !harness.SubjectIsLarder() {
		return names
	}
	var out []string
	for _, name := range names {
		out = append(append(out, name), l[name]...)
	}
	return out
}

var laterMemory = later{
	"allocator_resident": {"allocator_muzzy"},
	"mem_allocator":      {"mem_overhead_db_hashtable_rehashing"},
}

// laterStats has not the times of event loops (eventloop_cycles and what follows it): larder's read
// no clock.
var laterStats = later{
	"sync_partial_err": {"expired_subkeys"},
	"tracking_total_prefixes": {"tags", "tags_bytes", "tags_keys_to_remove",
		"leases", "leases_bytes", "leases_given", "leases_filled", "leases_refused", "leases_late"}, // larder's own
	"evicted_clients":              {"evicted_scripts"},
	"io_threaded_writes_processed": {"client_query_buffer_limit_disconnections", "client_output_buffer_limit_disconnections"},
	"reply_buffer_expands": {
		"acl_access_denied_auth", "acl_access_denied_cmd", "acl_access_denied_key", "acl_access_denied_channel",
		"purges_running", "purged_keys", // larder's own
	},
}

// shapes are what values of INFO look like; the first that fits is a value's.
var shapes = []struct {
	name string
	*regexp.Regexp
}{
	{"integer", regexp.MustCompile(`^-?\d+$`)},
	{"decimal", regexp.MustCompile(`^-?\d+\.\d{2}$`)},
	{"percentage", regexp.MustCompile(`^\d+\.\d{2}%$`)},
	{"amount", regexp.MustCompile(`^(\d+B|\d+\.\d{2}[KMGTP])$`)},
	{"word", regexp.MustCompile(`^\S+$`)},
}

func shape(value string) string {
	for _, s := range shapes {
		if s.MatchString(value) {
			return s.name
		}
	}
	return "unknown"
}

// TestInfoMemoryAndStats compares the fields, their order and what their values look like.
func TestInfoMemoryAndStats(t *testing.T) {
	larder, redis := harness.StartSubject(t).Dial(t), harness.StartRedis(t).Dial(t)
	for _, c := range []*harness.Conn{larder, redis} {
		c.MustOK("SET", "k", "v")
		c.Do("GET", "k")
		c.Do("GET", "none")
	}
	for _, test := range []struct {
		section string
		later   later
		same    []string // fields whose values are equal
	}{
		{"memory", laterMemory, []string{
			"maxmemory", "maxmemory_human", "maxmemory_policy", "mem_replication_backlog", "mem_total_replication_buffers", "mem_clients_slaves",
			"mem_cluster_links", "mem_aof_buffer", "active_defrag_running", "lazyfree_pending_objects", "lazyfreed_objects",
			"number_of_cached_scripts", "number_of_functions", "number_of_libraries", "total_system_memory",
		}},
		{"stats", laterStats, []string{
			"keyspace_hits", "keyspace_misses", "expired_keys", "evicted_keys", "evicted_clients", "total_eviction_exceeded_time",
			"current_eviction_exceeded_time", "active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits", "active_defrag_key_misses",
			"total_active_defrag_time", "current_active_defrag_time", "total_error_replies",
		}},
	} {
		names := infoNames(redis, test.section)
		if a, b := infoNames(larder, test.section), test.later.added(names); !slices.Equal(a, b) {
			t.Errorf("%s\n  larder %q\n  redis  %q", test.section, a, b)
		}
		for _, name := range names {
			a, b := larder.Info(test.section, name), redis.Info(test.section, name)
			if shape(a) != shape(b) {
				t.Errorf("%s is %q, in Redis %q", name, a, b)
			}
			if slices.Contains(test.same, name) && a != b {
				t.Errorf("%s is %q, in Redis %q", name, a, b)
			}
		}
		for _, name := range infoNames(larder, test.section) {
			if v := larder.Info(test.section, name); !slices.Contains(names, name) && shape(v) != "integer" {
				t.Errorf("%s is %q", name, v)
			}
		}
	}
}

const filled = 20_000

// fill sets keys of 500 bytes on the average, ten megabytes in all.
func fill(c *harness.Conn) {
	for i := range filled {
		c.Send("SET", "key:"+strconv.Itoa(i), strings.Repeat("v", i%1000))
	}
	for range filled {
		c.Read()
	}
}

// TestResetstat compares what CONFIG RESETSTAT brings to zero.
func TestResetstat(t *testing.T) {
	for _, s := range []*harness.Server{harness.StartSubject(t), harness.StartRedis(t)} {
		c := s.Dial(t)
		fill(c)
		full := c.InfoInt("memory", "used_memory")
		c.MustOK("FLUSHALL")
		harness.Eventually(t, harness.Patience, "the memory is free",
			func() bool { return c.InfoInt("memory", "used_memory_dataset") < full/4 })
		c.Do("GET", "k")
		c.Do("NOSUCH")
		peak := c.InfoInt("memory", "used_memory_peak")
		if peak < full*9/10 {
			t.Errorf("%s: %d bytes were in use, at most %d", s.Name, full, peak)
		}
		c.MustOK("CONFIG", "RESETSTAT")
		for _, name := range []string{"keyspace_misses", "total_error_replies", "expired_keys", "evicted_keys", "rejected_connections"} {
			if n := c.InfoInt("stats", name); n != 0 {
				t.Errorf("%s: %s is %d", s.Name, name, n)
			}
		}
		if n := c.InfoInt("memory", "used_memory_peak"); n < peak {
			t.Errorf("%s: the peak was %d and is %d", s.Name, peak, n)
		}
	}
}

// statsFields are the names in a reply of MEMORY STATS with the kinds of the values, and those of
// the databases' maps below them.
func statsFields(r harness.Reply) []string {
	var names []string
	for i := 0; i+1 < len(r.Elems); i += 2 {
		name, value := r.Elems[i].Text, r.Elems[i+1]
		names = append(names, name+" "+string(value.Kind))
		if strings.HasPrefix(name, "db.") && value.Kind != ':' {
			names = append(names, statsFields(value)...)
		}
	}
	return names
}

// TestMemoryStats compares the keys and the kinds of the values, in both versions of the protocol.
func TestMemoryStats(t *testing.T) {
	larder, redis := harness.StartSubject(t), harness.StartRedis(t)
	since74 := later{
		"allocator.resident :": {"allocator.muzzy :"},
		"overhead.total :":     {"db.dict.rehashing.count :"},
	}
	for proto := 2; proto <= 3; proto++ {
		a, b := larder.DialRESP(t, proto), redis.DialRESP(t, proto)
		for _, c := range []*harness.Conn{a, b} {
			for _, db := range []string{"0", "3"} {
				c.MustOK("SELECT", db)
				c.MustOK("SET", "k", "v")
				c.MustOK("SET", "x", "v", "EX", "1000")
			}
		}
		got, want := a.Do("MEMORY", "STATS"), b.Do("MEMORY", "STATS")
		if got.Kind != want.Kind {
			t.Errorf("RESP%d: a reply of type %c, in Redis %c", proto, got.Kind, want.Kind)
		}
		var names []string
		for _, name := range since74.added(statsFields(want)) {
			switch {
			case !harness.SubjectIsLarder():
			case name == "overhead.hashtable.slot-to-keys :": // until 7.2
				continue
			case name == "overhead.total :":
				names = append(names, "overhead.db.hashtable.lut :", "overhead.db.hashtable.rehashing :")
			}
			names = append(names, name)
		}
		if fields := statsFields(got); !slices.Equal(fields, names) {
			t.Errorf("RESP%d\n  larder %q\n  redis  %q", proto, fields, names)
		}
	}
}

// number is the value of a field of MEMORY STATS.
func number(t *testing.T, r harness.Reply, name string) float64 {
	t.Helper()
	for i := 0; i+1 < len(r.Elems); i += 2 {
		if r.Elems[i].Text == name {
			f, err := strconv.ParseFloat(r.Elems[i+1].Text, 64)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return f
		}
	}
	t.Fatalf("no %s", name)
	return 0
}

// TestMemoryAddsUp checks the relations that monitors rely on, in Redis as well.
func TestMemoryAddsUp(t *testing.T) {
	for _, s := range []*harness.Server{harness.StartSubject(t), harness.StartRedis(t)} {
		t.Run(s.Name, func(t *testing.T) {
			c := s.Dial(t)
			fill(c)
			info := func(name string) int64 { return c.InfoInt("memory", name) }
			used, peak := info("used_memory"), info("used_memory_peak")
			if used > peak*21/20 || used < 10<<20 { // Redis shows a peak that is older
				t.Errorf("%d bytes in use, at most %d", used, peak)
			}
			r := c.Do("MEMORY", "STATS")
			value := func(name string) float64 { return number(t, r, name) }
			if a, b := value("dataset.bytes"), value("total.allocated")-value("overhead.total"); a != b {
				t.Errorf("a data set of %.0f bytes, and %.0f are no overhead", a, b)
			}
			if n := value("keys.count"); n != filled {
				t.Errorf("%.0f keys", n)
			}
			if n := value("keys.bytes-per-key"); n < 500 || n > 1000 {
				t.Errorf("%.0f bytes per key", n)
			}
			if n := value("dataset.percentage"); n < 50 || n > 100 {
				t.Errorf("the data set is %.1f %% of what came since the start", n)
			}
			resident := value("fragmentation.bytes") + value("total.allocated")
			if rss := float64(s.RSS(t)); resident < rss*0.7 || resident > rss*1.3 {
				t.Errorf("the process has %.0f bytes, it says %.0f", rss, resident)
			}
			if s.Name == "redis" { // whose amounts are of different moments
				return
			}
			for name, ratio := range map[string]float64{
				"fragmentation":                 resident / value("total.allocated"),
				"allocator-fragmentation.ratio": value("allocator.active") / value("allocator.allocated"),
				"allocator-rss.ratio":           value("allocator.resident") / value("allocator.active"),
				"rss-overhead.ratio":            resident / value("allocator.resident"),
			} {
				if f := value(name); math.Abs(f-ratio) > 1e-9 {
					t.Errorf("%s is %f, by the amounts %f", name, f, ratio)
				}
			}
		})
	}
}

// TestMemoryDoctorOfAnEmptyServer compares the sense, not the words.
func TestMemoryDoctorOfAnEmptyServer(t *testing.T) {
	for _, s := range []*harness.Server{harness.StartSubject(t), harness.StartRedis(t)} {
		for proto, kind := range map[int]byte{2: '$', 3: '='} {
			r := s.DialRESP(t, proto).Do("MEMORY", "DOCTOR")
			if r.Kind != kind || !strings.Contains(r.Text, "empty or") || !strings.Contains(r.Text, "very little memory") {
				t.Errorf("%s, RESP%d: %v", s.Name, proto, r)
			}
		}
	}
}
