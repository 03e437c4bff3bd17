package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Loading. The order is Redis': defaults, the file line by line (an include is read where it
// stands), then the flags, each as if it were one more line. A later line wins, except that save
// points add up and client-output-buffer-limit changes only the classes it names. The first mistake
// stops the loading.

// deepestInclude bounds how files may include one another, so that a file that includes itself is
// an error.
const deepestInclude = 16

// A LoadError is a line that cannot be accepted.
type LoadError struct {
	Where   string // "redis.conf:12", or "command line"
	Line    string // the directive; Error leaves passwords out
	Problem string // what is wrong
	Expects string // what the parameter's values look like; "" if that is not the point
}

func (e *LoadError) Error() string {
	return fmt.Sprintf("%s: '%s': %s", e.Where, hidden(e.Line), e.reason())
}

// reason is the error without the line.
func (e *LoadError) reason() string {
	if e.Expects == "" {
		return e.Problem
	}
	return e.Problem + " (expected: " + e.Expects + ")"
}

// Load reads a configuration: the file, whose name may be "" for none and "-" for standard input,
// and then args, which are flags in redis-server's order: a name with two dashes and its values
// (--port 7000 --save ""). --port=7000 is understood too. The error is a *LoadError if a line is at
// fault.
func Load(file string, args []string) (*Config, error) {
	return load(file, os.Stdin, args)
}

func load(file string, stdin io.Reader, args []string) (*Config, error) {
	c, err := New()
	if err != nil {
		return nil, err
	}
	l := &loader{config: c, values: c.Values().clone(), seen: make(map[int]bool)}
	switch file {
	case "":
	case "-":
		text, err := io.ReadAll(stdin)
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		if err := l.text("standard input", string(text)); err != nil {
			return nil, err
		}
	default:
		if c.file, err = filepath.Abs(file); err != nil {
			return nil, err
		}
		if err := l.file(file); err != nil {
			return nil, err
		}
	}
	if err := l.flags(args); err != nil {
		return nil, err
	}
	if err := l.usersTwice(); err != nil {
		return nil, err
	}
	c.now.Store(l.values)
	return c, nil
}

// loader is the state of one Load.
type loader struct {
	config *Config
	values *Values
	seen   map[int]bool // rows that a directive has set
	depth  int          // of includes
	check  *check       // nil unless lines are only to be judged
	users  UserJudge    // nil unless those of users are to be judged as well

	where, line string // of the directive that is being executed
}

func (l *loader) file(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	return l.text(name, string(text))
}

func (l *loader) text(name, text string) error {
	for i, raw := range strings.Split(text, "\n") {
		raw = strings.Trim(raw, " \t\r\n")
		if raw == "" || raw[0] == '#' {
			continue
		}
		where := fmt.Sprintf("%s:%d", name, i+1)
		l.where, l.line = where, raw
		words, err := splitWords(raw)
		place := l.check.place(where, raw)
		if err == nil && len(words) > 0 {
			err = l.directive(words)
		}
		if err != nil {
			err = located(err, where, raw)
		}
		if err = l.judged(place, err); err != nil {
			return err
		}
	}
	return nil
}

// located says where a mistake is, unless an included file has said so already.
func located(err error, where, line string) error {
	var inner *LoadError
	if errors.As(err, &inner) && inner.Where != "" {
		return err
	}
	out := &LoadError{Where: where, Line: line, Problem: err.Error()}
	if inner != nil {
		out.Problem, out.Expects = inner.Problem, inner.Expects
	}
	return out
}

