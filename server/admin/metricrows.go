package admin

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/larderkv/larder/server/acl"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/pubsub"
	"github.com/larderkv/larder/server/stats"
)

// simpleRow is a metric of one series: the only place where its facts stand.
type simpleRow struct {
	name, help string
	kind       prometheus.ValueType
	value      func(r *reading) float64
}

func simpleRows() []simpleRow {
	return slices.Concat(serverRows(), memoryRows(), keyRows(), trafficRows(), snapshotRows(), logRows(), runtimeRows())
}

// gauge and counter make rows of whole numbers.
func gauge(name, help string, value func(r *reading) int64) simpleRow {
	return simpleRow{name, help, prometheus.GaugeValue, func(r *reading) float64 { return float64(value(r)) }}
}

func counter(name, help string, value func(r *reading) int64) simpleRow {
	return simpleRow{name, help, prometheus.CounterValue, func(r *reading) float64 { return float64(value(r)) }}
}

// ofTotals makes a row of one of the server's totals.
func ofTotals(name, help string, which engine.Counter) simpleRow {
	return counter(name, help, func(r *reading) int64 { return r.totals[which] })
}

// spent and lasts make rows of times, in seconds.
func spent(name, help string, value func(r *reading) time.Duration) simpleRow {
	return simpleRow{name, help, prometheus.CounterValue, func(r *reading) float64 { return value(r).Seconds() }}
}

func lasts(name, help string, value func(r *reading) time.Duration) simpleRow {
	return simpleRow{name, help, prometheus.GaugeValue, func(r *reading) float64 { return max(0, value(r).Seconds()) }}
}

// flag makes a row that is 1 or 0.
func flag(name, help string, value func(r *reading) bool) simpleRow {
	return gauge(name, help, func(r *reading) int64 { return int64(count(value(r))) })
}

func serverRows() []simpleRow {
	return []simpleRow{
		gauge("redis_up", "The server answers.", func(*reading) int64 { return 1 }),
		lasts("redis_uptime_in_seconds", "Time since the start.", func(r *reading) time.Duration { return r.k.Now().Sub(r.k.Started) }),
		gauge("redis_start_time_seconds", "Unix time of the start.", func(r *reading) int64 { return r.k.Started.Unix() }),
		gauge("redis_connected_clients", "Clients connected.", func(r *reading) int64 { return int64(r.k.Clients.Len()) }),
		gauge("redis_blocked_clients", "Clients waiting for something.", func(r *reading) int64 { return r.k.Clients.Blocked() }),
		gauge("redis_config_maxclients", "The parameter maxclients.", func(r *reading) int64 { return r.v.MaxClients }),
		gauge("redis_tracking_clients", "Clients with caches that are told of changes.", func(r *reading) int64 {
			clients, _ := r.k.Tracking()
			return int64(clients)
		}),
		gauge("redis_connected_slaves", "Replicas: there are none.", func(*reading) int64 { return 0 }),
		gauge("redis_pubsub_channels", "Channels with subscribers.", func(r *reading) int64 { return int64(r.k.PubSub.Topics(pubsub.Channels)) }),
		gauge("redis_pubsub_patterns", "Patterns of channels with subscribers.", func(r *reading) int64 { return int64(r.k.PubSub.Topics(pubsub.Patterns)) }),
		gauge("redis_slowlog_length", "Commands in the slow log.", func(r *reading) int64 { return int64(r.k.Slow.Len()) }),
		counter("redis_acl_access_denied_auth_total", "Logins that failed.", func(r *reading) int64 { return r.k.Refusals.Count(acl.DeniedAuth) }),
		counter("redis_acl_access_denied_cmd_total", "Commands refused by ACL.", func(r *reading) int64 { return r.k.Refusals.Count(acl.DeniedCommand) }),
		counter("redis_acl_access_denied_key_total", "Commands refused for a key by ACL.", func(r *reading) int64 { return r.k.Refusals.Count(acl.DeniedKey) }),
		counter("redis_acl_access_denied_channel_total", "Commands refused for a channel by ACL.", func(r *reading) int64 { return r.k.Refusals.Count(acl.DeniedChannel) }),
		spent("redis_cpu_user_seconds_total", "Processor time of the process, in user mode.", func(r *reading) time.Duration { return r.process.User }),
		spent("redis_cpu_sys_seconds_total", "Processor time of the process, in the system.", func(r *reading) time.Duration { return r.process.System }),
	}
}

