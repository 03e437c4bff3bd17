package commands

import (
	"strings"
	"testing"
	"time"
)

// INFO keyspace tells how long keys live, also from inside a transaction, where
// all shards are locked already.
func TestInfoKeyspace(t *testing.T) {
	c := newTestClient(t)
	c.expect("SET a 1 EX 100", "+OK")
	c.expect("SET b 1 EX 300", "+OK")
	c.expect("SET c 1", "+OK")
	const want = "db0:keys=3,expires=2,avg_ttl=200000,subexpiry=0"
	if got := c.do("INFO", "keyspace"); !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := string(c.send([]byte("MULTI\r\nINFO keyspace\r\nEXEC\r\n"))); !strings.Contains(got, want) {
		t.Errorf("in a transaction: got %s, want %s", got, want)
	}
	c.now = c.now.Add(time.Minute)
	if got := c.do("INFO", "keyspace"); !strings.Contains(got, "avg_ttl=140000") {
		t.Errorf("a minute later: got %s", got)
	}
}

// Every line of INFO is a header, a field or empty, and no field comes twice.
func TestInfoIsWellFormed(t *testing.T) {
	c := newTestClient(t)
	c.send([]byte("SET a 1\r\nGET a\r\nNOSUCH\r\n"))
	seen := map[string]bool{}
	text := string(c.send([]byte("INFO everything\r\n")))
	_, body, _ := strings.Cut(text, "\r\n")
	for line := range strings.SplitSeq(strings.TrimSuffix(body, "\r\n"), "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		switch {
		case line == "" || strings.HasPrefix(line, "# "):
		case !ok || strings.ContainsAny(value, "\r\n") || seen[name]:
			t.Errorf("line %q", line)
		}
		seen[name] = ok
	}
}

// Inside EXEC, CLIENT INFO shows the transaction that is running.
func TestClientInfoInExec(t *testing.T) {
	c := newTestClient(t)
	got := string(c.send([]byte("MULTI\r\nCLIENT INFO\r\nEXEC\r\n")))
	if !strings.Contains(got, " flags=x ") || !strings.Contains(got, " multi=1 ") {
		t.Errorf("in EXEC: %s", got)
	}
	if got := c.do("CLIENT", "INFO"); !strings.Contains(got, " flags=N ") || !strings.Contains(got, " multi=-1 ") {
		t.Errorf("after EXEC: %s", got)
	}
}
