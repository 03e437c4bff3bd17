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

// Restore makes a key of a DUMP payload that CheckPayload has accepted; any other
// bytes do no harm. The key is absent, and the caller holds its shard. The new key
// has no expiry time. It counts as one change. On ErrBadFormat there is no key.
//
// Fields of a hash that have expired by v.Now are left out.
func Restore(v *store.View, k store.Key, payload []byte) error {
	if len(payload) <= footerSize || !rowOf(payload[0]).known {
		return ErrBadFormat
	}
	var d decoder
	if err := d.value(payload[0], payload[1:len(payload)-footerSize], v.Now); err != nil {
		return ErrBadFormat
	}
	dirty := v.Dirty
	err := restore(v, k, &d)
	v.Dirty = dirty
	if err == nil {
		v.Dirty++
	}
	return err
}

func restore(v *store.View, k store.Key, d *decoder) error {
	if d.typ == store.TypeString {
		v.SetString(k, d.str, 0)
		return nil
	}
	added, err := 0, error(nil)
	if d.typ == store.TypeHash {
		added, err = v.SetFields(k, d.list)
		added *= 2
	} else if d.width != 0 {
		v.InsertIntegers(k, d.width, d.members)
		v.Changed(k)
	} else {
		added, err = v.AddMembers(k, d.list)
	}
	if err == nil && added == len(d.list) {
		return nil
	}
	v.Delete(k)
	return ErrBadFormat
}
