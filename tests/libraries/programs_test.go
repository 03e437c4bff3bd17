package libraries

import (
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// TestPython runs the programs of python/, each against a server of its own.
func TestPython(t *testing.T) {
	for _, name := range []string{
		"celery_jobs", "django_cache", "dramatiq_jobs", "flask_limits", "pottery_redlock", "redispy_lock", "rq_jobs",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host, port := address(t, harness.StartSubject(t))
			ended(t, harness.Python(t, "tests/libraries/python/"+name+".py", host, port))
		})
	}
}

// TestBull has Bull do 1,000 jobs.
func TestBull(t *testing.T) {
	t.Parallel()
	host, port := address(t, harness.StartSubject(t))
	ended(t, harness.Node(t, "tests/libraries/node/bull.js", host, port))
}

// TestBullMQ has BullMQ do 1,000 jobs.
func TestBullMQ(t *testing.T) {
	t.Parallel()
	s := harness.StartSubject(t)
	needs(t, s, "every script of BullMQ notes what it does in a stream of events", "XADD", "XTRIM", "XREAD")
	host, port := address(t, s)
	ended(t, harness.Node(t, "tests/libraries/node/bullmq.js", host, port))
}
