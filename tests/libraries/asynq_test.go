package libraries

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// asynqModule is the version under test. The Makefile reads it here, and downloads it.
const asynqModule = "github.com/hibiken/asynq@v0.26.0"

// asynqSlow are asynq's tests that wait for three seconds and more, three minutes together. With
// SOAK set (make soak) they run as well.
const asynqSlow = "^Test(Aggregator|Forwarder|Heartbeater|PeriodicTaskManager|Processor(Retry|SuccessWithSingleQueue|WithExpiredLease)|" +
	"Recoverer|Scheduler(Register|Unregister|WhenRedisDown|PostAndPreEnqueueHandler)|Server(WithFlakyBroker|WithRedisDown)|" +
	"Subscriber(WithRedisDown)?|SyncerRetry)$"

// TestAsynq runs asynq's own tests, from the module as it was published, in those of its packages
// that talk to a server. Its scripts build keys from what they read.
func TestAsynq(t *testing.T) {
	t.Parallel()
	s := harness.StartSubject(t)
	args := []string{"test", "-count=1", "-timeout=15m"}
	if os.Getenv("SOAK") == "" {
		args = append(args, "-skip="+asynqSlow)
	}
	cmd := exec.CommandContext(t.Context(), "go", append(args, ".", "./internal/rdb", "-args", "-redis_addr="+s.Addr)...)
	cmd.Dir = moduleFolder(t, asynqModule)
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %v\n%s", cmd.Args, err, out)
	}
}

// moduleFolder is where the go command keeps a module, which it downloads if need be.
func moduleFolder(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module).Output()
	var m struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &m); err != nil || jsonErr != nil || m.Dir == "" {
		t.Fatalf("%s is missing (%v %s): make tools", module, err, m.Error)
	}
	return m.Dir
}
