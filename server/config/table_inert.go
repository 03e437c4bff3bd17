package config

import (
	"math"
	"slices"
	"strings"
)

// The reasons why parameters are accepted without effect.
const (
	noReplication = "larder does not replicate"
	alwaysLazy    = "memory is always freed in slices"
	noSuchType    = "larder does not have this data type"
	ownAllocator  = "larder has an allocator of its own"
	noTitle       = "larder keeps its process title"
	foreground    = "larder stays in the foreground"
	noCluster     = "larder is no cluster"
	systemsTask   = "left to the system's service manager"
)

// inertParams are Redis parameters that clients ask for or existing redis.conf files hold, and that
// change nothing. Those that promise something important carry a caution, or refuse the values that
// promise it.
func inertParams() []Param {
	return slices.Concat(replicationParams(), serviceParams(), inertTLSParams(), tuningParams())
}

// whenNot makes a caution for every value but one.
func whenNot(harmless, caution string) func(*Values, string) string {
	return func(_ *Values, text string) string {
		if text == harmless {
			return ""
		}
		return caution
	}
}

func replicationParams() []Param {
	return []Param{
		{Name: "replicaof", Aliases: []string{"slaveof"}, Default: "", Change: Immutable, Kind: nothing(noReplication), Meaning: "the primary of this server", Inert: noReplication},
		{Name: "rdb-del-sync-files", Default: "no", Kind: yesNo(nil), Meaning: "delete snapshots made for replicas", Inert: noReplication},
		{Name: "shutdown-timeout", Default: "10", Kind: integer(0, math.MaxInt32, nil), Meaning: "seconds to wait for replicas at the end", Inert: noReplication},
		{Name: "masterauth", Default: "", Kind: password(nil), Meaning: "password of the primary", Inert: noReplication},
		{Name: "masteruser", Default: "", Kind: text("a user", nil), Meaning: "user at the primary", Inert: noReplication},
		{Name: "replica-serve-stale-data", Aliases: []string{"slave-serve-stale-data"}, Default: "yes", Kind: yesNo(nil), Meaning: "answer without the primary", Inert: noReplication},
		{Name: "replica-read-only", Aliases: []string{"slave-read-only"}, Default: "yes", Kind: yesNo(nil), Meaning: "replicas refuse writes", Inert: noReplication},
		{Name: "replica-priority", Aliases: []string{"slave-priority"}, Default: "100", Kind: integer(0, math.MaxInt32, nil), Meaning: "rank for a promotion", Inert: noReplication},
		{Name: "replica-lazy-flush", Aliases: []string{"slave-lazy-flush"}, Default: "no", Kind: yesNo(nil), Meaning: "flush in the background before a full synchronisation", Inert: noReplication},
		{Name: "replica-ignore-maxmemory", Aliases: []string{"slave-ignore-maxmemory"}, Default: "yes", Kind: yesNo(nil), Meaning: "replicas do not evict", Inert: noReplication},
		{Name: "repl-diskless-sync", Default: "yes", Kind: yesNo(nil), Meaning: "send snapshots without a file", Inert: noReplication},
		{Name: "repl-diskless-sync-delay", Default: "5", Kind: integer(0, math.MaxInt32, nil), Meaning: "seconds to wait for more replicas", Inert: noReplication},
		{Name: "repl-diskless-sync-max-replicas", Default: "0", Kind: integer(0, math.MaxInt32, nil), Meaning: "replicas to wait for", Inert: noReplication},
		{Name: "repl-diskless-load", Default: "disabled", Kind: enum(nil, "disabled", "on-empty-db", "swapdb"), Meaning: "load snapshots without a file", Inert: noReplication},
		{Name: "repl-disable-tcp-nodelay", Default: "no", Kind: yesNo(nil), Meaning: "fewer packets to replicas", Inert: noReplication},
		{Name: "repl-backlog-size", Default: "1mb", Kind: raised(16 << 10), Meaning: "changes kept for replicas", Inert: noReplication},
		{Name: "repl-backlog-ttl", Default: "3600", Kind: integer(0, math.MaxInt64, nil), Meaning: "seconds to keep them", Inert: noReplication},
		{Name: "repl-timeout", Default: "60", Kind: integer(1, math.MaxInt32, nil), Meaning: "seconds until a link counts as broken", Inert: noReplication},
		{Name: "repl-ping-replica-period", Aliases: []string{"repl-ping-slave-period"}, Default: "10", Kind: integer(1, math.MaxInt32, nil), Meaning: "seconds between pings of replicas", Inert: noReplication},
		{Name: "min-replicas-to-write", Aliases: []string{"min-slaves-to-write"}, Default: "0", Kind: integer(0, math.MaxInt32, nil), Meaning: "replicas needed for writes", Inert: noReplication,
			Caution: whenNot("0", "writes are accepted without replicas")},
		{Name: "min-replicas-max-lag", Aliases: []string{"min-slaves-max-lag"}, Default: "10", Kind: integer(0, math.MaxInt32, nil), Meaning: "seconds a replica may lag", Inert: noReplication},
		{Name: "cluster-enabled", Default: "no", Change: Immutable, Kind: only(yesNo(nil), is("no"), "no", noCluster), Meaning: "be a node of a cluster", Inert: noCluster},
	}
}

