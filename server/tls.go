package server

import (
	"errors"
	"fmt"
	"time"

	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/secure"
)

//lint:ignore ST1005 Redis' text
var errTLS = errors.New(config.RefusedTLS)

// openTLS makes the configuration of TLS and has CONFIG SET change it.
func (s *Server) openTLS() error {
	if err := s.setTLS(s.cfg.Values()); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	s.cfg.OnApply(append(config.TLSParams(), "tls-port"), func(v *config.Values) error {
		if err := s.setTLS(v); err != nil {
			s.log.Warn("the TLS configuration stays as it was", "error", err)
			return errTLS
		}
		return nil
	})
	return nil
}

// setTLS reads the files that v names, for connections to come. After an error those in force stay.
// Without a port nobody looks at them, as in Redis.
func (s *Server) setTLS(v *config.Values) error {
	if v.TLSPort == 0 {
		return nil
	}
	c, err := secure.Config(v, time.Now)
	if err != nil {
		return err
	}
	s.tls.Store(c)
	return nil
}

// Reload reads the files anew that the parameters of TLS name. Clients that are connected keep what
// they have. After an error, which is logged, nothing has changed.
func (s *Server) Reload() {
	if s.cfg.Values().TLSPort == 0 {
		s.log.Info("nothing to read anew: there is no tls-port")
		return
	}
	if err := s.cfg.Reapply("tls-cert-file"); err == nil {
		s.log.Info("certificates read anew", "tls-cert-file", s.cfg.Values().TLSCertFile)
	}
}
