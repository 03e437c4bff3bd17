package config

import "strings"

// The letters of notify-keyspace-events. K and E choose the channels, the others what is published.
// A stands for all letters of allEvents. t and d are the events of streams and modules, of which
// larder has neither.
const (
	allEvents   = "g$lshzxetd"
	eventOrder  = allEvents + "n" + "KE" + "m" // in the order in which CONFIG GET says them
	eventsError = "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."
)

// events is the value of notify-keyspace-events. The typed field has no A: each class is named. What
// is written to a file has one, and an n beside it if there is one, which CONFIG GET leaves out as
// in Redis.
func events(to func(*Values) *string) Kind {
	return Kind{
		Expects: "letters of " + eventOrder + ", or A for " + allEvents,
		parse: func(in input) (string, error) {
			letters := strings.ReplaceAll(untilNUL(in.args[0]), "A", allEvents)
			if strings.Trim(letters, eventOrder) != "" {
				return "", problem(eventsError)
			}
			return withA(inOrder(letters)), nil
		},
		assign: func(v *Values, text string) { *to(v) = strings.Replace(text, "A", allEvents, 1) },
		answer: func(_ *Values, text string) string {
			if strings.HasPrefix(text, "A") {
				return strings.Replace(text, "n", "", 1)
			}
			return text
		},
		lines: func(name, text, _ string) []line { return []line{{name + " " + quote(text), text != ""}} },
	}
}

// inOrder is each of the letters once.
func inOrder(letters string) (ordered string) {
	for _, c := range eventOrder {
		if strings.ContainsRune(letters, c) {
			ordered += string(c)
		}
	}
	return ordered
}

// withA shortens letters in order.
func withA(letters string) string {
	if rest, all := strings.CutPrefix(letters, allEvents); all {
		return "A" + rest
	}
	return letters
}
