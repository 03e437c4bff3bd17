package harness

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Drivers are larder's network drivers: no client may be able to tell them apart.
var Drivers = []string{"epoll", "portable"}

// EachDriver runs a test once per network driver; f starts its server with "network-driver "+driver.
func EachDriver(t *testing.T, f func(t *testing.T, driver string)) {
	for _, d := range Drivers {
		t.Run(d, func(t *testing.T) { f(t, d) })
	}
}

// Start runs larder in this process on a free port of the loopback; each param is a line of redis.conf, as for StartBinary.
// With SUBJECT=redis it starts a redis-server instead: a comparison must then pass against itself.
func Start(t testing.TB, params ...string) *Server {
	t.Helper()
	if os.Getenv("SUBJECT") == "redis" {
		return StartRedis(t, slices.DeleteFunc(slices.Clone(params), func(p string) bool {
			return strings.HasPrefix(p, "network-driver ")
		})...)
	}
	return StartBinary(t, params...)
}