func memoryRows() []simpleRow {
	return []simpleRow{
		gauge("redis_memory_used_bytes", "Memory in use, as used_memory.", func(r *reading) int64 { return r.used }),
		gauge("redis_memory_used_rss_bytes", "Resident set of the process.", func(r *reading) int64 { return r.process.RSS }),
		gauge("redis_memory_used_peak_bytes", "The most memory that has been in use.", func(r *reading) int64 { return r.peak }),
		gauge("redis_memory_used_startup_bytes", "Memory in use at the start.", func(r *reading) int64 { return r.k.StartMemory }),
		gauge("redis_memory_used_lua_bytes", "Memory of interpreters of scripts.", func(r *reading) int64 { return r.scripts.Memory }),
		gauge("redis_memory_used_scripts_bytes", "Memory of scripts and libraries.", func(r *reading) int64 { return r.scripts.ScriptMemory + r.scripts.LibraryMemory }),
		gauge("redis_memory_max_bytes", "The parameter maxmemory; 0 no cap.", func(r *reading) int64 { return r.v.MaxMemory }),
		gauge("redis_config_maxmemory", "The parameter maxmemory; 0 no cap.", func(r *reading) int64 { return r.v.MaxMemory }),
		{"redis_mem_fragmentation_ratio", "Resident set by memory in use.", prometheus.GaugeValue,
			func(r *reading) float64 { return float64(r.process.RSS) / float64(max(1, r.used)) }},
		gauge("redis_mem_clients_normal", "Memory of clients, in bytes.", func(r *reading) int64 { return r.k.Clients.Memory() }),
		gauge("redis_total_system_memory_bytes", "Memory of the machine.", func(r *reading) int64 { return r.process.TotalMemory }),
		gauge("larder_memory_counted_bytes", "Memory that counts towards maxmemory.", func(r *reading) int64 { return r.k.Counted() }),
		gauge("larder_arena_used_bytes", "Memory of keys, values and their tables.", func(r *reading) int64 { return r.store.Used }),
		gauge("larder_arena_held_bytes", "Memory taken for them, free slots included.", func(r *reading) int64 { return r.store.Held }),
		gauge("larder_arena_resident_bytes", "Memory taken for them and not given back to the system.", func(r *reading) int64 { return r.store.Resident }),
		gauge("larder_arena_pending_bytes", "Memory of freed blocks about to be given back.", func(r *reading) int64 { return r.store.Pending }),
		gauge("larder_garbage_objects", "Objects waiting to be freed in the background.", func(r *reading) int64 { return int64(r.store.Garbage) }),
		ofTotals("larder_freed_objects_total", "Objects freed in the background.", engine.CountFreed),
		gauge("larder_output_block_bytes", "Memory of replies that clients have not read.", func(r *reading) int64 { return r.k.OutputBlocks() }),
		flag("larder_compaction_running", "Pages with many free slots are being compacted.", func(r *reading) bool { return r.moved.Running }),
		ofTotals("larder_compaction_moved_records_total", "Records moved by compaction.", engine.CountMoved),
		spent("larder_compaction_seconds_total", "Time of compaction.", func(r *reading) time.Duration { return time.Duration(r.totals[engine.CountCompaction]) }),
		spent("larder_maxmemory_exceeded_seconds_total", "Time above maxmemory.", func(r *reading) time.Duration {
			total, _ := r.k.OverLimit()
			return total
		}),
		lasts("larder_maxmemory_exceeded_seconds", "How long memory has been above maxmemory by now; 0: it is not.", func(r *reading) time.Duration {
			_, current := r.k.OverLimit()
			return current
		}),
	}
}

func keyRows() []simpleRow {
	return []simpleRow{
		counter("redis_keyspace_hits_total", "Reads that found their key.", func(r *reading) int64 { return r.hits }),
		counter("redis_keyspace_misses_total", "Reads that did not find their key.", func(r *reading) int64 { return r.misses }),
		ofTotals("redis_expired_keys_total", "Keys removed because their time had come.", engine.CountExpired),
		ofTotals("redis_evicted_keys_total", "Keys evicted for memory.", engine.CountEvicted),
		spent("larder_expire_seconds_total", "Time for which the background work has removed expired keys.", func(r *reading) time.Duration { return time.Duration(r.totals[engine.CountExpireTime]) }),
		gauge("larder_tracked_keys", "Keys noted for clients' caches.", func(r *reading) int64 {
			keys, _ := r.k.Store.Tracked()
			return keys
		}),
	}
}

func trafficRows() []simpleRow {
	return []simpleRow{
		counter("redis_commands_processed_total", "Commands executed.", func(r *reading) int64 { return r.k.Stats.Total() }),
		ofTotals("redis_connections_received_total", "Connections accepted.", engine.CountConnections),
		ofTotals("redis_rejected_connections_total", "Connections refused.", engine.CountRefused),
		ofTotals("redis_net_input_bytes_total", "Bytes received.", engine.CountBytesIn),
		ofTotals("redis_net_output_bytes_total", "Bytes sent.", engine.CountBytesOut),
		ofTotals("larder_read_calls_total", "System calls that brought input.", engine.CountReads),
		ofTotals("larder_write_calls_total", "System calls that took output.", engine.CountWrites),
		ofTotals("larder_evicted_clients_total", "Clients disconnected because all together took too much memory.", engine.CountEvictedClients),
		ofTotals("larder_input_limit_clients_total", "Clients disconnected at client-query-buffer-limit.", engine.CountQueryClosed),
		ofTotals("larder_output_limit_clients_total", "Clients disconnected at client-output-buffer-limit.", engine.CountOutputClosed),
	}
}

