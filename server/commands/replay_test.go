package commands

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/larderkv/larder/persistence/aof"
	"github.com/larderkv/larder/protocol/chain"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/tests/randtest"
)

// writes are the forms of all writes. Words in capitals are sent as they are; the
// others are drawn: k a key, m a member or field, v a value, n a number, ms a few
// milliseconds, at a Unix time around now, db a database.
var writes = []string{
	"SET k v", "SET k v PX ms", "SET k v PXAT at", "SET k v KEEPTTL", "SET k v GET", "SET k v NX PX ms", "SET k v XX GET", "SET k n",
	"SET k v IFEQ v", "SET k v IFNE v PX ms GET", "SET k v IFEQ v KEEPTTL", "DELEX k", "DELEX k IFNE v", "DELIFEQ k v",
	"MSETEX 2 k v k v", "MSETEX 2 k v k v XX PX ms", "MSETEX 2 k v k v KEEPTTL",
	"CACHE.SET k v PX ms TAGS 2 m m", "CACHE.SET k v PX 20 FRESH ms XX", "CACHE.MSET 2 k v k v PXAT at TAGS 1 m", "CACHE.SET k v NX",
	"SETNX k v", "PSETEX k ms v", "GETSET k v", "GETDEL k", "GETEX k PX ms", "GETEX k PXAT at", "GETEX k PERSIST",
	"MSET k v k v", "MSETNX k v k v", "SETRANGE k n v", "APPEND k v", "INCR k", "INCRBY k n", "DECR k", "INCRBYFLOAT k 0.1",
	"INCREX k UBOUND n", "INCREX k BYINT n UBOUND 30 SATURATE PX ms ENX", "INCREX k BYFLOAT 0.1 PXAT at", "INCREX k PERSIST",
	"CL.THROTTLE k 2 n 1", "CL.THROTTLE k n 1 1 n", "CL.WINDOW k 2 ms", "CL.WINDOW k n ms n",
	"DEL k k", "UNLINK k", "PEXPIRE k ms", "PEXPIRE k ms NX", "PEXPIRE k ms GT", "PEXPIREAT k at", "EXPIRE k 0", "PERSIST k",
	"RENAME k k", "RENAMENX k k", "COPY k k", "COPY k k REPLACE", "COPY k k DB db REPLACE", "MOVE k db", "SELECT db", "SWAPDB db db",
	"HEXPIRE k 1 FIELDS 1 m", "HPEXPIRE k ms FIELDS 2 m m", "HPEXPIRE k ms GT FIELDS 1 m", "HPEXPIREAT k at NX FIELDS 1 m", "HPERSIST k FIELDS 2 m m",
	"HGETDEL k FIELDS 2 m m", "HGETEX k PX ms FIELDS 1 m", "HGETEX k PXAT at FIELDS 2 m m", "HGETEX k PERSIST FIELDS 1 m",
	"HSETEX k PX ms FIELDS 2 m v m v", "HSETEX k PXAT at FIELDS 1 m v", "HSETEX k KEEPTTL FIELDS 2 m v m n", "HSETEX k FNX FIELDS 1 m n", "HSETEX k FXX PX ms FIELDS 1 m n",
	"HSET k m v m v", "HSET k m n", "HINCRBY k m n", "HSETNX k m v", "HINCRBY k m n", "HINCRBYFLOAT k m 0.1", "HDEL k m m", "HMSET k m v",
	"SEXPIRE k 1 MEMBERS 1 m", "SPEXPIRE k ms MEMBERS 2 m m", "SPEXPIRE k ms LT MEMBERS 1 m", "SPEXPIREAT k at NX MEMBERS 1 m", "SPERSIST k MEMBERS 2 m m",
	"SADDEX k PX ms MEMBERS 3 m m m", "SADDEX k PXAT at MEMBERS 1 m", "SADDEX k KEEPTTL MEMBERS 2 m m", "SADDEX k MNX MEMBERS 1 m", "SADDEX k MXX PX ms MEMBERS 1 m",
	"SADDEX k 1 m m", "SADDEX k KEEPTTL 1 m m", "SORT k BY nosort STORE k",
	"SADD k m m m", "SREM k m m", "SPOP k", "SPOP k 2", "SPOP k 20", "SMOVE k k m", "SINTERSTORE k k k", "SUNIONSTORE k k k", "SDIFFSTORE k k k",
	"SUNIONSTORE k k k k", "GET k", "TTL k",
	"LPUSH k v v", "RPUSH k m m m m", "RPUSHX k m v", "LPOP k", "RPOP k 2", "LINSERT k BEFORE m v", "LSET k 0 v", "LREM k 0 m", "LTRIM k 0 9",
	"LMOVEM k k LEFT LEFT COUNT 3 OBO", "LMOVEM k k RIGHT RIGHT EXACTLY 2 BULK", "LMOVEM k k LEFT RIGHT", "LMOVE k k LEFT RIGHT", "RPOPLPUSH k k", "LMPOP 1 k LEFT COUNT 2",
	"ZADD k n m n m n m", "ZADD k GT n m", "ZADD k INCR n m", "ZINCRBY k 0.1 m", "ZREM k m m", "ZPOPMIN k", "ZPOPMAX k 2", "ZMPOP 1 k MIN",
	"ZREMRANGEBYRANK k 0 1", "ZREMRANGEBYSCORE k n n", "ZRANGESTORE k k 0 3", "ZUNIONSTORE k 2 k k", "ZINTERSTORE k 2 k k", "ZUNIONSTORE k 2 k k AGGREGATE COUNT", "ZDIFFSTORE k 2 k k",
}

