package warm

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/larderkv/larder/cmd/client"
)

// Counts are what became of the records.
type Counts struct {
	Stored   int64 // by the server
	Existing int64 // left alone, since --only-missing was given and the key was there
	Expired  int64 // left out, since their time had come before they were sent
	Left     int64 // of an RDB file: what is no key, such as libraries of functions
	Failed   int64
}

// tally counts, and keeps a bounded list of errors: by what they say, with the first places.
type tally struct {
	stored, existing, expired, left, failed atomic.Int64

	mu     sync.Mutex // protects what follows
	kinds  map[string]*kind
	order  []*kind // as they came
	others int64   // errors of further kinds
}

// kind is an error with the places where it came.
type kind struct {
	text   string
	count  int64
	places []string
}

const (
	mostKinds   = 20
	mostPlaces  = 3
	longestText = 200 // bytes of a text or of a place
)

// fail counts an error at a place, a line or a key.
func (t *tally) fail(place, text string) {
	t.failed.Add(1)
	t.note(place, text)
}

func (t *tally) note(place, text string) {
	text = clip(text)
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.kinds[text]
	if k == nil {
		if len(t.order) == mostKinds {
			t.others++
			return
		}
		k = &kind{text: text}
		if t.kinds == nil {
			t.kinds = map[string]*kind{}
		}
		t.kinds[text] = k
		t.order = append(t.order, k)
	}
	k.count++
	if len(k.places) < mostPlaces {
		k.places = append(k.places, place)
	}
}

func clip(s string) string {
	if len(s) > longestText {
		s = s[:longestText] + "..."
	}
	return s
}

func (t *tally) counts() Counts {
	return Counts{t.stored.Load(), t.existing.Load(), t.expired.Load(), t.left.Load(), t.failed.Load()}
}

// list prints the errors.
func (t *tally) list(w io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range t.order {
		more := ""
		if k.count > int64(len(k.places)) {
			more = ", ..."
		}
		fmt.Fprintf(w, "%8d  %s (%s%s)\n", k.count, client.Printable(k.text), strings.Join(k.places, ", "), more)
	}
	if t.others > 0 {
		fmt.Fprintf(w, "%8d  other errors\n", t.others)
	}
}
