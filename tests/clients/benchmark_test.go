package clients

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// TestRedisBenchmark runs a short redis-benchmark, whose first act is CONFIG GET.
func TestRedisBenchmark(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver)
		out := run(t, s, "", "redis-benchmark", "-q", "-n", "5000", "-c", "20", "-P", "8", "-r", "1000", "-t",
			"ping,set,get,incr,sadd,hset,spop,mset")
		for _, test := range []string{"PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "SADD", "HSET", "SPOP",
			"MSET (10 keys)"} {
			if !strings.Contains(out, test+": ") {
				t.Errorf("no figure for %s:\n%s", test, out)
			}
		}
		if low := strings.ToLower(out); strings.Contains(low, "error") || strings.Contains(low, "warning") {
			t.Errorf("redis-benchmark complains:\n%s", out)
		}
	})
}

// TestRedisBenchmarkAll runs all tests of redis-benchmark, which ends at the first error, with the
// options that change what it sends or what it reads of the server.
func TestRedisBenchmarkAll(t *testing.T) {
	s := harness.Start(t)
	tests := strings.Fields("PING_INLINE PING_MBULK SET GET INCR LPUSH RPUSH LPOP RPOP SADD HSET SPOP ZADD ZPOPMIN " +
		"LPUSH_(needed_to_benchmark_LRANGE) LRANGE_100 LRANGE_300 LRANGE_500 LRANGE_600 MSET_(10_keys)")
	for _, options := range []string{"-P 4", "-P 16 -r 1000", "--threads 2 -r 100", "-3 -d 1000", "--dbnum 3"} {
		out := run(t, s, "", "redis-benchmark",
			append(strings.Fields("--csv -n 200 -c 10"), strings.Fields(options)...)...)
		if strings.Contains(out, "rror") || strings.Contains(out, "WARN") {
			t.Errorf("%s:\n%s", options, out)
		}
		var ran []string
		for _, row := range strings.Split(strings.TrimSpace(out), "\n")[1:] {
			name, figures, _ := strings.Cut(strings.TrimPrefix(row, `"`), `","`)
			if rate, err := strconv.ParseFloat(strings.SplitN(figures, `"`, 2)[0], 64); err != nil || rate <= 0 {
				t.Errorf("%s: no figure in %s", options, row)
			}
			name, _, _ = strings.Cut(name, " (first") // LRANGE_100 (first 100 elements)
			ran = append(ran, strings.ReplaceAll(name, " ", "_"))
		}
		if !slices.Equal(ran, tests) {
			t.Errorf("%s: %q", options, ran)
		}
	}
}

// TestRedisBenchmarkCommand: a command of one's own, with random keys, a password and a user.
func TestRedisBenchmarkCommand(t *testing.T) {
	s := harness.Start(t, "user bench on >word ~key:* ~zset +@all", "requirepass other")
	const line = "--user bench -a word -q -n 2000 -c 10 -r 1000 ZADD zset __rand_int__ member:__rand_int__"
	out := run(t, s, "", "redis-benchmark", strings.Fields(line)...)
	if !strings.Contains(out, "requests per second") || strings.Contains(out, "rror") {
		t.Errorf("%s", out)
	}
	c := s.Dial(t)
	c.MustOK("AUTH", "other")
	if n, err := strconv.Atoi(c.Do("ZCARD", "zset").Text); err != nil || n < 500 || n > 1000 {
		t.Errorf("%d members of 1000 at most", n)
	}
}
