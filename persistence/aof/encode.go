package aof

import "strconv"

// timestampMark begins the annotation that redis-check-aof --truncate-to-timestamp looks for.
const timestampMark = "#TS:"

// timestampRoom is enough for an annotation.
const timestampRoom = 32

// appendTimestamp appends an annotation.
func appendTimestamp(dst []byte, unix int64) []byte {
	dst = append(dst, timestampMark...)
	dst = strconv.AppendInt(dst, unix, 10)
	return append(dst, '\r', '\n')
}
