// Package client is how larder's command-line tools reach a server, larder's or any other that
// speaks Redis' protocol: which server, as whom, through which TLS.
//
// The tools share one set of flags, which fill a Target. From it come the options of a go-redis
// client (Options), or a bare connection for tools that send so many commands that a client's
// bookkeeping per command would be most of their work (Dial). Errors never quote a password.
package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// PasswordEnv is the variable of the environment that has the password if no flag gives one: what
// is on a command line can be read by every user of the machine.
const PasswordEnv = "LARDER_PASSWORD"

// DefaultAddr is where a server is looked for.
const DefaultAddr = "127.0.0.1:6379"

// dialTimeout bounds connecting, TLS and logging in.
const dialTimeout = 5 * time.Second

// Target is a server and how to log in. The zero value, but for DB, is the default user of a server
// at DefaultAddr. Fields that are set win over what URL says.
type Target struct {
	Addr     string // host:port, or the path of a Unix socket; not beside URL
	URL      string // redis://, rediss:// or unix://, with user, password and database
	User     string
	Password string
	DB       int // below 0: what URL says, or 0

	TLS        bool   // implied by CACert, Cert, Key and ServerName
	CACert     string // file of certificates that may have signed the server's; else the system's
	Cert, Key  string // files: what the client shows
	ServerName string // that the server's certificate is for; else the host of the address
}

// Options makes the options of a go-redis client. Its pool opens connections as they are needed, so
// errors here are of the Target alone: contradictions, and files that cannot be read.
func (t Target) Options() (*redis.Options, error) {
	o, err := t.endpoint()
	if err != nil {
		return nil, err
	}
	o.Username = cmp.Or(t.User, o.Username)
	o.Password = cmp.Or(t.Password, o.Password, os.Getenv(PasswordEnv))
	if o.Username != "" && o.Password == "" {
		return nil, fmt.Errorf("user %s has no password: give it in the variable %s", o.Username, PasswordEnv)
	}
	if t.DB >= 0 {
		o.DB = t.DB
	}
	if err := t.secure(o); err != nil {
		return nil, err
	}
	o.DialTimeout, o.ClientName = dialTimeout, "larder"
	// Extensions that other servers do not know: each would cost a refused command per connection.
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	o.Dialer = believing(o)
	return o, nil
}

// endpoint is where the server is, and what its URL says beyond.
func (t Target) endpoint() (*redis.Options, error) {
	switch {
	case t.URL == "":
		o := &redis.Options{Network: "tcp", Addr: cmp.Or(t.Addr, DefaultAddr)}
		if strings.Contains(o.Addr, "/") {
			o.Network = "unix"
		} else if _, _, err := net.SplitHostPort(o.Addr); err != nil {
			return nil, fmt.Errorf("%q is no address: it takes a host and a port, %s for example", o.Addr, DefaultAddr)
		}
		return o, nil
	case t.Addr != "":
		return nil, errors.New("an address and a URL are given: one of them is enough")
	}
	o, err := redis.ParseURL(t.URL)
	if err != nil { // which may quote the URL, with its password
		return nil, errors.New("the URL is not of the form redis://[user:password@]host:port/db, rediss://... or unix:///path")
	}
	return o, nil
}

// secure adds TLS, if it is asked for or the URL has it.
func (t Target) secure(o *redis.Options) error {
	if !t.TLS && o.TLSConfig == nil && t.CACert == "" && t.Cert == "" && t.Key == "" && t.ServerName == "" {
		return nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if config.ServerName == "" && o.Network != "unix" {
		config.ServerName, _, _ = net.SplitHostPort(o.Addr) // it is one: it has been looked at
	}
	if t.CACert != "" {
		pem, err := os.ReadFile(t.CACert)
		if err != nil {
			return fmt.Errorf("cannot read the certificates of authorities: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s has no certificate in it", t.CACert)
		}
	}
	if (t.Cert == "") != (t.Key == "") {
		return errors.New("a client's certificate and its key belong together: one of them is missing")
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return fmt.Errorf("the client's certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	o.TLSConfig = config
	return nil
}

// Open makes a client and finds out whether the server is there and lets it in.
func (t Target) Open(ctx context.Context) (*redis.Client, error) {
	o, err := t.Options()
	if err != nil {
		return nil, err
	}
	c := redis.NewClient(o)
	if err := c.Ping(ctx).Err(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", o.Addr, err), c.Close())
	}
	return c, nil
}
