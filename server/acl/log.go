package acl

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Context is where a refused command was to run.
type Context uint8

// The places.
const (
	TopLevel Context = iota
	InMulti
	InScript
)

// String is the word that ACL LOG has for the place.
func (c Context) String() string { return [...]string{"toplevel", "multi", "lua"}[c] }

// Entry is a line of ACL LOG: one refusal, or several that are alike and came close after another.
type Entry struct {
	Count            int64
	Why              Denial
	Where            Context
	Object, Username string // what was refused to whom
	Client           string // the last one, as CLIENT LIST shows it
	ID               int64  // ascending from 0
	Created, Updated time.Time
}

const (
	// alikeFor is how long after a refusal another one of the same kind counts as the same.
	alikeFor = time.Minute
	// alikeAmong is how many of the latest entries are looked through for it.
	alikeAmong = 10
)

// mostTold is how many bytes of what a client has sent an entry holds: who is refused may send names
// and keys of 512 MB, as often as it likes.
const mostTold = 1 << 10

// Excerpt is a text for an entry, cut as the slow log cuts its texts.
func Excerpt[T string | []byte](text T) string {
	if len(text) <= mostTold {
		return string(text)
	}
	return fmt.Sprintf("%s... (%d more bytes)", text[:mostTold], len(text)-mostTold)
}

// Log keeps the latest refusals, and counts all. It is safe from any goroutine.
type Log struct {
	counts [Denials]atomic.Int64

	mu      sync.Mutex // protects the fields below
	entries []*Entry   // the latest first
	next    int64
}

// Count is how often there was a reason to refuse.
func (l *Log) Count(why Denial) int64 { return l.counts[why].Load() }

// ResetCounts sets all counts to zero.
func (l *Log) ResetCounts() {
	for i := range l.counts {
		l.counts[i].Store(0)
	}
}

// Add counts a refusal and keeps it, with most others at most.
func (l *Log) Add(e Entry, most int) {
	l.counts[e.Why].Add(1)
	if most == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	same := func(o *Entry) bool {
		return o.Why == e.Why && o.Where == e.Where && o.Object == e.Object && o.Username == e.Username &&
			e.Updated.Sub(o.Updated) <= alikeFor
	}
	if i := slices.IndexFunc(l.entries[:min(len(l.entries), alikeAmong)], same); i >= 0 {
		found := *l.entries[i] // a new one, as the old one may be being printed
		found.Count, found.Updated, found.Client = found.Count+1, e.Updated, e.Client
		l.entries = slices.Insert(slices.Delete(l.entries, i, i+1), 0, &found)
		return
	}
	e.Count, e.ID, e.Created = 1, l.next, e.Updated
	l.next++
	l.entries = slices.Insert(l.entries, 0, &e)
	l.trim(most)
}

// Trim drops the oldest entries beyond most.
func (l *Log) Trim(most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trim(most)
}

func (l *Log) trim(most int) {
	if len(l.entries) > most {
		clear(l.entries[most:])
		l.entries = l.entries[:most]
	}
}

// Latest returns the latest entries, at most so many, the last one first. They are not to be changed.
func (l *Log) Latest(most int) []*Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries[:min(len(l.entries), most)])
}

// Reset drops all entries.
func (l *Log) Reset() { l.Trim(0) }
