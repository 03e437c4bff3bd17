package journal

import "encoding/base64"

// Effects that only larder knows, such as the tags of a key, are to be read back by larder and passed over
// by Redis, which ends at a command that it does not know. What it passes over in a log are
// annotations, lines that begin with #. So such a command is written in base64 on lines of this kind,
// which are shorter than what Redis takes for one line: some that begin with OwnPart, and a last one
// that begins with OwnEnd.

// The beginnings of lines.
const (
	OwnPart = "#larder+"
	OwnEnd  = "#larder:"

	ownBytes = 750 // of a line; 1000 characters, where a line may have 1023 with all that belongs to it
)

// AppendOwn appends a command that only larder knows.
func AppendOwn(dst []byte, args ...[]byte) []byte {
	for rest := AppendCommand(nil, args...); ; {
		part, mark := rest, OwnEnd
		if len(rest) > ownBytes {
			part, mark = rest[:ownBytes], OwnPart
		}
		dst = append(dst, mark...)
		dst = base64.StdEncoding.AppendEncode(dst, part)
		dst = append(dst, "\r\n"...)
		if rest = rest[len(part):]; len(rest) == 0 {
			return dst
		}
	}
}
