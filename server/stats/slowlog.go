package stats

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// slowArgs and slowArg are how many arguments of a command a slow log keeps, and how many bytes of
	// each, as in Redis.
	slowArgs = 32
	slowArg  = 128
)

// SlowCommand is an entry of a slow log.
type SlowCommand struct {
	ID   int64 // ascending from 0
	Time time.Time
	Took time.Duration
	Args []string // shortened: see ShortenArgs
	Addr string   // of the client
	Name string   // of the client
}

// SlowLog keeps the last commands that were slow. It is safe from any goroutine.
type SlowLog struct {
	mu      sync.Mutex // protects the fields below
	entries []SlowCommand
	next    int64
}

// Add notes a command, numbers it, and forgets the oldest ones beyond most.
func (l *SlowLog) Add(e SlowCommand, most int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.ID = l.next
	l.next++
	if over := int64(len(l.entries)) + 1 - most; over > 0 {
		l.entries = slices.Delete(l.entries, 0, int(min(over, int64(len(l.entries)))))
	}
	l.entries = append(l.entries, e)
}

// Last returns the last n commands, the last one first.
func (l *SlowLog) Last(n int) []SlowCommand {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := slices.Clone(l.entries[len(l.entries)-min(n, len(l.entries)):])
	slices.Reverse(last)
	return last
}

// Len is how many commands are kept.
func (l *SlowLog) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

// Reset forgets them. Numbers go on.
func (l *SlowLog) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = nil
}

// ShortenArgs copies what a slow log keeps of a command's arguments. secret says which of them are to
// be hidden; nil: none.
func ShortenArgs(args [][]byte, secret func(i int) bool) []string {
	kept := make([]string, min(len(args), slowArgs))
	for i := range kept {
		switch a := args[i]; {
		case i == slowArgs-1 && len(args) > slowArgs:
			kept[i] = fmt.Sprintf("... (%d more arguments)", len(args)-slowArgs+1)
		case secret != nil && secret(i):
			kept[i] = "(redacted)"
		case len(a) > slowArg:
			kept[i] = fmt.Sprintf("%s... (%d more bytes)", a[:slowArg], len(a)-slowArg)
		default:
			kept[i] = string(a)
		}
	}
	return kept
}
