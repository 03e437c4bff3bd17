package admin

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/store"
)

const (
	// leastReads is how many reads a hit rate is judged by at least.
	leastReads = 100
	// longAbove is how long memory may stay above the cap while keys are evicted.
	longAbove = 5 * time.Second
	// mostWarned is how many prefixes /health/cache names, those with most misses.
	mostWarned = 100
)

// serveHealthz says that the process answers.
func (a *Admin) serveHealthz(w http.ResponseWriter, _ *http.Request) {
	reply(w, map[string]string{"status": "ok"})
}

// serveReadyz says whether clients are served as they should be: 200 if so, else 503. It needs no
// password, and so tells nothing but that.
func (a *Admin) serveReadyz(w http.ResponseWriter, _ *http.Request) {
	checks := map[string]string{"loaded": "ok", "disk": "ok", "memory": a.memoryTrouble()}
	state := a.kernel.Persist.State()
	if state&persistence.Loading != 0 {
		checks["loaded"] = "loading"
	}
	if state&(persistence.SaveFailing|persistence.LogFailing) != 0 {
		checks["disk"] = "failing: writes are refused"
	}
	status, code := "ready", http.StatusOK
	for _, c := range checks {
		if c != "ok" {
			status, code = "not ready", http.StatusServiceUnavailable
		}
	}
	replyWith(w, code, map[string]any{"status": status, "checks": checks})
}

// memoryTrouble says what is wrong with the memory, "ok" for nothing: below the cap all is well, and
// at it if keys can be evicted.
func (a *Admin) memoryTrouble() string {
	v := a.cfg.Values()
	_, above := a.kernel.OverLimit()
	switch {
	case a.kernel.Store.Exhausted():
		return "the system gives no more"
	case v.MaxMemory == 0:
	case v.Policy().Rule == eviction.NoEviction && a.kernel.Counted() >= v.MaxMemory:
		return "at the cap, and nothing may be evicted: writes are refused"
	case above > longAbove:
		return "above the cap, and eviction does not keep up"
	}
	return "ok"
}

// Verdicts on a hit rate.
const (
	healthOK   = "ok"
	healthWarn = "warn"
	healthIdle = "idle" // too few reads to judge
)

// rates are the hit rates of the windows, null where there were no reads.
type rates struct {
	Minute *float64 `json:"1m"`
	Five   *float64 `json:"5m"`
	Hour   *float64 `json:"1h"`
}

// verdict is what is thought of a hit rate, and why it may be what it is.
type verdict struct {
	Status  string `json:"status"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message"`
	Rates   rates  `json:"hit_rate"`
}

// judged is the verdict on a prefix.
type judged struct {
	label
	Other bool `json:"other"`
	verdict
}

// judge looks at the last five minutes, or at the last hour if there were few reads.
func (t *track) judge(now total, warn float64) verdict {
	five, hour := t.in(lastFive, now), t.in(lastHour, now)
	v := verdict{Rates: rates{t.in(lastMinute, now).rate(), five.rate(), hour.rate()}}
	l := five
	if l.Hits+l.Misses < leastReads {
		l = hour
	}
	reads := int64(l.Hits) + int64(l.Misses)
	switch rate := l.rate(); {
	case reads < leastReads:
		v.Status, v.Message = healthIdle, fmt.Sprintf("%d reads are too few to judge by", reads)
	case *rate >= warn:
		v.Status, v.Message = healthOK, fmt.Sprintf("%.1f %% of %d reads hit", *rate*100, reads)
	default:
		v.Status = healthWarn
		reason, why := l.why()
		v.Reason, v.Message = reason, fmt.Sprintf("%.1f %% of %d reads hit, which is below %.1f %%: %s",
			*rate*100, reads, warn*100, why)
	}
	return v
}

// why is the main reason of the misses: its name, and a sentence for people.
func (l lookups) why() (reason, text string) {
	known := []struct {
		n            uint32
		reason, text string
	}{
		{l.Expired, "ttl_too_short", "the keys of %.0f %% of the misses had expired: their time to live is shorter than the time until they are read again"},
		{l.Evicted, "cache_too_small", "the keys of %.0f %% of the misses had been evicted: what is read does not fit under maxmemory"},
		{l.Deleted, "invalidated_too_often", "the keys of %.0f %% of the misses had been deleted: they are invalidated more often than they are read"},
		{l.Never, "never_filled", "the keys of %.0f %% of the misses were not there before: whoever misses does not fill the cache, or each key is asked for once"},
	}
	most := known[0]
	for _, k := range known {
		if k.n > most.n {
			most = k
		}
	}
	if most.n == 0 {
		return "unknown", "nothing is counted that would say why"
	}
	return most.reason, fmt.Sprintf(most.text, float64(most.n)/float64(l.Misses)*100)
}

// serveCacheHealth judges the hit rate of all reads, and of each prefix.
func (a *Admin) serveCacheHealth(w http.ResponseWriter, _ *http.Request) {
	warn := a.cfg.Values().HealthHitRateWarn
	all, whole := a.lookedUp()
	slices.SortFunc(all, func(p, q store.PrefixStats) int { return cmp.Compare(q.Misses, p.Misses) })
	reply(w, a.history.tracks.health(whole, all, warn))
}

// cacheHealth is the verdict on all reads, and on those of each prefix.
type cacheHealth struct {
	verdict
	WarnBelow float64  `json:"warn_below"`
	Warned    int      `json:"prefixes_warned"`
	Prefixes  []judged `json:"prefixes"`
}

// health judges. It writes to nobody, who might not read, since it keeps all others from the tracks.
func (ts *tracks) health(whole total, all []store.PrefixStats, warn float64) cacheHealth {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	list, warned := []judged{}, 0
	for i := range all {
		p := &all[i]
		j := judged{labelOfPrefix(p), p.Other, ts.of(p).judge(totalOf(p), warn)}
		warned += count(j.Status == healthWarn)
		if len(list) < mostWarned {
			list = append(list, j)
		}
	}
	return cacheHealth{ts.whole.judge(whole, warn), warn, warned, list}
}
