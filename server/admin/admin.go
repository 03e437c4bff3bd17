package admin

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/netloop"
)

const (
	// headerTime is how long a client may take for its request line and headers, and for a TLS
	// handshake before them; requestTime for all of a request.
	headerTime  = 5 * time.Second
	requestTime = 15 * time.Second
	// replyTime bounds the making and sending of a reply, where a route says nothing else.
	replyTime = 30 * time.Second
	// restTime is how long a connection is kept for a next request.
	restTime = time.Minute
	// maxHeader is how many bytes of headers are read; a key's name in a URL is the longest of it.
	maxHeader = 16 << 10
	// maxBody is how many bytes of a request's body are read.
	maxBody = 4 << 20
)

// Options are what an Admin is made of.
type Options struct {
	Kernel *engine.Kernel
	Config *config.Config
	Log    *slog.Logger
	Loops  func() []netloop.LoopStats // nil: there are none
	// TLS is the configuration for a new connection; nil, or one that returns nil: no TLS.
	TLS   func() *tls.Config
	Turns netloop.Turns // of handshakes; nil: a place of its own
	// Connections is how many are open at the same time; 0: MaxConnections.
	Connections int
}

// Admin is the admin server. All methods are safe for concurrent use.
type Admin struct {
	kernel *engine.Kernel
	cfg    *config.Config
	log    *slog.Logger
	loops  func() []netloop.LoopStats
	tls    func() *tls.Config
	turns  netloop.Turns

	gate    *gate
	arrival pace // of connections
	asking  pace // of requests
	http    *http.Server
	history *history
	live    live
	page    map[string]pageFile // by name

	previews sync.Mutex // held by the one that reads the beginning of a value

	tokens [32]byte           // the key of tokens
	ctx    context.Context    // ends with Close
	cancel context.CancelFunc //
	work   sync.WaitGroup     // Serve calls, and the sampler
	conns  sync.WaitGroup     // the goroutines of connections, which begin in a Serve call
}

// New makes an admin server that serves nothing yet, and begins to take samples.
func New(o Options) (*Admin, error) {
	a := &Admin{
		kernel: o.Kernel, cfg: o.Config, log: o.Log, loops: o.Loops, tls: o.TLS, turns: o.Turns,
		gate: newGate(cmp.Or(o.Connections, MaxConnections)), history: newHistory(), page: loadPage(),
		arrival: newPace(), asking: newPace(),
	}
	if a.loops == nil {
		a.loops = func() []netloop.LoopStats { return nil }
	}
	if a.tls == nil {
		a.tls = func() *tls.Config { return nil }
	}
	if a.turns == nil {
		a.turns = make(netloop.Turns, 1)
	}
	if _, err := rand.Read(a.tokens[:]); err != nil {
		return nil, fmt.Errorf("admin server: %w", err)
	}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.http = &http.Server{
		Handler:           a.guard(a.routes()),
		ReadHeaderTimeout: headerTime, ReadTimeout: requestTime, IdleTimeout: restTime, MaxHeaderBytes: maxHeader,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug), // what clients do wrong
		BaseContext:                  func(net.Listener) context.Context { return a.ctx },
		ConnContext:                  withConn,
		ConnState:                    a.follow,
	}
	a.work.Go(a.sample)
	return a, nil
}

// Serve serves a listener, and closes it, until Close.
func (a *Admin) Serve(ln net.Listener) error {
	a.work.Add(1)
	defer a.work.Done()
	gated := &gatedListener{ln, a.gate, a.arrival}
	if err := a.http.Serve(newSecureListener(gated, a.tls, a.turns, &a.work)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin server: %w", err)
	}
	return nil
}

// Close ends all connections and waits for what runs, which may be looking at the store. Replies under
// way are cut off: there is nothing that a page cannot ask for again.
func (a *Admin) Close() error {
	a.cancel()
	a.gate.close()
	err := a.http.Close()
	a.work.Wait()
	err = errors.Join(err, a.http.Close()) // for who was accepted in that moment
	a.conns.Wait()
	return err
}

// follow counts the connections' goroutines.
func (a *Admin) follow(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		a.conns.Add(1)
	case http.StateClosed:
		a.conns.Done()
	}
}

// WarnOfNobody logs that nobody can get in.
func (a *Admin) WarnOfNobody() {
	if a.cfg.Values().AdminPassword != "" {
		return
	}
	for _, u := range a.kernel.Users.All() {
		if u.On() && !u.NoPass() && len(u.Passwords()) > 0 {
			return
		}
	}
	a.log.Warn("the admin server lets nobody in but for /healthz and /readyz: set admin-password, or give a user of ACL a password")
}
