package commands

import (
	"bytes"
	"runtime"
	"testing"
	"time"
)

// TestNoAllocations holds for the commands that a cache lives on.
func TestNoAllocations(t *testing.T) {
	c := newTestClient(t)
	var batch []byte
	for _, words := range [][]string{
		{"SET", "k", "value"}, {"GET", "k"}, {"GET", "none"}, {"SET", "k", "value", "EX", "10"}, {"SET", "k", "value", "NX"},
		{"SET", "k", "other", "KEEPTTL", "GET"}, {"SETEX", "k", "10", "value"}, {"SETNX", "k", "value"}, {"GETEX", "k", "PX", "5000"},
		{"EXPIRE", "k", "100"}, {"EXPIRE", "k", "200", "GT"}, {"TTL", "k"}, {"PERSIST", "k"}, {"EXISTS", "k", "none"}, {"TYPE", "k"},
		{"INCR", "n"}, {"INCRBY", "n", "5"}, {"DECR", "n"}, {"INCRBYFLOAT", "f", "0.25"}, {"APPEND", "n", ""}, {"GETRANGE", "k", "0", "2"}, {"STRLEN", "k"},
		{"MGET", "k", "n", "f"}, {"MSET", "a", "1", "b", "2"}, {"DEL", "a", "b"},
	} {
		batch = append(batch, encode(words)...)
	}
	for range 10 {
		c.send(batch) // buffers and tables take their sizes
	}
	if n := testing.AllocsPerRun(100, func() { c.send(batch) }); n > 0 && !raceEnabled {
		t.Errorf("%v allocations in a batch", n)
	}
}

func TestExpiryByTheClock(t *testing.T) {
	c := newTestClient(t)
	c.expect("SET k v PX 1000", "+OK")
	c.expect("PTTL k", ":1000")
	c.now = c.now.Add(501 * time.Millisecond)
	c.expect("TTL k", ":0") // 499 ms, rounded
	c.expect("PTTL k", ":499")
	c.expect("APPEND k w", ":2")
	c.expect("PTTL k", ":499")
	c.now = c.now.Add(499 * time.Millisecond)
	c.expect("GET k", "nil")
	c.expect("TTL k", ":-2")
	c.expect("SET k x XX", "nil")
	c.expect("SET k x KEEPTTL", "+OK")
	c.expect("TTL k", ":-1")
	c.expect("SETEX n 1 5", "+OK")
	c.now = c.now.Add(time.Second)
	c.expect("INCR n", ":1")
	c.expect("TTL n", ":-1")
	c.expect("SET k v EX 10", "+OK")
	c.expect("GETEX k PX 1", `"v"`)
	c.now = c.now.Add(time.Millisecond)
	c.expect("RENAME k l", "-ERR no such key")
	c.expect("SETNX k w", ":1")
}

// TestRESP3 has the replies that differ from RESP2.
func TestRESP3(t *testing.T) {
	c := newTestClient(t)
	c.send(encode([]string{"HELLO", "3"}))
	c.expect("GET none", "nil")
	if got := string(c.send(encode([]string{"GET", "none"}))); got != "_\r\n" {
		t.Errorf("null is %q", got)
	}
	c.expect("MSET a xyz b xyz", "+OK")
	c.expect("LCS a b IDX", `%["matches" [[[:0 :2] [:0 :2]]] "len" :3]`)
	c.expect("MGET a none", `["xyz" nil]`)
}

// TestMaxLength builds strings up to proto-max-bulk-len and no further.
func TestMaxLength(t *testing.T) {
	c := newTestClient(t)
	c.expect("CONFIG SET proto-max-bulk-len 1mb", "+OK")
	half := bytes.Repeat([]byte("x"), 512<<10)
	c.do("SET", "k", string(half))
	if got := c.do("APPEND", "k", string(half)); got != ":1048576" {
		t.Error(got)
	}
	c.expect("APPEND k y", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)")
	c.expect("SETRANGE k 1048575 y", ":1048576")
	c.expect("SETRANGE k 1048576 y", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)")
	c.expect("STRLEN k", ":1048576")
	c.expect("LCS k k LEN", "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
}

// Under a cap SETRANGE is refused for the zero bytes it would add, and for no others.
func TestSetrangeUnderCap(t *testing.T) {
	runtime.GC() // what the heap holds when a server starts counts, and other tests leave hundreds of megabytes
	c := newTestClient(t)
	const oom = "-OOM command not allowed when used memory > 'maxmemory'."
	c.expect("SET k 0123456789", "+OK")
	c.expect("SADD set a", ":1")
	c.expect("CONFIG SET maxmemory 200mb", "+OK")
	c.expect("SETRANGE new 300000000 x", oom)
	c.expect("SETRANGE k 300000000 x", oom)
	c.expect("MULTI", "+OK")
	c.expect("SETRANGE k 300000000 x", "+QUEUED")
	c.expect("EXEC", "-EXECABORT Transaction discarded because of: "+oom[1:])
	c.expect("STRLEN k", ":10")
	c.expect("EXISTS new", ":0")
	c.expect("SETRANGE set 300000000 x", "-WRONGTYPE Operation against a key holding the wrong kind of value")
	c.do("SETRANGE", "k", "300000000", "")
	c.expect("SETRANGE k 9223372036854775807 x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)")
	c.expect("SETRANGE k -1 x", "-ERR offset is out of range")
	c.expect("SETRANGE k x x", "-ERR value is not an integer or out of range")
	c.expect("SETRANGE k 20 x", ":21")
	c.expect("MULTI", "+OK")
	c.expect("SETRANGE k 30 x", "+QUEUED")
	c.do("EXEC")
	c.expect("STRLEN k", ":31")
	c.expect("CONFIG SET proto-max-bulk-len 1gb", "+OK")
	c.expect("SETRANGE k 600000000 x", oom)
	c.expect("SETRANGE k 1073741824 x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)")
	c.expect("STRLEN k", ":31")
	c.expect("CONFIG SET maxmemory 0", "+OK")
}

// TestReplyOffInTransaction: the array of EXEC has fewer elements than it says then, as in Redis, and
// what comes later is answered as ever.
func TestReplyOffInTransaction(t *testing.T) {
	c := newTestClient(t)
	var requests []byte
	for _, words := range [][]string{{"MULTI"}, {"PING"}, {"CLIENT", "REPLY", "OFF"}, {"PING"}, {"EXEC"},
		{"CLIENT", "REPLY", "ON"}} {
		requests = append(requests, encode(words)...)
	}
	if out := c.send(requests); !bytes.HasSuffix(out, []byte("+OK\r\n")) {
		t.Errorf("%q", out)
	}
	c.expect("PING", "+PONG")
}
