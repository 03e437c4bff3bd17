// Package storm fuzzes a running server over TCP: many clients at once send every command that COMMAND
// names, well formed by its documentation and not so well, scripts, broken protocol, as users with
// all, some and no rights, and read their replies or not. A client that behaves has to get the right
// answers all the while, and when the storm is over the server has to be what it was: its memory
// within bounds, its connections, descriptors and goroutines given back, nothing in its log that
// blames itself.
//
// A run of the tests takes 15 seconds; `make soak` goes on for SOAK. SEED=n repeats what the
// clients send; what happens at once does not repeat.
package storm

import (
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