func snapshotRows() []simpleRow {
	return []simpleRow{
		flag("redis_loading_dump_file", "The data set is being loaded.", func(r *reading) bool { return r.disk.Loading }),
		gauge("redis_rdb_changes_since_last_save", "Changes since the last snapshot.", func(r *reading) int64 { return r.disk.Dirty }),
		flag("redis_rdb_bgsave_in_progress", "A snapshot is being written.", func(r *reading) bool { return r.disk.SaveRunning }),
		gauge("redis_rdb_last_save_timestamp_seconds", "Unix time of the last snapshot.", func(r *reading) int64 { return r.disk.LastSave.Unix() }),
		flag("redis_rdb_last_bgsave_status", "The last snapshot went well.", func(r *reading) bool { return r.disk.LastSaveOK }),
		counter("larder_snapshots_total", "Snapshots written since the start.", func(r *reading) int64 { return r.disk.Saves }),
		lasts("larder_snapshot_last_duration_seconds", "Time that the last snapshot took.", func(r *reading) time.Duration { return r.disk.LastSaveTook }),
		lasts("larder_snapshot_running_seconds", "How long the running snapshot has been going on.", func(r *reading) time.Duration { return r.disk.SaveRunsFor }),
		gauge("larder_snapshot_handed_over_bytes", "Bytes that writers have handed over to the running snapshot or rewrite.", func(r *reading) int64 { return r.disk.Debt }),
		gauge("larder_snapshot_keys_written", "Keys that the running snapshot or rewrite has written.", func(r *reading) int64 { return r.disk.KeysDone }),
		gauge("larder_snapshot_keys", "Keys in the running snapshot or rewrite.", func(r *reading) int64 { return r.disk.KeysTotal }),
	}
}

func logRows() []simpleRow {
	return []simpleRow{
		flag("redis_aof_enabled", "The log is on.", func(r *reading) bool { return r.disk.LogOn }),
		flag("redis_aof_rewrite_in_progress", "The log is being rewritten.", func(r *reading) bool { return r.disk.RewriteRunning }),
		flag("redis_aof_rewrite_scheduled", "A rewrite of the log waits for its turn.", func(r *reading) bool { return r.disk.RewriteScheduled }),
		flag("redis_aof_last_bgrewrite_status", "The last rewrite of the log went well.", func(r *reading) bool { return r.disk.LastRewriteOK }),
		flag("redis_aof_last_write_status", "The last write to the log went well.", func(r *reading) bool { return r.disk.Log.Err == nil }),
		gauge("redis_aof_current_size_bytes", "Size of the log.", func(r *reading) int64 { return r.disk.Log.CurrentSize }),
		gauge("redis_aof_base_size_bytes", "Size of the log after its last rewrite.", func(r *reading) int64 { return r.disk.Log.BaseSize }),
		gauge("redis_aof_buffer_length", "Bytes that wait to be written to the log.", func(r *reading) int64 { return r.disk.Log.PendingBytes }),
		gauge("redis_aof_pending_bio_fsync", "Syncs of the log under way.", func(r *reading) int64 { return int64(r.disk.Log.PendingFsync) }),
		counter("larder_aof_delayed_fsyncs_total", "Writes to the log that have waited for a sync in vain.", func(r *reading) int64 { return r.disk.Log.DelayedFsync }),
		counter("larder_aof_fsyncs_total", "Syncs of the log.", func(r *reading) int64 { return r.disk.Log.Syncs }),
		counter("larder_aof_fsync_failures_total", "Syncs of the log that failed.", func(r *reading) int64 { return r.disk.Log.FailedSyncs }),
		spent("larder_aof_fsync_seconds_total", "Time of the syncs of the log.", func(r *reading) time.Duration { return r.disk.Log.SyncTime }),
		counter("larder_aof_rewrites_total", "Rewrites of the log since the start.", func(r *reading) int64 { return r.disk.Rewrites }),
		lasts("larder_aof_rewrite_last_duration_seconds", "Time that the last rewrite of the log took.", func(r *reading) time.Duration { return r.disk.LastRewriteTook }),
		lasts("larder_aof_rewrite_running_seconds", "How long the running rewrite has been going on.", func(r *reading) time.Duration { return r.disk.RewriteRunsFor }),
	}
}

func runtimeRows() []simpleRow {
	return []simpleRow{
		gauge("larder_go_memory_bytes", "Memory that the Go runtime uses.", func(r *reading) int64 { return r.process.Go }),
		gauge("larder_go_resident_bytes", "Memory that the Go runtime has taken from the system.", func(r *reading) int64 { return r.process.GoResident }),
		gauge("larder_goroutines", "Goroutines.", func(*reading) int64 { return stats.Goroutines() }),
		spent("larder_lock_wait_seconds_total", "Time that goroutines have waited for locks, by samples.",
			func(*reading) time.Duration { return stats.LockWait() }),
		counter("larder_gc_cycles_total", "Collections of the Go heap.", func(*reading) int64 { return stats.Collections() }),
	}
}
