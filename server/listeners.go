package server

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/larderkv/larder/server/config"
)

// Where the server listens while it runs. CONFIG SET bind, port and tls-port open what is new before
// they close what is to go, and what stays is not touched: a client that connects meanwhile finds
// somebody, and one that is connected notices nothing. Only where the system has the new address
// excluded by an old one (127.0.0.1 and all addresses, of one port) the old one goes first, and comes
// back if the new one cannot be had.

// listeners is those of a server.
type listeners struct {
	mu    sync.Mutex
	open  []listener     // under mu: TCP, then TLS, then Unix
	serve func(listener) // under mu: accepts in the background; nil before Serve
	// of is the values that the listeners are open for, and ports what that means for TCP and TLS: the
	// system's choice, if it was left to it. Both under mu.
	of    *config.Values
	ports [2]int
}

// Refusals of CONFIG SET, in Redis' words but for the last.
const (
	errBind  = "Failed to bind to specified addresses."
	errPort  = "Unable to listen on this port. Check server logs."
	errGiven = "the service manager has opened the sockets"
)

// openListeners opens what the parameters ask for, or takes what came with the process, and has CONFIG
// SET change it. Its hook is the last one: who refuses a change after it would leave the system's
// choice of a port forgotten.
func (s *Server) openListeners(v *config.Values) error {
	l := &s.listeners
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	if l.open, err = s.listen(v); err != nil {
		return err
	}
	l.of, l.ports = v, [2]int{0, int(v.TLSPort)}
	if i := slices.IndexFunc(l.open, func(ln listener) bool { return ln.kind == kindTCP }); i >= 0 {
		l.ports[0] = l.open[i].port()
	}
	s.cfg.OnApplyLast([]string{"bind", "port", "tls-port"}, func(v *config.Values, name string) error {
		if name == "bind" {
			return s.relisten(v, errBind)
		}
		return s.relisten(v, errPort)
	})
	return nil
}

// relisten has the listeners be those that v asks for. After an error they are what they were.
func (s *Server) relisten(v *config.Values, refusal string) error {
	l := &s.listeners
	l.mu.Lock()
	defer l.mu.Unlock()
	if v.Port == l.of.Port && v.TLSPort == l.of.TLSPort && slices.Equal(v.Bind, l.of.Bind) {
		return nil
	}
	if len(s.inherited) > 0 {
		return errors.New(errGiven)
	}
	ports := l.ports
	if v.Port != l.of.Port {
		ports[0] = int(v.Port)
	}
	if v.TLSPort != l.of.TLSPort {
		ports[1] = int(v.TLSPort)
	}
	kept, leaving, missing := l.compare(v.Bind, ports)
	opened, err := s.openMissing(v, ports, missing)
	if errors.Is(err, syscall.EADDRINUSE) && len(leaving) > 0 {
		open := func() ([]listener, error) { return s.openMissing(v, ports, missing) }
		opened, err = s.swapLocked(kept, leaving, open)
	} else if err == nil {
		s.closeListeners(leaving)
	}
	if err != nil {
		s.log.Warn("listening where it was before", "error", err)
		return errors.New(refusal)
	}
	l.of, l.ports = v, ports
	s.setOpenLocked(append(kept, opened...))
	s.acceptLocked(opened)
	return nil
}

// compare says which listeners stay for these addresses and ports, which do not, and for which
// addresses there is none yet.
func (l *listeners) compare(addrs []string, ports [2]int) (kept, leaving []listener, missing [2][]string) {
	leaving = slices.Clone(l.open)
	keep := func(fits func(listener) bool) bool {
		i := slices.IndexFunc(leaving, fits)
		if i < 0 {
			return false
		}
		kept, leaving = append(kept, leaving[i]), slices.Delete(leaving, i, i+1)
		return true
	}
	for i, kind := range [...]string{kindTCP, kindTLS} {
		if ports[i] == 0 {
			continue
		}
		for _, addr := range addrs {
			if !keep(func(ln listener) bool { return ln.kind == kind && ln.addr == addr && ln.port() == ports[i] }) {
				missing[i] = append(missing[i], addr)
			}
		}
	}
	for keep(func(ln listener) bool { return ln.kind == kindUnix }) {
	}
	return kept, leaving, missing
}

// openMissing opens listeners for addresses of both ports, or none.
func (s *Server) openMissing(v *config.Values, ports [2]int, addrs [2][]string) (opened []listener, err error) {
	for i, kind := range [...]string{kindTCP, kindTLS} {
		if opened, err = listenAll(opened, kind, ports[i], addrs[i], int(v.TCPBacklog), s.log); err != nil {
			s.closeListeners(opened)
			return nil, err
		}
	}
	return opened, nil
}

