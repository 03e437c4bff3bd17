package server

import (
	"context"
	"fmt"

	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/persistence/aof"
	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/server/stats"
)

// openPersistence makes the manager and has it follow the parameters.
func (s *Server) openPersistence() (err error) {
	s.persist, err = persistence.New(persistence.Options{
		Store: s.store, FS: vfs.OS(), Config: s.cfg, Log: s.log,
		Replay:    func() func([]aof.Command) error { return s.kernel.NewReplayer().Replay },
		Memory:    func() int64 { return s.store.Used() + stats.GoMemory() }, // before there is a kernel, too
		Libraries: s.scripts.Libraries(),
		Watch:     s.latency.Watch,
	})
	if err != nil {
		return err
	}
	s.cfg.OnApply([]string{
		"save", "dir", "appendonly", "appendfsync", "aof-timestamp-enabled", "stop-writes-on-bgsave-error",
	}, s.persist.Apply)
	return nil
}

// commit is what happens before the replies of a round leave.
func (s *Server) commit() error {
	s.persist.Throttle()
	if log := s.persist.Log(); log.Pending() {
		return log.Commit()
	}
	return nil
}

// startLoading loads in the background. The channel is closed when that is over;
// a failure goes to failed, unless it is due to the end of ctx.
func (s *Server) startLoading(ctx context.Context, failed chan<- error) <-chan struct{} {
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-s.stop:
			cancel()
		case <-done:
		}
	}()
	go func() {
		defer close(done)
		defer cancel()
		switch err := s.persist.Load(ctx); {
		case err == nil:
			close(s.loaded)
		case ctx.Err() == nil:
			offer(failed, fmt.Errorf("load the data: %w", err))
		}
	}()
	return done
}

// prepareSignal does what a signal asks for before the end.
func (s *Server) prepareSignal(interrupt bool) error {
	v := s.cfg.Values()
	on := v.ShutdownOnSigterm
	if interrupt {
		on = v.ShutdownOnSigint
	}
	if on.Now {
		s.nowOnce.Do(func() { close(s.stopNow) })
	}
	return s.persist.PrepareShutdown(persistence.ShutdownMode{Save: on.Save, NoSave: on.NoSave, Force: on.Force})
}
