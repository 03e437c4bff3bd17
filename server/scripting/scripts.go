package scripting

import (
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/lua"
)

// Scripts is what a server has for scripts: those of EVAL, compiled, and interpreters. All of it may
// be used by any goroutine.
type Scripts struct {
	config *config.Config
	log    *slog.Logger
	began  time.Time // os.clock counts from then
	cache  *cache
	random *lua.Random

	libraries *Libraries
	budget    lua.Budget // of all interpreters

	mu    sync.Mutex     // protects idle
	idle  []*interpreter // the last one was used last
	inUse atomic.Int64   // bytes of all interpreters, lately
}

// mostIdle is how many interpreters are kept that run nothing, and keptMemory how many bytes one may
// take that is kept.
const (
	mostIdle   = 16
	keptMemory = 4 << 20
)

// limitsTogether: all interpreters have so many times lua-memory-limit together. Scripts run side by
// side, one for each client.
const limitsTogether = 4

// setBudget is called when lua-memory-limit has changed.
func (s *Scripts) setBudget(limit int64) {
	if limit <= 0 || limit > math.MaxInt64/limitsTogether {
		limit = math.MaxInt64 / limitsTogether
	}
	s.budget.SetLimit(limit * limitsTogether)
}

// New makes an empty set of scripts.
func New(cfg *config.Config, log *slog.Logger) *Scripts {
	s := &Scripts{config: cfg, log: log, cache: newCache(), random: lua.NewRandom(), began: time.Now()}
	s.libraries = newLibraries(s)
	return s
}

// clock is os.clock. Time of the processor, which Redis has here, is that of all threads.
func (s *Scripts) clock() time.Duration { return time.Since(s.began) }

// Stats counts what there is.
func (s *Scripts) Stats() engine.ScriptStats {
	ls := s.libraries
	st := engine.ScriptStats{
		Scripts: s.cache.len(), ScriptMemory: s.cache.size.Load(), Evicted: s.cache.evicted.Load(),
		Memory: s.inUse.Load(), Libraries: len(ls.All()), Functions: ls.Functions(),
	}
	st.FunctionMemory, st.LibraryMemory = ls.Memory()
	return st
}

// Find returns the script of a SHA, nil if there is none. The Ctx remembers it for the next time.
func (s *Scripts) Find(c *engine.Ctx, digits []byte) *Script {
	if last, ok := c.Memo.(*Script); ok && !last.dropped.Load() && last.is(digits) {
		return last
	}
	script := s.cache.find(digits)
	if script != nil {
		c.Memo = script
	}
	return script
}

// Load returns the script of a source, which it compiles if it is new. The error is a reply.
func (s *Scripts) Load(c *engine.Ctx, source []byte) (*Script, error) {
	if last, ok := c.Memo.(*Script); ok && !last.dropped.Load() && last.source == string(source) {
		return last, nil
	}
	script, err := s.cache.load(c, source, false)
	if err == nil {
		c.Memo = script
	}
	return script, err
}

// Keep is SCRIPT LOAD: the script stays until Flush.
func (s *Scripts) Keep(c *engine.Ctx, source []byte) (*Script, error) {
	return s.cache.load(c, source, true)
}

// Exists reports whether there is a script of a SHA.
func (s *Scripts) Exists(digits []byte) bool { return s.cache.find(digits) != nil }

// Libraries are the libraries of functions.
func (s *Scripts) Libraries() *Libraries { return s.libraries }

// Flush forgets all scripts, and gives interpreters that run nothing back.
func (s *Scripts) Flush() {
	s.cache.flush()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range s.idle {
		s.drop(in)
	}
	s.idle = nil
}

// acquire returns an interpreter that runs nothing.
func (s *Scripts) acquire() *interpreter {
	s.mu.Lock()
	if n := len(s.idle) - 1; n >= 0 {
		in := s.idle[n]
		s.idle[n] = nil
		s.idle = s.idle[:n]
		s.mu.Unlock()
		return in
	}
	s.mu.Unlock()
	return newInterpreter(s)
}

// release takes it back.
func (s *Scripts) release(in *interpreter) {
	memory, fits := in.reset(s.cache.flushes.Load())
	in.count(memory)
	if fits {
		s.mu.Lock()
		if fits = len(s.idle) < mostIdle; fits {
			s.idle = append(s.idle, in)
		}
		s.mu.Unlock()
	}
	if !fits {
		s.drop(in)
	}
}

// drop takes an interpreter out of the account that will not be used any more.
func (s *Scripts) drop(in *interpreter) {
	s.inUse.Add(-in.counted)
	in.state.Discard()
}
