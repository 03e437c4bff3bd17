package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/store"
)

// TestCompactingShare: what active-defrag-cycle-* ask for, between the thresholds.
func TestCompactingShare(t *testing.T) {
	st, err := store.Open(store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	j := &janitor{store: st} // it holds nothing, so that 0 % of it is fragmented
	v := config.Values{DefragCycleMin: 2, DefragCycleMax: 40, DefragThresholdLower: 10, DefragThresholdUpper: 100}
	check := func(what string, want int64) {
		t.Helper()
		if got := j.compactingShare(&v, 25); got != want {
			t.Errorf("%s: %d %%, want %d", what, got, want)
		}
	}
	check("without activedefrag", 25)
	v.ActiveDefrag = true
	check("below the lower threshold", 2)
	v.DefragThresholdLower, v.DefragThresholdUpper = -10, 10
	check("half way", 21)
	v.DefragThresholdLower, v.DefragThresholdUpper = -20, -10
	check("above the upper threshold", 40)
	v.DefragThresholdLower = -10
	check("with thresholds that are one", 40)
	v.DefragCycleMin = 50
	check("with bounds the wrong way round", 50)
	if got := rest(time.Millisecond, 20); got != 4*time.Millisecond {
		t.Errorf("a share of 20 %% sleeps %v after 1 ms", got)
	}
	if got := rest(time.Second, 20); got != 8*time.Millisecond {
		t.Errorf("a share of 20 %% sleeps %v after a slice that the system has stopped for a second", got)
	}
}

// handDriven is a janitor whose slices the test calls; the server's own has stopped.
func handDriven(t *testing.T, s *Server) *janitor {
	t.Helper()
	p := dial(t, "tcp", s.Addrs()[0])
	eventually(t, "the server has loaded", func() bool { return p.do("get nothing") == "$-1" })
	s.janitor.close()
	s.janitor = nil
	return &janitor{store: s.store, persist: s.persist, kernel: s.kernel, cfg: s.cfg, log: quiet, clock: time.Now,
		evictor: s.store.NewEvictor()}
}

// TestExpireCycleEvent: what a slice has spent on expired keys is an event of LATENCY, and what it has
// spent on other work is not.
func TestExpireCycleEvent(t *testing.T) {
	s := start(t, "--latency-monitor-threshold", "50")
	j := handDriven(t, s)
	now := time.Now()
	j.clock = func() time.Time { // every unit of work takes 60 ms
		now = now.Add(60 * time.Millisecond)
		return now
	}
	for range 100 { // each ends after one unit
		j.slice(now, false)
	}
	if got := s.kernel.Latency.Events(); len(got) != 0 {
		t.Fatalf("with nothing to expire: %+v", got)
	}
	v := store.View{Store: s.store, Now: now.UnixMilli() - 10_000}
	k := s.store.Key([]byte("key"))
	s.store.Lock(k.Shard())
	v.SetString(k, nil, v.Now+1)
	s.store.Unlock(k.Shard())
	for range 1000 {
		if j.slice(now, false); s.store.Expired() > 0 {
			break
		}
	}
	got := s.kernel.Latency.Events()
	if len(got) != 1 || got[0].Name != "expire-cycle" || got[0].Worst != 60 {
		t.Errorf("got %+v", got)
	}
}

// TestExpireCapped: a slice that ends with keys still due is counted, and INFO says so; those that
// find nothing are not.
func TestExpireCapped(t *testing.T) {
	s := start(t)
	j := handDriven(t, s)
	v := store.View{Store: s.store, Now: time.Now().UnixMilli() - 10_000}
	const keys = 200_000 // some 10 ms of work
	for i := range keys {
		k := s.store.Key(fmt.Append(nil, "key:", i))
		s.store.Lock(k.Shard())
		v.SetString(k, nil, v.Now+1)
		s.store.Unlock(k.Shard())
	}
	slices := int64(0)
	for j.slice(time.Now(), false) {
		slices++
	}
	capped := s.kernel.ExpireCapped.Load()
	if capped == 0 || capped > slices || s.store.Expired() != keys {
		t.Errorf("%d of %d slices ended while keys expired, %d in all", capped, slices, s.store.Expired())
	}
	spent := time.Duration(s.kernel.ExpireTime.Load())
	if spent <= 0 {
		t.Errorf("%d slices with expired keys took %v", capped, spent)
	}
	if j.slice(time.Now(), false) || s.kernel.ExpireCapped.Load() != capped {
		t.Errorf("a slice without anything to do is counted")
	}
	stats := infoOf(dial(t, "tcp", s.Addrs()[0]), "stats")
	for field, want := range map[string]int64{
		"expired_time_cap_reached_count": capped, "expired_keys": keys,
		"expire_cycle_cpu_milliseconds": spent.Milliseconds(),
	} {
		if got := stats[field]; got != fmt.Sprint(want) {
			t.Errorf("%s is %q, want %d", field, got, want)
		}
	}
}

// TestEvictionInIdleTime: what is above the cap goes without a rest. While
// commands pay for room the janitor evicts nothing, but looks again soon.
func TestEvictionInIdleTime(t *testing.T) {
	s := start(t, "--maxmemory-policy", "allkeys-random")
	p := dial(t, "tcp", s.Addrs()[0])
	j := handDriven(t, s)
	v := store.View{Store: s.store, Now: time.Now().UnixMilli()}
	for i := range 100_000 {
		k := s.store.Key(fmt.Append(nil, "key:", i))
		s.store.Lock(k.Shard())
		v.SetString(k, make([]byte, 200), 0)
		s.store.Unlock(k.Shard())
	}
	usual := time.Second / time.Duration(s.cfg.Values().Hz)
	if got := j.pause(s.cfg.Values(), true); got != usual {
		t.Errorf("commands have paid and all is well: the pause is %v", got)
	}
	limit := s.kernel.Counted() - 10<<20
	if got := p.do(fmt.Sprint("config set maxmemory ", limit)); got != "+OK" {
		t.Fatal(got)
	}
	p.do("set a " + strings.Repeat("b", 10_000)) // it cannot bring memory below the cap
	if _, over := s.kernel.OverLimit(); over == 0 {
		t.Fatalf("%d bytes count, %d above the cap, and nobody knows", s.kernel.Counted(), s.kernel.Counted()-limit)
	}
	evicted := s.store.Evicted()
	for j.slice(time.Now(), true) {
	}
	if got := j.pause(s.cfg.Values(), true); got != payingPause || s.store.Evicted() != evicted {
		t.Errorf("while commands pay %d keys were evicted, and the pause is %v", s.store.Evicted()-evicted, got)
	}
	for above := true; above; {
		more := j.slice(time.Now(), false)
		above = s.kernel.Counted() > limit
		if above && (!more || j.other+j.compacting > 0) {
			t.Fatalf("%d bytes count under a cap of %d, and the janitor rests", s.kernel.Counted(), limit)
		}
	}
}

// TestTimeAboveTheCap: INFO tells how long memory has been above a cap that cannot be kept, and
// RESETSTAT forgets it.
func TestTimeAboveTheCap(t *testing.T) {
	s := start(t, "--maxmemory-policy", "volatile-lru")
	p := dial(t, "tcp", s.Addrs()[0])
	eventually(t, "the server has loaded", func() bool { return p.do("set a b") == "+OK" })
	if m := infoOf(p, "stats"); m["total_eviction_exceeded_time"] != "0" || m["current_eviction_exceeded_time"] != "0" {
		t.Errorf("before: %v", m)
	}
	p.do("config set maxmemory 1")
	eventually(t, "time passes above the cap", func() bool {
		m := infoOf(p, "stats")
		return m["current_eviction_exceeded_time"] > "0" && m["total_eviction_exceeded_time"] > "0"
	})
	if got := p.do("set c d"); !strings.HasPrefix(got, "-OOM ") {
		t.Errorf("SET says %q", got)
	}
	p.do("config set maxmemory 0")
	eventually(t, "the time ends", func() bool { return infoOf(p, "stats")["current_eviction_exceeded_time"] == "0" })
	if infoOf(p, "stats")["total_eviction_exceeded_time"] == "0" {
		t.Error("the time is forgotten")
	}
	p.do("config resetstat")
	if got := infoOf(p, "stats")["total_eviction_exceeded_time"]; got != "0" {
		t.Errorf("after RESETSTAT it is %q", got)
	}
}

// infoOf reads the fields of a section.
func infoOf(p *peer, section string) map[string]string {
	p.t.Helper()
	fields := map[string]string{}
	for _, line := range strings.Split(p.do("info "+section), "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

// TestMeterLivesOn: what the policy has learnt is forgotten when the policy or one of its
// parameters changes, and not when they are set to what they are.
func TestMeterLivesOn(t *testing.T) {
	s := start(t, "--maxmemory-policy", "allkeys-lhd")
	p := dial(t, "tcp", s.Addrs()[0])
	for _, step := range []struct {
		set  string
		made bool
	}{
		{"maxmemory-policy allkeys-lhd", false},
		{"lfu-log-factor 10 lfu-decay-time 1", false},
		{"maxmemory-policy allkeys-lfu", true},
		{"lfu-log-factor 5", true},
		{"lfu-log-factor 5 maxmemory-policy allkeys-lfu", false},
		{"lfu-decay-time 0", true},
		{"maxmemory-policy allkeys-lhd", true},
	} {
		before := s.store.Meter()
		p.expect("config set "+step.set, "+OK")
		if made := s.store.Meter() != before; made != step.made {
			t.Errorf("CONFIG SET %s makes a new Meter: %v", step.set, made)
		}
	}
}
