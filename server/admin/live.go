package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	// maxLive is how many clients are sent samples at the same time.
	maxLive = 32
	// liveWrite is how long a client may take for one sample.
	liveWrite = 5 * time.Second
	// livePause is how long a browser is to wait before it connects again.
	livePause = time.Second
)

// live is who is sent each sample. Each has room for one: who is slow misses some, and nobody waits.
type live struct {
	mu      sync.Mutex // protects the fields below
	clients map[chan []byte]struct{}
	last    []byte // the last event, for those who come between two
}

// join makes a client, nil if there are too many.
func (l *live) join() chan []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.clients) >= maxLive {
		return nil
	}
	if l.clients == nil {
		l.clients = make(map[chan []byte]struct{})
	}
	ch := make(chan []byte, 1)
	if l.last != nil {
		ch <- l.last
	}
	l.clients[ch] = struct{}{}
	return ch
}

func (l *live) leave(ch chan []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.clients, ch)
}

// publish sends a sample to all.
func (l *live) publish(s Sample) {
	text, err := json.Marshal(s)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	event := fmt.Appendf(nil, "event: sample\ndata: %s\n\n", text)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = event
	for ch := range l.clients {
		select {
		case ch <- event:
		default:
		}
	}
}

// serveLive sends samples until the client goes, loses its right, or does not read.
func (a *Admin) serveLive(w http.ResponseWriter, r *http.Request) {
	ch := a.live.join()
	if ch == nil {
		w.Header().Set("Retry-After", "5")
		fail(w, http.StatusServiceUnavailable, fmt.Sprintf("%d pages are open already", maxLive))
		return
	}
	defer a.live.leave(ch)
	rc := http.NewResponseController(w)
	noReadDeadline(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	send := func(event []byte) bool {
		deadline(w, liveWrite)
		if _, err := w.Write(event); err != nil {
			return false
		}
		return rc.Flush() == nil
	}
	who := whoOf(r)
	for ok := send(fmt.Appendf(nil, "retry: %d\n\n", livePause.Milliseconds())); ok; {
		select {
		case <-r.Context().Done():
			return
		case event := <-ch:
			ok = a.stays(who, []string{"info"}) && send(event)
		}
	}
}

// serveHistory tells the samples that are kept.
func (a *Admin) serveHistory(w http.ResponseWriter, _ *http.Request) {
	seconds, minutes := a.history.last()
	reply(w, map[string][]Sample{"seconds": seconds, "minutes": minutes})
}