// directive executes one line.
func (l *loader) directive(words []string) error {
	name := strings.ToLower(words[0])
	args := words[1:]
	if name == "include" && len(args) == 1 {
		return l.include(args[0])
	}
	row, _, ok := l.config.table.find(name)
	if !ok {
		return l.foreign(name, args)
	}
	kind := l.config.table.rows[row].Kind
	switch {
	case kind.multi && len(args) == 1:
		args = strings.Fields(args[0])
	case !kind.multi && len(args) != 1: // those of any number of words judge themselves whether none will do
		return &LoadError{Problem: "wrong number of arguments", Expects: kind.Expects}
	}
	if err := l.config.assign(l.values, row, input{args: args, bare: len(words) == 1, start: true, again: l.seen[row]}); err != nil {
		return &LoadError{Problem: err.Error(), Expects: kind.Expects}
	}
	l.seen[row] = true
	return nil
}

// foreign executes a directive that is no parameter of larder's.
func (l *loader) foreign(name string, args []string) error {
	f, ok := findForeign(name)
	switch {
	case name == "user":
		if len(args) == 0 {
			return &LoadError{Problem: "wrong number of arguments", Expects: "a user's name and rules"}
		}
		user := UserLine{args[0], args[1:], l.where, l.line}
		l.config.users = append(l.config.users, user)
		if l.users != nil {
			return l.users.Judge(user)
		}
		return nil
	case !ok:
		return &LoadError{Problem: unknown(name)}
	case len(args) == 0:
		return &LoadError{Problem: "wrong number of arguments"}
	}
	l.config.foreign = append(l.config.foreign, name)
	return f.accept(args)
}

// unknown says why a directive cannot be accepted.
func unknown(name string) string {
	switch name {
	case "rename-command":
		return "larder does not have " + name +
			"; it would be unsafe to go on without it: let users (user, aclfile) have fewer commands instead"
	case "loadmodule":
		return "larder cannot load modules"
	case "include":
		return "include takes one file name"
	}
	return "there is no parameter of this name (`larder config print` lists them)"
}

// include reads other files. A pattern may match none; a name without one must exist.
func (l *loader) include(name string) error {
	if l.depth == deepestInclude {
		return fmt.Errorf("files include one another more than %d deep", deepestInclude)
	}
	name = l.values.Path(name)
	names := []string{name}
	if strings.ContainsAny(name, "*?[") {
		var err error
		if names, err = filepath.Glob(name); err != nil {
			return err
		}
	}
	l.depth++
	defer func() { l.depth-- }()
	for _, n := range names {
		if err := l.file(n); err != nil {
			return err
		}
	}
	return nil
}

// flags reads a command line. As in redis-server, the word after a name is a value even if it
// starts with two dashes, a name and its values may come as one word ("--port 7000"), and --save
// needs no value.
func (l *loader) flags(args []string) error {
	var words []string
	flush := func() error {
		if words == nil {
			return nil
		}
		l.where, l.line = "command line", "--"+strings.Join(words, " ")
		err := l.directive(words)
		if err != nil {
			return located(err, "command line", "--"+strings.Join(words, " "))
		}
		return nil
	}
	wantValue := false
	for i, arg := range args {
		name, dashed := strings.CutPrefix(arg, "--")
		if !dashed || wantValue {
			if words == nil {
				return &LoadError{Where: "command line", Line: arg,
					Problem: "a parameter's name with two dashes should be here"}
			}
			words, wantValue = append(words, arg), false
			continue
		}
		if err := flush(); err != nil {
			return err
		}
		var err error
		if words, err = splitFlag(name); err != nil {
			return located(err, "command line", arg)
		}
		wantValue = len(words) == 1
		if wantValue && strings.EqualFold(name, "save") && (i+1 == len(args) || strings.HasPrefix(args[i+1], "--")) {
			words, wantValue = append(words, ""), false
		}
	}
	return flush()
}

// splitFlag cuts what follows the dashes: a name, name=value, or a name and values in one word.
func splitFlag(flag string) ([]string, error) {
	if name, value, ok := strings.Cut(flag, "="); ok && !strings.ContainsAny(name, " \t") {
		return []string{name, value}, nil
	}
	words, err := splitWords(flag)
	if err == nil && len(words) == 0 {
		err = errors.New("a parameter's name should follow the dashes")
	}
	return words, err
}
