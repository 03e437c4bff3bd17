package commands

import (
	"fmt"
	"strings"
	"time"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/stats"
)

// MEMORY DOCTOR: advice from the state of memory. A rule looks at one thing and
// returns what it has to say, "" if all is well. Rules stay silent about small
// amounts: on an empty server every ratio is absurd.

// patient is what the rules look at.
type patient struct {
	*memoryUse
	limit     int64 // maxmemory in bytes, 0 none
	counted   int64 // bytes that count towards it
	policy    eviction.Policy
	machine   int64         // bytes of memory the machine or the control group has, 0 unknown
	evictions int64         // keys evicted per second
	over      time.Duration // since when more counts than the limit allows
	sessions  int64         // connected clients
	bounded   bool          // maxmemory-clients is set
	defrag    bool          // activedefrag is on
}

const (
	tooLittle = 5 << 20  // bytes: with less in use nothing can be told
	notable   = 10 << 20 // bytes: what is less needs no advice
)

func cmdMemoryDoctor(c *engine.Ctx) error {
	k := c.Kernel
	v, p := k.Config.Values(), stats.ReadProcess()
	_, over := k.OverLimit()
	c.Out.Verbatim("txt", diagnose(&patient{
		memoryUse: readMemory(c, c.Stats(), p, diskStatus(k).Log.PendingBytes),
		limit:     v.MaxMemory, counted: k.Counted(), policy: v.Policy(), machine: v.MachineMemory(),
		evictions: k.Rates().Evictions, over: over,
		sessions: int64(k.Clients.Len()), bounded: v.ClientsLimit() > 0, defrag: v.ActiveDefrag,
	}))
	return nil
}

// diagnose asks every rule.
func diagnose(p *patient) string {
	var found []string
	for _, rule := range []func(*patient) string{
		capTooSmall, capMissing, capTooLarge, capReached, nothingVolatile, evictsFast, staysAbove,
		peakPassed, fragmented, unreturned, unaccounted, clientsTakeMuch, logTakesMuch, snapshotTakesMuch,
	} {
		if text := rule(p); text != "" {
			found = append(found, " * "+text+"\n")
		}
	}
	switch {
	case len(found) > 0:
		return "What stands out in the memory of this server:\n\n" + strings.Join(found, "\n")
	case p.grown() < tooLittle:
		return "This server is empty or uses very little memory: there is nothing to judge yet. Ask again when it holds data."
	}
	return "Nothing stands out in the memory of this server."
}

func capTooSmall(p *patient) string {
	if p.limit == 0 || p.limit > p.startup {
		return ""
	}
	return fmt.Sprintf("Cap below the empty server: larder takes %s before the first key, and maxmemory is %s. Commands that need"+
		" memory are refused. Raise maxmemory.", human(p.startup), human(p.limit))
}

func capMissing(p *patient) string {
	if p.limit > 0 || p.machine == 0 || p.rss < p.machine/4*3 {
		return ""
	}
	return fmt.Sprintf("No cap: the process takes %s of the machine's %s, and maxmemory is not set. The system ends the process when"+
		" memory runs out. Set maxmemory, and a policy that evicts if this is a cache.", human(p.rss), human(p.machine))
}

func capTooLarge(p *patient) string {
	if p.machine == 0 || p.limit < p.machine/10*9 {
		return ""
	}
	return fmt.Sprintf("Cap too high: maxmemory is %s of the machine's %s. The program, buffers that do not count and memory on its way"+
		" back to the system come on top. Leave a tenth free.", human(p.limit), human(p.machine))
}

// near reports whether nine tenths of the limit are used up.
func (p *patient) near() bool { return p.limit > 0 && p.counted >= p.limit/10*9 }

func capReached(p *patient) string {
	if p.policy.Rule != eviction.NoEviction || !p.near() || p.limit <= p.startup {
		return ""
	}
	return fmt.Sprintf("Cap without eviction: %s of maxmemory's %s are used, and maxmemory-policy is noeviction. Past the cap, commands"+
		" that need memory are refused. If this is a cache, choose a policy that evicts, such as allkeys-lru; if not, raise"+
		" maxmemory.", human(p.counted), human(p.limit))
}

