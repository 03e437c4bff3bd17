package admin

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/larderkv/larder/store"
)

// What the store counts by prefix only grows. To say how often a prefix hit in the last minutes, what
// it has grown by is kept here: for each prefix six steps of ten seconds and sixty of a minute, 1.6 KB.
// They are as many as the store tracks (prefix-max).

const (
	stepSeconds = 10
	keptSteps   = 6
	stepsPerMin = 60 / stepSeconds
)

// lookups is what has been looked up in some time, and why nothing was found.
type lookups struct {
	Hits, Misses                     uint32
	Never, Expired, Evicted, Deleted uint32
}

// total is what has been looked up since the store began to count.
type total struct {
	hits, misses int64
	why          store.MissReasons
}

// since is how much t has grown. A reset of the counts looks like a beginning from 0.
func (t *total) since(then *total) lookups {
	n := func(now, then int64) uint32 { return uint32(min(grown(now, then), math.MaxUint32)) }
	return lookups{
		n(t.hits, then.hits), n(t.misses, then.misses),
		n(t.why.Never, then.why.Never), n(t.why.Expired, then.why.Expired),
		n(t.why.Evicted, then.why.Evicted), n(t.why.Deleted, then.why.Deleted),
	}
}

func (l *lookups) add(m *lookups) {
	sum := func(to *uint32, n uint32) { *to = uint32(min(uint64(*to)+uint64(n), math.MaxUint32)) }
	sum(&l.Hits, m.Hits)
	sum(&l.Misses, m.Misses)
	sum(&l.Never, m.Never)
	sum(&l.Expired, m.Expired)
	sum(&l.Evicted, m.Evicted)
	sum(&l.Deleted, m.Deleted)
}

func (l lookups) rate() *float64 { return ratio(int64(l.Hits), int64(l.Misses)) }

// track is the last hour of a prefix, or of all keys.
type track struct {
	last    total // at the last step
	steps   ring[lookups]
	minutes ring[lookups]
	minute  lookups // of the minute that is not over
	begun   int     // steps in it
	seen    bool    // in the round that is being made
}

func newTrack() *track {
	return &track{steps: newRing[lookups](keptSteps), minutes: newRing[lookups](keptMinutes)}
}

// step ends ten seconds.
func (t *track) step(now total) {
	l := now.since(&t.last)
	t.last = now
	t.steps.add(l)
	t.minute.add(&l)
	if t.begun++; t.begun == stepsPerMin {
		t.minutes.add(t.minute)
		t.minute, t.begun = lookups{}, 0
	}
}

// lastMinute, lastFive and lastHour are the times that are looked back on, in minutes.
const lastMinute, lastFive, lastHour = 1, 5, keptMinutes

// in is what was looked up in so many minutes up to now, and since the last step. A single minute is
// made of the steps of ten seconds.
func (t *track) in(minutes int, now total) lookups {
	sum := now.since(&t.last)
	if minutes == lastMinute {
		for i := range t.steps.kept {
			sum.add(&t.steps.kept[i])
		}
		return sum
	}
	sum.add(&t.minute)
	for n := range min(minutes, len(t.minutes.kept)) {
		l, _ := t.minutes.back(n)
		sum.add(&l)
	}
	return sum
}

// spark is the hit rate of each of the last sixty minutes, null where nothing was read.
func (t *track) spark() []*float64 {
	all := t.minutes.all()
	rates := make([]*float64, keptMinutes)
	for i := range all {
		rates[keptMinutes-len(all)+i] = all[i].rate()
	}
	return rates
}

// tracks is the tracks of all prefixes.
type tracks struct {
	mu       sync.Mutex // protects the fields below
	whole    *track
	byPrefix map[prefixKey]*track
}

// prefixKey tells prefixes apart: that of keys without one, and the row of all others, have no name.
type prefixKey struct {
	name  string
	other bool
}

func newTracks() tracks { return tracks{whole: newTrack(), byPrefix: make(map[prefixKey]*track)} }

func totalOf(p *store.PrefixStats) total { return total{p.Hits, p.Misses, p.Reasons} }

// lookedUp reads what the store counts by prefix, and what all of it comes to, with the hits and
// misses that the server counts apart from the prefixes.
func (a *Admin) lookedUp() (all []store.PrefixStats, whole total) {
	all = a.kernel.Store.Prefixes(a.kernel.Now().UnixMilli())
	whole.hits, whole.misses = a.kernel.Stats.Keyspace()
	for i := range all {
		r := &all[i].Reasons
		whole.why.Never += r.Never
		whole.why.Expired += r.Expired
		whole.why.Evicted += r.Evicted
		whole.why.Deleted += r.Deleted
	}
	return all, whole
}

