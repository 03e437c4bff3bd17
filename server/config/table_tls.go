package config

import (
	"math"
	"strings"
)

// Why some of TLS' parameters have no effect: what Go's library decides by itself.
const (
	tlsOwnOrder   = "Go's TLS puts ciphers in order by itself, by what both sides have hardware for"
	tlsAllSuites  = "Go's TLS always offers all three of its suites of TLS 1.3"
	tlsStateless  = "sessions are kept by the clients, as tickets"
	tlsNoFiniteDH = "Go's TLS exchanges keys on elliptic curves alone"
)

// RefusedTLS is what CONFIG SET answers to TLS parameters that cannot be used, in Redis' words.
const RefusedTLS = "Unable to update TLS configuration. Check server logs."

// Values of tls-auth-clients-user.
const (
	UserOff = "off"
	UserCN  = "CN"
)

// tlsParams are those of TLS. Files are read, and names of ciphers looked up, when larder begins to
// use them: only together do they make sense, and CONFIG SET changes all or none. Until tls-port is
// set nothing looks at them, as in Redis.
func tlsParams() []Param {
	return []Param{
		{
			Name: "tls-port", Default: "0",
			Kind:    integer(0, 65535, func(v *Values) *int64 { return &v.TLSPort }),
			Meaning: "port for TLS; 0 none. With port 0 then nothing else is served over TCP",
		}, {
			Name: "tls-cert-file", Default: "",
			Kind:    text("a file name", func(v *Values) *string { return &v.TLSCertFile }),
			Meaning: "certificate of the server in PEM, with those between it and its authority's behind it",
		}, {
			Name: "tls-key-file", Default: "",
			Kind:    text("a file name", func(v *Values) *string { return &v.TLSKeyFile }),
			Meaning: "its private key, in PEM",
		}, {
			Name: "tls-key-file-pass", Default: "",
			Kind:    secret(text("a password", func(v *Values) *string { return &v.TLSKeyFilePass })),
			Meaning: "password of that file, if it is encrypted",
		}, {
			Name: "tls-ca-cert-file", Default: "",
			Kind:    text("a file name", func(v *Values) *string { return &v.TLSCACertFile }),
			Meaning: "certificates of the authorities that clients' certificates are to come from",
		}, {
			Name: "tls-ca-cert-dir", Default: "",
			Kind:    text("a folder", func(v *Values) *string { return &v.TLSCACertDir }),
			Meaning: "folder of such files",
		}, {
			Name: "tls-auth-clients", Default: "yes",
			Kind:    enum(func(v *Values) *string { return &v.TLSAuthClients }, "no", "yes", "optional"),
			Meaning: "whether clients need a certificate; optional: one that they have must be good",
		}, {
			Name: "tls-auth-clients-user", Default: UserOff,
			Kind:    enum(func(v *Values) *string { return &v.TLSClientsUser }, UserOff, UserCN),
			Meaning: "CN: a client begins as the user that its certificate names, if there is one and it is on",
		}, {
			Name: "tls-protocols", Default: "",
			Kind:    text(`"TLSv1.2 TLSv1.3", or other neighbours from TLSv1 on`, func(v *Values) *string { return &v.TLSProtocols }),
			Meaning: "versions of TLS; empty: TLSv1.2 TLSv1.3",
		}, {
			Name: "tls-ciphers", Default: "",
			Kind:    text("names of ciphers as OpenSSL writes them", func(v *Values) *string { return &v.TLSCiphers }),
			Meaning: "ciphers for TLS 1.2 and before; empty: those that are good",
		}, {
			Name: "tls-ciphersuites", Default: "",
			Kind:    text("names of suites of TLS 1.3", func(v *Values) *string { return &v.TLSCiphersuites }),
			Meaning: "suites of TLS 1.3, of which all three are offered: only whether there are such names is looked at",
			Caution: whenNot("", tlsAllSuites+", whatever is named here"),
		}, {
			Name: "tls-session-caching", Default: "yes",
			Kind:    yesNo(func(v *Values) *bool { return &v.TLSSessionCaching }),
			Meaning: "clients that come back may go on with the session that they had, without the dear part of a handshake",
		}, {
			Name: "tls-session-cache-timeout", Default: "300",
			Kind:    integer(0, math.MaxInt32, func(v *Values) *int64 { return &v.TLSSessionTimeout }),
			Meaning: "seconds for which they may",
		},
	}
}

// TLSParams are the names of the parameters that make the configuration of TLS. Who a client is by its
// certificate is asked behind it.
func TLSParams() []string {
	var names []string
	for _, row := range tlsParams() {
		if row.Name != "tls-port" && row.Name != "tls-auth-clients-user" {
			names = append(names, row.Name)
		}
	}
	return names
}

func inertTLSParams() []Param {
	return []Param{
		{Name: "tls-prefer-server-ciphers", Default: "no", Kind: yesNo(nil), Meaning: "the server's order of ciphers counts", Inert: tlsOwnOrder},
		{Name: "tls-session-cache-size", Default: "20480", Kind: integer(0, math.MaxInt32, nil), Meaning: "sessions to keep", Inert: tlsStateless},
		{Name: "tls-dh-params-file", Default: "", Kind: text("a file name", nil), Meaning: "parameters of a key exchange", Inert: tlsNoFiniteDH},
		{Name: "tls-replication", Default: "no", Kind: only(yesNo(nil), is("no"), "no, since "+noReplication, RefusedTLS), Meaning: "TLS to the primary", Inert: noReplication},
		{Name: "tls-cluster", Default: "no", Kind: only(yesNo(nil), is("no"), "no, since "+noCluster, RefusedTLS), Meaning: "TLS between nodes", Inert: noCluster},
		{Name: "tls-client-cert-file", Default: "", Kind: text("a file name", nil), Meaning: "certificate to show to other servers", Inert: noReplication},
		{Name: "tls-client-key-file", Default: "", Kind: text("a file name", nil), Meaning: "its private key", Inert: noReplication},
		{Name: "tls-client-key-file-pass", Default: "", Kind: secret(text("a password", nil)), Meaning: "password of that file", Inert: noReplication},
	}
}

// ServesTCP reports whether there is a port without TLS. Redis has none with port 0; here that lets
// the system choose one, unless there is one with TLS.
func (v *Values) ServesTCP() bool { return v.Port != 0 || v.TLSPort == 0 }

// TLSVersions are the words of tls-protocols.
func (v *Values) TLSVersions() []string {
	if words := strings.Fields(v.TLSProtocols); len(words) > 0 {
		return words
	}
	return []string{"TLSv1.2", "TLSv1.3"}
}
