package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"strings"

	"github.com/larderkv/larder/server/admin"
	"github.com/larderkv/larder/server/config"
)

// openAdmin makes the admin server, if there is to be one, and its listeners.
func (s *Server) openAdmin(v *config.Values) (err error) {
	if s.adminListeners, err = listenAdmin(v, s.log); err != nil || len(s.adminListeners) == 0 {
		return err
	}
	s.admin, err = admin.New(admin.Options{
		Kernel: s.kernel, Config: s.cfg, Log: s.log, Loops: s.net.Loops,
		TLS: s.adminTLS, Turns: s.net.Turns(), Connections: s.adminConnections,
	})
	if err != nil {
		return err
	}
	s.admin.WarnOfNobody()
	return nil
}

// AdminConnections bounds the connections to the admin server; without it there are as many as it
// has at most.
func AdminConnections(most int) Option {
	return func(s *Server) { s.adminConnections = most }
}

// adminTLS is what a connection to the admin server gets: TLS if clients do.
func (s *Server) adminTLS() *tls.Config {
	if s.cfg.Values().TLSPort == 0 {
		return nil
	}
	return s.tls.Load()
}

// listenAdmin opens the places where admin-bind and admin-port say.
func listenAdmin(v *config.Values, log *slog.Logger) ([]listener, error) {
	if v.AdminPort == 0 {
		return nil, nil
	}
	all, err := listenAll(nil, kindAdmin, int(v.AdminPort), v.AdminBind, int(v.TCPBacklog), log)
	if err != nil {
		return all, fmt.Errorf("admin server: %w", err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("admin server: none of the addresses of admin-bind is available: %s",
			strings.Join(v.AdminBind, " "))
	}
	return all, nil
}

// serveAdmin serves until Close; errors of listeners go to failed.
func (s *Server) serveAdmin(failed chan<- error) {
	if s.admin == nil {
		return
	}
	for _, ln := range s.adminListeners {
		go func() {
			if err := s.admin.Serve(ln); err != nil {
				offer(failed, err)
			}
		}()
		s.log.Info("admin server", "addr", ln.Addr().String())
	}
}
