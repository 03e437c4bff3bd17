package stats

import (
	"maps"
	"strings"
	"sync"
)

// maxErrorCodes bounds the table: codes may come from a client's script.
const maxErrorCodes = 128

// Errors counts error replies by their code ("ERR", "WRONGTYPE").
type Errors struct {
	mu    sync.Mutex // protects the fields below
	codes map[string]int64
	total int64
}

// Add counts one error reply.
func (e *Errors) Add(code string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.total++
	if e.codes == nil {
		e.codes = make(map[string]int64)
	}
	if _, known := e.codes[code]; known {
		e.codes[code]++
	} else if len(e.codes) < maxErrorCodes {
		e.codes[strings.Clone(code)] = 1 // it may be part of a script's error, of megabytes
	}
}

// Total is the number of error replies.
func (e *Errors) Total() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.total
}

// Codes is a copy of the counts per code.
func (e *Errors) Codes() map[string]int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.codes)
}

// Reset sets all counts to zero.
func (e *Errors) Reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.codes, e.total = nil, 0
}
