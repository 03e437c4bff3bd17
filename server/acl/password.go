package acl

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"
)

// digest is the SHA-256 of a password.
type digest [sha256.Size]byte

// parseDigest reads a digest in lower-case hexadecimal, which is the only form that rules know.
func parseDigest(text string) (d digest, ok bool) {
	if len(text) != 2*len(d) || text != strings.ToLower(text) {
		return d, false
	}
	_, err := hex.Decode(d[:], []byte(text))
	return d, err == nil
}

// accepts reports whether a password is the user's. u may be nil: the same work is done then, and for
// a user who is off, so that the time does not tell who exists.
func (u *User) accepts(password []byte) bool {
	given := digest(sha256.Sum256(password))
	known := []digest{{}}
	if u != nil && len(u.passwords) > 0 {
		known = u.passwords
	}
	same := 0
	for i := range known {
		same |= subtle.ConstantTimeCompare(given[:], known[i][:])
	}
	switch {
	case u == nil || !u.on:
		return false
	case u.noPass:
		return true
	}
	return same == 1 && len(u.passwords) > 0
}

// MaxGenerated is how many bits a generated password has at most.
const MaxGenerated = 4096

// Generate makes a random password of so many bits in hexadecimal, four to a digit.
func Generate(bits int) string {
	digits := (bits + 3) / 4
	random := make([]byte, (digits+1)/2)
	rand.Read(random) // which never fails
	return hex.EncodeToString(random)[:digits]
}
