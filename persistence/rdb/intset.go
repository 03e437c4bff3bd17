package rdb

import "encoding/binary"

// Intsets: width 4 (2, 4 or 8), members 4, and the members in ascending order,
// all little-endian.
const intsetHead = 8

// checkIntset returns the width and the members, which alias b.
func checkIntset(b []byte) (width int, members []byte, err error) {
	if len(b) < intsetHead {
		return 0, nil, corruption("intset is too short")
	}
	w := binary.LittleEndian.Uint32(b)
	if w != 2 && w != 4 && w != 8 {
		return 0, nil, corruption("intset has a bad width")
	}
	width, members = int(w), b[intsetHead:]
	if uint64(binary.LittleEndian.Uint32(b[4:]))*uint64(w) != uint64(len(members)) {
		return 0, nil, corruption("intset has a wrong length")
	}
	for i := width; i < len(members); i += width {
		if littleInt(members[i-width:i]) >= littleInt(members[i:i+width]) {
			return 0, nil, corruption("intset is not in order")
		}
	}
	return width, members, nil
}
