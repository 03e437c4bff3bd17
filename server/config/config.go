// Package config holds larder's parameters.
//
// There is one table (Params): a row says a parameter's name, its kind, its default, what it means,
// and whether larder acts on it or merely accepts it, with the reason. Everything else is derived
// from the rows: reading redis.conf files and command lines (Load), CONFIG GET, SET and REWRITE,
// the help of `larder serve` and `larder config print`.
//
// The state of all parameters is one immutable Values, published by an atomic pointer. A reader on
// the hot path pays one load and gets typed fields that belong together; it never sees half of a
// CONFIG SET. A change copies the Values, changes the copy, and publishes it if every new value was
// good: all or nothing without undoing anything. (Redis sets in place and restores a backup on
// failure; fields of their own with one atomic each would show readers a mixture.)
//
// Who keeps something derived from a parameter (a log level, a table of thresholds) subscribes with
// OnChange. Who has to do something that may fail before a value can be in force (open a log) hooks
// in with OnApply and may refuse.
//
// The package is a leaf: it knows neither commands nor the server. Error texts of CONFIG SET are
// Redis' own.
package config

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Config is the parameters of one server. All methods are safe for concurrent use.
type Config struct {
	table    *table
	defaults []string   // canonical texts of the defaults, by row
	foreign  []string   // directives of other servers that were accepted, as they came
	file     string     // absolute name of the configuration file; "" if there is none that could be rewritten
	users    []UserLine // of the files and flags, in their order
	texts    func() []UserText
	machine  func() int64 // machineMemory of this system
	now      atomic.Pointer[Values]

	mu          sync.Mutex // serialises changes, rewrites and the calls of subscribers and hooks
	subscribers map[int][]func(*Values)
	hooks       []hook // in the order of OnApply
	ends        bool   // the last hook is that of OnApplyLast
}

// hook is what has to agree to new values of its rows.
type hook struct {
	rows []int
	fn   func(v *Values, name string) error
}

// New returns a Config with every parameter at its default. It fails if the current folder is gone.
func New() (*Config, error) {
	wd, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("current folder: %w", err)
	}
	c := &Config{
		table: newTable(Params()), subscribers: make(map[int][]func(*Values)),
		machine: func() int64 { return machineMemory(os.DirFS("/")) },
	}
	v := &Values{Dir: wd, machine: c.machine(), cores: runtime.GOMAXPROCS(0), texts: make([]string, len(c.table.rows))}
	for i, row := range c.table.rows {
		words, err := splitWords(row.Default)
		if err == nil && len(words) > 1 && !row.Kind.multi {
			err = problem("more than one word")
		}
		if err == nil {
			err = c.assign(v, i, input{args: orEmpty(words), start: true})
		}
		if err != nil {
			return nil, fmt.Errorf("BUG: default of %s: %w", row.Name, err)
		}
	}
	c.defaults = slices.Clone(v.texts)
	c.now.Store(v)
	return c, nil
}

// orEmpty makes an empty list of words the empty word.
func orEmpty(words []string) []string {
	if len(words) == 0 {
		return []string{""}
	}
	return words
}

// Values returns the values in force. They never change; call again to see later ones.
func (c *Config) Values() *Values {
	return c.now.Load()
}

// File is the absolute name of the configuration file, "" if larder was started without one or read
// standard input.
func (c *Config) File() string {
	return c.file
}

// OnChange has fn called after each CONFIG SET that named the parameter, with the new values, one
// call at a time. fn must not call Set, Rewrite or OnChange. An unknown name is a bug of the
// caller's and panics.
func (c *Config) OnChange(name string, fn func(*Values)) {
	row := c.mustFind(name)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subscribers[row] = append(c.subscribers[row], fn)
}

// OnApply has fn called once by each CONFIG SET that names any of the parameters, with the values
// that will be in force, before anybody else sees them. If fn returns an error nothing changes, and
// the error's text is what the client is told. If it is another hook that refuses, those that had
// agreed are called again with the old values, and what they return then is added to the client's
// error. fn must not call Set, Rewrite, OnChange or OnApply. An unknown name is a bug of the
// caller's and panics.
func (c *Config) OnApply(names []string, fn func(*Values) error) {
	h := c.newHook(names, func(v *Values, _ string) error { return fn(v) })
	c.mu.Lock()
	defer c.mu.Unlock()
	at := len(c.hooks)
	if c.ends {
		at--
	}
	c.hooks = slices.Insert(c.hooks, at, h)
}