// swapLocked closes listeners before others are opened, and opens them again if that fails.
func (s *Server) swapLocked(kept, leaving []listener, open func() ([]listener, error)) ([]listener, error) {
	s.closeListeners(leaving)
	opened, err := open()
	if err == nil {
		return opened, nil
	}
	var back []listener
	for _, old := range leaving {
		var lost error
		back, lost = listenAll(back, old.kind, old.port(), []string{old.addr}, int(s.listeners.of.TCPBacklog), s.log)
		if lost != nil {
			s.log.Error("a place to listen at is lost", "error", lost)
		}
	}
	s.setOpenLocked(append(kept, back...))
	s.acceptLocked(back)
	return nil, err
}

func (s *Server) setOpenLocked(open []listener) {
	order := func(ln listener) int { return slices.Index([]string{kindTCP, kindTLS, kindUnix}, ln.kind) }
	slices.SortStableFunc(open, func(a, b listener) int { return order(a) - order(b) })
	s.listeners.open = open
	s.log.Info("the places to listen at have changed", "listen", s.listeners.placesLocked())
}

func (s *Server) acceptLocked(opened []listener) {
	for _, ln := range opened {
		if s.listeners.serve != nil {
			s.listeners.serve(ln)
		}
	}
}

func (s *Server) closeListeners(all []listener) {
	if err := closeAll(all); err != nil {
		s.log.Warn("closing listeners", "error", err)
	}
}

// accept serves all listeners, those to come as well. An error of one goes to failed, as long as
// somebody wants to know.
func (s *Server) accept(failed chan<- error) {
	l := &s.listeners
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serve = func(ln listener) {
		go func() {
			var err error
			if ln.kind == kindTLS {
				err = s.net.ServeTLS(ln.Listener, s.tls.Load)
			} else {
				err = s.net.Serve(ln.Listener)
			}
			if !l.has(ln) {
				return // CONFIG SET has closed it
			}
			offer(failed, err)
		}()
	}
	s.acceptLocked(l.open)
}

// offer hands an error to who waits for the first one, unless there has been one.
func offer(failed chan<- error, err error) {
	select {
	case failed <- err:
	default:
	}
}

func (l *listeners) has(ln listener) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.open, ln)
}

// close closes what Serve has not.
func (l *listeners) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return closeAll(l.open)
}

// Addrs lists where the server listens: "127.0.0.1:6379", "/run/larder.sock".
func (s *Server) Addrs() []string {
	s.listeners.mu.Lock()
	defer s.listeners.mu.Unlock()
	return s.listeners.addrsLocked()
}

func (l *listeners) addrsLocked() []string {
	addrs := make([]string, len(l.open))
	for i, ln := range l.open {
		addrs[i] = ln.Addr().String()
	}
	return addrs
}

// Driver names how connections are driven, which network-driver auto leaves to the system: as INFO's multiplexing_api.
func (s *Server) Driver() string { return s.kernel.Driver() }

// Places is Addrs for people, who are told where TLS is spoken: "127.0.0.1:6379 127.0.0.1:6380 (TLS)".
func (s *Server) Places() string {
	s.listeners.mu.Lock()
	defer s.listeners.mu.Unlock()
	return s.listeners.placesLocked()
}

func (l *listeners) placesLocked() string {
	places := l.addrsLocked()
	for i, ln := range l.open {
		if ln.kind == kindTLS {
			places[i] += " (TLS)"
		}
	}
	return strings.Join(places, " ")
}

// Port is the TCP port that is served, that of TLS if there is no other, 0 for none.
func (s *Server) Port() int {
	s.listeners.mu.Lock()
	defer s.listeners.mu.Unlock()
	if len(s.listeners.open) == 0 {
		return 0
	}
	return s.listeners.open[0].port()
}

// describe is INFO's fields for the listeners, as Redis has them: a number that belongs to the kind,
// and all addresses of a kind together.
func (l *listeners) describe() (fields [][2]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, kind := range [...]string{kindTCP, kindUnix, kindTLS} {
		addrs := strings.Builder{}
		port := ""
		for _, ln := range l.open {
			if ln.kind != kind {
				continue
			}
			addrs.WriteString(",bind=" + ln.addr)
			if kind != kindUnix {
				port = fmt.Sprintf(",port=%d", ln.port())
			}
		}
		if addrs.Len() > 0 {
			fields = append(fields, [2]string{fmt.Sprintf("listener%d", i), "name=" + kind + addrs.String() + port})
		}
	}
	return fields
}
