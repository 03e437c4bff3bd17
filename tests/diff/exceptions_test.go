package diff

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/larderkv/larder/tests/harness"
)

// exception is one difference from the oracle that is meant to be.
type exception struct {
	command string // upper case; a container's subcommand after a space
	reason  string
	applies func(args []string, larder, redis harness.Reply) bool // nil: whatever the replies are
}

// exceptions is the whole list. Larder answers as Redis 7.4 does; the oracle is 7.0.15.
var exceptions = []exception{
	{"OBJECT ENCODING", "small sets of strings are listpacks since 7.2; 7.0 has a hashtable", func(_ []string, a, b harness.Reply) bool {
		return a.Text == "listpack" && b.Text == "hashtable"
	}},
	{"OBJECT ENCODING", "short lists are listpacks since 7.2; 7.0 has quicklists", func(_ []string, a, b harness.Reply) bool {
		return a.Text == "listpack" && b.Text == "quicklist"
	}},
	{"LPOS", "the least of all integers is out of range since 7.2", isCountRange},
	{"LREM", "the least of all integers is out of range since 7.2", isCountRange},
	{"HSCAN", "NOVALUES came with 7.4", hasArg("NOVALUES")},
	{"SCAN", "NOVALUES came with 7.4", hasArg("NOVALUES")}, {"SSCAN", "NOVALUES came with 7.4", hasArg("NOVALUES")}, {"ZSCAN", "NOVALUES came with 7.4", hasArg("NOVALUES")},
	{"SCAN", cursors, oddCursor(1)}, {"HSCAN", cursors, oddCursor(2)}, {"SSCAN", cursors, oddCursor(2)}, {"ZSCAN", cursors, oddCursor(2)},
	{"HELLO", "what to do without a password is said more fully since 7.4", func(_ []string, a, b harness.Reply) bool {
		return a.Raw == strings.Replace(b.Raw, "the HELLO AUTH", "the HELLO <proto> AUTH", 1)
	}},
	{"RESTORE", "payloads are always checked in full, here as with sanitize-dump-payload", func(_ []string, a, b harness.Reply) bool {
		return a.Raw == "-ERR Bad data format\r\n" && b.Raw == "+OK\r\n"
	}},
	{"CONFIG SET", "maxmemory-samples is at most 64 since 7.4", func(_ []string, a, b harness.Reply) bool {
		return b.Raw == strings.Replace(a.Raw, "1 and 64 ", "1 and 2147483647 ", 1)
	}},
	{"COMMAND GETKEYS", nameAlone, isNameAlone}, {"COMMAND GETKEYSANDFLAGS", nameAlone, isNameAlone},
	{"CLIENT NO-TOUCH", "came with 7.2", nil},
	{"CLIENT SETINFO", "came with 7.2", nil},
	{"WAITAOF", "came with 7.2", nil},
	{"SORT", staleRange, staleError}, {"SORT_RO", staleRange, staleError},
	{"SORT", untilNUL, elementsWithNUL}, {"SORT_RO", untilNUL, elementsWithNUL},
	{"ZRANK", "WITHSCORE came with 7.2", hasArg("WITHSCORE")},
	{"ZREVRANK", "WITHSCORE came with 7.2", hasArg("WITHSCORE")},
	{"ZADD", shortestDigits, sameNumbers}, {"ZINCRBY", shortestDigits, sameNumbers}, {"ZSCORE", shortestDigits, sameNumbers},
	{"ZMSCORE", shortestDigits, sameNumbers}, {"ZRANGE", shortestDigits, sameNumbers}, {"ZREVRANGE", shortestDigits, sameNumbers},
	{"ZRANGEBYSCORE", shortestDigits, sameNumbers}, {"ZREVRANGEBYSCORE", shortestDigits, sameNumbers},
	{"ZPOPMIN", shortestDigits, sameNumbers}, {"ZPOPMAX", shortestDigits, sameNumbers}, {"ZMPOP", shortestDigits, sameNumbers},
	{"BZPOPMIN", shortestDigits, sameNumbers}, {"BZPOPMAX", shortestDigits, sameNumbers}, {"BZMPOP", shortestDigits, sameNumbers},
	{"ZUNION", shortestDigits, sameNumbers}, {"ZINTER", shortestDigits, sameNumbers}, {"ZDIFF", shortestDigits, sameNumbers},
	{"ZSCAN", shortestDigits, sameNumbers}, {"EXEC", shortestDigits, sameNumbers},
}

const nameAlone = "a command's name alone is looked at since 7.2; 7.0 wants an argument behind it"

func isNameAlone(args []string, _, redis harness.Reply) bool {
	return len(args) == 3 && strings.HasPrefix(redis.Raw, "-ERR wrong number of arguments for 'command|getkeys")
}

const staleRange = "Redis does not reset errno: a number that some command before found out of range makes all numbers so, until errno changes"

const untilNUL = "Redis compares text up to the first NUL unless it stores the result, and says no order of what is equal then"

func elementsWithNUL(_ []string, larder, redis harness.Reply) bool {
	return !larder.IsError() && larder.Kind == redis.Kind && strings.Contains(larder.Raw+redis.Raw, "\x00")
}

const setOrder = "with BY and no asterisk a set comes in the order in which it lies in memory"

// unordered reports whether a SORT says that there is no order.
func unordered(args []string, larder, redis harness.Reply) bool {
	if larder.Kind != '*' || redis.Kind != '*' || len(larder.Elems) != len(redis.Elems) {
		return false
	}
	for i, a := range args[:len(args)-1] {
		if strings.EqualFold(a, "BY") && !strings.Contains(args[i+1], "*") {
			return true
		}
	}
	return false
}

