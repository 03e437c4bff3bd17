package secure

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// suite is a cipher suite of TLS 1.2 and before.
type suite struct {
	id      uint16
	openSSL string
	aliases string // OpenSSL's names of groups that it belongs to
	weak    bool   // not among those of DEFAULT here
}

// suites are those that crypto/tls has, in its order.
func suites() []suite {
	const (
		gcm    = " AESGCM AES HIGH "
		cbc    = " AES HIGH SHA1 SHA "
		chacha = " CHACHA20 HIGH "
		ec     = " ECDHE EECDH kECDHE kEECDH "
		plain  = " kRSA RSA aRSA "
	)
	return []suite{
		{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256", ec + gcm + "AES128 aECDSA ECDSA SHA256", false},
		{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256", ec + gcm + "AES128 aRSA SHA256", false},
		{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384", ec + gcm + "AES256 aECDSA ECDSA SHA384", false},
		{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384", ec + gcm + "AES256 aRSA SHA384", false},
		{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305", ec + chacha + "aECDSA ECDSA", false},
		{tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305", ec + chacha + "aRSA", false},
		{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, "ECDHE-ECDSA-AES128-SHA", ec + cbc + "AES128 aECDSA ECDSA", false},
		{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, "ECDHE-RSA-AES128-SHA", ec + cbc + "AES128 aRSA", false},
		{tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, "ECDHE-ECDSA-AES256-SHA", ec + cbc + "AES256 aECDSA ECDSA", false},
		{tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, "ECDHE-RSA-AES256-SHA", ec + cbc + "AES256 aRSA", false},
		{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, "ECDHE-ECDSA-AES128-SHA256", ec + " AES HIGH AES128 aECDSA ECDSA SHA256", true},
		{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, "ECDHE-RSA-AES128-SHA256", ec + " AES HIGH AES128 aRSA SHA256", true},
		{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, "AES128-GCM-SHA256", plain + gcm + "AES128 SHA256", true},
		{tls.TLS_RSA_WITH_AES_256_GCM_SHA384, "AES256-GCM-SHA384", plain + gcm + "AES256 SHA384", true},
		{tls.TLS_RSA_WITH_AES_128_CBC_SHA256, "AES128-SHA256", plain + " AES HIGH AES128 SHA256", true},
		{tls.TLS_RSA_WITH_AES_128_CBC_SHA, "AES128-SHA", plain + cbc + "AES128", true},
		{tls.TLS_RSA_WITH_AES_256_CBC_SHA, "AES256-SHA", plain + cbc + "AES256", true},
	}
}

// absent are names of groups that OpenSSL knows and crypto/tls has nothing of, or nothing that larder
// would offer. They are often named to be left out: DEFAULT:!MEDIUM.
const absent = "LOW MEDIUM EXP EXPORT eNULL NULL aNULL COMPLEMENTOFDEFAULT COMPLEMENTOFALL " +
	"DES 3DES RC2 RC4 IDEA SEED MD5 CAMELLIA CAMELLIA128 CAMELLIA256 ARIA ARIA128 ARIA256 ARIAGCM AESCCM AESCCM8 " +
	"PSK kPSK aPSK kECDHEPSK kDHEPSK kRSAPSK SRP kSRP aSRP aDSS DSS DH DHE EDH kDHE kEDH ADH AECDH " +
	"GOST aGOST kGOST GOST89 GOST94 CBC3-SHA DES-CBC3-SHA"

// ciphers reads a list of OpenSSL's (ciphers(1)): names of suites, or of groups, some joined by plus
// signs, between colons, commas or spaces. "-" and "!" in front take suites out again, "!" for good;
// "+" and "@STRENGTH" are about the order, which crypto/tls has one of its own for. nil are those of
// crypto/tls itself. A name that is unknown is an error, where OpenSSL passes it over: it may be the
// one that was to be left out.
func ciphers(list string) ([]uint16, error) {
	if list == "" {
		return nil, nil
	}
	var chosen, banned []uint16
	for word := range strings.FieldsFuncSeq(list, func(r rune) bool { return strings.ContainsRune(": ,;", r) }) {
		name := strings.TrimLeft(word, "!-+")
		if strings.HasPrefix(name, "@") {
			if name == "@STRENGTH" || strings.HasPrefix(name, "@SECLEVEL=") {
				continue
			}
			return nil, errCipher(word)
		}
		ids, known := find(name)
		if !known {
			return nil, errCipher(word)
		}
		has := func(id uint16) bool { return slices.Contains(ids, id) }
		switch word[:len(word)-len(name)] {
		case "":
			for _, id := range ids {
				if !slices.Contains(chosen, id) && !slices.Contains(banned, id) {
					chosen = append(chosen, id)
				}
			}
		case "-":
			chosen = slices.DeleteFunc(chosen, has)
		case "!":
			chosen = slices.DeleteFunc(chosen, has)
			banned = append(banned, ids...)
		case "+":
		default:
			return nil, errCipher(word)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("tls-ciphers: %q leaves no cipher that larder has", list)
	}
	return chosen, nil
}

// checkSuites reads tls-ciphersuites. There are five, of which crypto/tls has three, and offers them
// all.
func checkSuites(list string) error {
	names := []string{
		"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
		"TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256",
	}
	for name := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ':' }) {
		if !slices.Contains(names, name) {
			return fmt.Errorf("tls-ciphersuites: unknown name %q", name)
		}
	}
	return nil
}

func errCipher(word string) error { return fmt.Errorf("tls-ciphers: unknown name %q", word) }

// find returns the suites of a name, and whether OpenSSL has it.
func find(name string) (ids []uint16, known bool) {
	// Suites with Diffie-Hellman on finite fields stand in many lists, and are missing here.
	if strings.HasPrefix(name, "DHE-") {
		return nil, true
	}
	parts := strings.Split(name, "+")
	groups := strings.Fields(absent + " ALL DEFAULT") // all that there are
	for _, s := range suites() {
		groups = append(groups, strings.Fields(s.aliases)...)
	}
	known = !slices.ContainsFunc(parts, func(part string) bool { return !slices.Contains(groups, part) })
	for _, s := range suites() {
		if name == s.openSSL || name == tls.CipherSuiteName(s.id) {
			return []uint16{s.id}, true
		}
		in := append(strings.Fields(s.aliases), "ALL")
		if !s.weak {
			in = append(in, "DEFAULT")
		}
		if !slices.ContainsFunc(parts, func(part string) bool { return !slices.Contains(in, part) }) {
			ids = append(ids, s.id)
		}
	}
	return ids, known
}
