package libraries

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/larderkv/larder/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// client is a go-redis client that is closed with the test.
func client(t *testing.T, s *harness.Server, protocol int) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Addr, Protocol: protocol, DialTimeout: harness.Patience,
		ReadTimeout: harness.Patience, WriteTimeout: harness.Patience})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// address cuts a server's address into what programs get as arguments.
func address(t *testing.T, s *harness.Server) (host, port string) {
	t.Helper()
	host, port, err := net.SplitHostPort(s.Addr)
	must(t, err)
	return host, port
}

// ended fails the test unless a program has got to its end. Libraries may print after that.
func ended(t *testing.T, out string) {
	t.Helper()
	if !strings.Contains("\n"+out, "\nok\n") {
		t.Errorf("the program did not end with ok:\n%s", out)
	}
}

// needs skips a test whose library sends commands that this server lacks.
func needs(t *testing.T, s *harness.Server, why string, commands ...string) {
	t.Helper()
	known, err := client(t, s, 3).Command(t.Context()).Result()
	must(t, err)
	for _, name := range commands {
		if known[strings.ToLower(name)] == nil {
			t.Skipf("the server has no %s: %s", name, why)
		}
	}
}

// work has workers take jobs until all have come, and wants each of them once. take returns "" when
// there is none for this worker at the moment.
func work(t *testing.T, workers, jobs int, take func(worker int) (job string, err error)) {
	t.Helper()
	var mu sync.Mutex
	seen := map[string]int{}
	late := time.Now().Add(harness.Patience)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for all := false; !all && time.Now().Before(late); {
				job, err := take(w)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if job != "" {
					seen[job]++
				}
				all = len(seen) == jobs
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if len(seen) != jobs {
		t.Errorf("%d of %d jobs came", len(seen), jobs)
	}
	for job, n := range seen {
		if n != 1 {
			t.Errorf("%s came %d times", job, n)
		}
	}
}

// eachThreads runs a test on servers with one event loop and with several, whose log is on.
func eachThreads(t *testing.T, f func(t *testing.T, s *harness.Server)) {
	t.Helper()
	for _, threads := range []string{"io-threads 1", "io-threads 4"} {
		t.Run(threads, func(t *testing.T) {
			t.Parallel()
			f(t, harness.StartSubject(t, threads, "appendonly yes"))
		})
	}
}
