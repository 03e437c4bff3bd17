package rdb

import (
	"encoding/binary"

	"github.com/larderkv/larder/store"
)

// CheckPayload checks the footer of a DUMP payload: its version, and the checksum
// over everything in front of that. The error is ErrPayload.
func CheckPayload(payload []byte) error {
	if len(payload) < footerSize {
		return ErrPayload
	}
	body := payload[:len(payload)-8]
	if binary.LittleEndian.Uint16(body[len(body)-2:]) > maxVersion {
		return ErrPayload
	}
	// A sum of 0 is a sum like any other here, not one that is switched off.
	if updateCRC(0, body) != binary.LittleEndian.Uint64(payload[len(body):]) {
		return ErrPayload
	}
	return nil
}

// Decoded is a value taken out of a DUMP payload. It aliases the payload.
type Decoded struct{ d decoder }

// Decode takes the value out of a DUMP payload that CheckPayload has accepted; any
// other bytes do no harm. The error is ErrBadFormat. now, in unix milliseconds: the
// fields of a hash that have expired by then are left out.
func Decode(payload []byte, now int64) (*Decoded, error) {
	if len(payload) <= footerSize || !rowOf(payload[0]).known {
		return nil, ErrBadFormat
	}
	v := new(Decoded)
	if err := v.d.value(payload[0], payload[1:len(payload)-footerSize], now); err != nil || v.repeats() {
		return nil, ErrBadFormat
	}
	return v, nil
}

// repeats tells whether a field or a member is there twice. The integers of an
// intset are in order, so that decoding it has found out already.
func (v *Decoded) repeats() bool {
	step := 1
	if v.d.typ == store.TypeHash {
		step = 2
	}
	seen := make(map[string]struct{}, len(v.d.list)/step)
	for i := 0; i < len(v.d.list); i += step {
		seen[string(v.d.list[i])] = struct{}{}
	}
	return len(seen) != len(v.d.list)/step
}

// Store gives the value to a key that is absent and whose shard the caller holds.
// The new key has no expiry time. It counts as one change.
func (v *Decoded) Store(view *store.View, k store.Key) error {
	dirty := view.Dirty
	var err error
	switch d := &v.d; {
	case d.typ == store.TypeString:
		view.SetString(k, d.str, 0)
	case d.typ == store.TypeHash:
		_, err = view.SetFields(k, d.list)
	case d.width != 0:
		view.InsertIntegers(k, d.width, d.members)
		view.Changed(k)
	default:
		_, err = view.AddMembers(k, d.list)
	}
	view.Dirty = dirty + 1
	return err
}
