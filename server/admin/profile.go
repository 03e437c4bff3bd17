package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/http/pprof"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// longestProfile bounds the processor profile and the trace, in seconds.
	longestProfile = 120
	profileTime    = longestProfile*time.Second + replyTime
)

func (a *Admin) serveProfiles(w http.ResponseWriter, r *http.Request) {
	allowPage(w)
	pprof.Index(w, r)
}

// serveProfile is Go's own profiles. The command line is none of them: there may be passwords in it.
func (a *Admin) serveProfile(w http.ResponseWriter, r *http.Request) {
	handle := pprof.Handler(r.PathValue("name")).ServeHTTP
	switch r.PathValue("name") {
	case "cmdline":
		fail(w, http.StatusNotFound, "no such profile")
		return
	case "profile":
		handle = pprof.Profile
	case "trace":
		handle = pprof.Trace
	case "symbol":
		handle = pprof.Symbol
	}
	if n, err := strconv.ParseFloat(r.FormValue("seconds"), 64); err == nil && !(n <= longestProfile) {
		fail(w, http.StatusBadRequest, fmt.Sprintf("seconds is %d at most", longestProfile))
		return
	}
	noReadDeadline(w)
	deadline(w, profileTime)
	a.whileOwner(handle, w, r)
}

// rightsEvery is how often a user is looked at while a profile is made for him.
const rightsEvery = time.Second

// whileOwner is handle, which is ended, and says no more, if the user loses the right to it meanwhile.
func (a *Admin) whileOwner(handle http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
	ctx, end := context.WithCancel(r.Context())
	revocable := &revocableWriter{ResponseWriter: w}
	who, over := whoOf(r), make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(rightsEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if !a.stays(who, nil) || !who.User().Free() {
				revocable.revoked.Store(true)
				end()
			}
		}
	}()
	handle(revocable, r.WithContext(ctx))
	end()
	<-over
	if revocable.revoked.Load() {
		panic(http.ErrAbortHandler) // what there is looks like a whole profile otherwise
	}
}

// revocableWriter writes nothing any more once that has been revoked.
type revocableWriter struct {
	http.ResponseWriter
	revoked atomic.Bool
}

func (w *revocableWriter) Write(p []byte) (int, error) {
	if w.revoked.Load() {
		return 0, http.ErrAbortHandler
	}
	return w.ResponseWriter.Write(p)
}

// allowPage lets Go's list of profiles have its inline style.
func allowPage(w http.ResponseWriter) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
}
