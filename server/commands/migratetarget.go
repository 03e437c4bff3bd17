package commands

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/larderkv/larder/persistence/journal"
	"github.com/larderkv/larder/server/engine"
)

// The other server, as MIGRATE talks to it.

const (
	// migrateChunk is how many bytes have to go out within the timeout, as in Redis.
	migrateChunk = 64 << 10
	// migrateBatch and migrateBatchBytes bound what is sent before the replies are
	// read: a server that sends replies nobody reads stops reading.
	migrateBatch      = 512
	migrateBatchBytes = 1 << 20
	// migrateLine is the longest reply that is understood.
	migrateLine = 1024
)

// target is a connection to the other server. Its timeout is for each step.
type target struct {
	conn    net.Conn
	replies *bufio.Reader
	timeout time.Duration
	stop    func() bool // forgets ctx
	out     []byte
	refused error // the first error reply to a key
}

// connect makes the connection, authenticates and selects the database. Nothing
// has been sent of any key when that is refused. ctx ends everything.
func (m *migration) connect(ctx context.Context) (*target, error) {
	address, ok := m.address()
	if !ok {
		return nil, engine.ErrMigrateConnect
	}
	dialer := net.Dialer{Timeout: m.timeout}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, engine.ErrMigrateWrite // Redis connects without waiting, and hears of it when it writes
	} else if err != nil {
		return nil, engine.ErrMigrateConnect
	}
	t := &target{conn: conn, replies: bufio.NewReaderSize(conn, migrateLine), timeout: m.timeout}
	t.stop = context.AfterFunc(ctx, t.hangup)
	hello := [][][]byte{{[]byte("SELECT"), strconv.AppendInt(nil, m.targetDB, 10)}}
	if m.auth != nil {
		hello = [][][]byte{m.auth, hello[0]}
	}
	for _, args := range hello {
		t.out = journal.AppendCommand(t.out, args...)
	}
	if err := t.flush(len(hello), func(_ int, refused error) error { return refused }); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// hangup closes the connection, so that whoever waits for it fails. What matters
// has been acknowledged or counts as failed: an error of closing says nothing new.
func (t *target) hangup() { _ = t.conn.Close() }

func (t *target) close() {
	t.stop()
	t.hangup()
}

// move sends keys and notes which were taken. Replies that are errors end up in
// t.refused; the error is the connection's.
func (t *target) move(keys []*moving, replace bool) error {
	for len(keys) > 0 {
		n := 0
		for n < len(keys) && n < migrateBatch && len(t.out) < migrateBatchBytes {
			t.append(keys[n], replace || keys[n].again)
			n++
		}
		batch := keys[:n]
		keys = keys[n:]
		err := t.flush(n, func(i int, refused error) error {
			batch[i].taken = refused == nil
			if t.refused == nil {
				t.refused = refused
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *target) append(k *moving, replace bool) {
	if k.payload == nil {
		t.out = journal.AppendCommand(t.out, []byte("DEL"), k.key.Name)
		return
	}
	args := [][]byte{[]byte("RESTORE"), k.key.Name, strconv.AppendInt(nil, k.ttl, 10), k.payload}
	if replace {
		args = append(args, []byte("REPLACE"))
	}
	t.out = journal.AppendCommand(t.out, args...)
}

// flush sends what has been collected and reads n replies. got is called for each,
// with the error that it is or nil; its own error ends the reading.
func (t *target) flush(n int, got func(i int, refused error) error) error {
	out := t.out
	t.out = t.out[:0]
	for len(out) > 0 {
		chunk := out[:min(len(out), migrateChunk)]
		if t.conn.SetWriteDeadline(time.Now().Add(t.timeout)) != nil {
			return engine.ErrMigrateWrite
		}
		if _, err := t.conn.Write(chunk); err != nil {
			return engine.ErrMigrateWrite
		}
		out = out[len(chunk):]
	}
	for i := range n {
		refused, err := t.reply()
		if err == nil {
			err = got(i, refused)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reply reads a line, which may be an error of the other server.
func (t *target) reply() (refused, err error) {
	if t.conn.SetReadDeadline(time.Now().Add(t.timeout)) != nil {
		return nil, engine.ErrMigrateRead
	}
	line, err := t.replies.ReadSlice('\n')
	if err != nil {
		return nil, engine.ErrMigrateRead
	}
	if text, isError := strings.CutPrefix(strings.TrimRight(string(line), "\r\n"), "-"); isError {
		return engine.Errf("ERR Target instance replied with error: %s", text), nil
	}
	return nil, nil
}
