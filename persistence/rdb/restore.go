package rdb

import (
	"encoding/binary"
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
	if payloadDialect(body) == nil {
		return ErrPayload
	}
	// A sum of 0 is a sum like any other here, not one that is switched off.
	if updateCRC(0, body) != binary.LittleEndian.Uint64(payload[len(body):]) {
		return ErrPayload
	}
	return nil
}

// payloadDialect is the dialect of a payload by the version at its end; nil: a newer one. Redis'
// has no first version: payloads are as old as the servers that made them.
func payloadDialect(body []byte) *dialect {
	version := int(binary.LittleEndian.Uint16(body[len(body)-2:]))
	if d := &dialects[valkeyDialect]; d.reads(version) {
		return d
	}
	if d := &dialects[redisDialect]; version <= d.max {
		return d
	}
	return nil
}

// Decoded is a value taken out of a DUMP payload. It aliases the payload.
type Decoded struct{ d decoder }

// Decode takes the value out of a DUMP payload that CheckPayload has accepted; any
// other bytes do no harm. The error is ErrBadFormat. now, in unix milliseconds: the
// fields of a hash that have expired by then are left out.
func Decode(payload []byte, now int64) (*Decoded, error) {
	if len(payload) <= footerSize {
		return nil, ErrBadFormat
	}
	d := payloadDialect(payload[:len(payload)-8])
	if d == nil {
		return nil, ErrBadFormat
	}
	typ, ok := d.typeOf(payload[0])
	if !ok {
		return nil, ErrBadFormat
	}
	v := new(Decoded)
	if err := v.d.value(typ, payload[1:len(payload)-footerSize], now); err != nil || v.d.repeats() {
		return nil, ErrBadFormat
	}
	return v, nil
}

// Store gives the value to a key that is absent and whose shard the caller holds.
// The new key has no expiry time. It counts as one change.
func (v *Decoded) Store(view *store.View, k store.Key) error {
	if !codecs[v.d.typ].insert(view, k, &v.d, 0) {
		return fmt.Errorf("BUG: the key %q to be restored exists", k.Name)
	}
	view.Dirty++
	view.Changed(k, store.EventRestore)
	return nil
}
