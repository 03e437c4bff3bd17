// Package packaging tests what larder is installed with: the unit files, the Debian package, the
// container file.
package packaging

import (
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
