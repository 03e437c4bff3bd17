package admin

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/larderkv/larder/server/acl"
)

// superuser is the name under which admin-password lets in.
const superuser = "admin"

// tokenHeader is where a page says the token that GET /api/server has given it.
const tokenHeader = "X-Larder-Token"

// guard is what every request has to pass before the routes see it: a host that we are, a path that
// is one, and no other site's script behind it.
func (a *Admin) guard(routes http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asking.keep()
		setHeaders(w.Header())
		switch {
		case !a.answersTo(r.Host):
			// 421 is for a server that is asked for by a name which it does not have.
			fail(w, http.StatusMisdirectedRequest,
				"this host's name is not known here: admin-hosts lists those that are")
		case !plainPath(r.URL.Path) || r.URL.Path != r.URL.EscapedPath():
			fail(w, http.StatusBadRequest, "no such path")
		case !plainQuery(r.URL.RawQuery):
			fail(w, http.StatusBadRequest, "each parameter is given once, as name=value with %XX for what is special")
		case crossSite(r) || crossOrigin.Check(r) != nil:
			fail(w, http.StatusForbidden, "requests by other sites are refused")
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			deadline(w, replyTime)
			routes.ServeHTTP(w, r)
		}
	})
}

// setHeaders are those of every reply. The page replaces the policy by its own.
func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// answersTo reports whether a Host header may name this server. A page of another site whose name has
// been made to lead here (DNS rebinding) says that name, and nothing else can: so addresses are good,
// and of names those that only we can have.
func (a *Admin) answersTo(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return true
	}
	return name == "localhost" || slices.Contains(a.cfg.Values().AdminHosts, name)
}

// plainPath reports whether a path is one that a route can have: the others are somebody's attempt.
func plainPath(p string) bool {
	return strings.HasPrefix(p, "/") && (path.Clean(p) == p || path.Clean(p)+"/" == p) &&
		!strings.ContainsAny(p, "\\\x00")
}

// plainQuery reports whether all of a query can be understood in one way. Parameters that cannot be
// read would be as if they were not there, and one that is given twice as if it were given once: so
// DELETE with a db that has a mistake would delete from another database.
func plainQuery(raw string) bool {
	params, err := url.ParseQuery(raw)
	for _, values := range params {
		if len(values) > 1 {
			return false
		}
	}
	return err == nil
}

// crossSite reports whether a browser says that another site's page makes the request, and it is not
// a person who follows a link to our page. Browsers that do not say it are left to the checks of
// Origin, and to the token.
func crossSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	return r.Method != http.MethodGet || r.URL.Path != "/" || r.Header.Get("Sec-Fetch-Mode") != "navigate"
}

// deadline bounds the time of the reply. Where the connection cannot do that there is none to bound.
func deadline(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
}

// noReadDeadline lifts the deadline of the request, which would end a long reply, too.
func noReadDeadline(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // as above
}

// identity is who makes a request.
type identity struct {
	*acl.Record
	secret [sha256.Size]byte // of admin-password at the login; zero for a user of ACL
}

// authenticate finds out who makes a request, nil: nobody knows. A name takes as long as any other.
func (a *Admin) authenticate(r *http.Request) *identity {
	name, password, ok := r.BasicAuth()
	if !ok {
		return nil
	}
	given, real := sha256.Sum256([]byte(password)), a.secret()
	same := subtle.ConstantTimeCompare(given[:], real[:]) & subtle.ConstantTimeCompare([]byte(name), []byte(superuser))
	if same == 1 && a.cfg.Values().AdminPassword != "" {
		return &identity{a.kernel.Users.Unlimited(superuser), real}
	}
	if record := a.kernel.Login(name, password, r.RemoteAddr); record != nil {
		return &identity{Record: record}
	}
	return nil
}

func (a *Admin) secret() [sha256.Size]byte {
	return sha256.Sum256([]byte(a.cfg.Values().AdminPassword))
}

// stays reports whether somebody who was let in would still be, to see what needs the right to a
// command.
func (a *Admin) stays(who *identity, right []string) bool {
	if who.secret != [sha256.Size]byte{} && who.secret != a.secret() {
		return false
	}
	return !who.Gone() && a.may(who, right)
}

// may reports whether somebody has the right to a command; no words are no particular right.
func (a *Admin) may(who *identity, right []string) bool {
	return len(right) == 0 || a.kernel.Allows(who.User(), right...)
}

// token is what a user's page has to say with what it changes. Another site can make a browser send
// the password, but not read this. It lasts as long as the process.
func (a *Admin) token(who *identity) string {
	mac := hmac.New(sha256.New, a.tokens[:])
	mac.Write([]byte(who.User().Name()))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (a *Admin) tokenFits(r *http.Request, who *identity) bool {
	return hmac.Equal([]byte(r.Header.Get(tokenHeader)), []byte(a.token(who)))
}

// whoKey is the key of a request's identity in its context.
type whoKey struct{}

func withIdentity(r *http.Request, who *identity) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), whoKey{}, who))
}

// whoOf is who makes a request that has passed a route which asks for it.
func whoOf(r *http.Request) *identity {
	who, _ := r.Context().Value(whoKey{}).(*identity)
	return who
}