func serviceParams() []Param {
	return []Param{
		{Name: "daemonize", Default: "no", Change: Immutable, Kind: yesNo(nil), Meaning: "go to the background", Inert: foreground,
			Caution: whenNot("no", "a service manager has to start larder in the background")},
		{Name: "syslog-enabled", Default: "no", Change: Immutable, Kind: yesNo(nil), Meaning: "log to the system log", Inert: systemsTask,
			Caution: whenNot("no", "nothing is sent to the system log: see logfile")},
		{Name: "syslog-ident", Default: "redis", Change: Immutable, Kind: text("a name", nil), Meaning: "name in the system log", Inert: systemsTask},
		{Name: "syslog-facility", Default: "local0", Change: Immutable, Kind: enum(nil, facilities()...), Meaning: "facility in the system log", Inert: systemsTask},
		{Name: "crash-log-enabled", Default: "yes", Kind: yesNo(nil), Meaning: "log crashes in detail", Inert: "a crash is always logged in full"},
		{Name: "always-show-logo", Default: "no", Change: Immutable, Kind: yesNo(nil), Meaning: "show the logo", Inert: "larder has no logo"},
		{Name: "set-proc-title", Default: "yes", Change: Immutable, Kind: yesNo(nil), Meaning: "set the process title", Inert: noTitle},
		{Name: "proc-title-template", Default: `"{title} {listen-addr} {server-mode}"`, Kind: titleTemplate(), Meaning: "the process title", Inert: noTitle},
		{Name: "oom-score-adj", Default: "no", Kind: enum(nil, "no", "yes", "relative", "absolute"), Meaning: "who is killed first without memory", Inert: systemsTask},
		{Name: "oom-score-adj-values", Default: "0 200 800", Kind: scores(), Meaning: "scores for oom-score-adj", Inert: systemsTask},
		{Name: "disable-thp", Default: "yes", Change: Immutable, Kind: yesNo(nil), Meaning: "no transparent huge pages", Inert: "larder does not fork, which is what huge pages slow down"},
		{Name: "ignore-warnings", Default: "", Kind: text("names of warnings", nil), Meaning: "warnings to ignore at start", Inert: "larder does not have these warnings"},
		{Name: "locale-collate", Default: "", Kind: locale(), Meaning: "order of strings in SORT", Inert: "strings are compared byte by byte, locales with another order are refused"},
	}
}

func facilities() []string {
	return strings.Fields("user local0 local1 local2 local3 local4 local5 local6 local7")
}

func tuningParams() []Param {
	return []Param{
		{Name: "sanitize-dump-payload", Default: "no", Kind: enum(nil, "no", "yes", "clients"), Meaning: "check what is loaded and restored in full", Inert: "what is loaded and restored is always checked in full"},
		{Name: "lazyfree-lazy-eviction", Default: "no", Kind: yesNo(nil), Meaning: "free evicted keys in the background", Inert: alwaysLazy},
		{Name: "lazyfree-lazy-expire", Default: "no", Kind: yesNo(nil), Meaning: "free expired keys in the background", Inert: alwaysLazy},
		{Name: "lazyfree-lazy-server-del", Default: "no", Kind: yesNo(nil), Meaning: "free overwritten keys in the background", Inert: alwaysLazy},
		{Name: "lazyfree-lazy-user-del", Default: "no", Kind: yesNo(nil), Meaning: "DEL frees in the background", Inert: alwaysLazy},
		{Name: "lazyfree-lazy-user-flush", Default: "no", Kind: yesNo(nil), Meaning: "FLUSHALL and FLUSHDB free in the background", Inert: alwaysLazy},
		{Name: "dynamic-hz", Default: "yes", Kind: yesNo(nil), Meaning: "more background rounds with more clients", Inert: "background rounds do not walk over clients"},
		{Name: "activerehashing", Default: "yes", Kind: yesNo(nil), Meaning: "rehash in idle time", Inert: "tables grow in small parts, when they need to"},
		{Name: "active-defrag-max-scan-fields", Default: "1000", Kind: integer(1, math.MaxInt64, nil), Meaning: "fields of a collection to move at once", Inert: ownAllocator},
		{Name: "jemalloc-bg-thread", Default: "yes", Kind: yesNo(nil), Meaning: "a thread for the allocator", Inert: ownAllocator},
		{Name: "io-threads-do-reads", Default: "no", Change: Immutable, Kind: yesNo(nil), Meaning: "threads read as well", Inert: "every event loop reads, executes and writes"},
		{Name: "list-compress-depth", Default: "0", Kind: integer(0, math.MaxInt32, nil), Meaning: "uncompressed nodes at a list's ends", Inert: "nodes of lists are never compressed: any of them is read in place"},
		{Name: "hll-sparse-max-bytes", Default: "3000", Kind: memory(0, math.MaxInt64, nil), Meaning: "size of a sparse HyperLogLog", Inert: noSuchType},
		{Name: "stream-node-max-bytes", Default: "4kb", Kind: memory(0, math.MaxInt64, nil), Meaning: "bytes in a stream's node", Inert: noSuchType},
		{Name: "stream-node-max-entries", Default: "100", Kind: integer(0, math.MaxInt64, nil), Meaning: "entries in a stream's node", Inert: noSuchType},
	}
}
