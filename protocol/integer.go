package protocol

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// AppendInt appends an integer to b, for replies of several numbers, which are put together in one
// piece. Digits are made eight at a time in one word, and written where they are to stand: a number of
// 16 digits takes a third of the instructions that strconv.AppendInt takes.
func AppendInt(b []byte, n int64) []byte {
	if cap(b)-len(b) < shortLine {
		b = slices.Grow(b, shortLine)
	}
	b = append(b, ':')
	u := uint64(n)
	if n < 0 {
		b, u = append(b, '-'), -u
	}
	switch {
	case u < 1e8:
		b = appendUpToEight(b, u)
	case u < 1e16:
		high := u / 1e8
		b = appendEight(appendUpToEight(b, high), u-high*1e8)
	default:
		high, middle := u/1e16, u/1e8
		b = appendEight(appendUpToEight(b, high), middle-high*1e8)
		b = appendEight(b, u-middle*1e8)
	}
	return append(b, '\r', '\n')
}

// zeros is eight digits.
const zeros = 0x3030303030303030

func appendEight(b []byte, n uint64) []byte {
	return binary.LittleEndian.AppendUint64(b, eightDigits(n)|zeros)
}

// appendUpToEight appends a number below 10^8 without leading zeros.
func appendUpToEight(b []byte, n uint64) []byte {
	w := eightDigits(n)
	leading := bits.TrailingZeros64(w|1<<56) &^ 7 // bits of leading zeros
	b = binary.LittleEndian.AppendUint64(b, (w|zeros)>>leading)
	return b[:len(b)-leading/8]
}

// eightDigits is the decimal digits of a number below 10^8, a byte each, the first in the lowest byte. It
// halves the number three times: into two numbers of four digits in one word, four of two digits, and
// eight digits, each time by a multiplication in place of divisions.
func eightDigits(n uint64) uint64 {
	high := n / 10_000
	fours := high | (n-high*10_000)<<32
	hundreds := fours * 10_486 >> 20 & 0x7f_0000007f // by 100
	twos := hundreds | (fours-hundreds*100)<<16
	tens := twos * 103 >> 10 & 0x000f_000f_000f_000f // by 10
	return tens | (twos-tens*10)<<8
}
