// Package server puts larder together: configuration, store, command table,
// kernel, event loops, listeners, and the background work. It holds no logic of
// its own beyond who is started and stopped in which order.
//
//	Open    store, persistence, table, kernel, loops, listeners; nothing is
//	        accepted and nothing loaded yet
//	Serve   accepts and loads; serves until the context ends or SHUTDOWN; makes
//	        durable what is to be; then drains
//	Close   connections, background work, files, then the store's memory, which
//	        must be the last to go: a session that still ran would read unmapped
//	        pages
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/server/admin"
	"github.com/larderkv/larder/server/commands"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/server/scripting"
	"github.com/larderkv/larder/server/stats"
	"github.com/larderkv/larder/store"
)

// drainTimeout is how long clients may take to read their last replies.
const drainTimeout = 10 * time.Second

// Server is a running larder.
type Server struct {
	cfg       *config.Config
	log       *slog.Logger
	store     *store.Store
	persist   *persistence.Manager
	kernel    *engine.Kernel
	scripts   *scripting.Scripts
	net       *netloop.Server
	listeners listeners
	tls       atomic.Pointer[tls.Config] // of connections to come; nil without a tls-port
	inherited []net.Listener             // to be served in the place of what the parameters say

	admin            *admin.Admin // nil: there is none
	adminListeners   []listener
	adminConnections int // at most; 0: as many as the admin server has by itself

	supervised string // process_supervised of INFO
	janitor    *janitor
	latency    *stats.Latency

	requests  chan stopRequest
	loaded    chan struct{} // closed when the data set has been loaded
	ended     chan struct{} // closed when Serve asks nobody any more
	stop      chan struct{} // closed when SHUTDOWN asks to stop
	stopOnce  sync.Once
	stopNow   chan struct{} // closed when it does not want to wait for clients
	nowOnce   sync.Once
	closeOnce sync.Once
	closeErr  error
}

