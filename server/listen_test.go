package server

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/netloop"
)

// TestBacklogOfWrappedListener: a listener that hides its socket is refused, and closed.
func TestBacklogOfWrappedListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := backlogged(tls.NewListener(ln, &tls.Config{}), 511); err == nil {
		t.Error("no error")
	}
	if _, err := ln.Accept(); err == nil {
		t.Error("it is still open")
	}
}

// TestLimitsByClass: each class of clients has the output limits that the configuration gives it, and
// one for messages if it has no hard one.
func TestLimitsByClass(t *testing.T) {
	v := load(t, "--timeout", "7", "--client-output-buffer-limit", "normal 1 2 3 replica 4 5 6 pubsub 7 8 9").Values()
	for class, want := range []netloop.Limits{
		config.ClassNormal:  {OutputHard: 1, OutputSoft: 2, OutputSoftSeconds: 3, IdleTimeout: 7 * time.Second},
		config.ClassReplica: {OutputHard: 4, OutputSoft: 5, OutputSoftSeconds: 6},
		config.ClassPubSub:  {OutputHard: 7, OutputSoft: 8, OutputSoftSeconds: 9},
	} {
		want.QueryBuffer, want.KeepAlive = v.ClientQueryBufferLimit, 300*time.Second
		if got := limits(v, config.Class(class)); got != want {
			t.Errorf("class %d: %+v, want %+v", class, got, want)
		}
	}
	v = load(t, "--client-output-buffer-limit", "normal 0 1 2").Values()
	if got, want := limits(v, config.ClassNormal), v.OutputLimits[config.ClassPubSub].Hard; got.UnaskedHard != want || want == 0 {
		t.Errorf("%d bytes of messages, want %d", got.UnaskedHard, want)
	}
}
