package top

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"github.com/larderkv/larder/cmd/client"
)

// view is a table and the key that shows it.
type view struct {
	key, title string
	columns    []column // the first is what a row is about
	first      int      // the column that is sorted by, until the user says otherwise
	ask        []any    // the command that has the rows; nil if they are in INFO
	rows       func(s span) []row
	nothing    string // what to say without rows
	missing    string // what to say to a server that does not know the command
}

// overviewKey shows the overview, which is no table.
const overviewKey = "1"

func views() []view {
	return []view{commandsView(), prefixesView(), hotKeysView(), slowLogView(), clientsView()}
}

func commandsView() view {
	return view{
		key: "2", title: "Commands", first: 4,
		columns: []column{
			{title: "COMMAND", text: true}, {title: "CALLS/S", width: 8}, {title: "CALLS", width: 8}, {title: "TIME/S", width: 7},
			{title: "TIME%", width: 6}, {title: "MEAN", width: 7}, {title: "P50", width: 7}, {title: "P99", width: 7},
			{title: "P99.9", width: 7}, {title: "FAILED", width: 7}, {title: "REJECTED", width: 9},
		},
		rows:    commandRows,
		nothing: "No command has been called yet.",
	}
}

func commandRows(s span) []row {
	all := s.commands()
	var total float64
	for _, c := range all {
		if c.newUsec > 0 {
			total += c.newUsec
		}
	}
	var rows []row
	for _, c := range all {
		perSecond := math.NaN()
		if s.before != nil {
			perSecond = c.newUsec / s.seconds()
		}
		mean := c.average
		if math.IsNaN(mean) { // not called just now
			mean = c.usec / c.calls
		}
		rows = append(rows, row{
			words(c.name), figure(c.perSecond, count), figure(c.calls, count), figure(perSecond, micros),
			figure(share(c.newUsec, total-c.newUsec), percent), figure(mean, micros),
			figure(c.p50, micros), figure(c.p99, micros), figure(c.p999, micros), figure(c.failed, count), figure(c.rejected, count),
		})
	}
	return rows
}

func prefixesView() view {
	return view{
		key: "3", title: "Prefixes", first: 1, ask: []any{"CACHE.STATS"},
		columns: []column{
			{title: "PREFIX", text: true}, {title: "READS/S", width: 8}, {title: "HIT NOW", width: 8}, {title: "HIT ALL", width: 8},
			{title: "BYTES", width: 8}, {title: "KEYS", width: 7}, {title: "SETS/S", width: 7}, {title: "TTL", width: 8},
			{title: "EVICTED", width: 8}, {title: "EXPIRED", width: 8}, {title: "MISSES", width: 7},
		},
		rows:    prefixRows,
		nothing: "No key has been read or written yet.",
		missing: "This server counts nothing by prefix: CACHE.STATS is a command of larder.",
	}
}

// prefixName tells the row of all other prefixes from a prefix of that name, and shows the one of keys
// without a delimiter.
func prefixName(f map[string]any) string {
	name := fmt.Sprint(f["prefix"])
	switch {
	case name == "":
		return "(none)"
	case client.Figure(f["tracked"]) == 1 && strings.HasPrefix(name, "("):
		return `"` + name + `"`
	}
	return name
}

func prefixRows(s span) []row {
	before := map[string]map[string]any{}
	if s.comparable() {
		for _, reply := range array(s.before.reply) {
			f := client.Fields(reply)
			before[prefixName(f)] = f
		}
	}
	var rows []row
	for _, reply := range array(s.now.reply) {
		f := client.Fields(reply)
		was, known := before[prefixName(f)]
		more := func(name string) float64 {
			if !known {
				return math.NaN()
			}
			return grown(client.Figure(was[name]), client.Figure(f[name]))
		}
		seconds := math.NaN()
		if known {
			seconds = s.seconds()
		}
		hits, misses, ttl := client.Figure(f["hits"]), client.Figure(f["misses"]), client.Figure(f["avg_ttl"])
		left := figure(ttl/1000, age)
		if ttl == 0 {
			left = cell{unknownText, math.NaN()}
		}
		rows = append(rows, row{
			words(prefixName(f)), figure((more("hits")+more("misses"))/seconds, count),
			figure(share(more("hits"), more("misses")), percent), figure(share(hits, misses), percent),
			figure(client.Figure(f["bytes"]), bytes), figure(client.Figure(f["keys"]), count), figure(more("sets")/seconds, count), left,
			figure(client.Figure(f["evicted"]), count), figure(client.Figure(f["expired"]), count), figure(misses, count),
		})
	}
	return rows
}

