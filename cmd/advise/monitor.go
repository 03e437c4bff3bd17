package advise

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/larderkv/larder/words"
)

// monitor notes what MONITOR shows of a database, for some time or until so many requests have been
// seen. It has a connection of its own and does nothing per request but to cut it into words: who
// reads slowly makes the server keep what is unread.
func monitor(ctx context.Context, c *redis.Client, commands commandTable, t *trace,
	forTime time.Duration, most int64) (seen int64, took time.Duration, err error) {
	o := c.Options()
	conn, err := redis.NewDialer(o)(ctx, o.Network, o.Addr) // a request that is shown may be of any length
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := conn.SetReadDeadline(time.Now().Add(o.DialTimeout)); err != nil {
		return 0, 0, err
	}
	r := bufio.NewReaderSize(conn, 1<<18)
	if err := startMonitor(conn, r, o); err != nil {
		return 0, 0, err
	}
	start := time.Now()
	if err := conn.SetReadDeadline(start.Add(forTime)); err != nil {
		return 0, 0, err
	}
	w := watcher{commands: commands, trace: t, db: strconv.Itoa(o.DB), start: start.UnixMicro()}
	for seen < most {
		line, whole, err := readLine(r)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return seen, time.Since(start), fmt.Errorf("MONITOR ended: %w", err)
		}
		w.line(line, whole)
		seen++
	}
	return seen, time.Since(start), ctx.Err()
}

// startMonitor logs in, and has the server show requests.
func startMonitor(conn net.Conn, r *bufio.Reader, o *redis.Options) error {
	var requests []string
	switch {
	case o.Username != "":
		requests = append(requests, encode("AUTH", o.Username, o.Password))
	case o.Password != "":
		requests = append(requests, encode("AUTH", o.Password))
	}
	for _, request := range append(requests, encode("MONITOR")) {
		if _, err := conn.Write([]byte(request)); err != nil {
			return err
		}
		reply, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		if !strings.HasPrefix(reply, "+") {
			return errors.New(strings.TrimSpace(strings.TrimPrefix(reply, "-")))
		}
	}
	return nil
}

func encode(args ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b.String()
}

// readLine returns a line, or as much of a long one as the buffer holds, and how long it was.
func readLine(r *bufio.Reader) (line []byte, whole int, err error) {
	line, err = r.ReadSlice('\n')
	whole = len(line)
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, whole, err
	}
	line = append([]byte(nil), line...)
	for errors.Is(err, bufio.ErrBufferFull) {
		var more []byte
		more, err = r.ReadSlice('\n')
		whole += len(more)
	}
	return line, whole, err
}

// watcher makes accesses out of lines.
type watcher struct {
	commands commandTable
	trace    *trace
	db       string
	start    int64 // unix µs
	args     [][]byte
}

// line notes the accesses of a line: 1339518083.107412 [0 127.0.0.1:60866] "get" "key".
func (w *watcher) line(line []byte, whole int) {
	text := string(line[:min(len(line), 64)])
	stamp, rest, ok := strings.Cut(strings.TrimPrefix(text, "+"), " [")
	db, _, found := strings.Cut(rest, " ")
	if !ok || !found || db != w.db {
		return
	}
	seconds, micros, _ := strings.Cut(stamp, ".")
	s, err := strconv.ParseInt(seconds, 10, 64)
	us, err2 := strconv.ParseInt(micros, 10, 64)
	quote := strings.Index(text, `] "`)
	if err != nil || err2 != nil || quote < 0 {
		return
	}
	cut := whole - len(line) // of the last argument, which was too long
	w.cut(line[quote+2:])
	if len(w.args) == 0 {
		return
	}
	w.request(max(0, s*1e6+us-w.start), cut)
}

// cut takes arguments out of their quotes, of a line that may end in the middle of one. They overwrite
// the line.
func (w *watcher) cut(line []byte) {
	w.args = w.args[:0]
	for {
		_, quoted, ok := bytes.Cut(line, []byte{'"'})
		if !ok {
			return
		}
		var arg []byte
		arg, line = words.Unquote(quoted)
		w.args = append(w.args, arg)
	}
}

// request notes the accesses of a request at a time in µs.
func (w *watcher) request(at int64, cut int) {
	row, ok := w.commands[strings.ToLower(string(w.args[0]))]
	if !ok {
		return
	}
	last := row.last
	if last < 0 {
		last += len(w.args)
	}
	a := access{at: at, kind: row.kind, ttl: -1}
	if row.kind == write {
		a.ttl = ttlOf(row.name, w.args)
	}
	for i := row.first; i <= last && i < len(w.args); i += max(1, row.step) {
		a.size = 0
		if v := row.value(i); v > 0 && v < len(w.args) {
			a.size = int32(min(len(w.args[i])+len(w.args[v])+cut+entryBytes, math.MaxInt32))
		}
		w.trace.add(w.args[i], a)
	}
}

// entryBytes is about what a server keeps beside a key and its value.
const entryBytes = 56
