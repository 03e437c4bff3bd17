package rdb

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/larderkv/larder/store"
)

// CheckPayload checks the footer of a DUMP payload: its version, and the checksum
// over everything in front of that. The error is ErrPayload.
func CheckPayload(payload []byte) error {
	if len(payload) < footerSize {
		return ErrPayload
	}
	body := payload[:len(payload)-8]
	if payloadDialect(payloadVersion(payload)) == nil {
		return ErrPayload
	}
	// A sum of 0 is a sum like any other here, not one that is switched off.
	if updateCRC(0, body) != binary.LittleEndian.Uint64(payload[len(body):]) {
		return ErrPayload
	}
	return nil
}

// payloadVersion is the version in the footer of a payload.
func payloadVersion(payload []byte) int {
	return int(binary.LittleEndian.Uint16(payload[len(payload)-footerSize:]))
}

// payloadValue splits a payload into the type in it and the value, without the footer. ok is false if
// that is no type of the dialect, or there is no value.
func payloadValue(payload []byte) (typ byte, value []byte, ok bool) {
	if len(payload) < footerSize+2 {
		return 0, nil, false
	}
	dialect := payloadDialect(payloadVersion(payload))
	if dialect == nil {
		return 0, nil, false
	}
	typ, ok = dialect.typeOf(payload[0])
	return typ, payload[1 : len(payload)-footerSize], ok
}

// payloadDialect is the dialect of a payload of this version; nil: a newer one. Redis' has no first
// version: payloads are as old as the servers that made them.
func payloadDialect(version int) *dialect {
	if d := &dialects[valkeyDialect]; d.reads(version) {
		return d
	}
	if d := &dialects[redisDialect]; version <= d.max {
		return d
	}
	return nil
}

// Decoded is a value taken out of a DUMP payload, for a key whose shard the caller holds throughout.
// It aliases the payload, and ends with Store or Discard.
type Decoded struct {
	view  *store.View
	k     store.Key
	d     decoder
	large *store.NewLarge // nil: the decoder has all of it
}

// Decode takes the value out of a DUMP payload that CheckPayload has accepted; any
// other bytes do no harm. The error is ErrBadFormat, or ErrExpired. Elements that have
// expired by the view's time are left out. Nothing is stored yet.
func Decode(view *store.View, k store.Key, payload []byte) (*Decoded, error) {
	typ, value, ok := payloadValue(payload)
	if !ok {
		return nil, ErrBadFormat
	}
	v := &Decoded{view: view, k: k}
	if err := v.decode(typ, value); err != nil {
		return nil, err
	}
	return v, nil
}

// Left reports whether elements were left out.
func (v *Decoded) Left() bool { return v.d.left }

// largePayload is the length of a payload from which on its elements go into the store as they are
// decoded.
const largePayload = 16 << 10

// decode takes b for a value of a type.
func (v *Decoded) decode(typ byte, b []byte) error {
	now := v.view.Now
	if v.view.Loading { // nothing expires
		now = 0
	}
	if row := &typeRows[typ]; len(b) >= largePayload && row.element != nil && layouts[row.shape].kept {
		c := cursor{b: b}
		n := int(c.count(layouts[row.shape].size))
		if c.bad == "" && v.view.IsLarge(row.typ, n) {
			if !v.stream(row, &c, n) {
				return ErrBadFormat
			}
			if !hasTrailer(b[c.p:]) {
				return nil
			}
			v.large.Discard() // members with times are decoded first
			v.large = nil
		}
	}
	switch err := v.d.value(typ, b, now); {
	case errors.Is(err, ErrExpired):
		return ErrExpired
	case err != nil, v.d.repeats():
		return ErrBadFormat
	}
	return nil
}

// shortestMember is how many bytes an element of a large collection has on average in a payload that
// tells the truth, since no member comes twice. It bounds the room that is made in front.
const shortestMember = 4

// stream decodes a large value.
func (v *Decoded) stream(row *typeRow, c *cursor, n int) bool {
	v.large = v.view.NewLarge(v.k, row.typ, min(n, len(c.b)/shortestMember))
	if v.d.stream(c, row, n, v.large.Add) && v.large.Len() > 0 {
		return true
	}
	v.large.Discard()
	return false
}

// Store gives the value to its key, which is absent by now. The new key has no expiry time. It
// counts as one change.
func (v *Decoded) Store() error {
	stored := false
	if v.large != nil {
		stored = v.view.InsertLarge(v.large)
	} else {
		stored = codecs[v.d.typ].insert(v.view, v.k, &v.d, 0)
	}
	if !stored {
		return fmt.Errorf("BUG: the key %q to be restored exists", v.k.Name)
	}
	v.view.Dirty++
	v.view.Changed(v.k, store.EventNew)
	v.view.Changed(v.k, store.EventRestore)
	return nil
}

// Discard gives the value up.
func (v *Decoded) Discard() {
	if v.large != nil {
		v.large.Discard()
	}
}
