package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Kind is how a parameter's value is written, checked and stored. The error texts are Redis' own,
// to the byte.
type Kind struct {
	// Expects describes the values allowed, for people: "yes or no", "an integer from 1 to 500".
	Expects string

	multi  bool                                      // the value is a list of words
	secret bool                                      // the value is not to be shown to anybody
	parse  func(in input) (string, error)            // words to canonical text
	assign func(v *Values, text string)              // canonical text to the typed field; nil: there is none
	answer func(v *Values, text string) string       // what CONFIG GET says; nil: the canonical text
	lines  func(name, text, byDefault string) []line // what CONFIG REWRITE writes; nil: the name and the text
}

// said is what CONFIG GET answers for a canonical text.
func (k *Kind) said(v *Values, text string) string {
	if k.answer == nil {
		return text
	}
	return k.answer(v, text)
}

// input is one assignment to a parameter.
type input struct {
	args    []string // exactly one unless the kind is multi
	prev    string   // canonical text in force
	dir     string   // what relative names start from
	machine int64    // bytes that shares of the machine's memory are of, 0 unknown
	start   bool     // from a file or a flag, where directives of one name may add up
	bare    bool     // a directive of its name alone
	again   bool     // the directive was seen before, in this file or flags
}

// line is what CONFIG REWRITE wants in the file. Without force it only takes the place of a line
// that is there.
type line struct {
	text  string
	force bool
}

// one makes a Kind whose value is a single word.
func one(expects string, parse func(word string) (string, error), assign func(*Values, string)) Kind {
	return Kind{
		Expects: expects,
		parse:   func(in input) (string, error) { return parse(in.args[0]) },
		assign:  assign,
	}
}

func yesNo(to func(*Values) *bool) Kind {
	parse := func(word string) (string, error) {
		switch text := strings.ToLower(untilNUL(word)); text {
		case "yes", "no":
			return text, nil
		}
		return "", problem("argument must be 'yes' or 'no'")
	}
	var assign func(*Values, string)
	if to != nil {
		assign = func(v *Values, text string) { *to(v) = text == "yes" }
	}
	return one("yes or no", parse, assign)
}

// character is a single byte.
func character(to func(*Values) *string) Kind {
	k := text("a single character", to)
	k.parse = func(in input) (string, error) {
		if word := in.args[0]; len(word) != 1 || word == "\x00" {
			return "", problem("argument must be a single character")
		}
		return in.args[0], nil
	}
	return k
}

func integer(lo, hi int64, to func(*Values) *int64) Kind {
	parse := func(word string) (string, error) {
		n, err := strictInt(word)
		if err != nil {
			return "", err
		}
		if n < lo || n > hi {
			return "", errRange(lo, uint64(hi))
		}
		return word, nil
	}
	return one(fmt.Sprintf("an integer from %d to %s", lo, bound(uint64(hi), strconv.FormatInt(hi, 10))),
		parse, assignInt(to))
}

// clamped is an integer from 0 that is moved into its range, where others are refused. Redis treats
// hz so.
func clamped(lo, hi int64, to func(*Values) *int64) Kind {
	k := integer(0, math.MaxInt32, to)
	checked := k.parse
	k.Expects = fmt.Sprintf("an integer, brought into the range from %d to %d", lo, hi)
	k.parse = func(in input) (string, error) {
		text, err := checked(in)
		if err != nil {
			return "", err
		}
		return strconv.FormatInt(min(max(saturated(text), lo), hi), 10), nil
	}
	return k
}

// octal is a file mode in octal digits. No digits are 0, as strtoll has it for Redis.
func octal(hi int64, to func(*Values) *int64) Kind {
	parse := func(word string) (string, error) {
		n, err := strconv.ParseInt(word, 8, 64)
		if err != nil && word != "" {
			return "", problem("argument couldn't be parsed as an octal number")
		}
		if n < 0 || n > hi {
			return "", problemf("argument must be between %o and %o inclusive", 0, hi)
		}
		return strconv.FormatInt(n, 8), nil
	}
	return one(fmt.Sprintf("an octal number from 0 to %o", hi), parse, func(v *Values, text string) {
		*to(v), _ = strconv.ParseInt(text, 8, 64) // text is what parse wrote
	})
}

// memory is an amount of bytes. A typed field saturates at the largest int64, which bounds nothing
// either.
func memory(lo, hi uint64, to func(*Values) *int64) Kind {
	parse := func(word string) (string, error) {
		n, ok := ParseMemory(untilNUL(word))
		if !ok {
			return "", problem("argument must be a memory value")
		}
		if n < lo || n > hi {
			return "", errRange(int64(lo), hi)
		}
		return strconv.FormatUint(n, 10), nil
	}
	k := one(fmt.Sprintf("bytes, or an amount such as 100mb, from %d to %s", lo, bound(hi, formatMemory(hi))),
		parse, assignInt(to))
	k.lines = memoryLines
	return k
}

