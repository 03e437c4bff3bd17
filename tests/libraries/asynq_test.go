package libraries

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
)

// asynqModule is the version under test. The Makefile reads it here, and downloads it.
const asynqModule = "github.com/hibiken/asynq@v0.26.0"

// asynqSlow are asynq's tests that wait for three seconds and more, three minutes together. With
// SOAK set (make soak) they run as well.
const asynqSlow = "^Test(Aggregator|Forwarder|Heartbeater|PeriodicTaskManager|Processor(Retry|SuccessWithSingleQueue|WithExpiredLease)|" +
	"Recoverer|Scheduler(Register|Unregister|WhenRedisDown|PostAndPreEnqueueHandler)|Server(WithFlakyBroker|WithRedisDown)|" +
	"Subscriber(WithRedisDown)?|SyncerRetry)$"

// asynqRuns is how often a test of asynq's may compare readings of the clock that lie apart.
const asynqRuns = 6

// TestAsynq runs asynq's own tests, from the module as it was published, in those of its packages
// that talk to a server. Its scripts build keys from what they read.
//
// Some of the tests read the clock, call a function that reads it as well, and want the same second
// of both, or half a second between at most. They fail now and then, on a busy machine often, with
// every server. What fails by that alone (see byClock) runs again by itself. Anything else that a
// test finds counts at once, even if it would not come a second time.
func TestAsynq(t *testing.T) {
	t.Parallel()
	s := harness.StartSubject(t)
	run := "." // all
	for range asynqRuns {
		out, err := runAsynq(t, s, run)
		if err == nil {
			return
		}
		failed, why := byClock(out)
		if why != "" {
			t.Fatalf("%v: %s\n%s", err, why, text(out))
		}
		t.Logf("readings of the clock lie apart:\n%s", text(out))
		run = "^(" + strings.Join(failed, "|") + ")$"
	}
	t.Errorf("readings of the clock lay apart %d times; at last in %s", asynqRuns, run)
}

// testEvent is a line of go test -json.
type testEvent struct{ Action, Package, Test, Output string }

// runAsynq runs the tests whose names match, and returns what happened.
func runAsynq(t *testing.T, s *harness.Server, run string) ([]testEvent, error) {
	t.Helper()
	args := []string{"test", "-json", "-count=1", "-timeout=15m", "-run=" + run}
	if os.Getenv("SOAK") == "" {
		args = append(args, "-skip="+asynqSlow)
	}
	cmd := exec.CommandContext(t.Context(), "go", append(args, ".", "./internal/rdb", "-args", "-redis_addr="+s.Addr)...)
	cmd.Dir = moduleFolder(t, asynqModule)
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	var events []testEvent
	for line := range bytes.Lines(out) {
		var e testEvent
		must(t, json.Unmarshal(line, &e))
		events = append(events, e)
	}
	return events, err
}

// text is what the tests have printed, but for those that passed.
func text(events []testEvent) string {
	var b strings.Builder
	passed := map[[2]string]bool{}
	for _, e := range events {
		if e.Action == "pass" || e.Action == "skip" {
			passed[[2]string{e.Package, e.Test}] = true
		}
	}
	for _, e := range events {
		if !passed[[2]string{e.Package, e.Test}] {
			b.WriteString(e.Output)
		}
	}
	return b.String()
}

// byClock returns the tests that failed if all of them found nothing but times other than they
// wanted, and else what is more than that.
func byClock(events []testEvent) (failed []string, why string) {
	output := map[[2]string]string{} // by package and test; a package's own has no name
	packages := map[string]int{}     // that failed, with how many tests
	for _, e := range events {
		test := [2]string{e.Package, e.Test}
		output[test] += e.Output
		switch {
		case e.Action == "fail" && e.Test == "":
			packages[e.Package] += 0
		case e.Action == "fail":
			packages[e.Package]++
			name, _, _ := strings.Cut(e.Test, "/") // a subtest comes before what it is part of
			told := testMessage.MatchString(output[test]) || slices.Contains(failed, name)
			if line := notTime(output[test]); line != "" || !told {
				return nil, e.Test + " differs in more than the time: " + line
			}
			failed = append(failed, name)
		}
	}
	if len(packages) == 0 {
		return nil, "no package failed"
	}
	for name, tests := range packages {
		if tests == 0 {
			return nil, name + " failed outside its tests"
		}
	}
	slices.Sort(failed)
	return slices.Compact(failed), ""
}

var (
	testFrame   = regexp.MustCompile(`^(=== (RUN|PAUSE|CONT|NAME)| *--- FAIL:) `)
	testMessage = regexp.MustCompile(`(?m)^    \w+_test\.go:\d+: `)
	// A Unix time in seconds, an integer or a float64, or what a time.Time prints, and the part of the
	// latter that Parse reads.
	clockTime = regexp.MustCompile(`\b(?:\d{10}|\d\.\d+e\+09)\b|` +
		`(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? [+-]\d{4}) [\w+-]+(?: m=[+-][\d.]+)?`)
)

