package rdb

import (
	"fmt"
	"strings"
)

// origin is who wrote a file, as far as it says so. Numbers of types mean nothing without it: the
// families of servers give the same numbers to different types.
type origin struct {
	dialect *dialect
	version int    // of the format
	family  string // of the server, if it is another than the dialect's
	server  string // the server's version
}

// aux takes what an auxiliary field says of the server.
func (o *origin) aux(name, value string) {
	if (name != "redis-ver" && name != "valkey-ver") || !isVersion(value) {
		return
	}
	o.server = value
	switch {
	case name == "valkey-ver": // also in what Valkey 8 writes, in Redis' dialect
		o.family = "Valkey"
	case strings.HasPrefix(value, "6.3."): // Redis went from 6.2 to 7.0
		o.family = "KeyDB"
	}
}

func (o *origin) String() string {
	family := o.family
	if family == "" {
		family = o.dialect.name
	}
	if o.server != "" {
		family += " " + o.server
	}
	return fmt.Sprintf("%s, RDB version %d", family, o.version)
}

// isVersion keeps out of messages what is no version.
func isVersion(s string) bool {
	const longest = 32
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && c != '.' && c != '-' && c != '+' {
			return false
		}
	}
	return s != "" && len(s) <= longest
}

// unknownNumber fails at a type or an opcode that the file's dialect does not have. Where a value
// of such a type ends is not known, so nothing behind it can be read. A type has the key's name
// behind it, which is told if it is a short one.
func (s *splitter) unknownNumber(number byte) bool {
	at, db := s.offset()-1, s.db
	key := ""
	if number < opSlotImport {
		n, coded, ok := s.length()
		if name, got := []byte(nil), false; ok && !coded && n <= longestName {
			if name, got = s.take(int(n)); got {
				key = fmt.Sprintf(" of key %q in database %d", name, db)
			}
		}
		if s.err != nil && !isCorrupt(s.err) {
			return false
		}
		s.err = nil
	}
	return s.fail(at, fmt.Sprintf("unknown RDB encoding type %d%s, in a file of %s", number, key, &s.origin))
}
