package commands

import (
	"fmt"
	"slices"
	"strings"

	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/engine"
)

// LATENCY DOCTOR: what was noted, and what to do about it. An event has its advice in one table; an
// advice that several events have is given once.

func cmdLatencyDoctor(c *engine.Ctx) error {
	k := c.Kernel
	events, v := k.Latency.Events(), k.Config.Values()
	switch {
	case len(events) == 0 && v.LatencyThreshold == 0:
		c.Out.Verbatim("txt", "Nothing is being watched. "+
			`"CONFIG SET latency-monitor-threshold <milliseconds>" has what takes so long noted.`+"\n")
		return nil
	case len(events) == 0:
		c.Out.Verbatim("txt", "Nothing has taken so long as latency-monitor-threshold says.\n")
		return nil
	}
	var text strings.Builder
	text.WriteString("What has taken long in this server:\n\n")
	var advices []string
	for i := range events {
		e := &events[i]
		s := e.Summarize(k.Now())
		fmt.Fprintf(&text, "%d. %s: %d latency spikes (average %dms, mean deviation %dms, period %.2f sec)."+
			" Worst all time event %dms.\n",
			i+1, e.Name, s.Samples, s.Mean, s.MAD, s.Period, e.Worst)
		for _, a := range latencyAdvice(e.Name, v) {
			if !slices.Contains(advices, a) {
				advices = append(advices, a)
			}
		}
	}
	if len(advices) > 0 {
		text.WriteString("\nWhat may help:\n\n")
		for _, a := range advices {
			text.WriteString(" * " + a + "\n")
		}
	}
	c.Out.Verbatim("txt", text.String())
	return nil
}

const (
	adviceSlowlog = "SLOWLOG GET shows the commands that are slow; " +
		"README, \"Long commands\", how long which ones take."
	adviceSystem = "Commands that do little were slow: the system has given the processor to others, or lacks memory. " +
		"Lower its load, and look for neighbours on the same machine (redis-cli --intrinsic-latency 100)."
	adviceDisk   = "The disk is slow: a local one, an SSD, or fewer others that write to it help."
	adviceAlways = "With appendfsync always each write waits for the disk; " +
		"everysec does not, and may lose a second when the power fails."
	adviceEviction = "Memory was needed in a hurry: raise maxmemory, or lower it in small steps, " +
		"and avoid commands that store much at once."
	adviceThreads = "A loop runs the clients of one thread, one after the other: " +
		"with more io-threads fewer of them wait for one that is slow."
)

// latencyAdvice is what may be done about an event.
func latencyAdvice(event string, v *config.Values) []string {
	switch event {
	case "command":
		lower := fmt.Sprintf(": CONFIG SET slowlog-log-slower-than %d.", v.LatencyThreshold*1000)
		switch us := v.SlowlogSlowerThan; {
		case us < 0:
			return []string{"The slow log is off" + lower, adviceSlowlog}
		case us/1000 > v.LatencyThreshold:
			return []string{"The slow log leaves out what is noted here" + lower, adviceSlowlog}
		}
		return []string{adviceSlowlog}
	case "fast-command", "expire-cycle":
		return []string{adviceSystem}
	case "loop-stall":
		return []string{adviceSlowlog, adviceThreads}
	case "eviction-cycle", "eviction-del":
		return []string{adviceEviction}
	case "aof-fsync-always":
		return []string{adviceAlways, adviceDisk}
	case "aof-write", "rdb-unlink-temp-file":
		return []string{adviceDisk}
	}
	return nil
}
