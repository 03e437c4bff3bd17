package scripting

import (
	"crypto/sha1" // names of scripts, as in Redis
	"encoding/hex"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/lua"
	"github.com/larderkv/larder/server/lua/syntax"
)

// mostEvaluated is how many scripts that came by EVAL are kept. Clients that write arguments into
// their scripts send a new one each time. Those of SCRIPT LOAD stay, as in Redis 7.4.
const mostEvaluated = 500

// scriptOverhead is what a script takes beside its source and its code, in bytes.
const scriptOverhead = 400

// A Script is one of EVAL, compiled. Its code never changes, and is run by several loops at once.
type Script struct {
	SHA    string // in lower case
	Flags  engine.ScriptFlags
	source string
	proto  *lua.Proto
	least  int // with how many keys at least it keeps to its keys, -1: perhaps never
	size   int64

	loaded  atomic.Bool  // by SCRIPT LOAD
	dropped atomic.Bool  // it is no longer in the cache
	used    atomic.Int64 // cache.inserted when it last ran
}

// Proved reports whether it is known that the script keeps to its keys, of which there are so many.
func (s *Script) Proved(keys int) bool { return s.least >= 0 && keys >= s.least }

type shaSum [sha1.Size]byte

// cache is the compiled scripts by the names that EVALSHA gives them, and by their sources.
type cache struct {
	mu       sync.RWMutex // protects the maps
	bySHA    map[shaSum]*Script
	bySource map[string]*Script

	inserted  atomic.Int64 // how many scripts ever were, which serves as a clock
	evaluated atomic.Int64 // scripts that came by EVAL
	evicted   atomic.Int64
	size      atomic.Int64 // bytes
	flushes   atomic.Int64
}

func newCache() *cache {
	return &cache{bySHA: map[shaSum]*Script{}, bySource: map[string]*Script{}}
}

// find returns the script of a SHA, given by 40 hexadecimal digits, or nil.
func (c *cache) find(digits []byte) *Script {
	var sum shaSum
	if len(digits) != 2*len(sum) {
		return nil
	}
	if _, err := hex.Decode(sum[:], digits); err != nil {
		return nil
	}
	c.mu.RLock()
	s := c.bySHA[sum]
	c.mu.RUnlock()
	return s
}

// findSource returns the script of a source, or nil.
func (c *cache) findSource(source []byte) *Script {
	c.mu.RLock()
	s := c.bySource[string(source)]
	c.mu.RUnlock()
	return s
}

// load returns the script of a source, which it compiles if it is new. loaded: by SCRIPT LOAD. The
// error is a reply.
func (c *cache) load(ctx *engine.Ctx, source []byte, loaded bool) (*Script, error) {
	s := c.findSource(source)
	if s == nil {
		if len(source) > longSource {
			ctx.LeaveLoop()
		}
		var err error
		if s, err = compile(ctx.Kernel.Table, string(source)); err != nil {
			return nil, err
		}
		s = c.insert(s)
	}
	if loaded && !s.loaded.Swap(true) {
		c.evaluated.Add(-1)
	}
	return s, nil
}

// longSource is the length from which compiling a source takes milliseconds, in bytes: 10 MB/s with
// what is proved of it.
const longSource = 64 << 10

// compile makes a script of its source. The table says which arguments of commands are keys.
func compile(table *engine.Table, source string) (*Script, error) {
	flags, code, err := ParseScript(source)
	if err != nil {
		return nil, err
	}
	const chunk = "@user_script"
	tree, err := syntax.Parse(code, chunk)
	var proto *lua.Proto
	if err == nil {
		proto, err = lua.Compile(tree, chunk)
	}
	if err != nil {
		return nil, engine.Errf("ERR Error compiling script (new function): %s", err.Error())
	}
	sum := sha1.Sum([]byte(source)) // a name
	s := &Script{SHA: hex.EncodeToString(sum[:]), Flags: flags, source: source, proto: proto, least: -1}
	if least, ok := Prove(tree, table); ok {
		s.least = least
	}
	s.size = int64(len(source)) + proto.Size() + scriptOverhead
	return s, nil
}

// insert puts a script into the cache, unless another loop was faster, and returns what is there.
func (c *cache) insert(s *Script) *Script {
	sum := s.sum()
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := c.bySHA[sum]; other != nil {
		return other
	}
	s.used.Store(c.inserted.Add(1))
	c.bySHA[sum], c.bySource[s.source] = s, s
	c.size.Add(s.size)
	if c.evaluated.Add(1) > mostEvaluated {
		c.evictLocked()
	}
	return s
}

func (s *Script) sum() (sum shaSum) {
	_, _ = hex.Decode(sum[:], []byte(s.SHA))
	return sum
}

// evictLocked drops the script of EVAL that was not used for longest.
func (c *cache) evictLocked() {
	var oldest *Script
	for _, s := range c.bySHA {
		if !s.loaded.Load() && (oldest == nil || s.used.Load() < oldest.used.Load()) {
			oldest = s
		}
	}
	if oldest == nil {
		return
	}
	delete(c.bySHA, oldest.sum())
	delete(c.bySource, oldest.source)
	oldest.dropped.Store(true)
	c.size.Add(-oldest.size)
	c.evaluated.Add(-1)
	c.evicted.Add(1)
}

// touch notes that a script runs.
func (c *cache) touch(s *Script) {
	if now := c.inserted.Load(); s.used.Load() != now {
		s.used.Store(now)
	}
}

// flush forgets all scripts. Those that run go on.
func (c *cache) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.bySHA {
		s.dropped.Store(true)
	}
	c.bySHA, c.bySource = map[shaSum]*Script{}, map[string]*Script{}
	c.evaluated.Store(0)
	c.size.Store(0)
	c.flushes.Add(1)
}

// len counts the scripts.
func (c *cache) len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.bySHA)
}

// is reports whether the script is the one of a SHA, in any case.
func (s *Script) is(digits []byte) bool {
	return string(digits) == s.SHA || len(digits) == len(s.SHA) && strings.EqualFold(s.SHA, string(digits))
}
