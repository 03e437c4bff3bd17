package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The kinds of parameters about saving.

// savePoints is the value of save: pairs of seconds and changes. In a file each directive adds a
// pair, after the first has replaced the default. Without pairs it adds none, and with "" takes all
// away.
func savePoints(to func(*Values) *[]SavePoint) Kind {
	return Kind{
		Expects: `pairs of <seconds> <changes>, or ""`,
		multi:   true,
		parse: func(in input) (string, error) {
			words := in.args
			for i := range words {
				words[i] = untilNUL(words[i])
			}
			if len(words) == 1 && words[0] == "" {
				words = nil
			}
			points, err := parseSavePoints(words)
			if err != nil {
				return "", err
			}
			if in.start && in.again && (len(points) > 0 || in.bare) {
				points = slices.Concat(readSavePoints(in.prev), points)
			}
			return formatSavePoints(points), nil
		},
		assign: func(v *Values, text string) { *to(v) = readSavePoints(text) },
		lines: func(name, text, _ string) []line {
			points := readSavePoints(text)
			if len(points) == 0 {
				return []line{{name + ` ""`, true}}
			}
			var ls []line
			for _, p := range points {
				ls = append(ls, line{fmt.Sprintf("%s %d %d", name, p.Seconds, p.Changes), true})
			}
			return ls
		},
	}
}

func parseSavePoints(words []string) ([]SavePoint, error) {
	const invalid = problem("Invalid save parameters")
	if len(words)%2 != 0 {
		return nil, invalid
	}
	var points []SavePoint
	for pair := range slices.Chunk(words, 2) {
		seconds, err := strconv.ParseInt(strings.TrimLeft(pair[0], "\t\n\v\f\r"), 10, 64)
		if err != nil || seconds < 1 {
			return nil, invalid
		}
		changes, err := strconv.ParseInt(strings.TrimLeft(pair[1], "\t\n\v\f\r"), 10, 64)
		if err != nil && pair[1] != "" || changes < 0 { // C reads 0 where there is nothing
			return nil, invalid
		}
		points = append(points, SavePoint{seconds, changes})
	}
	return points, nil
}

func formatSavePoints(points []SavePoint) string {
	var words []string
	for _, p := range points {
		words = append(words, strconv.FormatInt(p.Seconds, 10), strconv.FormatInt(p.Changes, 10))
	}
	return strings.Join(words, " ")
}

// readSavePoints reads what formatSavePoints wrote. "" is none.
func readSavePoints(text string) []SavePoint {
	var points []SavePoint
	for pair := range slices.Chunk(strings.Fields(text), 2) {
		points = append(points, SavePoint{saturated(pair[0]), saturated(pair[1])})
	}
	return points
}

// shutdownFlags is the value of shutdown-on-sigterm and shutdown-on-sigint: words in any order,
// which CONFIG GET says in one order. default is none of the others, and adds nothing to them.
func shutdownFlags(to func(*Values) *ShutdownFlags) Kind {
	words := []string{"default", "save", "nosave", "now", "force"}
	return Kind{
		Expects: "default, or one or more of " + strings.Join(words[1:], ", "),
		multi:   true,
		parse: func(in input) (string, error) {
			var asked ShutdownFlags
			for _, arg := range in.args {
				word := strings.ToLower(arg)
				if !slices.Contains(words, word) {
					return "", errNotOneOf(words)
				}
				asked.set(word)
			}
			switch {
			case len(in.args) == 0:
				return "", errNotOneOf(words)
			case asked.Save && asked.NoSave:
				return "", problem("shutdown options SAVE and NOSAVE can't be used simultaneously")
			}
			return asked.String(), nil
		},
		assign: func(v *Values, text string) {
			var asked ShutdownFlags
			for _, word := range strings.Fields(text) {
				asked.set(word)
			}
			*to(v) = asked
		},
	}
}
