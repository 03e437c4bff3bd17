package commands

import (
	"context"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"math"
	"sync/atomic"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// DEBUG DIGEST and DIGEST-VALUE: a number for all data, or for a value, that is equal on two servers
// if their data are, Redis included (debug.c, computeDatasetDigest). What has an order is mixed into
// a digest, and what has none is added by exclusive or; how a value is encoded makes no difference.
//
// Scores are written as Redis 7.0 does, with 17 digits. Since 7.2 it writes fewer where these read
// back as the same number, so that digests of sorted sets with such scores are others there.
//
// The digest of all data is made in a goroutine beside the loops, shard by shard, and holds a shard
// for digestSlice keys. So it is that of one moment only if nothing changes meanwhile; inside EXEC,
// where all shards are locked, it always is.

// digestSlice is how many keys are gone through under one lock: less than a millisecond, if values
// are small. A value is done in one go.
const digestSlice = 1024

// digest is SHA-1 of what has gone into it, in some order or in none.
type digest [sha1.Size]byte

// add takes something in of which the order does not matter: twice the same is nothing.
func (d *digest) add(b []byte) {
	sum := sha1.Sum(b)
	subtle.XORBytes(d[:], d[:], sum[:])
}

// mix takes something in of which the order matters.
func (d *digest) mix(b []byte) {
	d.add(b)
	*d = sha1.Sum(d[:])
}

func (d *digest) mixNumber(n uint32) { d.mix(binary.BigEndian.AppendUint32(nil, n)) }

func (d *digest) String() string { return hex.EncodeToString(d[:]) }

// digesting is how the values of a type go into a digest.
type digesting struct {
	number  uint32                                          // the type's in Redis
	element func(d *digest, item, value []byte, dated bool) // dated: it has a time to live of its own
}

// The marks of what has a time to live, which stand for the time: it is not quite the same on another
// server. Redis has no times of members.
const (
	keyDated    = "!!expire!!"
	fieldDated  = "!!hexpire!!" // since 7.4
	memberDated = "!!sexpire!!"
)

var digestings = [store.NumTypes]digesting{
	store.TypeString: {number: 0},
	store.TypeList:   {number: 1, element: func(d *digest, item, _ []byte, _ bool) { d.mix(item) }},
	store.TypeSet:    {number: 2, element: (*digest).addMember},
	store.TypeZset: {number: 3, element: func(d *digest, item, value []byte, _ bool) {
		var text [lex.FloatSize]byte
		d.addPair(item, lex.AppendFloat(text[:0], scoreOf(value)), false)
	}},
	store.TypeHash: {number: 4, element: (*digest).addPair},
}

// scoreOf reads a score as the store gives it out (store.Value.Each).
func scoreOf(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }

// elementText is what belongs to an element, as text.
func elementText(t store.Type, value []byte) string {
	if t == store.TypeZset {
		return string(lex.AppendFloat(nil, scoreOf(value)))
	}
	return string(value)
}

func (d *digest) addMember(item, _ []byte, dated bool) {
	if !dated {
		d.add(item)
		return
	}
	var member digest
	member.mix(item)
	member.add([]byte(memberDated))
	d.add(member[:])
}

func (d *digest) addPair(item, value []byte, dated bool) {
	var pair digest
	pair.mix(item)
	pair.mix(value)
	if dated {
		pair.add([]byte(fieldDated))
	}
	d.add(pair[:])
}

// mixValue takes in a value, and whether it and its elements expire.
func (d *digest) mixValue(e *store.Entry) {
	value := e.Content()
	row := &digestings[value.Type()]
	d.mixNumber(row.number)
	if row.element == nil {
		d.mix(value.Text())
	} else {
		value.EachDated(func(item, of []byte, expire int64) bool {
			row.element(d, item, of, expire != 0)
			return true
		})
	}
	if e.ExpireAt() != 0 {
		d.add([]byte(keyDated))
	}
}

// mixDatabase takes in the keys that a view shows, if there are any. It ends early, and reports
// false, when stop says so.
func (d *digest) mixDatabase(v *store.View, stop func() bool) (complete bool) {
	var keys digest
	n := 0
	for cursor := uint64(0); ; {
		cursor = v.Scan(cursor, digestSlice, func(e *store.Entry, name []byte) {
			var key digest
			key.mix(name)
			key.mixValue(e)
			keys.add(key[:])
			n++
		})
		if cursor == 0 {
			break
		}
		if stop() {
			return false
		}
	}
	if n > 0 {
		d.mixNumber(uint32(v.DB))
		subtle.XORBytes(d[:], d[:], keys[:])
	}
	return true
}

// digestOf is the digest of all databases, as v shows them.
func digestOf(v store.View, stop func() bool) (d digest, complete bool) {
	for v.DB = range v.Store.Databases() {
		if !d.mixDatabase(&v, stop) {
			return d, false
		}
	}
	return d, true
}

func debugDigest(c *engine.Ctx, _ *engine.Args) error {
	var d digest
	complete := false
	if !c.MayWait() {
		d, complete = digestOf(c.View, func() bool { return false })
	}
	return c.WaitFor(engine.ForServer, func(resume func()) {
		var gone atomic.Bool
		c.AfterWait(func() { gone.Store(true) })
		v := store.View{Store: c.Store, Now: c.Now}
		c.Kernel.Go(func(ctx context.Context) {
			d, complete = digestOf(v, func() bool { return gone.Load() || ctx.Err() != nil })
			resume()
		})
	}, 0, func(c *engine.Ctx) error {
		if !complete {
			return engine.ErrStopping
		}
		c.Out.Status(d.String())
		return nil
	})
}

// debugDigestValue, as in Redis, has a digest of zeros for a key that is not there.
func debugDigestValue(c *engine.Ctx, a *engine.Args) error {
	names := a.Rest()
	alone(c, func() {
		c.Out.Array(len(names))
		for _, name := range names {
			var d digest
			if e, ok := c.Peek(c.Store.Key(name)); ok {
				d.mixValue(&e)
			}
			c.Out.Status(d.String())
		}
	})
	return nil
}
