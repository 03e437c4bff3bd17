package protocol

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// AppendInt appends an integer to b, for replies of several numbers, which are put together in one
// piece. Digits are made eight at a time in one word, and written where they are to stand; room is
// looked for once. So a number of 16 digits takes a quarter of the instructions that strconv.AppendInt
// takes.
func AppendInt(b []byte, n int64) []byte {
	from := len(b)
	if cap(b)-from < shortLine {
		b = slices.Grow(b, shortLine)
	}
	if uint64(n) < 10 {
		return append(b, ':', '0'+byte(n), '\r', '\n')
	}
	line := (*[shortLine]byte)(b[from : from+shortLine])
	line[0] = ':'
	end, u := uint(1), uint64(n)
	if n < 0 {
		line[1], end, u = '-', 2, -u
	}
	first, further := u, 0 // the digits in front, and how many times eight follow them
	if u >= 1e8 {
		if first, further = u/1e8, 1; first >= 1e8 {
			first, further = u/1e16, 2
		}
	}
	digits := eightDigits(first)
	leading := uint(bits.TrailingZeros64(digits|1<<56)) & 0x38 // bits of leading zeros
	binary.LittleEndian.PutUint64(line[end:end+8:end+8], (digits|zeros)>>leading)
	end += 8 - leading/8
	if further > 0 {
		rest := u - first*1e8
		if further > 1 {
			middle := u/1e8 - first*1e8
			binary.LittleEndian.PutUint64(line[end:end+8:end+8], eightDigits(middle)|zeros)
			end += 8
			rest = u - u/1e8*1e8
		}
		binary.LittleEndian.PutUint64(line[end:end+8:end+8], eightDigits(rest)|zeros)
		end += 8
	}
	line[end], line[end+1] = '\r', '\n'
	return b[:from+int(end)+len("\r\n")]
}

// zeros is eight digits.
const zeros = 0x3030303030303030

// eightDigits is the decimal digits of a number below 10^8, a byte each, the first in the lowest byte. It
// halves the number three times: into two numbers of four digits in one word, four of two digits, and
// eight digits, each time by a multiplication in place of divisions. With q the quotients by 10^k, and w
// the width of a half, what each half has above the lower bits and below them is
//
//	q + (n - q*10^k)<<w = n<<w - q*(10^k<<w - 1)
func eightDigits(n uint64) uint64 {
	high := n * 109_951_163 >> 40 // by 10,000
	fours := n<<32 - high*(10_000<<32-1)
	hundreds := fours * 10_486 >> 20 & 0x7f_0000007f // by 100
	twos := fours<<16 - hundreds*(100<<16-1)
	tens := twos * 103 >> 10 & 0x000f_000f_000f_000f // by 10
	return twos<<8 - tens*(10<<8-1)
}