// staleError reports whether Redis, and it alone, finds a number out of range.
func staleError(_ []string, larder, redis harness.Reply) bool {
	return !larder.IsError() && redis.Raw == "-ERR One or more scores can't be converted into double\r\n"
}

const shortestDigits = "scores are printed with the fewest digits that read back as the same number since 7.2; 7.0 prints 17"

// generatedExceptions hold for generated calls alone, where fields and members are doubled at will;
// the scripts have no such differences.
var generatedExceptions = []exception{
	{"SORT", setOrder, unordered}, {"SORT_RO", setOrder, unordered},
	{"OBJECT ENCODING", "Redis' SORT turns a sorted set that it reads into a skiplist", func(_ []string, a, b harness.Reply) bool {
		return a.Text == "listpack" && b.Text == "skiplist"
	}},
	{"OBJECT ENCODING", "since 7.2 the encoding goes by the number of members or fields given, doubled ones counted", func(_ []string, a, b harness.Reply) bool {
		return a.Text == "listpack" && b.Text == "intset" || a.Text == "hashtable" && b.Text == "listpack" || a.Text == "skiplist" && b.Text == "listpack"
	}},
}

func hasArg(word string) func([]string, harness.Reply, harness.Reply) bool {
	return func(args []string, _, _ harness.Reply) bool {
		return slices.ContainsFunc(args, func(a string) bool { return strings.EqualFold(a, word) })
	}
}

func isCountRange(_ []string, larder, _ harness.Reply) bool {
	return larder.Raw == "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n"
}

// sameNumbers reports whether two replies differ in how numbers are printed alone.
func sameNumbers(args []string, a, b harness.Reply) bool {
	if a.Kind != b.Kind || len(a.Elems) != len(b.Elems) {
		return false
	}
	for i := range a.Elems {
		if !sameNumbers(args, a.Elems[i], b.Elems[i]) {
			return false
		}
	}
	if a.Raw == b.Raw || len(a.Elems) > 0 {
		return true
	}
	x, errX := strconv.ParseFloat(a.Text, 64)
	y, errY := strconv.ParseFloat(b.Text, 64)
	return errX == nil && errY == nil && x == y
}

const cursors = "7.4 takes leading space in a cursor, and refuses the empty one and most that are negative"

// oddCursor reports whether just one side refuses the cursor, which it should.
func oddCursor(at int) func([]string, harness.Reply, harness.Reply) bool {
	return func(args []string, larder, redis harness.Reply) bool {
		const refused = "-ERR invalid cursor\r\n"
		if len(args) <= at || larder.Raw != refused && redis.Raw != refused {
			return false
		}
		cursor, _, _ := strings.Cut(args[at], "\x00")
		return cursor == "" || strings.ContainsAny(cursor[:1], " \t\n\v\f\r-")
	}
}

// excused reports whether a difference stands in the table.
func excused(table []exception, args []string, larder, redis harness.Reply) bool {
	if larder.Kind == redis.Kind && (oldRefusals(larder.Raw) == redis.Raw ||
		len(larder.Elems) == 0 && oldRefusals(larder.Text) == redis.Text) {
		return true
	}
	name := strings.ToUpper(args[0])
	sub := name
	if len(args) > 1 {
		sub += " " + strings.ToUpper(args[1])
	}
	return slices.ContainsFunc(table, func(e exception) bool {
		return (e.command == name || e.command == sub) && (e.applies == nil || e.applies(args, larder, redis))
	})
}

// refusals is how a user's refusals were worded before 7.2, longer texts first.
var refusals = []struct {
	now    *regexp.Regexp
	before string
}{
	{regexp.MustCompile(`ACL failure in script: User \S+ has no permissions to run the '[^']*' command`), "The user executing the script can't run this command or subcommand"},
	{regexp.MustCompile(`ACL failure in script: No permissions to access a key`), "The user executing the script can't access at least one of the keys mentioned in the command arguments"},
	{regexp.MustCompile(`ACL failure in script: No permissions to access a channel`), "The user executing the script can't publish to the channel mentioned in the command"},
	{regexp.MustCompile(`NOPERM User \S+ has`), "NOPERM this user has"},
	{regexp.MustCompile(`NOPERM No permissions to access a key`), "NOPERM this user has no permissions to access one of the keys used as arguments"},
	{regexp.MustCompile(`NOPERM No permissions to access a channel`), "NOPERM this user has no permissions to access one of the channels used as arguments"},
	{regexp.MustCompile(`^User \S+ has no permissions`), "This user has no permissions"},
}

// oldRefusals is a reply in the words of 7.0.
func oldRefusals(text string) string {
	for _, r := range refusals {
		text = r.now.ReplaceAllString(text, r.before)
	}
	return text
}

// infoExceptions are facts in COMMAND INFO that changed between 7.0 and 7.4.
var infoExceptions = map[string]bool{
	"wait flags": true, "wait ACL categories": true, // scripts may call it, and it is marked as blocking, 7.2
	"blpop flags": true, "brpop flags": true, "blmove flags": true, "brpoplpush flags": true, // likewise
	"bzpopmin flags": true, "bzpopmax flags": true,
	"zrank arity": true, "zrevrank arity": true, // WITHSCORE, 7.2
	"command|getkeys arity": true, "command|getkeysandflags arity": true, // a name alone is enough, 7.2
}
