package config

import "strings"

// Directives of files that other servers have written: of Valkey, of KeyDB, and of versions of Redis
// that name what larder has no parameter for. CONFIG GET does not know them, and a rewrite leaves
// their lines as they are.
//
// One rule says what becomes of them. A directive is accepted where leaving it out lets nobody in
// who would have been kept out, keeps nobody out who would have been let in, and keeps data as
// safely: it is about speed, about what is logged, or about a thing that larder does not do at all
// and that another directive would have to turn on. Any other is accepted with the value that asks
// for nothing, and stops the start with all others.
type foreign struct {
	why     string   // no effect, or what larder lacks for other values
	nothing string   // "": any value will do; else the only one, with "-" for an empty one
	names   []string // that end with "*" are beginnings of names
}

const (
	anyNothing   = ""
	emptyNothing = "-"
	ownLoops     = "larder's event loops share the work out themselves"
	oneLogFormat = "larder's log has one format"
	forTests     = "it is for tests of the server itself"

	foreignPassword = "primaryauth" // the only one among them
)

func foreignDirectives() []foreign {
	return []foreign{
		{noReplication, anyNothing, strings.Fields("primaryauth primaryuser repl-mptcp dual-channel-replication-enabled replica-announced replica-announce-* " +
			"slave-announce-* replica-full-sync-buffer-limit replica-ignore-disk-write-errors propagation-error-behavior bind-source-addr " +
			"repl-backlog-disk-reserve enable-keydb-fastsync multi-master-no-forward replica-quorum replica-weighting-factor")},
		{noReplication, "no", strings.Fields("active-replica multi-master import-mode")},
		{noCluster, anyNothing, strings.Fields("cluster-* slot-migration-*")},
		{"certificates are read anew by SIGHUP and CONFIG SET", anyNothing, strings.Fields("tls-auto-reload-interval tls-rotation")},
		{"a bound on handshakes under way takes its place", anyNothing, strings.Fields("max-new-tls-connections-per-cycle")},
		{"larder does not speak RDMA", "0", strings.Fields("rdma-port")},
		{"larder does not speak RDMA", anyNothing, strings.Fields("rdma-*")},
		{"larder does not open the socket to another group", emptyNothing, strings.Fields("unixsocketgroup")},
		{"larder does not mark its packets", "0", strings.Fields("socket-mark-id")},
		{"larder speaks no Gopher", "no", strings.Fields("gopher-enabled")},
		{"larder keeps data in memory only", "no", strings.Fields("delete-on-evict")},
		{"larder keeps data in memory only", emptyNothing, strings.Fields("storage-provider db-s3-object")},
		{"larder cannot load modules", anyNothing, strings.Fields("enable-module-command")},
		{"scripts find what Redis 7.4 gives them", anyNothing, strings.Fields("lua-replicate-commands lua-enable-deprecated-api lua-enable-insecure-api")},
		{"larder has the slow log of Redis", anyNothing, strings.Fields("commandlog-*")},
		{noSuchType, anyNothing, strings.Fields("vset-force-single-threaded-execution")},
		{systemsTask, anyNothing, strings.Fields("server-cpulist bio-cpulist aof-rewrite-cpulist bgsave-cpulist server_cpulist bio_cpulist aof_rewrite_cpulist " +
			"bgsave_cpulist server-thread-affinity crash-memcheck-enabled use-exit-on-panic mptcp")},
		{ownLoops, anyNothing, strings.Fields("server-threads min-clients-per-thread active-client-balancing max-new-connections-per-cycle " +
			"prefetch-batch-max-size prefetch-enabled enable-async-commands overload-protect-percent time-thread-priority")},
		{oneLogFormat, anyNothing, strings.Fields("log-format log-timestamp-format hide-user-data-from-log")},
		{ownAllocator, anyNothing, strings.Fields("active-defrag-cycle-us")},
		{"every version of the format that larder knows is read", anyNothing, strings.Fields("rdb-version-check")},
		{"larder says nothing of it", anyNothing, strings.Fields("availability-zone extended-redis-compatibility")},
		{"larder's hashes are seeded anew at each start", anyNothing, strings.Fields("hash-seed")},
		{"larder's tables and lists are built in another way", anyNothing, strings.Fields("list-max-ziplist-entries list-max-ziplist-value allow-rdb-resize-op " +
			"semi-ordered-set-bucket-size")},
		{"larder does not fork", anyNothing, strings.Fields("use-fork max-snapshot-slip scratch-file-path")},
		{forTests, anyNothing, strings.Fields("key-load-delay rdb-key-save-delay aof-disable-auto-gc watchdog-period")},
	}
}

// ForeignGroup is directives that are accepted from other servers' files for one reason. A name that
// ends with a star stands for all that begin so; one with a value behind it is accepted with that
// alone.
type ForeignGroup struct {
	Why   string
	Names []string
}

// Foreign are all of them.
func Foreign() (groups []ForeignGroup) {
	at := map[string]int{}
	for _, f := range foreignDirectives() {
		i, ok := at[f.why]
		if !ok {
			i = len(groups)
			at[f.why], groups = i, append(groups, ForeignGroup{Why: f.why})
		}
		for _, name := range f.names {
			switch f.nothing {
			case anyNothing:
			case emptyNothing:
				name += ` ""`
			default:
				name += " " + f.nothing
			}
			groups[i].Names = append(groups[i].Names, name)
		}
	}
	return groups
}

// findForeign finds the row of a directive. Whole names win over beginnings.
func findForeign(name string) (f foreign, ok bool) {
	for _, row := range foreignDirectives() {
		for _, n := range row.names {
			if n == name {
				return row, true
			}
			if head, star := strings.CutSuffix(n, "*"); star && strings.HasPrefix(name, head) {
				f, ok = row, true
			}
		}
	}
	return f, ok
}

// accept judges a directive with its arguments.
func (f *foreign) accept(args []string) error {
	given := strings.ToLower(strings.Join(args, " "))
	switch {
	case f.nothing == anyNothing, given == f.nothing, f.nothing == emptyNothing && given == "":
		return nil
	case f.nothing == emptyNothing:
		return &LoadError{Problem: f.why, Expects: `""`}
	}
	return &LoadError{Problem: f.why, Expects: f.nothing}
}