// comparable reports whether both readings have rows of the same view.
func (s span) comparable() bool {
	return s.before != nil && s.before.view == s.now.view && s.before.refused == nil
}

func hotKeysView() view {
	return view{
		key: "4", title: "Hot keys", first: 1, ask: []any{"HOTKEYS", "GET"},
		columns: []column{
			{title: "KEY", text: true}, {title: "ACCESSES/S", width: 11}, {title: "± AT MOST", width: 10}, {title: "SHARE", width: 7}, {title: "DB", width: 5},
		},
		rows:    hotRows,
		nothing: "No key is hot: none was accessed often in the last ten seconds, or hotkeys is no.",
		missing: "This server does not know its hot keys: HOTKEYS GET is not among its commands.",
	}
}

func hotRows(s span) []row {
	var rows []row
	for _, reply := range array(s.now.reply) {
		f := client.Fields(reply)
		rate, off := client.Figure(f["rate"]), math.NaN()
		if accesses := client.Figure(f["accesses"]); accesses > 0 {
			off = rate / accesses * client.Figure(f["error"])
		}
		rows = append(rows, row{
			words(fmt.Sprint(f["key"])), figure(rate, count), figure(off, count), figure(100*client.Figure(f["share"]), percent), figure(client.Figure(f["db"]), whole),
		})
	}
	return rows
}

func slowLogView() view {
	return view{
		key: "5", title: "Slow log", first: 1, ask: []any{"SLOWLOG", "GET", "128"},
		columns: []column{
			{title: "COMMAND", text: true, least: 40}, {title: "TIME", width: 8}, {title: "WHEN", width: 14, text: true},
			{title: "CLIENT", width: 21, text: true}, {title: "NAME", width: 12, text: true},
		},
		rows:    slowRows,
		nothing: "No command was slow (CONFIG SET slowlog-log-slower-than says what is).",
	}
}

func slowRows(s span) []row {
	var rows []row
	for _, reply := range array(s.now.reply) {
		e := array(reply)
		if len(e) < 4 {
			continue
		}
		var args []string
		for _, arg := range array(e[3]) {
			args = append(args, name(fmt.Sprint(arg)))
		}
		r := row{{text: strings.Join(args, " ")}, figure(client.Figure(e[2]), micros), {text: clock(int64(client.Figure(e[1])), s.now.at)}, {}, {}}
		if len(e) > 5 {
			r[3], r[4] = words(fmt.Sprint(e[4])), words(fmt.Sprint(e[5]))
		}
		rows = append(rows, r)
	}
	return rows
}

func clientsView() view {
	return view{
		key: "6", title: "Clients", first: 1, ask: []any{"CLIENT", "LIST"},
		columns: []column{
			{title: "ADDRESS", text: true}, {title: "MEMORY", width: 8}, {title: "IDLE", width: 8}, {title: "AGE", width: 8},
			{title: "COMMAND", width: 14, text: true}, {title: "NAME", width: 10, text: true}, {title: "USER", width: 8, text: true},
			{title: "DB", width: 3}, {title: "REPLIES", width: 8}, {title: "FLAGS", width: 5, text: true}, {title: "ID", width: 7},
		},
		rows:    clientRows,
		nothing: "Nobody is connected.",
	}
}

func clientRows(s span) []row {
	text, _ := s.now.reply.(string)
	var rows []row
	for line := range strings.Lines(text) {
		f := map[string]string{}
		for pair := range strings.SplitSeq(strings.TrimRight(line, "\r\n"), " ") {
			name, value, _ := strings.Cut(pair, "=")
			f[name] = value
		}
		rows = append(rows, row{
			words(cmp.Or(f["addr"], unknownText)), figure(client.Number(f["tot-mem"]), bytes), figure(client.Number(f["idle"]), age), figure(client.Number(f["age"]), age),
			words(strings.ReplaceAll(f["cmd"], "|", " ")), words(f["name"]), words(f["user"]),
			figure(client.Number(f["db"]), whole), figure(client.Number(f["omem"]), bytes), words(f["flags"]), figure(client.Number(f["id"]), whole),
		})
	}
	return rows
}