// memoryOrPercent is an amount of bytes or a share of maxmemory. The typed field holds a share as a
// number below zero, as Redis does: -5 is 5%.
func memoryOrPercent(to func(*Values) *int64) Kind {
	k := memory(0, math.MaxInt64, nil)
	bytes := k.parse
	k.Expects = "bytes, an amount such as 100mb, or a share of maxmemory such as 5%"
	k.parse = func(in input) (string, error) {
		digits, ok := strings.CutSuffix(in.args[0], "%")
		if _, amount := ParseMemory(untilNUL(in.args[0])); amount {
			return bytes(in)
		}
		n, err := strictInt(digits)
		switch {
		case !ok || err != nil || n < 0:
			return "", problem("argument must be a memory or percent value")
		case n > 100:
			return "", errPercent
		case n == 0:
			return "0", nil
		}
		return in.args[0], nil
	}
	k.assign = func(v *Values, text string) {
		if digits, ok := strings.CutSuffix(text, "%"); ok {
			*to(v) = -saturated(digits)
			return
		}
		*to(v) = saturated(text)
	}
	return k
}

const errPercent = problem("percentage argument must be less or equal to 100")

// memoryOfMachine is an amount of bytes, or a share of the memory of the machine or of the
// process's control group. What is written stays a share; the typed field and CONFIG GET say the
// bytes that it came to when it was set.
func memoryOfMachine(to func(*Values) *int64) Kind {
	k := memory(0, math.MaxUint64, to)
	bytes, assignBytes := k.parse, k.assign
	k.Expects = "bytes, an amount such as 100mb, or a share such as 75% of the memory of the machine or its control group"
	k.parse = func(in input) (string, error) {
		digits, ok := strings.CutSuffix(in.args[0], "%")
		if !ok {
			return bytes(in)
		}
		n, err := strictInt(digits)
		switch {
		case err != nil || n < 1: // 0 would be no cap
			return "", problem("argument must be a memory value")
		case n > 100:
			return "", errPercent
		case in.machine == 0:
			return "", problem("the system does not say how much memory there is: give an amount")
		}
		return in.args[0], nil
	}
	k.assign = func(v *Values, text string) {
		digits, ok := strings.CutSuffix(text, "%")
		if !ok {
			assignBytes(v, text)
			return
		}
		share := saturated(digits)
		*to(v) = v.machine/100*share + v.machine%100*share/100
	}
	k.answer = func(v *Values, text string) string {
		if strings.HasSuffix(text, "%") {
			return strconv.FormatInt(*to(v), 10)
		}
		return text
	}
	return k
}

func memoryLines(name, text, byDefault string) []line {
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return []line{{name + " " + formatMemory(n), text != byDefault}}
	}
	return []line{{name + " " + text, text != byDefault}}
}

// auto is the word for a number that larder is to choose.
const auto = "auto"

// mostAuto is the most threads that auto comes to. Beyond that number nobody has measured anything.
const mostAuto = 16

// threads is a number of threads, or auto: as many as the process may use cores, less one, for the
// runtime's own work and whatever else the machine does. The cores are those of the process' affinity
// mask, or fewer if the control group has a quota, or what GOMAXPROCS says, as Go's runtime has found
// them when the process started. Later it may have been told to use more than there are
// (spareProcessors, in package main). What is written stays auto; the typed field and CONFIG GET, whose
// readers expect a number, say what it came to.
func threads(most int64, to func(*Values) *int64) Kind {
	k := integer(1, most, to)
	number, assign := k.parse, k.assign
	k.Expects += ", or " + auto + ": as many as there are cores, less one, from 1 to " + strconv.Itoa(mostAuto)
	k.parse = func(in input) (string, error) {
		if strings.EqualFold(untilNUL(in.args[0]), auto) {
			return auto, nil
		}
		if _, err := strictInt(in.args[0]); err != nil {
			return "", problem("argument must be " + auto + " or an integer")
		}
		return number(in)
	}
	k.assign = func(v *Values, text string) {
		if text == auto {
			*to(v) = int64(min(max(v.cores-1, 1), mostAuto))
			return
		}
		assign(v, text)
	}
	k.answer = func(v *Values, text string) string {
		if text == auto {
			return strconv.FormatInt(*to(v), 10)
		}
		return text
	}
	return k
}

// enum is one of the words given. Case does not matter.
func enum(to func(*Values) *string, words ...string) Kind {
	parse := func(word string) (string, error) {
		for _, w := range words {
			if strings.EqualFold(w, untilNUL(word)) {
				return w, nil
			}
		}
		return "", errNotOneOf(words)
	}
	return one(strings.Join(words, " | "), parse, assignString(to))
}

