package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Checking a file: the loader runs over it as at a start, but a line that it refuses is noted instead
// of ending it. So what a check says of a line is what a start does with it, also where a line means
// another thing after an earlier one.

// Outcome is what becomes of a line.
type Outcome uint8

// The outcomes.
const (
	Acts     Outcome = iota
	NoEffect         // accepted, and changes nothing
	Refused          // stops the start
)

// Verdict is what a start does with one line of a file.
type Verdict struct {
	Where   string // "redis.conf:12"
	Name    string // of the parameter; never the value, which may be a password
	Outcome Outcome
	Why     string // of NoEffect and Refused
	Caution string // what the line asks for and does not get; "" for nothing that matters
}

// check collects the verdicts of one run, in the order of the lines.
type check struct{ verdicts []Verdict }

// place reserves the place of a line, in front of those of the files that it includes.
func (c *check) place(where, line string) int {
	if c == nil {
		return 0
	}
	name := line
	if end := strings.IndexAny(line, " \t"); end >= 0 {
		name = line[:end]
	}
	c.verdicts = append(c.verdicts, Verdict{Where: where, Name: strings.ToLower(name)})
	return len(c.verdicts) - 1
}

// refuse notes a refusal where it happened, or else at the given place.
func (c *check) refuse(place int, err error) {
	v := &c.verdicts[place]
	v.Outcome, v.Why = Refused, err.Error()
	var at *LoadError
	if errors.As(err, &at) {
		v.Why = at.reason()
	}
}

// judged passes a line's error on, unless the lines are only to be judged: then it notes it.
func (l *loader) judged(place int, err error) error {
	switch {
	case l.check == nil:
		return err
	case err != nil:
		l.check.refuse(place, err)
		return nil
	}
	v := &l.check.verdicts[place]
	if row, _, ok := l.config.table.find(v.Name); ok {
		p := &l.config.table.rows[row]
		if p.Inert != "" {
			v.Outcome, v.Why = NoEffect, p.Inert
		}
		if p.Caution != nil {
			v.Caution = p.Caution(l.values, l.values.texts[row])
		}
	} else if f, ok := findForeign(v.Name); ok {
		v.Outcome, v.Why = NoEffect, f.why
	}
	return nil
}

// A LateJudge says what a start would find wrong with a parameter when all lines have been read,
// such as in the files that it names. What these contain is for other packages to know.
type LateJudge struct {
	Param string
	Judge func(v *Values) error
}

// Check says what a start with a file would do with each of its lines, and with those of the files
// that it includes. users judges the lines of users; nil accepts all. The name "-" is standard input.
// The error is one of reading that file.
func Check(file string, users UserJudge, late ...LateJudge) ([]Verdict, error) {
	return checkFile(file, os.Stdin, users, late...)
}

func checkFile(file string, stdin io.Reader, users UserJudge, late ...LateJudge) ([]Verdict, error) {
	c, err := New()
	if err != nil {
		return nil, err
	}
	l := &loader{config: c, values: c.Values().clone(), seen: make(map[int]bool), check: &check{}, users: users}
	if file != "-" {
		err = l.file(file)
	} else if text, readErr := io.ReadAll(stdin); readErr != nil {
		err = fmt.Errorf("standard input: %w", readErr)
	} else {
		err = l.text("standard input", string(text))
	}
	if len(l.config.users) > 0 {
		wrong := l.usersTwice()
		if wrong == nil && users != nil {
			wrong = users.End(l.values)
		}
		if wrong != nil {
			l.refuseLastUser(wrong)
		}
	}
	for _, j := range late {
		l.judgeLate(j)
	}
	return l.check.verdicts, err
}

// refuseLastUser notes what is wrong with the lines of users, which shows after all others.
func (l *loader) refuseLastUser(err error) {
	last := l.config.users[len(l.config.users)-1].where
	for i := range l.check.verdicts {
		if v := &l.check.verdicts[i]; v.Where == last && v.Outcome != Refused {
			l.check.refuse(i, err)
		}
	}
}

// judgeLate notes what is wrong with a parameter at the line that has set it.
func (l *loader) judgeLate(j LateJudge) {
	for i := len(l.check.verdicts) - 1; i >= 0; i-- {
		if v := &l.check.verdicts[i]; v.Name == j.Param && v.Outcome != Refused {
			if err := j.Judge(l.values); err != nil {
				l.check.refuse(i, err)
			}
			return
		}
	}
}
