package config

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// The kinds whose value is a list, or whose check looks at the system.

// addresses is the value of bind.
func addresses(to func(*Values) *[]string) Kind {
	const most = 16
	return Kind{
		Expects: fmt.Sprintf("at most %d addresses; * is all; a leading - means: skip it if it is not available", most),
		multi:   true,
		parse: func(in input) (string, error) {
			if len(in.args) > most {
				return "", problem("Too many bind addresses specified.")
			}
			return strings.TrimSpace(strings.Join(in.args, " ")), nil
		},
		assign: func(v *Values, text string) { *to(v) = strings.Fields(text) },
		lines: func(name, text, byDefault string) []line {
			if text == byDefault {
				return nil
			}
			return []line{{name + " " + orQuotes(text), true}}
		},
	}
}

// The names of the classes of clients: as CONFIG GET says them, and as files have them.
func classNames() [ClassCount]string  { return [...]string{"normal", "slave", "pubsub"} }
func classInFile() [ClassCount]string { return [...]string{"normal", "replica", "pubsub"} }

// outputLimits is the value of client-output-buffer-limit: groups of <class> <hard> <soft>
// <seconds>. Classes that are not named keep their limits.
func outputLimits(to func(*Values) *[ClassCount]OutputLimit) Kind {
	return Kind{
		Expects: "groups of <normal|replica|pubsub> <hard limit> <soft limit> <soft seconds>",
		multi:   true,
		parse: func(in input) (string, error) {
			none := len(in.args) == 0 && in.start && !in.bare // "" is no group in CONFIG SET alone
			if len(in.args)%4 != 0 || none {
				return "", problem("Wrong number of arguments in buffer limit configuration.")
			}
			limits := readOutputLimits(in.prev)
			for group := range slices.Chunk(in.args, 4) {
				if err := setOutputLimit(&limits, group); err != nil {
					return "", err
				}
			}
			return formatOutputLimits(limits), nil
		},
		assign: func(v *Values, text string) { *to(v) = readOutputLimits(text) },
		lines: func(name, text, byDefault string) []line {
			var ls []line
			usual := readOutputLimits(byDefault)
			for i, l := range readOutputLimits(text) {
				ls = append(ls, line{fmt.Sprintf("%s %s %s %s %d", name, classInFile()[i],
					formatMemory(uint64(l.Hard)), formatMemory(uint64(l.Soft)), l.SoftSeconds), l != usual[i]})
			}
			return ls
		},
	}
}

