package config

import (
	"fmt"
	"strings"
)

// Param is a row of the table of parameters: the only place where a parameter's facts stand.
// Loading files and flags, CONFIG GET, SET and REWRITE, the flags' help and `larder config print`
// are derived from it.
type Param struct {
	Name    string
	Aliases []string // older names; CONFIG GET answers under them as well
	Default string   // as a file would have it
	Kind    Kind
	Change  Change
	Meaning string // one line

	// NotLoading: CONFIG SET is refused while the data set is being loaded.
	NotLoading bool

	// Inert says why a value has no effect; "" means that larder acts on the parameter.
	Inert string

	// Caution, if there is one, names what a value asks for and does not get, for a line in the log
	// at start; "" for values that ask for nothing of the kind.
	Caution func(v *Values, text string) string
}

// Change is when a parameter may change.
type Change uint8

// The ways to change a parameter.
const (
	Runtime   Change = iota // by CONFIG SET
	Immutable               // at start only
	Protected               // by CONFIG SET if enable-protected-configs allows it
)

// table is the rows and the way to find one by any of its names.
type table struct {
	rows   []Param
	byName map[string]int // lower-case names and aliases
}

func newTable(rows []Param) *table {
	t := &table{rows: rows, byName: make(map[string]int, 2*len(rows))}
	for i, row := range rows {
		t.byName[row.Name] = i
		for _, alias := range row.Aliases {
			t.byName[alias] = i
		}
	}
	return t
}

// find looks a name up, case aside. name as the table has it is the second result: the alias if it
// was asked for.
func (t *table) find(name string) (row int, known string, ok bool) {
	known = strings.ToLower(name)
	row, ok = t.byName[known]
	return row, known, ok
}

// Params returns the table, in the order in which CONFIG GET answers.
func Params() []Param {
	return append(activeParams(), inertParams()...)
}

// Secret reports whether a parameter's value is not to be shown to anybody.
func Secret(name string) bool {
	rows := newTable(Params())
	row, known, ok := rows.find(name)
	return ok && rows.rows[row].Secret() || known == foreignPassword
}

// hidden is a line of a file or a flag as the log may show it: without what may be a password. Rules
// of users may be, and which of them are is not known here.
func hidden(line string) string {
	end := strings.IndexAny(line, " \t=")
	if end < 0 {
		return line
	}
	switch name := strings.ToLower(strings.Trim(line[:end], `-"'`)); {
	case Secret(name):
		return line[:end] + " (hidden)"
	case name == "user":
		if words := strings.FieldsFunc(line, isSeparator); len(words) > 2 {
			return words[0] + " " + words[1] + " (hidden)"
		}
	}
	return line
}

func isSeparator(r rune) bool { return r == ' ' || r == '\t' || r == '=' }

// Secret reports whether the value is not to be shown to anybody.
func (p *Param) Secret() bool { return p.Kind.secret }

// names are all the names of a row.
func (p *Param) names() []string {
	return append([]string{p.Name}, p.Aliases...)
}

// problem is what is wrong with a value or a line, in Redis' words where Redis has words for it.
// Those start with capitals and end with full stops as they please.
type problem string

func (p problem) Error() string { return string(p) }

func problemf(format string, args ...any) problem {
	return problem(fmt.Sprintf(format, args...))
}
