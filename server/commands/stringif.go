package commands

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"

	"github.com/zeebo/xxh3"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
)

// Conditions on what a string holds: SET with IFEQ and its relatives, DELEX and DELIFEQ. A client that
// has read a value changes it only if nobody else has changed it meanwhile, without WATCH and without
// a script. Of a long value the client need not send the whole: DIGEST tells a number of 64 bits by
// which IFDEQ and IFDNE compare.
//
// A key that is absent equals nothing, so IFEQ and IFDEQ are not met then, and the others are. A value
// of another type is an error, whatever the condition.
//
// What goes to the log is what was done: SET without the condition, or DEL.

// valueCondition is what has to hold of a value for a command to change it. The zero value always does.
type valueCondition struct {
	given   bool
	digests bool // digests are compared
	differs bool // the value has to differ
	operand []byte
	digest  uint64
}

// parse reads a condition, of which there may be one.
func (w *valueCondition) parse(a *engine.Args) bool {
	if w.given {
		return false
	}
	switch {
	case a.MatchValue("IFEQ"):
	case a.MatchValue("IFNE"):
		w.differs = true
	case a.MatchValue("IFDEQ"):
		w.digests = true
	case a.MatchValue("IFDNE"):
		w.digests, w.differs = true, true
	default:
		return false
	}
	w.given, w.operand = true, a.Next()
	if w.digests {
		var sum [digestSize]byte
		if hex.DecodedLen(len(w.operand)) != digestSize || len(w.operand)%2 != 0 {
			a.Fail(engine.ErrDigest)
		} else if _, err := hex.Decode(sum[:], w.operand); err != nil {
			a.Fail(engine.ErrDigest)
		}
		w.digest = binary.BigEndian.Uint64(sum[:])
	}
	return true
}

// holds reports whether the condition is met by a value, or by the absence of one.
func (w *valueCondition) holds(value []byte, there bool) bool {
	if !w.given {
		return true
	}
	equal := there
	if there && w.digests {
		equal = xxh3.Hash(value) == w.digest
	} else if there {
		equal = bytes.Equal(value, w.operand)
	}
	return equal != w.differs
}

// writtenString finds the string that a command may be going to replace. It counts no hit or miss.
func writtenString(c *engine.Ctx, k store.Key) (value []byte, ok bool, err error) {
	e, ok := c.Write(k)
	switch {
	case !ok:
		return nil, false, nil
	case e.Type() != store.TypeString:
		return nil, false, store.ErrWrongType
	}
	return e.Bytes(), true, nil
}

// delexKeyFlags is what one DELEX does to its key: with a condition it tells something of the value.
func delexKeyFlags(args [][]byte) engine.KeyFlags {
	if len(args) > 2 {
		return engine.RM | engine.Access | engine.Delete
	}
	return engine.RM | engine.Delete
}

func cmdDelex(c *engine.Ctx) error {
	switch len(c.Args) {
	case 2:
		replyDone(c, deleteKey(c))
		return nil
	case 4:
	default:
		return engine.ErrArity(c.Spec)
	}
	var when valueCondition
	a := c.Parse(2)
	if !when.parse(a) {
		a.Syntax()
	}
	if err := a.Err(); err != nil {
		return err
	}
	return deleteIf(c, &when)
}

func cmdDelifeq(c *engine.Ctx) error {
	return deleteIf(c, &valueCondition{given: true, operand: c.Args[2]})
}

// deleteIf deletes the command's key if a condition is met. It is not met by a key that is absent,
// since nothing is deleted then.
func deleteIf(c *engine.Ctx, when *valueCondition) error {
	value, ok, err := writtenString(c, c.Keys[0])
	if err != nil {
		return err
	}
	replyDone(c, ok && when.holds(value, true) && deleteKey(c))
	return nil
}

// digestSize is the length of a digest in bytes, which is told in twice as many hexadecimal digits.
const digestSize = 8

func cmdDigest(c *engine.Ctx) error {
	value, ok, err := c.GetString(c.Keys[0])
	switch {
	case err != nil:
		return err
	case !ok:
		c.Out.Null()
		return nil
	}
	var sum [digestSize]byte
	var digits [2 * digestSize]byte
	binary.BigEndian.PutUint64(sum[:], xxh3.Hash(value))
	hex.Encode(digits[:], sum[:])
	c.Out.Bulk(digits[:])
	return nil
}
