// Libraries of functions.
//
// A library is loaded once and then called: its source runs, registers functions, and what is left
// are these and the variables that they share. Redis keeps the variables as long as the library is
// loaded, so a library has an interpreter of its own to its end, and calls of it exclude each other.
// Those of different libraries run side by side.
//
// # Who excludes whom
//
// A library's interpreter belongs to whoever holds its slot (store/lockset.go), which FCALL locks
// together with the shards of its keys, and a transaction for all functions in its queue. A function
// that takes long occupies the slot as it does its shards (engine's busy.go): who wants another one
// of the library waits, and is told BUSY in the end. There are as many slots as libraries ever need;
// should there be more libraries, some share one, and exclude each other.
//
// What libraries there are is a registry, which does not change: a change makes another one. So
// anybody may look at it at any time. Changes are made by who holds all slots and a shard, so that
// there is one at a time, none under a function that runs, and none while a snapshot is cut: what
// the file and the log behind it have is what there was at that moment (persistence.Libraries).
//
// # Rejected
//
// One interpreter for all libraries, as in Redis: a function that takes long would hold up all
// others. A pool of interpreters per library: each would have variables of its own, and a function
// that counts its calls would count some. To run a library's source without locks, and to lock only
// for putting it into the registry: its name may be taken meanwhile, by a call that has seen none,
// and sources run for microseconds; the one that does not occupies what it holds like any function.

package scripting

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/larderkv/larder/persistence/rdb"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/lua"
	"github.com/larderkv/larder/server/lua/syntax"
	"github.com/larderkv/larder/store"
)

// Library is a library of functions. It does not change, but for its interpreter.
type Library struct {
	Name      string
	Source    string      // with its first line
	Functions []*Function // by name

	slot  int // -1 until it is in a registry
	in    *interpreter
	bytes atomic.Int64 // that the interpreter has, after the last call
	proof atomic.Pointer[proof]
}

// Function is one that a library has registered.
type Function struct {
	Name        string
	Description *string // nil: none
	Flags       engine.ScriptFlags

	library  *Library
	callback *lua.Function
}

// proof is what is known of the keys that a library's functions touch.
type proof struct {
	found bool // with so many keys, or more, they are those that are declared
	least int
}

// Strays reports whether a call of the function with so many keys may touch others: whether there is
// no proof that it does not. Nobody has looked for one before the first call.
func (f *Function) Strays(c *engine.Ctx, keys int) bool {
	l := f.library
	p := l.proof.Load()
	if p == nil {
		p = new(proof)
		_, code, _ := parseLibrary(l.Source)
		if tree, err := syntax.Parse(code, functionChunk); err == nil {
			p.least, p.found = ProveLibrary(tree, c.Kernel.Table)
		}
		l.proof.Store(p)
	}
	return !p.found || keys < p.least
}

// registry is what libraries there are at one time.
type registry struct {
	libraries []*Library // by name
	functions map[string]*Function
	count     int // of functions
}

// functionKey is a function's name as Redis compares it: without regard to case.
func functionKey(name string) string { return strings.ToLower(name) }

// library finds one by its name, nil if there is none.
func (r *registry) library(name string) *Library {
	i, found := slices.BinarySearchFunc(r.libraries, name, func(l *Library, name string) int {
		return cmp.Compare(l.Name, name)
	})
	if !found {
		return nil
	}
	return r.libraries[i]
}

// change is a registry in the making.
type change struct {
	libraries map[string]*Library
	functions map[string]*Function
}

func (r *registry) change() *change {
	c := &change{map[string]*Library{}, map[string]*Function{}}
	maps.Copy(c.functions, r.functions)
	for _, l := range r.libraries {
		c.libraries[l.Name] = l
	}
	return c
}

// remove takes a library out.
func (c *change) remove(l *Library) {
	delete(c.libraries, l.Name)
	for _, f := range l.Functions {
		delete(c.functions, functionKey(f.Name))
	}
}

// collides returns an error if another library has a function of one of the library's names.
func (c *change) collides(l *Library) error {
	for _, f := range l.Functions {
		if c.functions[functionKey(f.Name)] != nil {
			return engine.Errf("ERR Function %s already exists", f.Name)
		}
	}
	return nil
}

