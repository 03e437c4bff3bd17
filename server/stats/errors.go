package stats

import (
	"maps"
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
	if _, known := e.codes[code]; known || len(e.codes) < maxErrorCodes {
		e.codes[code]++
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
