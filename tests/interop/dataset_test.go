package interop

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
)

// call is a command for a database.
type call struct {
	db   int
	args []string
}

// dataset is a data set as the calls that build it: every type, every encoding, the borders between
// them.
type dataset struct {
	rng   *rand.Rand
	calls []call
}

func (d *dataset) add(db int, args ...string) { d.calls = append(d.calls, call{db, args}) }

// farFuture is a time of expiry that no test lives to see, in Unix milliseconds; dataset varies it
// by the millisecond.
const farFuture = 4_102_444_800_000

// soon is the lifetime of the keys that must be gone after a restart: long enough to be written,
// and short enough to wait for.
const soon = 700 * time.Millisecond

// newDataset makes the calls of a data set, with values of megabytes if huge.
func newDataset(rng *rand.Rand, huge bool) *dataset {
	d := &dataset{rng: rng}
	for _, db := range []int{0, 15} {
		d.strings(db)
		d.hashes(db)
		d.sets(db)
		d.lists(db)
		d.zsets(db)
		d.expiring(db)
	}
	d.big()
	if huge {
		d.huge()
	}
	return d
}

// integerBorders are where an encoding of integers changes: RDB, listpack, ziplist, intset, and
// what is no canonical integer any more.
var integerBorders = []string{
	"0", "1", "-1", "12", "13", "63", "64", "127", "128", "-128", "-129", "255", "256", "4095", "4096", "-4096", "-4097", "8191", "-8192",
	"32767", "32768", "-32768", "-32769", "65536", "8388607", "8388608", "-8388608", "-8388609", "2147483647", "2147483648",
	"-2147483648", "-2147483649", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "-9223372036854775809",
	"18446744073709551615", "007", "-0", "+1", " 1", "1 ", "1.5", "1e3", "99999999999999999999",
}

// lengthBorders are where the length of a string changes its form.
var lengthBorders = []int{0, 1, 11, 12, 20, 21, 44, 45, 63, 64, 65, 127, 128, 255, 256, 4095, 4096, 16383, 16384, 65536}

func (d *dataset) strings(db int) {
	for _, n := range integerBorders {
		d.add(db, "SET", "int:"+n, n)
	}
	for _, n := range lengthBorders {
		d.add(db, "SET", fmt.Sprintf("random:%d", n), d.random(n))
		d.add(db, "SET", fmt.Sprintf("repeated:%d", n), strings.Repeat("a", n))
		d.add(db, "SET", fmt.Sprintf("words:%d", n), words(n))
	}
	for b := range 256 {
		d.add(db, "SET", "byte:"+string([]byte{byte(b)}), string([]byte{byte(b), 0, byte(255 - b)}))
	}
	d.add(db, "SET", "", "the value of the empty key")
	d.add(db, "SET", "long name:"+d.random(70_000), "v")
	d.add(db, "SETRANGE", "zeros", "100000", "end")
	d.add(db, "APPEND", "appended", d.random(30))
	d.add(db, "APPEND", "appended", d.random(30))
	d.add(db, "INCRBYFLOAT", "float", "3.14159")
	d.add(db, "INCRBY", "counted", "1234567890123")
}

func (d *dataset) hashes(db int) {
	for _, n := range []int{1, 2, 127, 128, 129, 512, 513, 3000} {
		args := []string{"HSET", fmt.Sprintf("hash:%d", n)}
		for i := range n {
			args = append(args, fmt.Sprintf("field:%d", i), d.random(d.rng.IntN(60)))
		}
		d.add(db, args...)
	}
	integers := []string{"HSET", "hash:integers"}
	for i, n := range integerBorders {
		integers = append(integers, n, integerBorders[len(integerBorders)-1-i])
	}
	d.add(db, integers...)
	d.add(db, "HSET", "hash:empty", "", "", "f", "", "\x00", "\xff\xfe")
	for _, n := range lengthBorders {
		d.add(db, "HSET", fmt.Sprintf("hash:length:%d", n), "f", d.random(n), strings.Repeat("f", n), "v")
	}
	d.add(db, "HINCRBYFLOAT", "hash:float", "f", "0.1")
}