// add puts a library in that collides with none. Of two functions of its own whose names differ only
// in case the second cannot be called, as in Redis.
func (c *change) add(l *Library) {
	c.libraries[l.Name] = l
	for _, f := range l.Functions {
		if key := functionKey(f.Name); c.functions[key] == nil {
			c.functions[key] = f
		}
	}
}

// registry completes the change: libraries that are new get a slot.
func (c *change) registry() *registry {
	r := &registry{functions: c.functions}
	var used [store.Slots]int
	for _, l := range c.libraries {
		r.libraries = append(r.libraries, l)
		r.count += len(l.Functions)
		if l.slot >= 0 {
			used[l.slot]++
		}
	}
	slices.SortFunc(r.libraries, func(a, b *Library) int { return cmp.Compare(a.Name, b.Name) })
	for _, l := range r.libraries {
		if l.slot < 0 {
			l.slot = slices.Index(used[:], slices.Min(used[:]))
			used[l.slot]++
		}
	}
	return r
}

// Libraries are the libraries of functions of a server. Find and what only looks may be called by
// anybody at any time; what changes, by who has locked what LockChange says.
type Libraries struct {
	scripts *Scripts
	now     atomic.Pointer[registry]
}

func newLibraries(s *Scripts) *Libraries {
	ls := &Libraries{scripts: s}
	ls.now.Store(&registry{})
	return ls
}

// LockChange adds to a set what a change needs.
func (ls *Libraries) LockChange(c *engine.Ctx, l *store.Lockset) {
	l.Add(0)
	l.AddSlots(c.Store)
	if c.Session.Queuing() { // a function that a transaction has loaded may be called by it
		l.AddGrowth()
	}
}

// LockFunction adds to a set what a function needs, nil if there is none of that name. Then none
// appears either before the call is over.
func (ls *Libraries) LockFunction(c *engine.Ctx, f *Function, l *store.Lockset) {
	slot := 0
	if f != nil {
		slot = f.library.slot
	}
	l.AddSlot(c.Store, slot)
}

// Find finds a function by its name, nil if there is none.
func (ls *Libraries) Find(name []byte) *Function {
	r := ls.now.Load()
	if f := r.functions[string(name)]; f != nil { // nearly all names are in lower case
		return f
	}
	return r.functions[functionKey(string(name))]
}

// All lists the libraries by their names.
func (ls *Libraries) All() []*Library { return ls.now.Load().libraries }

// Functions is the number of functions.
func (ls *Libraries) Functions() int { return ls.now.Load().count }

// Sources lists the sources of all libraries.
func (ls *Libraries) Sources() (sources []string) {
	for _, l := range ls.All() {
		sources = append(sources, l.Source)
	}
	return sources
}

// Overheads of the account, in bytes: what a library and a function take beside their texts.
const (
	libraryOverhead  = int64(unsafe.Sizeof(Library{})) + 64
	functionOverhead = int64(unsafe.Sizeof(Function{})) + 64
)

// Memory is what the libraries take, in bytes: the interpreters, and all else.
func (ls *Libraries) Memory() (interpreters, rest int64) {
	for _, l := range ls.All() {
		interpreters += l.bytes.Load()
		rest += libraryOverhead + int64(len(l.Name)+len(l.Source))
		for _, f := range l.Functions {
			rest += functionOverhead + int64(2*len(f.Name))
			if f.Description != nil {
				rest += int64(len(*f.Description))
			}
		}
	}
	return interpreters, rest
}

// replace has a registry take the place of the one that there is. Interpreters of libraries that are
// in it no more give their memory back.
func (ls *Libraries) replace(r *registry) {
	stay := map[*Library]bool{}
	for _, l := range r.libraries {
		stay[l] = true
	}
	for _, l := range ls.now.Swap(r).libraries {
		if !stay[l] {
			l.discard()
		}
	}
}

// publish makes a change that has been locked for.
func (ls *Libraries) publish(c *engine.Ctx, r *registry) {
	ls.replace(r)
	c.Kernel.Libraries.Add(1)
	c.Dirty++
}

