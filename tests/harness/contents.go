package harness

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Key names a key of a database.
type Key struct {
	DB   int
	Name string
}

// Value is what a key holds, in a form that does not depend on how a server keeps it.
type Value struct {
	Type     string
	ExpireAt int64  // Unix time in milliseconds, -1 for none
	Data     string // the string; a hash's fields with values or a set's members, sorted, or a list's elements or a sorted set's members with scores, in order, each quoted and on its own line
}

// Contents reads the whole data set of a server, through a connection of its own.
func Contents(t testing.TB, s *Server) map[Key]Value {
	t.Helper()
	c := s.Dial(t)
	defer func() { _ = c.Close() }()
	all := map[Key]Value{}
	for _, db := range usedDatabases(c) {
		c.MustOK("SELECT", strconv.Itoa(db))
		cursor := "0"
		for {
			r := c.Do("SCAN", cursor, "COUNT", "1000")
			if len(r.Elems) != 2 {
				t.Fatalf("%s: SCAN: %v", s.Name, r)
			}
			readKeys(t, c, db, r.Elems[1].Strings(), all)
			if cursor = r.Elems[0].Text; cursor == "0" {
				break
			}
		}
	}
	return all
}

// usedDatabases are those that INFO lists.
func usedDatabases(c *Conn) []int {
	var used []int
	for line := range strings.Lines(c.Do("INFO", "keyspace").Text) {
		if rest, ok := strings.CutPrefix(line, "db"); ok {
			number, _, _ := strings.Cut(rest, ":")
			if db, err := strconv.Atoi(number); err == nil {
				used = append(used, db)
			}
		}
	}
	return used
}

// readKeys adds the values of the named keys; those that expire meanwhile are left out.
func readKeys(t testing.TB, c *Conn, db int, names []string, all map[Key]Value) {
	t.Helper()
	var ask strings.Builder
	for _, name := range names {
		ask.WriteString(Encode("TYPE", name) + Encode("PEXPIRETIME", name))
	}
	c.WriteRaw(ask.String())
	values := make([]Value, len(names))
	ask.Reset()
	for i, name := range names {
		values[i].Type = c.Read().Text
		at, ok := c.Read().Int()
		if !ok {
			t.Fatalf("PEXPIRETIME %.60q is no number", name)
		}
		values[i].ExpireAt = at
		switch values[i].Type {
		case "string":
			ask.WriteString(Encode("GET", name))
		case "hash":
			ask.WriteString(Encode("HGETALL", name))
		case "set":
			ask.WriteString(Encode("SMEMBERS", name))
		case "list":
			ask.WriteString(Encode("LRANGE", name, "0", "-1"))
		case "zset":
			ask.WriteString(Encode("ZRANGE", name, "0", "-1", "WITHSCORES"))
		case "none":
			ask.WriteString(Encode("PING"))
		default:
			t.Fatalf("%.60q is a %s", name, values[i].Type)
		}
	}
	c.WriteRaw(ask.String())
	for i, name := range names {
		r := c.Read()
		v := values[i]
		if v.Type == "string" {
			v.Data = r.Text
		} else {
			v.Hold(r.Strings())
		}
		if v.Type == "none" || r.IsNull() || v.Type != "string" && len(r.Elems) == 0 {
			continue
		}
		all[Key{db, name}] = v
	}
}

// Hold gives a value what it holds, in texts as the command that reads its type replies them.
func (v *Value) Hold(texts []string) {
	switch v.Type {
	case "string":
		v.Data = texts[0]
	case "hash":
		v.Data = sortedItems(texts, 2)
	case "set":
		v.Data = sortedItems(texts, 1)
	case "list":
		v.Data = inOrder(texts)
	case "zset":
		v.Data = scoredItems(texts)
	}
}

// inOrder writes one element to a line.
func inOrder(texts []string) string {
	lines := make([]string, 0, len(texts))
	for _, text := range texts {
		lines = append(lines, quoted(text))
	}
	return strings.Join(lines, "\n")
}

