package commands

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/server/acl"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/pubsub"
	"github.com/larderkv/larder/server/stats"
	"github.com/larderkv/larder/store"
)

// INFO. Clients and monitors parse it, so the sections, their order and the names
// of fields are Redis'. A field stands here if larder has something true to say
// in it, or if clients are known to read it and zero is true.

// lruMask is the width of the clock that Redis keeps in objects.
const lruMask = 1<<24 - 1

// infoSection is one section: some are part of INFO without arguments, some
// only of INFO all, or of INFO everything.
type infoSection struct {
	name  string
	level infoLevel
	write func(w *infoWriter)
}

type infoLevel uint8

const (
	inDefault infoLevel = iota
	inAll
	inEverything
)

func infoSections() []infoSection {
	return []infoSection{
		{"Server", inDefault, (*infoWriter).server},
		{"Clients", inDefault, (*infoWriter).clients},
		{"Memory", inDefault, (*infoWriter).memory},
		{"Persistence", inDefault, (*infoWriter).persistence},
		{"Stats", inDefault, (*infoWriter).stats},
		{"Replication", inDefault, (*infoWriter).replication},
		{"CPU", inDefault, (*infoWriter).cpu},
		{"Modules", inDefault, func(*infoWriter) {}},
		{"Commandstats", inAll, (*infoWriter).commandstats},
		{"Errorstats", inDefault, (*infoWriter).errorstats},
		{"Latencystats", inAll, (*infoWriter).latencystats},
		{"Cluster", inDefault, (*infoWriter).cluster},
		{"Keyspace", inDefault, (*infoWriter).keyspace},
		{"Keysizes", inAll, (*infoWriter).keysizes},
		{"Prefixes", inEverything, (*infoWriter).prefixes},
	}
}

// infoWriter collects the text. Numbers that several sections need are read once.
type infoWriter struct {
	strings.Builder
	c       *engine.Ctx
	k       *engine.Kernel
	v       *config.Values
	store   store.Stats
	moved   store.CompactionStats
	totals  engine.Totals
	process stats.Process
	disk    persistence.Status
	now     time.Time
}

func cmdInfo(c *engine.Ctx) error {
	chosen, level := make(map[string]bool), inDefault
	named := len(c.Args) == 1
	for a := c.Parse(1); !a.Done(); {
		switch {
		case a.Match("DEFAULT"):
			named = true
		case a.Match("ALL"):
			named, level = true, max(level, inAll)
		case a.Match("EVERYTHING"):
			named, level = true, inEverything
		default:
			chosen[strings.ToLower(string(a.Next()))] = true
		}
	}
	w := &infoWriter{
		c: c, k: c.Kernel, v: c.Kernel.Config.Values(),
		store: c.Stats(), moved: c.Compaction(), totals: c.Totals(),
		process: stats.ReadProcess(), disk: diskStatus(c.Kernel), now: c.Kernel.Now(),
	}
	for _, s := range infoSections() {
		if !chosen[strings.ToLower(s.name)] && !(named && s.level <= level) {
			continue
		}
		if w.Len() > 0 {
			w.WriteString("\r\n")
		}
		w.WriteString("# " + s.name + "\r\n")
		s.write(w)
	}
	c.Out.Verbatim("txt", w.String())
	return nil
}

// put writes one field.
func (w *infoWriter) put(name string, value any) {
	fmt.Fprintf(w, "%s:%v\r\n", name, value)
}

// bytes writes an amount of memory twice, the second time for people.
func (w *infoWriter) bytes(name string, n int64) {
	w.put(name, n)
	w.put(name+"_human", human(n))
}

// zero writes fields of things that do not happen here.
func (w *infoWriter) zero(names ...string) {
	for _, n := range names {
		w.put(n, 0)
	}
}