// setOutputLimit reads one group into its class.
func setOutputLimit(limits *[ClassCount]OutputLimit, group []string) error {
	class := strings.ToLower(group[0])
	for i, name := range classNames() {
		if class != name && class != classInFile()[i] {
			continue
		}
		hard, hardOK := ParseMemory(group[1])
		soft, softOK := ParseMemory(group[2])
		seconds, err := strconv.ParseInt(group[3], 10, 32)
		if !hardOK || !softOK || err != nil || seconds < 0 {
			return problem("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
		}
		limits[i] = OutputLimit{saturated(strconv.FormatUint(hard, 10)),
			saturated(strconv.FormatUint(soft, 10)), seconds}
		return nil
	}
	return problem("Invalid client class specified in buffer limit configuration.")
}

func formatOutputLimits(limits [ClassCount]OutputLimit) string {
	var groups []string
	for i, l := range limits {
		groups = append(groups, fmt.Sprintf("%s %d %d %d", classNames()[i], l.Hard, l.Soft, l.SoftSeconds))
	}
	return strings.Join(groups, " ")
}

// readOutputLimits reads what formatOutputLimits wrote. "" is no limits at all.
func readOutputLimits(text string) (limits [ClassCount]OutputLimit) {
	for i, group := range slices.Collect(slices.Chunk(strings.Fields(text), 4)) {
		seconds := saturated(group[3])
		limits[i] = OutputLimit{saturated(group[1]), saturated(group[2]), seconds}
	}
	return limits
}

// scores is the value of oom-score-adj-values.
func scores() Kind {
	return Kind{
		Expects: "three integers from -2000 to 2000",
		multi:   true,
		parse: func(in input) (string, error) {
			if len(in.args) != 3 {
				return "", problem("wrong number of arguments")
			}
			for _, w := range in.args {
				n, err := strconv.ParseInt(w, 10, 64)
				if err != nil || n < -2000 || n > 2000 {
					return "", problem("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
				}
			}
			return strings.Join(in.args, " "), nil
		},
	}
}

// percentiles is the value of latency-tracking-info-percentiles.
func percentiles(to func(*Values) *[]string) Kind {
	return Kind{
		Expects: `numbers from 0 to 100, or ""`,
		multi:   true,
		parse: func(in input) (string, error) {
			words := in.args
			if len(words) == 1 && words[0] == "" {
				words = nil
			}
			said := make([]string, len(words))
			for i, w := range words {
				p, ok := cNumber(w)
				if !ok {
					return "", problem("Invalid latency-tracking-info-percentiles parameters")
				}
				if p < 0 || p > 100 {
					return "", problem("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
				}
				said[i] = strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(p, 'f', 6, 64), "0"), ".")
			}
			return strings.Join(said, " "), nil
		},
		assign: func(v *Values, text string) { *to(v) = strings.Fields(text) },
		lines: func(name, text, byDefault string) []line {
			return []line{{name + " " + orQuotes(text), text != byDefault}}
		},
	}
}

// cNumber reads a number as C's strtod does: hexadecimal ones need no exponent. NaN is none.
func cNumber(word string) (n float64, ok bool) {
	lower := strings.ToLower(word)
	if strings.HasPrefix(strings.TrimLeft(lower, "+-"), "0x") && !strings.Contains(lower, "p") {
		word += "p0"
	}
	n, err := strconv.ParseFloat(word, 64)
	return n, (err == nil || errors.Is(err, strconv.ErrRange)) && !math.IsNaN(n)
}

// titleTemplate is the value of proc-title-template: text with variables in braces, {{ being a
// brace. One of which nothing is left in an ordinary server is refused.
func titleTemplate() Kind {
	k := text("a template", nil)
	k.parse = func(in input) (string, error) {
		template := untilNUL(in.args[0])
		if !validTemplate(template) {
			return "", problem("template format is invalid or contains unknown variables")
		}
		return template, nil
	}
	return k
}

func validTemplate(template string) bool {
	shown := ""
	for template != "" {
		text, rest, open := strings.Cut(template, "{")
		shown += text
		if !open {
			break
		}
		if after, brace := strings.CutPrefix(rest, "{"); brace {
			shown, template = shown+"{", after
			continue
		}
		name, after, closed := strings.Cut(rest, "}")
		switch {
		case !closed:
			return false
		case name == "listen-addr" || name == "port" || name == "tls-port" ||
			name == "unixsocket" || name == "config-file":
			shown += name
		case name != "title" && name != "server-mode":
			return false
		}
		template = after
	}
	return strings.Trim(shown, " ") != ""
}

// folder is an existing folder, kept as an absolute name. Like Redis, a rewritten file always names
// it.
func folder(to func(*Values) *string) Kind {
	return Kind{
		Expects: "an existing folder",
		parse: func(in input) (string, error) {
			name := untilNUL(in.args[0])
			if name == "" {
				return "", problem(SystemText(syscall.ENOENT))
			}
			if !filepath.IsAbs(name) {
				name = filepath.Join(in.dir, name)
			}
			name = filepath.Clean(name)
			info, err := os.Stat(name)
			switch {
			case err != nil:
				return "", problem(SystemText(err))
			case !info.IsDir():
				return "", problem(SystemText(syscall.ENOTDIR))
			}
			return name, nil
		},
		assign: assignString(to),
		lines:  func(name, text, _ string) []line { return []line{{name + " " + quote(text), true}} },
	}
}

// orQuotes gives "" its quotes.
func orQuotes(text string) string {
	if text == "" {
		return `""`
	}
	return text
}