// step ends ten seconds for all.
func (ts *tracks) step(whole total, all []store.PrefixStats) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.whole.step(whole)
	for i := range all {
		key := prefixKey{all[i].Name, all[i].Other}
		t := ts.byPrefix[key]
		if t == nil {
			t = newTrack()
			ts.byPrefix[key] = t
		}
		t.seen = true
		t.step(totalOf(&all[i]))
	}
	for key, t := range ts.byPrefix {
		if !t.seen {
			delete(ts.byPrefix, key)
		}
		t.seen = false
	}
}

// of is a prefix' track. The caller holds mu.
func (ts *tracks) of(p *store.PrefixStats) *track {
	if t := ts.byPrefix[prefixKey{p.Name, p.Other}]; t != nil {
		return t
	}
	return newTrack() // it is younger than the last step
}

// prefixState is a row of the table of prefixes.
type prefixState struct {
	label
	Other    bool             `json:"other"`
	Hits     int64            `json:"hits"`
	Misses   int64            `json:"misses"`
	Reasons  map[string]int64 `json:"reasons"` // of the misses
	Sets     int64            `json:"sets"`
	Deletes  int64            `json:"deletes"`
	Expired  int64            `json:"expired"`
	Evicted  int64            `json:"evicted"`
	Keys     int64            `json:"keys"`
	Bytes    int64            `json:"bytes"`
	In       int64            `json:"in"`
	Out      int64            `json:"out"`
	Dated    int64            `json:"dated"`  // keys with a time to live
	TTL      *int64           `json:"ttl_ms"` // that those have left in the mean; null: none has
	Counting bool             `json:"counting"`
	Rate1m   *float64         `json:"rate_1m"`
	Rate5m   *float64         `json:"rate_5m"`
	Rate1h   *float64         `json:"rate_1h"`
	Spark    []*float64       `json:"spark"`
}

