package crash

import (
	"os"
	"strconv"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// cycles is how often a test kills its server: a few in passing, LARDER_CRASH_CYCLES for a proof.
func cycles(t *testing.T) int {
	t.Helper()
	text := os.Getenv("LARDER_CRASH_CYCLES")
	if text == "" {
		return 10
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("LARDER_CRASH_CYCLES=%s is not a positive number", text)
	}
	return n
}