func (w *infoWriter) server() {
	uptime := int64(w.now.Sub(w.k.Started) / time.Second)
	executable, err := os.Executable()
	if err != nil {
		executable = os.Args[0]
	}
	w.put("redis_version", config.RedisVersion)
	w.put("redis_git_sha1", w.k.Build.Revision)
	w.put("redis_git_dirty", count(w.k.Build.Modified))
	w.put("redis_build_id", w.k.Build.ID)
	w.put("redis_mode", "standalone")
	w.put("larder_version", config.Version)
	w.put("os", w.k.Build.System)
	w.put("arch_bits", 32<<(^uint(0)>>63))
	w.put("monotonic_clock", "POSIX clock_gettime")
	w.put("multiplexing_api", w.k.Driver())
	w.put("go_version", runtime.Version())
	w.put("process_id", os.Getpid())
	w.put("process_supervised", w.k.Supervised)
	w.put("run_id", w.k.RunID)
	w.put("tcp_port", w.k.Port())
	w.put("server_time_usec", w.now.UnixMicro())
	w.put("uptime_in_seconds", uptime)
	w.put("uptime_in_days", uptime/(24*60*60))
	w.put("hz", w.v.Hz)
	w.put("configured_hz", w.v.Hz)
	w.put("lru_clock", w.now.Unix()&lruMask)
	w.put("executable", executable)
	w.put("config_file", w.k.Config.File())
	w.put("io_threads_active", count(w.k.Loops() > 1))
	for _, field := range w.k.Listeners() {
		w.put(field[0], field[1])
	}
}

func (w *infoWriter) clients() {
	var watching, watched int
	for _, s := range w.k.Clients.All() {
		i := s.Info()
		watching += count(i.Watched > 0)
		watched += i.Watched
	}
	in, out := w.k.Clients.RecentMax()
	w.put("connected_clients", w.k.Clients.Len())
	w.zero("cluster_connections")
	w.put("maxclients", w.v.MaxClients)
	w.put("client_recent_max_input_buffer", in)
	w.put("client_recent_max_output_buffer", out)
	w.put("blocked_clients", w.k.Clients.Blocked())
	tracking, _ := w.k.Tracking()
	w.put("tracking_clients", tracking)
	w.put("pubsub_clients", w.k.PubSub.Members())
	w.put("watching_clients", watching)
	w.put("clients_in_timeout_table", w.k.Limited())
	w.put("total_watched_keys", watched)
	w.put("total_blocking_keys", w.c.AwaitedKeys())
	w.zero("total_blocking_keys_on_nokey")
	reason, actions := "none", "none"
	paused, all, left := w.k.Paused()
	switch {
	case all:
		reason, actions = "client_pause", "client_all"
	case paused:
		reason, actions = "client_pause", "client_write"
	}
	w.put("paused_reason", reason)
	w.put("paused_actions", actions)
	w.put("paused_timeout_milliseconds", left.Milliseconds())
}

func (w *infoWriter) stats() {
	t, rates := &w.totals, w.k.Rates()
	hits, misses := w.k.Stats.Keyspace()
	w.put("total_connections_received", t[engine.CountConnections])
	w.put("total_commands_processed", w.k.Stats.Total())
	w.put("instantaneous_ops_per_sec", rates.Commands)
	w.put("total_net_input_bytes", t[engine.CountBytesIn])
	w.put("total_net_output_bytes", t[engine.CountBytesOut])
	w.zero("total_net_repl_input_bytes", "total_net_repl_output_bytes")
	w.put("instantaneous_input_kbps", kilobytes(rates.BytesIn))
	w.put("instantaneous_output_kbps", kilobytes(rates.BytesOut))
	w.put("instantaneous_input_repl_kbps", kilobytes(0))
	w.put("instantaneous_output_repl_kbps", kilobytes(0))
	w.put("rejected_connections", t[engine.CountRefused])
	w.zero("sync_full", "sync_partial_ok", "sync_partial_err")
	w.put("expired_subkeys", t[engine.CountExpiredElements])
	w.put("expired_keys", t[engine.CountExpired])
	w.put("expired_stale_perc", "0.00")
	w.put("expired_time_cap_reached_count", t[engine.CountExpireCapped])
	w.put("expire_cycle_cpu_milliseconds", time.Duration(t[engine.CountExpireTime]).Milliseconds())
	w.evictions()
	w.put("keyspace_hits", hits)
	w.put("keyspace_misses", misses)
	w.put("pubsub_channels", w.k.PubSub.Topics(pubsub.Channels))
	w.put("pubsub_patterns", w.k.PubSub.Topics(pubsub.Patterns))
	w.put("pubsubshard_channels", w.k.PubSub.Topics(pubsub.ShardChannels))
	w.zero("latest_fork_usec", "total_forks",
		"migrate_cached_sockets", "slave_expires_tracked_keys")
	w.compaction()
	keys, items := w.c.Store.Tracked()
	_, prefixes := w.k.Tracking()
	w.put("tracking_total_keys", keys)
	w.put("tracking_total_items", items)
	w.put("tracking_total_prefixes", prefixes)
	tags := w.c.Store.Tags()
	w.put("tags", tags.Tags)
	w.put("tags_bytes", tags.Bytes)
	w.put("tags_keys_to_remove", tags.Pending)
	leases := w.c.Store.Leases()
	w.put("leases", leases.Leases)
	w.put("leases_bytes", leases.Bytes)
	w.put("leases_given", leases.Given)
	w.put("leases_filled", leases.Filled)
	w.put("leases_refused", leases.Refused)
	w.put("leases_late", leases.Late)
	w.zero("unexpected_error_replies")
	w.put("total_error_replies", w.k.Errors.Total())
	w.put("dump_payload_sanitizations", t[engine.CountChecked])
	w.put("total_reads_processed", t[engine.CountReads])
	w.put("total_writes_processed", t[engine.CountWrites])
	w.threads()
	w.put("client_query_buffer_limit_disconnections", t[engine.CountQueryClosed])
	w.put("client_output_buffer_limit_disconnections", t[engine.CountOutputClosed])
	w.zero("reply_buffer_shrinks", "reply_buffer_expands")
	w.put("acl_access_denied_auth", w.k.Refusals.Count(acl.DeniedAuth))
	w.put("acl_access_denied_cmd", w.k.Refusals.Count(acl.DeniedCommand))
	w.put("acl_access_denied_key", w.k.Refusals.Count(acl.DeniedKey))
	w.put("acl_access_denied_channel", w.k.Refusals.Count(acl.DeniedChannel))
	w.put("purges_running", w.k.RunningPurges())
	w.put("purged_keys", t[engine.CountPurged])
}

