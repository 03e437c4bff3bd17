package interop

import (
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// starter starts one kind of server.
type starter func(t testing.TB, params ...string) *harness.Server

// direction is a way for a file to go.
type direction struct {
	name     string
	from, to starter
}

var directions = []direction{
	{"to Redis", harness.StartSubject, harness.StartRedis},
	{"from Redis", harness.StartRedis, harness.StartSubject},
	{"to itself", harness.StartSubject, harness.StartSubject},
}