// prefixOf makes a row.
func (ts *tracks) prefixOf(p *store.PrefixStats) prefixState {
	s := prefixState{
		label: labelOfPrefix(p), Other: p.Other, Hits: p.Hits, Misses: p.Misses, Reasons: reasonsOf(p.Reasons),
		Sets: p.Sets, Deletes: p.Deletes, Expired: p.Expired, Evicted: p.Evicted, Keys: p.Keys, Bytes: p.Bytes,
		In: p.In, Out: p.Out, Dated: p.Dated, Counting: p.Counting,
	}
	if p.Dated > 0 {
		s.TTL = &p.TTL
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t, now := ts.of(p), totalOf(p)
	s.Rate1m, s.Rate5m, s.Rate1h = t.in(lastMinute, now).rate(), t.in(lastFive, now).rate(), t.in(lastHour, now).rate()
	s.Spark = t.spark()
	return s
}

func reasonsOf(r store.MissReasons) map[string]int64 {
	return map[string]int64{"never": r.Never, "expired": r.Expired, "evicted": r.Evicted, "deleted": r.Deleted}
}

// prefixOrder is what the table can be sorted by: a number of each prefix, NaN for those that have
// none, which come last whichever way.
type prefixOrder func(p *store.PrefixStats, ts *tracks) float64

func prefixOrders() map[string]prefixOrder {
	counter := func(of func(p *store.PrefixStats) int64) prefixOrder {
		return func(p *store.PrefixStats, _ *tracks) float64 { return float64(of(p)) }
	}
	return map[string]prefixOrder{
		"hits":    counter(func(p *store.PrefixStats) int64 { return p.Hits }),
		"misses":  counter(func(p *store.PrefixStats) int64 { return p.Misses }),
		"reads":   counter(func(p *store.PrefixStats) int64 { return p.Hits + p.Misses }),
		"sets":    counter(func(p *store.PrefixStats) int64 { return p.Sets }),
		"deletes": counter(func(p *store.PrefixStats) int64 { return p.Deletes }),
		"expired": counter(func(p *store.PrefixStats) int64 { return p.Expired }),
		"evicted": counter(func(p *store.PrefixStats) int64 { return p.Evicted }),
		"keys":    counter(func(p *store.PrefixStats) int64 { return p.Keys }),
		"bytes":   counter(func(p *store.PrefixStats) int64 { return p.Bytes }),
		"in":      counter(func(p *store.PrefixStats) int64 { return p.In }),
		"out":     counter(func(p *store.PrefixStats) int64 { return p.Out }),
		"ttl": func(p *store.PrefixStats, _ *tracks) float64 {
			if p.Dated == 0 {
				return math.NaN()
			}
			return float64(p.TTL)
		},
		"hit_rate": func(p *store.PrefixStats, ts *tracks) float64 {
			if rate := ts.of(p).in(lastFive, totalOf(p)).rate(); rate != nil {
				return *rate
			}
			return math.NaN()
		},
		"name": nil, // no number
	}
}

// prefixQuery is which prefixes somebody wants to see, and in which order.
type prefixQuery struct {
	by          prefixOrder // nil: their names
	up          bool        // the smallest first
	match       string      // in the names, of whatever case
	offset, top int
}

// readPrefixQuery reads by, order, match, offset and top.
func readPrefixQuery(r *http.Request) (q prefixQuery, err error) {
	orders := prefixOrders()
	name := cmp.Or(param(r, "by"), "reads")
	by, ok := orders[name]
	if !ok {
		return q, fmt.Errorf("by is none of %s", strings.Join(slices.Sorted(maps.Keys(orders)), ", "))
	}
	q = prefixQuery{by: by, match: strings.ToLower(param(r, "match")), top: math.MaxInt}
	switch order := param(r, "order"); order {
	case "", "asc", "desc":
		q.up = order == "asc" || order == "" && name == "name"
	default:
		return q, errors.New("order is asc or desc")
	}
	for _, n := range []struct {
		name  string
		to    *int
		least int
	}{{"top", &q.top, 1}, {"offset", &q.offset, 0}} {
		text := param(r, n.name)
		if text == "" {
			continue
		}
		if *n.to, err = strconv.Atoi(text); err != nil || *n.to < n.least {
			return q, fmt.Errorf("%s is a number from %d on", n.name, n.least)
		}
	}
	return q, nil
}

// choose picks and sorts the prefixes; those that have no row of their own are not among them.
func (q *prefixQuery) choose(all []store.PrefixStats, ts *tracks) []*store.PrefixStats {
	type ranked struct {
		*store.PrefixStats
		rank float64
	}
	list := make([]ranked, 0, len(all))
	ts.mu.Lock()
	for i := range all {
		p := &all[i]
		if p.Other || q.match != "" && !strings.Contains(strings.ToLower(p.Name), q.match) {
			continue
		}
		x := ranked{p, 0}
		if q.by != nil {
			x.rank = q.by(p, ts)
		}
		list = append(list, x)
	}
	ts.mu.Unlock()
	slices.SortFunc(list, func(x, y ranked) int {
		if none := math.IsNaN(x.rank); none != math.IsNaN(y.rank) {
			return count(none)*2 - 1
		}
		c := cmp.Compare(x.rank, y.rank)
		if q.by == nil {
			c = strings.Compare(x.Name, y.Name)
		}
		if !q.up {
			c = -c
		}
		return cmp.Or(c, strings.Compare(x.Name, y.Name))
	})
	chosen := make([]*store.PrefixStats, len(list))
	for i := range list {
		chosen[i] = list[i].PrefixStats
	}
	return chosen
}

// servePrefixes tells some prefixes in some order, and all others together at the end, if no part of
// the names is asked for. X-Total-Count says how many there are.
func (a *Admin) servePrefixes(w http.ResponseWriter, r *http.Request) {
	q, err := readPrefixQuery(r)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	ts := &a.history.tracks
	all := a.kernel.Store.Prefixes(a.kernel.Now().UnixMilli())
	chosen := q.choose(all, ts)
	w.Header().Set("X-Total-Count", strconv.Itoa(len(chosen)))
	chosen = chosen[min(q.offset, len(chosen)):]
	chosen = chosen[:min(q.top, len(chosen))]
	list := make([]prefixState, 0, len(chosen)+1)
	for _, p := range chosen {
		list = append(list, ts.prefixOf(p))
	}
	for i := range all {
		if all[i].Other && q.match == "" {
			list = append(list, ts.prefixOf(&all[i]))
		}
	}
	reply(w, list)
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// stepPrefixes ends ten seconds.
func (a *Admin) stepPrefixes() {
	all, whole := a.lookedUp()
	a.history.tracks.step(whole, all)
}