// scoredItems writes one member with its score to a line, in order. Versions of Redis print scores
// with different digits.
func scoredItems(texts []string) string {
	lines := make([]string, 0, len(texts)/2)
	for pair := range slices.Chunk(texts, 2) {
		lines = append(lines, quoted(pair[0])+" "+SameScore(pair[1]))
	}
	return strings.Join(lines, "\n")
}

// SameScore prints a score in the one form that all servers' prints of it have in common.
func SameScore(text string) string {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	if f == 0 { // small sorted sets lose the sign, and which are small is up to the configuration
		return "0"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// sortedItems writes one element (of group texts) to a line.
func sortedItems(texts []string, group int) string {
	lines := make([]string, 0, len(texts)/group)
	for i := 0; i+group <= len(texts); i += group {
		line := quoted(texts[i])
		for _, text := range texts[i+1 : i+group] {
			line += " " + quoted(text)
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// quoted is strconv.Quote, which most texts of tests do not need.
func quoted(s string) string {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return strconv.Quote(s)
		}
	}
	return `"` + s + `"`
}

// SameContents fails the test when two data sets differ, and shows the first differences.
func SameContents(t testing.TB, what string, want, got map[Key]Value) {
	t.Helper()
	var differences []string
	for k, w := range want {
		g, ok := got[k]
		switch {
		case !ok:
			differences = append(differences, fmt.Sprintf("db%d %.80q (%s) is missing", k.DB, k.Name, w.Type))
		case g != w:
			differences = append(differences, fmt.Sprintf("db%d %.80q:\n    want %v\n    got  %v", k.DB, k.Name, w, g))
		}
	}
	for k, g := range got {
		if _, ok := want[k]; !ok {
			differences = append(differences, fmt.Sprintf("db%d %.80q is too many: %v", k.DB, k.Name, g))
		}
	}
	if len(differences) == 0 {
		return
	}
	slices.Sort(differences)
	const most = 8
	t.Errorf("%s: %d of %d keys differ:\n  %s", what, len(differences), len(want), strings.Join(differences[:min(most, len(differences))], "\n  "))
}

// String shows a value for a message, shortened.
func (v Value) String() string {
	return fmt.Sprintf("%s of %d bytes, expires at %d: %.120q", v.Type, len(v.Data), v.ExpireAt, v.Data)
}

// Info is a field of INFO, "" if it is not there.
func (c *Conn) Info(section, field string) string {
	c.t.Helper()
	for line := range strings.Lines(c.Do("INFO", section).Text) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimRight(value, "\r\n")
		}
	}
	return ""
}

// InfoInt is a field of INFO that is a whole number.
func (c *Conn) InfoInt(section, field string) int64 {
	c.t.Helper()
	n, err := strconv.ParseInt(c.Info(section, field), 10, 64)
	if err != nil {
		c.t.Fatalf("%s: %s: %v", c.name, field, err)
	}
	return n
}

// BackgroundWork starts BGSAVE or BGREWRITEAOF and returns when it has succeeded.
func (c *Conn) BackgroundWork(command string) {
	c.t.Helper()
	if r := c.Do(command); r.IsError() {
		c.t.Fatalf("%s: %s: %v", c.name, command, r)
	}
	c.WaitBackgroundWork()
}

// WaitBackgroundWork returns when neither a snapshot nor a rewrite of the log runs or waits to, and
// fails the test if the last one failed.
func (c *Conn) WaitBackgroundWork() {
	c.t.Helper()
	Eventually(c.t, startDeadline, "the background work ends", func() bool {
		info := c.Do("INFO", "persistence").Text
		for _, busy := range []string{"rdb_bgsave_in_progress:1", "aof_rewrite_in_progress:1", "aof_rewrite_scheduled:1"} {
			if strings.Contains(info, busy) {
				return false
			}
		}
		for _, status := range []string{"rdb_last_bgsave_status", "aof_last_bgrewrite_status"} {
			if !strings.Contains(info, status+":ok") {
				c.t.Fatalf("%s: the background work failed:\n%s", c.name, info)
			}
		}
		return true
	})
}