// threads counts what event loops beyond a single one have read and written: each
// of them does what Redis calls the work of an I/O thread.
func (w *infoWriter) threads() {
	if w.k.Loops() <= 1 {
		w.zero("io_threaded_reads_processed", "io_threaded_writes_processed")
		return
	}
	w.put("io_threaded_reads_processed", w.totals[engine.CountReads])
	w.put("io_threaded_writes_processed", w.totals[engine.CountWrites])
}

func kilobytes(n int64) string { return fmt.Sprintf("%.2f", float64(n)/1024) }

func (w *infoWriter) replication() {
	w.put("role", "master")
	w.zero("connected_slaves")
	w.put("master_failover_state", "no-failover")
	id := w.k.ReplicationID()
	w.put("master_replid", id)
	w.put("master_replid2", strings.Repeat("0", len(id)))
	w.zero("master_repl_offset")
	w.put("second_repl_offset", -1)
	w.zero("repl_backlog_active", "repl_backlog_size", "repl_backlog_first_byte_offset", "repl_backlog_histlen")
}

func (w *infoWriter) cpu() {
	w.put("used_cpu_sys", fmt.Sprintf("%.6f", w.process.System.Seconds()))
	w.put("used_cpu_user", fmt.Sprintf("%.6f", w.process.User.Seconds()))
	w.put("used_cpu_sys_children", "0.000000")
	w.put("used_cpu_user_children", "0.000000")
}

func (w *infoWriter) commandstats() {
	w.k.Table.Each(func(s *engine.Spec) {
		r := w.k.Stats.Row(s.Index())
		if r == (stats.Row{}) {
			return
		}
		usec := float64(r.Time) / float64(time.Microsecond)
		per := 0.0
		if r.Calls > 0 {
			per = usec / float64(r.Calls)
		}
		w.put("cmdstat_"+s.FullName(),
			fmt.Sprintf("calls=%d,usec=%d,usec_per_call=%.2f,rejected_calls=%d,failed_calls=%d",
				r.Calls, int64(usec), per, r.Rejected, r.Failed))
	})
}

func (w *infoWriter) errorstats() {
	codes := w.k.Errors.Codes()
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		w.put("errorstat_"+code, fmt.Sprintf("count=%d", codes[code]))
	}
}

func (w *infoWriter) cluster() { w.zero("cluster_enabled") }

func (w *infoWriter) keyspace() {
	for db := range w.c.Store.Databases() {
		if st := w.c.DBSurvey(db); st.Keys > 0 {
			w.put(fmt.Sprintf("db%d", db),
				fmt.Sprintf("keys=%d,expires=%d,avg_ttl=%d,subexpiry=0", st.Keys, st.Expires, w.c.AverageTTL(db)))
		}
	}
}
