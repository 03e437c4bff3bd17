package diff

import (
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// oddValues are what CONFIG SET is given for every parameter, one after the other.
var oddValues = []string{
	"", "0", "1", "-1", "2", "64", "65", "100", "128", "500", "1000", "-2", "-5", "-6", "65535", "65536", "100000",
	"2147483647", "2147483648", "4294967295", "4294967296", "-2147483648", "-2147483649",
	"9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
	"1k", "1kb", "1KB", "1m", "1mb", "1g", "1gb", "1b", "1B", "1t", "1kk", "-1kb", "10%", "0%", "100%", "101%", "-5%", "%",
	"1.5", "1e3", "1e1", "0x10", "010", "+1", " 1", "1 ", " ", "1 2", "1 \t2", "yes", "no", "YES", "Yes", "true", "abc", "none", "default",
	"noeviction", "\t", "\n", "a b", "{port}", "{title}", "{{", "x{", "{none}", "a}", "-0", "nan", "inf", "50.12345678", "1e-7",
	strings.Repeat("x", 5000), strings.Repeat("9", 200), "\x00", "1\x00", "yes\x00x", "é",
}

// notCompared are the parameters that would move the servers to other ports, the one whose bound is the
// process's limit of open files, and the one that Redis does not let anybody change.
var notCompared = []string{"bind", "port", "maxclients", "io-threads"}

// otherwise are the parameters and values of which README says that larder treats them in another
// way, or that 7.4 and 7.0 do.
func otherwise(name, value, larder, redis string) bool {
	switch name {
	case "activedefrag": // Debian's redis-server is built without it
		return strings.EqualFold(value, "yes") || strings.HasPrefix(value, "yes\x00")
	case "maxmemory": // larder takes a share of the machine's memory
		return strings.HasSuffix(value, "%")
	case "maxmemory-policy": // larder has more of them, which the error names
		return strings.Contains(larder, "allkeys-lhd") && strings.Contains(redis, "must be one of")
	case "maxmemory-samples": // at most 64 since 7.4
		return strings.Contains(larder, "between 1 and 64 inclusive")
	case "maxmemory-clients": // what passes 63 bits is a share below zero in Redis
		return strings.Contains(larder, "between 0 and 9223372036854775807") && (value == "18446744073709551615" || value == "18446744073709551616" || value == "9223372036854775808")
	}
	return false
}

// TestConfigValues gives every parameter that both servers have all odd values, and compares what
// they say and what is in force then.
func TestConfigValues(t *testing.T) {
	larder, redis := harness.Start(t, "enable-protected-configs yes"), harness.StartRedis(t, "enable-protected-configs yes")
	d := duel{larder.Dial(t), redis.Dial(t)}
	pairs := d.redis.Do("CONFIG", "GET", "*").Strings()
	var theirs []string
	for pair := range slices.Chunk(pairs, 2) {
		theirs = append(theirs, pair[0])
	}
	compared := 0
	mine := d.larder.Do("CONFIG", "GET", "*").Strings()
	for pair := range slices.Chunk(mine, 2) {
		if name := pair[0]; slices.Contains(theirs, name) && !slices.Contains(notCompared, name) {
			compared++
			compareValues(t, d, name)
		}
	}
	if compared < 100 {
		t.Errorf("only %d parameters are the same", compared)
	}
}

func compareValues(t *testing.T, d duel, name string) {
	t.Helper()
	for _, value := range oddValues {
		a, b := d.do([]string{"CONFIG", "SET", name, value})
		excused := otherwise(name, value, a.Raw, b.Raw)
		if a.Raw != b.Raw && !excused {
			t.Errorf("CONFIG SET %s %.60q:\n  larder %.200s\n  redis  %.200s", name, value, a.Raw, b.Raw)
		}
		if b.IsError() || excused || name == "dir" {
			continue // the folders are others
		}
		if a, b := d.do([]string{"CONFIG", "GET", name}); a.Raw != b.Raw {
			t.Errorf("CONFIG GET %s after %.60q:\n  larder %.200q\n  redis  %.200q", name, value, a.Raw, b.Raw)
		}
	}
}
