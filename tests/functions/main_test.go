// Package functions holds black-box tests of libraries of functions: what calls of one library and of
// others do to each other, and what ends a function that does not end.
package functions

import (
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
