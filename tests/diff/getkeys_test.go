package diff

import (
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// TestGetkeysOfEveryCommand asks both servers for the keys of requests of every command, with too
// few arguments, with enough and with many. Since 7.2 a name alone is a request as well; 7.0, which
// wants two words, is asked there with one more.
func TestGetkeysOfEveryCommand(t *testing.T) {
	larder, redis := harness.Start(t).Dial(t), harness.StartRedis(t).Dial(t)
	d := duel{larder, redis}
	known := commandInfo(redis)
	names := slices.DeleteFunc(commandNames(t, larder), func(name string) bool {
		_, ok := known[name]
		return !ok // came after 7.0
	})
	for _, name := range append(names, "nosuch", "client|nosuch", "get|a") {
		words := strings.Split(name, "|")
		for _, arg := range []string{"1", "k", "0", "-1", "STORE", "LEFT", "nan"} {
			for n := range 7 {
				request := slices.Clone(words)
				for range n {
					request = append(request, arg)
				}
				for _, how := range []string{"GETKEYS", "GETKEYSANDFLAGS"} {
					compareKeysOf(t, d, name, append([]string{"COMMAND", how}, request...))
				}
			}
		}
	}
}

// isKey reports whether a key specification of COMMAND INFO means keys, not channels.
func isKey(spec harness.Reply) bool {
	return !slices.ContainsFunc(spec.Elems[1].Elems, func(flag harness.Reply) bool { return flag.Text == "not_key" })
}

func compareKeysOf(t *testing.T, d duel, name string, call []string) {
	t.Helper()
	const least = 4 // words that 7.0 wants
	if len(call) < least {
		a := d.larder.Do(call...)
		info := d.redis.Do("COMMAND", "INFO", name).Elems
		want := "ERR Invalid number of arguments specified for command"
		switch {
		case len(info) == 0 || info[0].IsNull():
			want = "ERR Invalid command specified"
		case !slices.ContainsFunc(info[0].Elems[8].Elems, isKey):
			want = "ERR The command has no key arguments"
		}
		if a.Text != want {
			t.Errorf("%s\n  larder %v\n  want   %s", show(call), a, want)
		}
		return
	}
	if infoExceptions[name+" arity"] && len(call) > 5 { // they take more since 7.2
		return
	}
	if a, b := d.do(call); a.Raw != b.Raw {
		t.Errorf("%s\n  larder %v\n  redis  %v", show(call), a, b)
	}
}
