package commands

import (
	"bytes"
	"testing"

	"github.com/larderkv/larder/protocol"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/engine"
)

// TestDrawsEndEarly draws long elements under a cap until it is certain that the reply does not fit.
func TestDrawsEndEarly(t *testing.T) {
	const n = 50_000
	client := newTestClient(t)
	if err := client.kernel.Config.Set([]config.Setting{{Name: "maxmemory", Value: "1mb"}}, true); err != nil {
		t.Fatal(err)
	}
	draw := func(count int64, member []byte) (int, error) {
		c := &engine.Ctx{Kernel: client.kernel, Out: protocol.NewWriter()}
		d := beginDraws(c, count, n)
		for i := 1; i <= n; i++ {
			c.Out.Bulk(member)
			if !d.goOn() {
				return i, d.err
			}
		}
		return n, d.err
	}
	long := bytes.Repeat([]byte("m"), 100)
	// What is to come takes 300 kB at least, so that 512 KiB are passed when 224 kB are there.
	if drawn, err := draw(-n, long); err != engine.ErrReplyOOM || drawn < 2000 || drawn > 3000 {
		t.Errorf("%d of %d long members were drawn: %v", drawn, n, err)
	}
	if drawn, err := draw(-n, []byte("m")); err != nil || drawn != n {
		t.Errorf("%d of %d short members were drawn, which fit: %v", drawn, n, err)
	}
	if drawn, err := draw(n, long); err != nil || drawn != n {
		t.Errorf("%d of %d distinct members were given: %v", drawn, n, err)
	}
}
