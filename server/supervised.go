package server

import (
	"net"

	"github.com/larderkv/larder/server/config"
)

// What a server has to do with the service manager that has started it.

// Option is what a server gets from whoever starts it, beside its parameters.
type Option func(*Server)

// OnListeners has the server accept on these, which somebody else has opened, and not where bind,
// port and unixsocket say. Close closes them. None leaves it to the parameters.
func OnListeners(all ...net.Listener) Option {
	return func(s *Server) { s.inherited = all }
}

// SupervisedBy names for INFO who is told of the state of the process.
func SupervisedBy(manager string) Option {
	return func(s *Server) { s.supervised = manager }
}

// listen opens the listeners, unless there are some that came with the process.
func (s *Server) listen(v *config.Values) (open []listener, err error) {
	if len(s.inherited) == 0 {
		return listen(v, s.log)
	}
	for _, ln := range s.inherited {
		open = append(open, inherit(ln, v))
	}
	return open, nil
}

// inherit says what is spoken where: TLS on its port.
func inherit(ln net.Listener, v *config.Values) listener {
	addr := ln.Addr().String()
	tcp, ok := ln.Addr().(*net.TCPAddr)
	switch {
	case !ok:
		return listener{ln, kindUnix, addr}
	case v.TLSPort != 0 && int64(tcp.Port) == v.TLSPort:
		return listener{ln, kindTLS, tcp.IP.String()}
	}
	return listener{ln, kindTCP, tcp.IP.String()}
}

// Loaded is closed when Serve has loaded the data set, and clients are no longer told to wait.
func (s *Server) Loaded() <-chan struct{} { return s.loaded }

// Ending is closed when it is certain that Serve ends: what had to be saved has been.
func (s *Server) Ending() <-chan struct{} { return s.ended }

// LoadProgress is how far loading is: in bytes, of which total is an estimate, and keys.
func (s *Server) LoadProgress() (done, total, keys int64) {
	st := s.persist.Status()
	return st.LoadDone, st.LoadTotal, st.LoadedKeys
}