// raised is memory of which CONFIG SET makes at least least when it changes it. Redis does not look
// at what is in force already, and neither at files.
func raised(least uint64) Kind {
	k := memory(1, math.MaxInt64, nil)
	checked := k.parse
	k.parse = func(in input) (string, error) {
		text, err := checked(in)
		if n := uint64(saturated(text)); err == nil && !in.start && n < least && text != in.prev {
			text = strconv.FormatUint(least, 10)
		}
		return text, err
	}
	return k
}

// text is any string. CONFIG REWRITE drops it when it is empty and was so by default.
func text(expects string, to func(*Values) *string) Kind {
	return anyText(expects, to, untilNUL)
}

// password is a text that may have a NUL in it, as in Redis only passwords may.
func password(to func(*Values) *string) Kind {
	return secret(anyText("a password", to, func(word string) string { return word }))
}

// secret is a kind whose values neither the slow log, MONITOR nor the log show.
func secret(k Kind) Kind {
	k.secret = true
	return k
}

// untilNUL is what a C program sees of a word.
func untilNUL(word string) string {
	word, _, _ = strings.Cut(word, "\x00")
	return word
}

func anyText(expects string, to func(*Values) *string, seen func(word string) string) Kind {
	k := one(expects, func(word string) (string, error) { return seen(word), nil }, assignString(to))
	k.lines = stringLines
	return k
}

// locale is the name of a locale. Those whose order is not that of bytes are refused like names that the
// system does not know.
func locale() Kind {
	k := text(`"", C, POSIX or C.UTF-8`, nil)
	k.parse = func(in input) (string, error) {
		word := untilNUL(in.args[0])
		if !slices.Contains([]string{"", "C", "POSIX", "C.UTF-8", "C.utf8"}, word) {
			return "", problem("Invalid locale name")
		}
		return word, nil
	}
	return k
}

// baseName is a name without a folder before it. Errors say the parameter's name and what it is the
// name of.
func baseName(parameter, what string, mayBeEmpty bool, to func(*Values) *string) Kind {
	k := text("a name without a folder before it", to)
	k.parse = func(in input) (string, error) {
		name := untilNUL(in.args[0])
		switch {
		case name == "" && !mayBeEmpty:
			return "", problemf("%s can't be empty", parameter)
		case strings.ContainsAny(name, `/\`):
			return "", problemf("%s can't be a path, just a %s", parameter, what)
		}
		return name, nil
	}
	return k
}

func stringLines(name, text, byDefault string) []line {
	if text == "" && byDefault == "" {
		return nil
	}
	return []line{{name + " " + quote(text), text != byDefault}}
}

// only narrows a kind to some of its values, where the others would promise what larder does not
// do.
func only(k Kind, allowed func(text string) bool, expects, refusal string) Kind {
	parse := k.parse
	k.Expects = expects
	k.parse = func(in input) (string, error) {
		text, err := parse(in)
		if err == nil && !allowed(text) {
			err = problem(refusal)
		}
		return text, err
	}
	return k
}

// is makes a condition for only.
func is(want string) func(string) bool {
	return func(text string) bool { return text == want }
}

// nothing is the kind of a parameter that has to stay empty.
func nothing(refusal string) Kind {
	words := Kind{
		multi: true,
		parse: func(in input) (string, error) {
			if in.bare {
				return "", problem("wrong number of arguments")
			}
			return strings.Join(in.args, " "), nil
		},
		lines: stringLines,
	}
	return only(words, is(""), `""`, refusal)
}

func assignInt(to func(*Values) *int64) func(*Values, string) {
	if to == nil {
		return nil
	}
	return func(v *Values, text string) { *to(v) = saturated(text) }
}

func assignString(to func(*Values) *string) func(*Values, string) {
	if to == nil {
		return nil
	}
	return func(v *Values, text string) { *to(v) = text }
}

// saturated reads a canonical integer; what is past the largest int64 becomes the largest int64.
func saturated(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return math.MaxInt64
	}
	return n
}

// strictInt reads an integer as Redis' string2ll: no plus sign, no leading zeros, no space.
func strictInt(word string) (int64, error) {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != word {
		return 0, problem("argument couldn't be parsed into an integer")
	}
	return n, nil
}

func errRange(lo int64, hi uint64) error {
	return problemf("argument must be between %d and %d inclusive", lo, hi)
}

func errNotOneOf(words []string) error {
	return problemf("argument(s) must be one of the following: %s", strings.Join(words, ", "))
}

// bound describes an upper bound to people, for whom the largest integers are no bound.
func bound(hi uint64, text string) string {
	if hi >= math.MaxInt64 {
		return "any size"
	}
	return text
}