// Load adds a library, in place of one of the same name if replace says so, and returns its name.
func (ls *Libraries) Load(c *engine.Ctx, source string, replace bool) (string, error) {
	next := ls.now.Load().change()
	name, err := ls.put(c, next, source, replace)
	if err != nil {
		return "", err
	}
	ls.publish(c, next.registry())
	return name, nil
}

// put adds a library to a change, which is of no use after an error. c may be nil.
func (ls *Libraries) put(c *engine.Ctx, to *change, source string, replace bool) (name string, err error) {
	name, code, err := parseLibrary(source)
	if err != nil {
		return "", err
	}
	old := to.libraries[name]
	if old != nil {
		if !replace {
			return "", engine.Errf("ERR Library '%s' already exists", name)
		}
		to.remove(old)
	}
	l := &Library{Name: name, Source: source, slot: -1}
	if old != nil {
		l.slot = old.slot
	}
	if err := ls.run(c, l, code); err != nil {
		l.discard()
		return "", err
	}
	if len(l.Functions) == 0 {
		l.discard()
		return "", engine.ErrNoFunctions
	}
	if err := to.collides(l); err != nil {
		l.discard()
		return "", err
	}
	to.add(l)
	return name, nil
}

// discard gives the memory back of a library that will not be called any more.
func (l *Library) discard() {
	if l.in != nil { // its source could be compiled
		l.in.state.Discard()
	}
}

// Delete removes a library.
func (ls *Libraries) Delete(c *engine.Ctx, name string) error {
	now := ls.now.Load()
	l := now.library(name)
	if l == nil {
		return engine.ErrNoLibrary
	}
	next := now.change()
	next.remove(l)
	ls.publish(c, next.registry())
	return nil
}

// Flush removes all libraries. It counts as a change even if there are none, as in Redis.
func (ls *Libraries) Flush(c *engine.Ctx) { ls.publish(c, &registry{}) }

// Policy is what becomes of the libraries that there are when others are restored.
type Policy uint8

const (
	// Append: they stay, and none may have the name of one that comes.
	Append Policy = iota
	// Replace: those go in whose place others come.
	Replace
	// Flush: all go.
	Flush
)

// Restore adds the libraries of a payload, all or none.
func (ls *Libraries) Restore(c *engine.Ctx, payload []byte, policy Policy) error {
	come := (&registry{}).change()
	err := rdb.EachLibrary(payload, func(source string) error {
		_, err := ls.put(c, come, source, false)
		return err
	})
	if err == nil {
		err = ls.restore(c, come, policy)
	}
	if err != nil {
		for _, l := range come.libraries {
			l.discard()
		}
	}
	switch {
	case errors.Is(err, rdb.ErrOldLibrary):
		return engine.ErrOldLibrary
	case errors.Is(err, rdb.ErrNotLibrary):
		return engine.ErrNotLibrary
	case errors.Is(err, rdb.ErrBadFormat):
		return engine.ErrLibraryPayload
	}
	return err
}

// restore adds the libraries that come to those that there are.
func (ls *Libraries) restore(c *engine.Ctx, come *change, policy Policy) error {
	if policy == Flush {
		ls.publish(c, come.registry())
		return nil
	}
	now := ls.now.Load()
	next := now.change()
	for _, l := range come.registry().libraries {
		if old := now.library(l.Name); old != nil {
			if policy != Replace {
				return engine.Errf("ERR Library %s already exists", l.Name)
			}
			next.remove(old)
		}
	}
	return ls.join(c, next, come)
}

// join adds the libraries that come to those that stay.
func (ls *Libraries) join(c *engine.Ctx, stay, come *change) error {
	list := come.registry().libraries
	for _, l := range list {
		if err := stay.collides(l); err != nil {
			return err
		}
	}
	for _, l := range list {
		l.slot = -1 // the one that it has goes by those that come alone
		stay.add(l)
	}
	ls.publish(c, stay.registry())
	return nil
}

// LoadSource implements persistence.Libraries.
func (ls *Libraries) LoadSource(source string) error {
	next := ls.now.Load().change()
	_, err := ls.put(nil, next, source, true)
	if err == nil {
		ls.replace(next.registry())
	}
	return err
}