// rare writes would leave little behind if they came as often as the others.
var rareWrites = []string{"FLUSHDB", "FLUSHALL"}

// script draws requests.
type script struct {
	*rand.Rand
	now *atomic.Int64
}

func (s script) request() []byte {
	form := writes[s.IntN(len(writes))]
	if s.IntN(400) == 0 {
		form = rareWrites[s.IntN(len(rareWrites))]
	}
	words := strings.Fields(form)
	for i, w := range words {
		switch w {
		case "k":
			words[i] = "key" + strconv.Itoa(s.IntN(8))
		case "m":
			words[i] = []string{"1", "2", "-3", "a", "b", "c", "d", strings.Repeat("long", 30)}[s.IntN(8)]
		case "v":
			words[i] = []string{"", "7", "value", strings.Repeat("x", 100)}[s.IntN(4)]
		case "n":
			words[i] = strconv.Itoa(s.IntN(20))
		case "ms":
			words[i] = strconv.Itoa(1 + s.IntN(20))
		case "at":
			words[i] = strconv.FormatInt(s.now.Load()+int64(s.IntN(30)-10), 10)
		case "db":
			words[i] = strconv.Itoa(s.IntN(2))
		}
	}
	return encode(words)
}

// batch is some requests, now and then a transaction.
func (s script) batch() []byte {
	var b []byte
	txn := s.IntN(4) == 0
	if txn {
		b = append(b, encode([]string{"MULTI"})...)
	}
	for range 1 + s.IntN(6) {
		b = append(b, s.request()...)
	}
	if txn {
		b = append(b, encode([]string{"EXEC"})...)
	}
	return b
}

// TestReplayedLogEqualsTheData runs random writes of many clients at once, with
// keys that expire all the time, while the janitor removes what it finds. The log,
// replayed much later, gives the same data set.
func TestReplayedLogEqualsTheData(t *testing.T) {
	seed := randtest.Seed(t)
	const clients, batches = 4, 1500
	live := newLogRig(t, "no")
	var wg sync.WaitGroup
	for n := range clients {
		wg.Go(func() {
			session := live.connect()
			defer session.Closed(netloop.ClientClosed)
			s := script{rand.New(rand.NewPCG(seed, uint64(n))), &live.now}
			var out chain.Buffer
			for range batches {
				in := s.batch()
				for len(in) > 0 {
					out.Lend(nil, nil, nil)
					taken, next := session.Data(in, &out)
					if taken == 0 && next == netloop.Wait {
						t.Errorf("incomplete: %q", in)
						return
					}
					in = in[taken:]
				}
				live.now.Add(int64(s.IntN(3)))
			}
		})
	}
	stop := make(chan struct{})
	janitor := make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				janitor <- nil
				return
			default:
			}
			if _, err := live.store.Maintain(live.now.Load()); err != nil {
				janitor <- err
				return
			}
		}
	}()
	wg.Wait()
	close(stop)
	if err := <-janitor; err != nil {
		t.Fatal(err)
	}

	survivor := live.connect() // a late FLUSHALL may have left nothing
	defer survivor.Closed(netloop.ClientClosed)
	var out chain.Buffer
	out.Lend(nil, nil, nil)
	survivor.Data(encode([]string{"SET", "survivor", "value"}), &out)

	later := newTestClient(t)
	later.now = time.UnixMilli(live.now.Load() + 1_000_000)
	replayer := later.kernel.NewReplayer()
	live.readLog(replayer.Replay)
	want, got := contents(live.store, live.now.Load()), contents(later.kernel.Store, live.now.Load())
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("seed %d: the replayed log differs (-live +replayed):\n%s", seed, d)
	}
	if len(want) == 0 {
		t.Error("nothing is left to compare")
	}
}

