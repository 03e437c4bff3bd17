// TLS handshakes, which come before a driver gets the connection. See "TLS" in the package's comment.

package netloop

import (
	"container/list"
	"crypto/tls"
	"encoding/asn1"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	// handshakeTime is how long a handshake may take. One over the slowest of links needs a few seconds.
	handshakeTime = 10 * time.Second
	// maxHandshakes is how many may wait for their clients, and about how many for a processor. Each
	// takes some 15 KB and a descriptor.
	maxHandshakes = 512
)

// wire is the connection under a tls.Conn: the socket as the runtime has it, until an event loop puts
// its own in the place.
type wire struct {
	net.Conn
	among  *handshakes   // nil when the handshake is over
	silent *list.Element // under among.mu: its place in among.silent, nil if it is not there
	given  bool          // under among.mu: it has been given up, and is closed
}

// Read does not keep others from computing while it waits.
func (w *wire) Read(p []byte) (int, error) {
	if w.among == nil {
		return w.Conn.Read(p)
	}
	w.among.turns.Leave()
	defer w.among.turns.Take()
	w.among.listen(w)
	defer w.among.heard(w)
	return w.Conn.Read(p)
}

// Turns is places for handshakes that compute, as many as there are processors beside those of the
// event loops. So a loop that has input never waits for a processor on which somebody signs.
type Turns chan struct{}

// Take waits for a place, which Leave gives back.
func (t Turns) Take() { t <- struct{}{} }

// Leave gives a place back.
func (t Turns) Leave() { <-t }

// Turns are the places of this server's handshakes, for those of other servers of the process.
func (s *Server) Turns() Turns { return s.handshakes.turns }

// handshakes is those under way. Each waits for its client, or computes or waits for its turn to.
//
// One too many of those that wait for their clients closes the one which has waited for longest, since
// a handshake that makes progress is over in some round trips. Rejected: to have new ones wait for a
// place, which a few silent clients could keep from everybody.
//
// One that waits for its turn is not to blame: with too many of these no more are accepted, and clients
// wait in the system's queue. Rejected: to close the oldest of these too. When 600 clients came at once
// so many were closed just before their turn that 8 % of the attempts succeeded, now 97 % do.
type handshakes struct {
	turns   Turns
	crowded func() // reports that one has been given up for another

	leaving sync.Mutex // held while places are taken for event loops
	left    int        // under leaving: how many are

	mu     sync.Mutex
	silent list.List // under mu: of *wire, those that wait for their clients, the first since longest
	busy   int       // under mu: how many others there are
	room   sync.Cond // of mu: busy has fallen below maxHandshakes, or closed
	closed bool      // under mu
}

func (h *handshakes) init(places int, crowded func()) {
	h.turns, h.crowded, h.room.L = make(Turns, places), crowded, &h.mu
}

// leaveTo leaves processors to so many event loops: all places but one at most. Loops that have come
// get theirs when handshakes are through with them, in the background.
func (h *handshakes) leaveTo(loops int) {
	h.leaving.Lock()
	defer h.leaving.Unlock()
	old := h.left
	h.left = min(loops, cap(h.turns)) - 1
	for range old - h.left {
		h.turns.Leave()
	}
	for range h.left - old {
		select {
		case h.turns <- struct{}{}:
		default:
			go h.turns.Take()
		}
	}
}

// admit begins one, when there are not too many that wait for their turn. It returns nil if none is
// accepted any more.
func (h *handshakes) admit(nc net.Conn) net.Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.busy >= maxHandshakes && !h.closed {
		h.room.Wait()
	}
	if h.closed {
		return nil
	}
	h.busy++
	return &wire{Conn: nc, among: h}
}

// listen notes that one waits for its client.
func (h *handshakes) listen(w *wire) {
	h.mu.Lock()
	h.unbusyLocked()
	w.silent = h.silent.PushBack(w)
	crowded := h.silent.Len() > maxHandshakes
	if crowded || h.closed {
		h.giveUpLocked()
	}
	h.mu.Unlock()
	if crowded {
		h.crowded()
	}
}