func (d *dataset) sets(db int) {
	for _, width := range []int64{1, 100, 40_000, 3_000_000_000, 1 << 62} {
		for _, n := range []int{1, 3, 512, 513} {
			args := []string{"SADD", fmt.Sprintf("set:integers:%d:%d", width, n)}
			for i := range int64(n) {
				args = append(args, strconv.FormatInt((i-int64(n/2))*(width/600+1)+width%7, 10))
			}
			d.add(db, append(args, strconv.FormatInt(width, 10), strconv.FormatInt(-width, 10))...)
		}
	}
	for _, n := range []int{1, 64, 127, 128, 129, 3000} {
		args := []string{"SADD", fmt.Sprintf("set:%d", n)}
		for i := range n {
			args = append(args, fmt.Sprintf("member:%d:%s", i, d.random(d.rng.IntN(20))))
		}
		d.add(db, args...)
	}
	d.add(db, append([]string{"SADD", "set:mixed"}, integerBorders...)...)
	d.add(db, "SADD", "set:empty", "")
	for _, n := range lengthBorders {
		d.add(db, "SADD", fmt.Sprintf("set:length:%d", n), d.random(n), "1")
	}
}

// lists have elements of every form that a node of a list has in a file, and nodes that were split
// and merged.
func (d *dataset) lists(db int) {
	for _, n := range []int{1, 2, 127, 128, 129, 600, 3000} {
		args := []string{"RPUSH", fmt.Sprintf("list:%d", n)}
		for i := range n {
			args = append(args, fmt.Sprintf("element:%d:%s", i%100, d.random(d.rng.IntN(60))))
		}
		d.add(db, args...)
	}
	d.add(db, append([]string{"RPUSH", "list:integers"}, integerBorders...)...)
	d.add(db, append([]string{"LPUSH", "list:integers"}, integerBorders...)...)
	d.add(db, "RPUSH", "list:empty", "", "", "\x00", "\xff\xfe")
	for _, n := range lengthBorders {
		d.add(db, "RPUSH", fmt.Sprintf("list:length:%d", n), d.random(n), "x", strings.Repeat("r", n), "7", words(n))
	}
	for i := range 200 {
		d.add(db, "LPUSH", "list:grown", words(i*7%300), strconv.Itoa(i))
		d.add(db, "RPUSH", "list:grown", d.random(i%50))
	}
	d.add(db, "LINSERT", "list:grown", "BEFORE", "100", "inserted")
	d.add(db, "LSET", "list:grown", "250", words(9000))
	d.add(db, "LTRIM", "list:grown", "20", "-30")
	d.add(db, "LREM", "list:grown", "0", "50")
}

// scoreBorders are where the form of a score changes: an integer, a text, eight bytes.
var scoreBorders = []string{
	"0", "-0", "1", "-1", "12", "13", "127", "128", "4095", "4096", "-4096", "-4097", "32767", "32768", "-8388609", "2147483648", "1.5", "-1.5", "0.1",
	"3.0000000000000004", "1e15", "1e17", "1e18", "4611686018427387904", "5e18", "-5e18", "1e19", "1e100", "-1e100", "1e-7", "1e-300",
	"4.9406564584124654e-324", "1.7976931348623157e308", "9007199254740993", "inf", "-inf",
}

// zsets have every form of a score, many members of one score, and members of every form.
func (d *dataset) zsets(db int) {
	for _, n := range []int{1, 2, 127, 128, 129, 600, 3000} {
		whole, real := []string{"ZADD", fmt.Sprintf("zset:%d", n)}, []string{"ZADD", fmt.Sprintf("zset:real:%d", n)}
		for i := range n {
			member := fmt.Sprintf("member:%d:%s", i, d.random(d.rng.IntN(20)))
			whole = append(whole, strconv.FormatInt(d.rng.Int64N(20)-10, 10), member)
			real = append(real, strconv.FormatFloat(d.rng.NormFloat64(), 'g', -1, 64), member)
		}
		d.add(db, whole...)
		d.add(db, real...)
	}
	scores, integers := []string{"ZADD", "zset:scores"}, []string{"ZADD", "zset:integers"}
	for i, s := range scoreBorders {
		scores = append(scores, s, "m"+strconv.Itoa(i))
		d.add(db, "ZADD", "zset:score:"+s, s, "m")
	}
	for i, n := range integerBorders {
		integers = append(integers, strconv.Itoa(i%7), n)
	}
	d.add(db, scores...)
	d.add(db, integers...)
	d.add(db, "ZADD", "zset:empty", "1", "", "2", "\x00", "1", "\xff\xfe")
	for _, n := range lengthBorders {
		d.add(db, "ZADD", fmt.Sprintf("zset:length:%d", n), "1.25", d.random(n), "-1", "1")
	}
	d.add(db, "ZINCRBY", "zset:3000", "0.1", "new")
	d.add(db, "ZREMRANGEBYRANK", "zset:real:3000", "100", "200")
}