// TestReplayRefuses: a log with what no server wrote is not loaded.
func TestReplayRefuses(t *testing.T) {
	command := func(line string) aof.Command {
		return aof.Command{Args: bytes.Fields([]byte(line)), Offset: 77}
	}
	const rewrite = "; BGREWRITEAOF on the server that wrote it, before it stops, makes values of such commands"
	const databases = "Too few databases for command '%s' reading the append only file (offset 77); " +
		"databases has to be as many as on the server that wrote it"
	for line, want := range map[string]string{
		"NOPE a":          "Unknown command 'NOPE' reading the append only file (offset 77)" + rewrite,
		"CONFIG NOPE":     "Unknown command 'CONFIG' reading the append only file (offset 77)" + rewrite,
		"SET k":           "Wrong number of arguments for command 'set' reading the append only file (offset 77)",
		"SELECT 16":       fmt.Sprintf(databases, "select"),
		"MOVE a 16":       fmt.Sprintf(databases, "move"),
		"SWAPDB 0 16":     fmt.Sprintf(databases, "swapdb"),
		"COPY a b DB 16":  fmt.Sprintf(databases, "copy"),
		"OBJECT ENCODING": "Wrong number of arguments for command 'object|encoding' reading the append only file (offset 77)",
	} {
		c := newTestClient(t)
		err := c.kernel.NewReplayer().Replay([]aof.Command{command("SET a 1"), command(line), command("SET b 1")})
		var refused *engine.ReplayError
		if !errors.As(err, &refused) || err.Error() != want {
			t.Errorf("%s: got %v, want %s", line, err, want)
		}
		c.expect("GET a", `"1"`)
		c.expect("GET b", "nil")
	}
}

// TestReplayTakesForeignLogs: other servers wrote other things at other times.
func TestReplayTakesForeignLogs(t *testing.T) {
	c := newTestClient(t)
	replayer := c.kernel.NewReplayer()
	var batch []aof.Command
	for _, line := range []string{
		"SELECT 1", "SET a 1", "MULTI", "SET b 2", "INCR b", "EXEC", "GET a", "PING", "CONFIG GET dir", "INCR b", "SELECT 0",
		"SET text x", "INCR text", "SETEX relative 100 v", "SET k v", "EXPIRE k 100", "SHUTDOWN NOSAVE",
		"SET gone v", "PEXPIREAT gone 1000", "COPY gone copy", "PERSIST copy",
		"HSETEX h KEEPTTL FIELDS 2 f v g w",
	} {
		batch = append(batch, aof.Command{Args: bytes.Fields([]byte(line))})
	}
	if err := replayer.Replay(batch[:5]); err != nil {
		t.Fatal(err)
	}
	if err := replayer.Replay(batch[5:]); err != nil {
		t.Fatal(err)
	}
	c.expect("GET text", `"x"`)
	c.expect("HGET h g", `"w"`)
	c.expect("TTL relative", ":100")
	c.expect("TTL k", ":100")
	c.expect("GET gone", "nil")
	c.expect("GET copy", `"v"`)
	c.expect("OBJECT IDLETIME k", ":0")
	c.expect("SELECT 1", "+OK")
	c.expect("GET a", `"1"`)
	c.expect("GET b", `"4"`)
}

// TestRestoreOfExpired: elements that have expired since the DUMP are not restored, in a replay of the log
// neither, where nothing expires and later commands would find them; and of a value that had no others
// nothing is left, as of a key whose own time is over.
func TestRestoreOfExpired(t *testing.T) {
	for _, made := range [][]string{
		{"SADDEX k PX 50 MEMBERS 1 old", "SADD k new", "SADD k old", "SADD k old"},
		{"HSETEX k PX 50 FIELDS 1 old 100", "HSET k new 1", "HINCRBY k old 5", "HSET k old 5"},
	} {
		for _, whole := range []bool{true, false} {
			r := newLogRig(t, "no")
			c := r.client()
			do := func(request string) string { return c.do(strings.Fields(request)...) }
			do(made[0])
			if !whole {
				do(made[1])
			}
			payload, err := strconv.Unquote(c.do("DUMP", "k"))
			if err != nil {
				t.Fatal(err)
			}
			do("DEL k")
			do(made[3])
			r.now.Add(100)
			if reply := c.do("RESTORE", "k", "1000", payload, "REPLACE"); reply != "+OK" {
				t.Errorf("RESTORE: %s", reply)
			}
			if n := do("EXISTS k"); whole && n != ":0" {
				t.Errorf("all has expired: EXISTS %s", n)
			}
			do(made[2])

			later := newTestClient(t)
			later.now = time.UnixMilli(r.now.Load())
			r.readLog(later.kernel.NewReplayer().Replay)
			want, got := contents(r.store, r.now.Load()), contents(later.kernel.Store, r.now.Load())
			if d := cmp.Diff(want, got); d != "" || len(want) == 0 {
				t.Errorf("%s: the replayed log differs (-live +replayed):\n%s", made[0], d)
			}
		}
	}
}