// notTime returns a line of a failed test's output that says more than that times differ, or "".
// Each message of these tests ends with what go-cmp prints, lines with a minus that were wanted and
// lines with a plus that came instead.
func notTime(output string) string {
	var message string
	var wanted, got []string
	ended := func() bool {
		same := message == "" || len(wanted) > 0 && slices.EqualFunc(wanted, got, closeInTime)
		wanted, got = nil, nil
		return same
	}
	for line := range strings.Lines(output) {
		body, indented := strings.CutPrefix(line, "        ")
		switch {
		case testFrame.MatchString(line):
		case testMessage.MatchString(line):
			if !ended() {
				return message
			}
			message = line
		case !indented || message == "":
			return line
		case strings.HasPrefix(body, "-"):
			wanted = append(wanted, body[1:])
		case strings.HasPrefix(body, "+"):
			got = append(got, body[1:])
		}
	}
	if !ended() {
		return message
	}
	return ""
}

// closeInTime reports whether two lines are equal but for times less than harness.Patience apart.
func closeInTime(wanted, got string) bool {
	if clockTime.ReplaceAllString(wanted, "") != clockTime.ReplaceAllString(got, "") {
		return false
	}
	return slices.EqualFunc(times(wanted), times(got), func(a, b time.Time) bool {
		return a.Sub(b).Abs() < harness.Patience
	})
}

// times are the times in a line.
func times(line string) (found []time.Time) {
	for _, m := range clockTime.FindAllStringSubmatch(line, -1) {
		at, err := time.Parse("2006-01-02 15:04:05 -0700", m[1])
		if seconds, notUnix := strconv.ParseFloat(m[0], 64); notUnix == nil {
			at, err = time.Unix(int64(seconds), 0), nil
		}
		if err != nil {
			continue // the 30th of February
		}
		found = append(found, at)
	}
	return found
}

// A message of TestArchivePendingTask's, as it is printed.
const asynqMessage = `    inspect_test.go:3173: mismatch found in "asynq:{custom}:archived"; (-want,+got)
          []base.Z(Inverse(SortZSetEntries, []base.Z{
          	{
          		Message: &{Type: "task3", Retry: 25, ...},
        - 		Score:   1795994136,
        + 		Score:   1795994139,
          	},
          }))
`

func TestByClock(t *testing.T) {
	t.Parallel()
	const printed = "        - \tAt: s\"2026-11-29 23:15:26.683956171 +0000 UTC m=+0.471352774\",\n" +
		"        + \tAt: s\"2026-11-29 23:15:30 +0000 UTC\",\n"
	for _, c := range []struct {
		name, output string
		excused      bool
	}{
		{"seconds", asynqMessage, true},
		{"float64", asynqMessage + "        - \tScore: 1.795995178e+09,\n        + \tScore: 1.79599518e+09,\n", true},
		{"a time.Time", asynqMessage + printed, true},
		{"two messages", asynqMessage + asynqMessage, true},
		{"more than two minutes apart", strings.Replace(asynqMessage, "139", "339", 1), false},
		{"another number", strings.Replace(asynqMessage, "1795994139", "3", 1), false},
		{"a counter", asynqMessage + "        - \tProcessed: 3,\n        + \tProcessed: 4,\n", false},
		{"a member too few", asynqMessage + "        - \t{Score: 1795994139},\n", false},
		{"a member too many", asynqMessage + "        + \t{Score: 1795994139},\n", false},
		{"another message", "    inspect_test.go:3170: Score: 1795994139\n" + asynqMessage, false},
		{"another message at last", asynqMessage + "    inspect_test.go:3174: ERR unknown command\n", false},
		{"a panic", asynqMessage + "panic: test timed out after 15m0s\n", false},
		{"nothing", "", false},
	} {
		output := "=== RUN   TestA\n" + c.output + "--- FAIL: TestA (0.01s)\n"
		events := []testEvent{{"output", "p", "TestA", output}, {"fail", "p", "TestA", ""}, {"fail", "p", "", ""}}
		failed, why := byClock(events)
		if (why == "") != c.excused || (len(failed) == 1) != c.excused {
			t.Errorf("%s: failed %q, why %q, want it excused: %t", c.name, failed, why, c.excused)
		}
	}
	sub := []testEvent{{"output", "p", "TestA", "=== RUN   TestA\n"}, {"output", "p", "TestA/b", asynqMessage},
		{"fail", "p", "TestA/b", ""}, {"fail", "p", "TestA", ""}, {"fail", "p", "", ""}}
	if failed, why := byClock(sub); why != "" || !slices.Equal(failed, []string{"TestA"}) {
		t.Errorf("a subtest: failed %q, why %q", failed, why)
	}
	if _, why := byClock([]testEvent{{"fail", "p", "", ""}}); why == "" {
		t.Error("a package that does not compile is excused")
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