func nothingVolatile(p *patient) string {
	if !p.policy.Volatile || !p.near() || p.keys == 0 || p.expires > p.keys/10 {
		return ""
	}
	return fmt.Sprintf("Few keys may be evicted: %d of %d have a time to live, and %s evicts no others. When they are gone, commands that"+
		" need memory are refused. Set times to live, or choose an allkeys policy.", p.expires, p.keys, p.policy)
}

func evictsFast(p *patient) string {
	const often, shortLife = 100, 60 // keys per second; seconds
	if p.evictions < often || p.keys > p.evictions*shortLife {
		return ""
	}
	return fmt.Sprintf("Keys hardly stay: %d are evicted per second, so that the %d there are last for about %d seconds. What clients use"+
		" does not fit. Raise maxmemory, or store less: shorter times to live, smaller values.", p.evictions, p.keys, max(1, p.keys/p.evictions))
}

func staysAbove(p *patient) string {
	if p.over < time.Second {
		return ""
	}
	return fmt.Sprintf("Above the cap: for %d seconds, %s have counted towards maxmemory, which is %s. Either nothing is left that may be evicted, or writers"+
		" bring more than evictions free: raise maxmemory-eviction-tenacity or maxmemory.",
		int64(p.over/time.Second), human(p.counted), human(p.limit))
}

func peakPassed(p *patient) string {
	if p.peak < p.used/2*3 || p.peak-p.used < notable {
		return ""
	}
	return fmt.Sprintf("Peak: up to %s were in use, now it is %s. Free memory is given back in the background, so that the process gets"+
		" smaller by itself; see whether there is room for the next peak.", human(p.peak), human(p.used))
}

func fragmented(p *patient) string {
	l := p.fragmentation()
	if l.ratio() < 1.2 || l.bytes() < notable {
		return ""
	}
	advice := "CONFIG SET activedefrag yes has it compacted earlier than by default."
	if p.defrag {
		advice = "Lower active-defrag-threshold-lower or raise active-defrag-cycle-max to have it compacted earlier or faster."
	}
	return fmt.Sprintf("Fragmentation: %s are free between keys and values (%.2f times what is used). Deleting many keys, or values whose"+
		" sizes change, leaves such gaps; MEMORY MALLOC-STATS shows in which sizes. %s", human(l.bytes()), l.ratio(), advice)
}

func unreturned(p *patient) string {
	l := p.unreturned()
	if l.ratio() < 1.1 || l.bytes() < notable {
		return ""
	}
	return fmt.Sprintf("Free memory: %s are free and not given back to the system yet. This happens in the background; MEMORY PURGE does it"+
		" now.", human(l.bytes()))
}

func unaccounted(p *patient) string {
	l := p.process()
	if l.ratio() < 1.1 || l.bytes()-p.muzzy < 4*notable {
		return ""
	}
	return fmt.Sprintf("Process: it takes %s beyond the memory of data and of buffers. The program and its tables need some; more of it may"+
		" be huge pages that the system has put under small blocks (transparent_hugepage).", human(l.bytes()))
}

func clientsTakeMuch(p *patient) string {
	const each = 200 << 10 // bytes, as in Redis
	if p.sessions == 0 || p.clients < notable || p.clients/p.sessions < each && p.clients < p.used/4 {
		return ""
	}
	advice := "maxmemory-clients bounds them all."
	if p.bounded {
		advice = "maxmemory-clients may be set lower."
	}
	return fmt.Sprintf("Clients: the buffers of %d clients take %s. Somebody sends big requests, or does not read replies; tot-mem in"+
		" CLIENT LIST shows who. client-output-buffer-limit closes such a client, %s", p.sessions, human(p.clients), advice)
}

func logTakesMuch(p *patient) string {
	if p.log < notable {
		return ""
	}
	return fmt.Sprintf("Log: %s of changes wait to be written. The disk takes them more slowly than they come, or a sync takes long: see"+
		" aof_delayed_fsync in INFO persistence.", human(p.log))
}

func snapshotTakesMuch(p *patient) string {
	if p.debt < notable || p.debt < p.used/10 {
		return ""
	}
	return fmt.Sprintf("Snapshot: %s are old values that the running snapshot has still to write. They go when it ends, and do not count"+
		" towards maxmemory: leave room for them on the machine, or save when less is written.", human(p.debt))
}