// heard notes that one need not wait for its client any longer.
func (h *handshakes) heard(w *wire) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy++
	if w.silent != nil {
		h.silent.Remove(w.silent)
		w.silent = nil
	}
}

// end notes that one is over. It reports false if it has been given up.
func (h *handshakes) end(w *wire) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unbusyLocked()
	return !w.given
}

func (h *handshakes) unbusyLocked() {
	h.busy--
	h.room.Signal()
}

// giveUpLocked closes the connection that has waited for its client for longest, so that its handshake
// fails at once.
func (h *handshakes) giveUpLocked() {
	w := h.silent.Remove(h.silent.Front()).(*wire)
	w.silent, w.given = nil, true
	_ = w.Conn.Close() // the handshake reports what it finds
}

// stop gives up all that wait for their clients, and others when they would; and it refuses new ones.
func (h *handshakes) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.room.Broadcast()
	for h.silent.Len() > 0 {
		h.giveUpLocked()
	}
}

// ServeTLS is Serve for clients that speak TLS. Each connection has the configuration that current
// returns when it is accepted. It must be safe for concurrent use.
func (s *Server) ServeTLS(ln net.Listener, current func() *tls.Config) error {
	return s.serve(ln, s.handshakes.admit, func(nc net.Conn) { s.startHandshake(nc.(*wire), current()) })
}

// startHandshake gives a new connection a goroutine until it can be given to a driver.
func (s *Server) startHandshake(w *wire, config *tls.Config) {
	s.accepting.Add(1) // the caller has one, so that nobody has stopped waiting
	go func() {
		defer s.accepting.Done()
		conn := tls.Server(w, config)
		err := shakeHands(conn, w)
		if !s.handshakes.end(w) {
			return // it is closed
		}
		if err != nil {
			s.failHandshake(w.Conn, err)
			return
		}
		s.adopt(conn)
	}()
}

var errCrowded = errors.New("netloop: clients that begin a handshake and do not go on")

func shakeHands(conn *tls.Conn, w *wire) error {
	if err := w.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return err
	}
	w.among.turns.Take()
	err := conn.Handshake()
	w.among.turns.Leave()
	w.among = nil
	return errors.Join(err, w.SetDeadline(time.Time{}))
}

// failHandshake closes a connection of which the handshake has failed. The client is to see the
// alert that says why, which a reset would overtake.
func (s *Server) failHandshake(nc net.Conn, why error) {
	// Who leaves without a word may have probed whether the port is open, as load balancers do all the time.
	if left := errors.Is(why, io.EOF) || errors.Is(why, syscall.ECONNRESET); left {
		s.log.Debug("a client left during its TLS handshake", "addr", nc.RemoteAddr().String())
	} else {
		s.strangers.tell(s.log, "a TLS handshake failed", "addr", nc.RemoteAddr().String(), "error", why)
	}
	if err := halfClose(nc, make([]byte, smallRead)); err != nil {
		s.log.Debug("closing a connection", "error", err)
	}
	s.closeRaw(nc)
}

// certifiedName is Conn.CertifiedName. Of several names the first one counts, as for OpenSSL, which
// would be the last one in pkix.Name.CommonName.
func certifiedName(conn *tls.Conn) string {
	state := conn.ConnectionState()
	if len(state.VerifiedChains) == 0 {
		return ""
	}
	commonName := asn1.ObjectIdentifier{2, 5, 4, 3}
	for _, attribute := range state.VerifiedChains[0][0].Subject.Names {
		if attribute.Type.Equal(commonName) {
			name, _ := attribute.Value.(string)
			return name
		}
	}
	return ""
}

// socketOf returns the socket under a connection that may have TLS.
func socketOf(nc net.Conn) net.Conn {
	if conn, ok := nc.(*tls.Conn); ok {
		if w, ok := conn.NetConn().(*wire); ok {
			return w.Conn
		}
	}
	return nc
}
