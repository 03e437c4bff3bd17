// Package evict holds a running server to its memory cap: who is evicted under each policy, what is
// refused, how the cap is reached when it is lowered, and what files and logs say while keys are
// evicted.
//
//   - policies_test.go: keys with a known past, told by RESTORE and by use; a part of them has to
//     go, and which ones is counted. The bounds are wide: chance alone fails them less than once in
//     1e9 runs.
//   - cap_test.go: lowering and raising the cap under load, caps below the empty server, how far
//     memory goes above it.
//   - big_test.go: big values, and collections that grow past the cap.
//   - persist_test.go: snapshots and logs that are written while keys are evicted.
//   - events_test.go: who is told of a key that goes.
//   - clients_test.go: clients' buffers take the place of keys, or clients are evicted.
//   - replies_test.go, messages_test.go: long replies, and what is published to clients that do not
//     read.
//   - values_test.go: lists and sorted sets at the cap.
//
// What is refused at the cap is compared with redis-server in tests/diff (maxmemory_test.go).
//
// SUBJECT=redis puts redis-server in larder's place; what is larder's own is left out then.
package evict

import (
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