// OnApplyLast is OnApply for the one hook that is called behind all others, also those to come, since
// it does what calling it with the old values does not quite undo. fn also gets the name of the
// parameter that the client is told of, should it refuse. A second such hook is a bug and panics.
func (c *Config) OnApplyLast(names []string, fn func(v *Values, name string) error) {
	h := c.newHook(names, fn)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ends {
		panic("BUG: two hooks are to be the last")
	}
	c.hooks, c.ends = append(c.hooks, h), true
}

func (c *Config) newHook(names []string, fn func(v *Values, name string) error) hook {
	h := hook{fn: fn}
	for _, name := range names {
		h.rows = append(h.rows, c.mustFind(name))
	}
	return h
}

// Reapply calls the hooks of the parameter with the values in force, for one whose value names
// something outside that may have changed. If a hook refuses, what it refused is not done.
func (c *Config) Reapply(name string) error {
	row := c.mustFind(name)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.hooks {
		if slices.Contains(h.rows, row) {
			if err := h.fn(c.Values(), name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Config) mustFind(name string) (row int) {
	row, _, ok := c.table.find(name)
	if !ok {
		panic("BUG: no parameter " + name)
	}
	return row
}

// Get returns names and values of the parameters that patterns name, each name once. A pattern
// without any of [*? is a name, case aside, and comes back as it was written; others are compiled,
// and matched against all names in lower case.
func (c *Config) Get(patterns []string, compile func(pattern string) (match func(name string) bool)) [][2]string {
	v := c.Values()
	var found [][2]string
	seen := make(map[string]bool)
	add := func(name string, row int) {
		if key := strings.ToLower(name); !seen[key] {
			seen[key] = true
			found = append(found, [2]string{name, c.table.rows[row].Kind.said(v, v.texts[row])})
		}
	}
	for _, pattern := range patterns {
		if !strings.ContainsAny(pattern, "[*?") {
			if row, _, ok := c.table.find(pattern); ok {
				add(pattern, row)
			}
			continue
		}
		match := compile(pattern)
		for i, row := range c.table.rows {
			for _, name := range row.names() {
				if match(name) {
					add(name, i)
				}
			}
		}
	}
	return found
}

// Each calls fn for each parameter with its value, as CONFIG GET says it, and whether that is another
// than by default.
func (c *Config) Each(fn func(p *Param, value string, changed bool)) {
	v := c.Values()
	for i := range c.table.rows {
		p := &c.table.rows[i]
		fn(p, p.Kind.said(v, v.texts[i]), v.texts[i] != c.defaults[i])
	}
}

// Setting is one pair of CONFIG SET.
type Setting struct{ Name, Value string }

// Set changes all the parameters named, or none. local says that a client on this machine asks, to
// whom enable-protected-configs may allow more. The error is Redis' text without the ERR in front.
func (c *Config) Set(settings []Setting, local bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.Values().clone()
	v.machine = c.machine() // its control group may have got another limit
	rows, err := c.admit(v, settings, local)
	if err != nil {
		return err
	}
	for i, s := range settings {
		kind := c.table.rows[rows[i]].Kind
		args := []string{s.Value}
		if kind.multi {
			args = splitSpaces(s.Value)
		}
		if err := c.assign(v, rows[i], input{args: args}); err != nil {
			return setError(strings.ToLower(s.Name), err)
		}
	}
	if err := c.apply(v, rows); err != nil {
		return err
	}
	c.now.Store(v)
	for i, row := range rows {
		if slices.Contains(rows[:i], row) {
			continue
		}
		for _, fn := range c.subscribers[row] {
			fn(v)
		}
	}
	return nil
}

// apply asks the hooks of the rows; after a refusal it takes back what others have done.
func (c *Config) apply(v *Values, rows []int) error {
	var agreed []hook
	for _, h := range c.hooks {
		name, ok := c.concerns(h, v, rows)
		if !ok {
			continue
		}
		err := h.fn(v, name)
		if err == nil {
			agreed = append(agreed, h)
			continue
		}
		text := err.Error()
		for _, undo := range slices.Backward(agreed) {
			if err := undo.fn(c.Values(), name); err != nil {
				text += "; going back to the old values: " + err.Error()
			}
		}
		return setError(name, problem(text))
	}
	return nil
}

// concerns reports whether a hook is for any of the rows, and which parameter it is to blame: the first
// one given that v changes or, where none does, the first one.
func (c *Config) concerns(h hook, v *Values, rows []int) (name string, ok bool) {
	old := c.Values()
	for _, row := range rows {
		if !slices.Contains(h.rows, row) {
			continue
		}
		if changed := v.texts[row] != old.texts[row]; changed || !ok {
			name, ok = c.table.rows[row].Name, true
			if changed {
				break
			}
		}
	}
	return name, ok
}

// DeniedWhileLoading reports whether any of the settings may not be made while the data set is
// being loaded.
func (c *Config) DeniedWhileLoading(settings []Setting) bool {
	return slices.ContainsFunc(settings, func(s Setting) bool {
		row, _, ok := c.table.find(s.Name)
		return ok && c.table.rows[row].NotLoading
	})
}

// admit finds the rows of the settings and refuses those that may not be set, the first one first,
// as Redis does.
func (c *Config) admit(v *Values, settings []Setting, local bool) (rows []int, err error) {
	seen := make(map[string]bool)
	for _, s := range settings {
		row, known, ok := c.table.find(s.Name)
		switch {
		case !ok:
			name, _, _ := strings.Cut(s.Name, "\x00") // as Redis prints a C string
			return nil, problemf("Unknown option or number of arguments for CONFIG SET - '%s'", name)
		case c.table.rows[row].Change == Immutable:
			return nil, setError(s.Name, problem("can't set immutable config"))
		case c.table.rows[row].Change == Protected && !allowed(v.EnableProtectedConfigs, local):
			return nil, setError(s.Name, problem("can't set protected config"))
		case seen[known]:
			return nil, setError(s.Name, problem("duplicate parameter"))
		}
		seen[known] = true
		rows = append(rows, row)
	}
	return rows, nil
}

// allowed reads the values of the enable-* parameters.
func allowed(who string, local bool) bool {
	return who == "yes" || who == "local" && local
}

// DebugAllowed reports whether a client may use DEBUG.
func (v *Values) DebugAllowed(local bool) bool {
	return allowed(v.EnableDebugCommand, local)
}

func setError(name string, err error) error {
	return problemf("CONFIG SET failed (possibly related to argument '%s') - %s", name, err)
}

// assign sets one parameter in v, which nobody else can see yet.
func (c *Config) assign(v *Values, row int, in input) error {
	kind := c.table.rows[row].Kind
	in.prev, in.dir, in.machine = v.texts[row], v.Dir, v.machine
	text, err := kind.parse(in)
	if err != nil {
		return err
	}
	v.texts[row] = text
	if kind.assign != nil {
		kind.assign(v, text)
	}
	return nil
}

// Cautions says, a line each, what the values in force ask for and do not get.
func (c *Config) Cautions() []string {
	v := c.Values()
	var lines []string
	for i, row := range c.table.rows {
		if row.Caution == nil {
			continue
		}
		if text := row.Caution(v, v.texts[i]); text != "" {
			lines = append(lines, hidden(row.Name+" "+orQuotes(v.texts[i]))+": "+text)
		}
	}
	return lines
}

// Ignored names the parameters that differ from their defaults without any effect, and those of
// other servers.
func (c *Config) Ignored() []string {
	v := c.Values()
	var names []string
	for i, row := range c.table.rows {
		if row.Inert != "" && v.texts[i] != c.defaults[i] {
			names = append(names, row.Name)
		}
	}
	return append(names, c.foreign...)
}

// splitSpaces cuts at every single space, as Redis does with the lists of CONFIG SET; "" has no
// words.
func splitSpaces(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, " ")
}