// Open builds a server and its listeners. cfg and log stay in use until Close.
func Open(cfg *config.Config, log *slog.Logger, options ...Option) (*Server, error) {
	s := &Server{
		cfg: cfg, log: log, supervised: config.SupervisedNo, latency: stats.NewLatency(time.Now),
		requests: make(chan stopRequest), loaded: make(chan struct{}), ended: make(chan struct{}),
		stop: make(chan struct{}), stopNow: make(chan struct{}),
	}
	for _, o := range options {
		o(s)
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) open() (err error) {
	v := s.cfg.Values()
	if s.store, err = store.Open(store.Options{Databases: int(v.Databases)}); err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	followConfig(s.cfg, s.store)
	s.removeLeftovers(v)
	s.scripts = scripting.New(s.cfg, s.log)
	if err = s.openPersistence(); err != nil {
		return err
	}
	table, err := engine.NewTable(commands.All(s.scripts))
	if err != nil {
		return err
	}
	portable, driver := v.NetworkDriver == config.DriverPortable, "epoll"
	if portable || runtime.GOOS != "linux" {
		driver = "goroutines"
	}
	s.kernel, err = engine.NewKernel(engine.Options{
		Store: s.store, Persist: s.persist, Config: s.cfg, Table: table, Log: s.log, Driver: driver,
		Shutdown:  s.requestStop,
		Scripts:   s.scripts.Stats,
		Latency:   s.latency,
		Network:   func() netloop.Stats { return s.net.Stats() },
		Unsent:    func() (held, leaving int64) { return s.net.OutputMemory() },
		Queued:    func() int64 { return s.net.QueuedMessages() },
		Commit:    s.commit,
		Flush:     func() { s.net.Flush() },
		Port:      s.Port,
		Listeners: s.listeners.describe,

		Supervised: s.supervised,
	})
	if err != nil {
		return err
	}
	s.cfg.OnChange("maxmemory", s.warnOfSmallLimit)
	auto := v.NetworkDriver == config.DriverAuto
	s.net, err = netloop.New(netloop.Options{
		Loops: int(v.IOThreads), Portable: portable,
		// Many containers refuse io_uring, and some systems have it switched off: only who asks for it by name
		// gets an error then.
		URing: auto || v.NetworkDriver == config.DriverURing, URingOptional: auto,
		NewSession: s.kernel.Connect,
		Limits:     func(class netloop.Class) netloop.Limits { return limits(s.cfg.Values(), config.Class(class)) },
		Commit:     s.commit,
		Log:        s.log,
	})
	if err != nil {
		return fmt.Errorf("start the event loops: %w", err)
	}
	s.cfg.OnApply([]string{"io-threads"}, s.changeLoops)
	if err = s.openTLS(); err != nil {
		return err
	}
	s.janitor = startJanitor(s.store, s.persist, s.kernel, s.cfg, s.log)
	if err = s.openAdmin(v); err != nil {
		return err
	}
	return s.openListeners(v)
}

// errLoops is what CONFIG SET io-threads answers when the system lacks descriptors.
const errLoops = "cannot start event loops, see the log"

// changeLoops starts event loops, or has some end, as io-threads says.
func (s *Server) changeLoops(v *config.Values) error {
	if err := s.net.SetLoops(int(v.IOThreads)); err != nil {
		s.log.Warn("cannot start event loops", "error", err)
		return errors.New(errLoops)
	}
	return nil
}

// removeLeftovers removes what a kill has left of files that were being replaced.
func (s *Server) removeLeftovers(v *config.Values) {
	for _, name := range []string{s.cfg.File(), v.Path(v.ACLFile)} {
		if name == "" {
			continue
		}
		if err := config.RemoveLeftovers(name); err != nil {
			s.log.Debug("removing what a kill has left of a file", "file", name, "error", err)
		}
	}
}

// limits are the bounds of one connection. Only normal clients are closed for being idle: replicas
// and subscribers wait for what the server has to say.
func limits(v *config.Values, class config.Class) netloop.Limits {
	out := v.OutputLimits[class]
	lim := netloop.Limits{
		QueryBuffer: v.ClientQueryBufferLimit,
		OutputHard:  out.Hard, OutputSoft: out.Soft, OutputSoftSeconds: int(out.SoftSeconds),
		KeepAlive: time.Duration(v.TCPKeepAlive) * time.Second,
	}
	if out.Hard == 0 { // there is one for what nobody has asked for all the same
		lim.UnaskedHard = v.OutputLimits[config.ClassPubSub].Hard
	}
	if class == config.ClassNormal {
		lim.IdleTimeout = time.Duration(v.Timeout) * time.Second
	}
	return lim
}

// followConfig keeps what the store reads for itself equal to the parameters.
func followConfig(cfg *config.Config, st *store.Store) {
	enc := st.Encodings()
	apply := func(v *config.Values) {
		enc.HashMaxEntries.Store(v.HashMaxListpackEntries)
		enc.HashMaxValue.Store(v.HashMaxListpackValue)
		enc.SetMaxIntset.Store(v.SetMaxIntsetEntries)
		enc.SetMaxEntries.Store(v.SetMaxListpackEntries)
		enc.SetMaxValue.Store(v.SetMaxListpackValue)
		enc.ListMaxSize.Store(v.ListMaxListpackSize)
		enc.ZsetMaxEntries.Store(v.ZsetMaxListpackEntries)
		enc.ZsetMaxValue.Store(v.ZsetMaxListpackValue)
	}
	var made eviction.Params
	policy := func(v *config.Values) { // who evicts begins anew with a new Meter: make one only when something changes
		p := eviction.Params{LogFactor: v.LFULogFactor, DecayTime: v.LFUDecayTime}
		if p != made || st.Meter().Policy() != v.Policy() {
			made = p
			st.SetMeter(st.Meter().Next(v.Policy(), p))
		}
	}
	samples := func(v *config.Values) { st.SetSamples(int(v.MaxMemorySamples)) }
	tracked := func(v *config.Values) { st.SetMaxTracked(v.TrackingMaxKeys) }
	stale := func(v *config.Values) { st.SetStaleReads(v.StaleReads) }
	leases := func(v *config.Values) { st.SetMaxLeases(v.LeaseMax, v.MaxMemory) }
	hot := func(v *config.Values) { st.SampleHotKeys(v.HotKeys) }
	sizes := func(v *config.Values) { st.CountSizes(v.KeySizes) }
	reserve := func(v *config.Values) { st.SetReserve(v.MaxMemory) }
	compaction := func(v *config.Values) {
		var p store.CompactionParams
		if v.ActiveDefrag {
			p = store.CompactionParams{Percent: int(v.DefragThresholdLower), Ignore: v.DefragIgnoreBytes}
		}
		st.SetCompaction(p)
	}
	for _, name := range []string{
		"hash-max-listpack-entries", "hash-max-listpack-value",
		"set-max-intset-entries", "set-max-listpack-entries", "set-max-listpack-value",
		"list-max-listpack-size",
		"zset-max-listpack-entries", "zset-max-listpack-value",
	} {
		cfg.OnChange(name, apply)
	}
	for _, name := range []string{"maxmemory-policy", "lfu-log-factor", "lfu-decay-time"} {
		cfg.OnChange(name, policy)
	}
	cfg.OnChange("maxmemory-samples", samples)
	cfg.OnChange("maxmemory", reserve)
	cfg.OnChange("maxmemory", leases)
	cfg.OnChange("tracking-table-max-keys", tracked)
	cfg.OnChange("stale-reads", stale)
	cfg.OnChange("lease-max", leases)
	cfg.OnChange("hotkeys", hot)
	cfg.OnChange("key-sizes", sizes)
	for _, name := range []string{"activedefrag", "active-defrag-threshold-lower", "active-defrag-ignore-bytes"} {
		cfg.OnChange(name, compaction)
	}
	for _, now := range []func(*config.Values){apply, policy, samples,
		tracked, stale, leases, hot, sizes, reserve, compaction} {
		now(cfg.Values())
	}
}

// warnOfSmallLimit says that a new maxmemory has already been passed.
func (s *Server) warnOfSmallLimit(v *config.Values) {
	if counted := s.kernel.Counted(); v.MaxMemory > 0 && counted > v.MaxMemory {
		s.log.Warn("the new maxmemory is smaller than the memory in use: keys will be evicted, or writes refused, depending on the policy",
			"maxmemory", v.MaxMemory, "in-use", counted, "policy", v.MaxMemoryPolicy)
	}
}

// Serve accepts connections, loads the data set, and serves until ctx ends, Stop
// succeeds, or a client sends SHUTDOWN. Then it stops accepting, sends what clients
// are owed, and returns. The end of ctx is a Stop: if that fails it goes on. An
// error is a listener's or that of loading.
func (s *Server) Serve(ctx context.Context) error {
	failed := make(chan error, 1) // the first one, of a listener or of loading
	s.accept(failed)
	s.serveAdmin(failed)
	loaded := s.startLoading(ctx, failed)
	defer func() { <-loaded }()
	err := s.untilStop(ctx, failed)
	close(s.ended)
	s.kernel.StopScripts()
	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	go func() {
		select {
		case <-s.stopNow:
			cancel()
		case <-drain.Done():
		}
	}()
	if late := s.net.Shutdown(drain); late != nil && !errors.Is(late, context.Canceled) {
		s.log.Warn("clients did not read their last replies in time", "error", late)
	}
	return err
}

// untilStop waits for a reason to stop that is good enough. Who asks by a signal waits until scripts
// that take long are over, as in Redis.
func (s *Server) untilStop(ctx context.Context, failed <-chan error) error {
	asked := ctx.Done()
	var waiting []stopRequest
	var over <-chan struct{} // nil while nobody waits
	told := false            // of the end of ctx, that it was in vain
	for {
		select {
		case <-asked:
			asked = nil
			waiting, over = append(waiting, stopRequest{outcome: make(chan error, 1)}), s.kernel.ScriptsOver()
		case r := <-s.requests:
			waiting, over = append(waiting, r), s.kernel.ScriptsOver()
		case <-over:
			err := answerAll(waiting, s.prepareSignal(waiting[0].interrupt))
			if err == nil {
				return nil
			}
			if ctx.Err() != nil && !told {
				told = true // who has called Stop says so by himself
				s.log.Error("not stopping: this would lose data", "error", err)
			}
			waiting, over = nil, nil
		case <-s.stop:
			return answerAll(waiting, nil)
		case err := <-failed:
			answerAll(waiting, nil)
			return err
		}
	}
}

// stopRequest is a call of Stop.
type stopRequest struct {
	interrupt bool
	outcome   chan error // of room for one
}

// answerAll tells those who have asked for a stop whether it comes.
func answerAll(requests []stopRequest, err error) error {
	for _, r := range requests {
		r.outcome <- err
	}
	return err
}

// Stop asks Serve to make durable what the configuration says for SIGINT, if it is
// an interrupt, or for SIGTERM, and to end. It returns when that is about to happen,
// or with an error if data would be lost: as Redis, the server stays then, and may
// be asked again.
func (s *Server) Stop(interrupt bool) error {
	r := stopRequest{interrupt, make(chan error, 1)}
	select {
	case s.requests <- r:
		return <-r.outcome
	case <-s.ended:
		return nil
	}
}

// requestStop ends Serve without waiting for it.
func (s *Server) requestStop(now bool) {
	if now {
		s.nowOnce.Do(func() { close(s.stopNow) })
	}
	s.stopOnce.Do(func() { close(s.stop) })
}

// Close releases everything. It is safe to call more than once, but not while
// Serve runs.
func (s *Server) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Server) close() error {
	errs := []error{s.listeners.close()}
	if s.kernel != nil {
		s.kernel.StopScripts()
	}
	if s.admin != nil {
		errs = append(errs, s.admin.Close())
	}
	errs = append(errs, closeAll(s.adminListeners))
	if s.net != nil {
		errs = append(errs, s.net.Close())
	}
	if s.kernel != nil {
		s.kernel.Close()
	}
	if s.janitor != nil {
		s.janitor.close()
	}
	if s.persist != nil {
		errs = append(errs, s.persist.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}
