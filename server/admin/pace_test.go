package admin

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderkv/larder/server/config"
)

// Many requests at once, and many connections, come one by one: a pause is between any two.
func TestPace(t *testing.T) {
	const many = 50
	synctest.Test(t, func(t *testing.T) {
		cfg, err := config.New()
		if err != nil {
			t.Fatal(err)
		}
		a := &Admin{cfg: cfg, log: slog.New(slog.DiscardHandler), asking: newPace()}
		guard := a.guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
		begin := time.Now()
		var all sync.WaitGroup
		for range many {
			all.Go(func() { guard.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://localhost/", nil)) })
		}
		all.Wait()
		if took := time.Since(begin); took != many*pause { // by the clock of the bubble
			t.Errorf("%d requests in %v", many, took)
		}
		l := &gatedListener{new(willing), newGate(many), newPace()}
		begin = time.Now()
		for range many {
			if _, err := l.Accept(); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begin); took != many*pause {
			t.Errorf("%d connections in %v", many, took)
		}
	})
}

// willing is a listener to which somebody comes whenever it asks.
type willing struct{ net.Listener }

func (*willing) Accept() (net.Conn, error) { return &stub{}, nil }

// stub is a connection that can be closed and nothing else.
type stub struct {
	net.Conn
	closed bool
}

func (s *stub) Close() error {
	s.closed = true
	return nil
}