func (d *dataset) expiring(db int) {
	for i := range 50 {
		at := strconv.FormatInt(farFuture+d.rng.Int64N(1_000_000), 10)
		name := fmt.Sprintf("expires:%d", i)
		switch i % 5 {
		case 0:
			d.add(db, "SET", name, d.random(i), "PXAT", at)
			continue
		case 1:
			d.add(db, "HSET", name, "f", "v")
		case 2:
			d.add(db, "SADD", name, "1", "2", "m")
		case 3:
			d.add(db, "RPUSH", name, "1", "2", "m")
		case 4:
			d.add(db, "ZADD", name, "1", "2", "3.5", "m")
		}
		d.add(db, "PEXPIREAT", name, at)
	}
	for i := range 10 {
		name := fmt.Sprintf("soon:%d", i)
		switch i % 3 {
		case 0:
			d.add(db, "SADD", name, "1")
		case 1:
			d.add(db, "RPUSH", name, "1")
		case 2:
			d.add(db, "ZADD", name, "1", "1")
		}
		d.add(db, "PEXPIRE", name, strconv.FormatInt(soon.Milliseconds(), 10))
	}
}

// huge makes values that are longer than all the buffers (4 of 256 KB) between a snapshot and its file.
func (d *dataset) huge() {
	const size = 2 << 20
	d.add(0, "SET", "huge:random", d.random(size))
	d.add(0, "SET", "huge:words", words(size))
	d.add(0, "HSET", "huge:hash", "f", d.random(size), "g", words(size/5))
	d.add(0, "SADD", "huge:set", words(size/5), "small")
	d.add(0, "RPUSH", "huge:list", "small", d.random(size), words(size/5), "small", words(size/50))
	d.add(0, "ZADD", "huge:zset", "1", words(size/5), "0.5", "small", "1", d.random(size/50))
}

// big makes collections that are written in pieces: ten or more of the 32 KB in which a snapshot takes them from the
// store, and more than the 256 KB of a buffer.
func (d *dataset) big() {
	const elements, step = 24_000, 1000
	for i := 0; i < elements; i += step {
		hash, set := []string{"HSET", "big:hash"}, []string{"SADD", "big:set"}
		list, zset := []string{"RPUSH", "big:list"}, []string{"ZADD", "big:zset"}
		for j := i; j < i+step; j++ {
			hash = append(hash, "field:"+strconv.Itoa(j), strconv.Itoa(j*j))
			set = append(set, "member:"+strconv.Itoa(j))
			list = append(list, "element:"+strconv.Itoa(j))
			zset = append(zset, strconv.FormatFloat(float64(j*7919%elements)/8, 'g', -1, 64), "member:"+strconv.Itoa(j))
		}
		d.add(0, hash...)
		d.add(0, set...)
		d.add(0, list...)
		d.add(0, zset...)
	}
}

// random is a text that no compression shortens.
func (d *dataset) random(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(d.rng.Uint32())
	}
	return string(b)
}

// words is a text of a length that LZF shortens well, with matches near and far.
func words(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "the %dth word of a long text, ", i%997)
	}
	return b.String()[:n]
}

// fill sends the calls; each must succeed.
func fill(t testing.TB, s *harness.Server, calls []call) {
	t.Helper()
	c := s.Dial(t)
	const batch = 100
	db := 0
	for len(calls) > 0 {
		n := min(batch, len(calls))
		var raw strings.Builder
		replies := 0
		for _, call := range calls[:n] {
			if call.db != db {
				raw.WriteString(harness.Encode("SELECT", strconv.Itoa(call.db)))
				db = call.db
				replies++
			}
			raw.WriteString(harness.Encode(call.args...))
			replies++
		}
		c.WriteRaw(raw.String())
		for range replies {
			if r := c.Read(); r.IsError() {
				t.Fatalf("%s: the data set: %v", s.Name, r)
			}
		}
		calls = calls[n:]
	}
}

// settled is a server's data set once the keys that live for a moment have gone: nothing in it
// changes by itself.
func settled(t testing.TB, s *harness.Server) map[harness.Key]harness.Value {
	t.Helper()
	all := harness.Contents(t, s)
	horizon := time.Now().Add(10 * time.Minute).UnixMilli()
	c := s.Dial(t)
	for key, v := range all {
		if v.ExpireAt < 0 || v.ExpireAt > horizon {
			continue
		}
		c.MustOK("SELECT", strconv.Itoa(key.DB))
		harness.Eventually(t, harness.Patience, key.Name+" expires", func() bool { return c.Do("EXISTS", key.Name).Raw == ":0\r\n" })
		delete(all, key)
	}
	return all
}
