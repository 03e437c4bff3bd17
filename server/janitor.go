package server

import (
	"log/slog"
	"time"

	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/stats"
	"github.com/larderkv/larder/store"
)

// The janitor is the one goroutine that does the store's background work
// (evicting what is above maxmemory, removing expired keys, freeing what was
// deleted, compacting), samples rates and memory for INFO, trims the Go heap, and
// tells the persistence that time passes.
//
// It works in slices: units of the store (tens of microseconds under one shard's
// lock) until sliceBudget has passed, then it sleeps so much that its share of
// one core stays under maxShare. When a round over all shards finds nothing it
// sleeps until the next of its hz rounds a second; such a round costs a few
// microseconds.

const (
	sliceBudget = 500 * time.Microsecond
	// maxShare and shareStep are percent of one core: active-expire-effort 1 gives
	// maxShare, each step above it shareStep more, as in Redis.
	maxShare, shareStep = 25, 2
	// samplePeriod is the time between two samples of the rates, and two ticks.
	samplePeriod = 100 * time.Millisecond
)

type janitor struct {
	store   *store.Store
	persist *persistence.Manager
	kernel  *engine.Kernel
	cfg     *config.Config
	log     *slog.Logger
	stop    chan struct{}
	done    chan struct{}

	evictor *store.Evictor
	sampled time.Time // when the rates were
	trimmer trimmer
	failed  bool // the last unit of work reported an error
}

func startJanitor(st *store.Store, p *persistence.Manager, k *engine.Kernel, cfg *config.Config, log *slog.Logger) *janitor {
	j := &janitor{
		store: st, persist: p, kernel: k, cfg: cfg, log: log, stop: make(chan struct{}), done: make(chan struct{}),
		evictor: st.NewEvictor(),
	}
	go j.run()
	return j
}

// close stops the work and waits for the slice that runs.
func (j *janitor) close() {
	close(j.stop)
	<-j.done
}

func (j *janitor) run() {
	defer close(j.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-j.stop:
			return
		case <-timer.C:
		}
		timer.Reset(j.round())
	}
}

// round does one slice and returns how long to sleep.
func (j *janitor) round() time.Duration {
	v := j.cfg.Values()
	start := time.Now()
	if start.Sub(j.sampled) >= samplePeriod {
		j.sampled = start
		j.kernel.SampleRates()
		j.kernel.EnforceClientsLimit()
		j.kernel.SampleMemory(j.store.Used() + stats.GoMemory())
		j.trimmer.trim(start)
		j.persist.Tick()
	}
	// While the data are loaded, commands of the log may refer to expired keys.
	more, worked := j.persist.State()&persistence.Loading == 0, time.Duration(0)
	crowded := true
	for (more || crowded) && worked < sliceBudget {
		now := start.Add(worked).UnixMilli()
		crowded = crowded && j.kernel.Relieve(j.evictor, now)
		if more {
			var err error
			more, err = j.store.Maintain(now)
			j.report(err)
		}
		worked = time.Since(start)
	}
	if !more && !crowded {
		return time.Second / time.Duration(v.Hz)
	}
	share := time.Duration(maxShare + shareStep*(v.ActiveExpireEffort-1))
	return worked * (100 - share) / share
}

// report logs the first of a row of errors. The work goes on: memory that cannot
// be given back is still used.
func (j *janitor) report(err error) {
	if err != nil && !j.failed {
		j.log.Error("background work", "error", err)
	}
	j.failed = err != nil
}
