package clients

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// monitored are the fields of INFO that programs which watch servers read, by their documentation:
// redis_exporter (Prometheus), the Datadog agent, telegraf, RedisInsight and redis-commander.
var monitored = strings.Fields(`
redis_version redis_mode os tcp_port process_id run_id uptime_in_seconds uptime_in_days lru_clock executable config_file
connected_clients blocked_clients tracking_clients maxclients cluster_connections clients_in_timeout_table
client_recent_max_input_buffer client_recent_max_output_buffer pubsub_clients watching_clients total_watched_keys
used_memory used_memory_human used_memory_rss used_memory_peak used_memory_lua used_memory_overhead used_memory_startup used_memory_dataset
used_memory_vm_eval used_memory_vm_functions used_memory_vm_total used_memory_scripts used_memory_scripts_eval used_memory_functions
number_of_cached_scripts number_of_functions number_of_libraries total_system_memory maxmemory maxmemory_policy
allocator_allocated allocator_active allocator_resident allocator_frag_ratio allocator_frag_bytes allocator_rss_ratio allocator_rss_bytes
rss_overhead_ratio rss_overhead_bytes mem_fragmentation_ratio mem_fragmentation_bytes mem_not_counted_for_evict mem_clients_normal
mem_clients_slaves mem_replication_backlog mem_total_replication_buffers mem_aof_buffer mem_cluster_links mem_allocator
active_defrag_running lazyfree_pending_objects lazyfreed_objects
loading async_loading rdb_changes_since_last_save rdb_bgsave_in_progress rdb_last_save_time rdb_last_bgsave_status rdb_last_bgsave_time_sec
rdb_current_bgsave_time_sec rdb_last_cow_size rdb_saves rdb_last_load_keys_expired rdb_last_load_keys_loaded current_cow_size
current_save_keys_processed current_save_keys_total
aof_enabled aof_rewrite_in_progress aof_rewrite_scheduled aof_last_rewrite_time_sec aof_current_rewrite_time_sec aof_last_bgrewrite_status
aof_last_write_status aof_last_cow_size aof_rewrites
total_connections_received total_commands_processed instantaneous_ops_per_sec total_net_input_bytes total_net_output_bytes
instantaneous_input_kbps instantaneous_output_kbps rejected_connections sync_full sync_partial_ok sync_partial_err
expired_keys expired_stale_perc expired_time_cap_reached_count expire_cycle_cpu_milliseconds evicted_keys evicted_clients
total_eviction_exceeded_time current_eviction_exceeded_time keyspace_hits keyspace_misses pubsub_channels pubsub_patterns pubsubshard_channels
latest_fork_usec total_forks migrate_cached_sockets slave_expires_tracked_keys
active_defrag_hits active_defrag_misses active_defrag_key_hits active_defrag_key_misses total_active_defrag_time current_active_defrag_time
tracking_total_keys tracking_total_items tracking_total_prefixes unexpected_error_replies total_error_replies dump_payload_sanitizations
total_reads_processed total_writes_processed io_threaded_reads_processed io_threaded_writes_processed
acl_access_denied_auth acl_access_denied_cmd acl_access_denied_key acl_access_denied_channel
role connected_slaves master_failover_state master_replid master_repl_offset second_repl_offset repl_backlog_active repl_backlog_size
repl_backlog_first_byte_offset repl_backlog_histlen
used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children used_cpu_sys_main_thread used_cpu_user_main_thread
cluster_enabled db0`)

// unsaid are those that larder does not have.
var unsaid = strings.Fields("used_cpu_sys_main_thread used_cpu_user_main_thread")

// TestMonitoredFields: each of them is there, or is in the list of those that are not.
func TestMonitoredFields(t *testing.T) {
	s := harness.Start(t)
	c := s.Dial(t)
	c.MustOK("SET", "k", "v")
	info := "\n" + c.Do("INFO", "ALL").Text
	for _, field := range monitored {
		if has := strings.Contains(info, "\n"+field+":"); has == slices.Contains(unsaid, field) {
			t.Errorf("%s: in INFO %v", field, has)
		}
	}
}

// TestOpeningQueries: what RedisInsight asks for when it connects and shows a server's pages is answered
// without an error. (It learns by errors that there is no cluster, no sentinel and no module of search.)
func TestOpeningQueries(t *testing.T) {
	c := harness.Start(t).Dial(t)
	c.MustOK("SET", "k", "v")
	for _, request := range []string{
		"HELLO 3", "CLIENT SETNAME redisinsight-common", "CLIENT SETINFO LIB-NAME node-redis", "INFO", "INFO server",
		"INFO keyspace",
		"INFO memory clients stats", "MODULE LIST", "COMMAND", "COMMAND COUNT", "COMMAND DOCS", "CONFIG GET databases",
		"DBSIZE",
		"SCAN 0 MATCH * COUNT 10000", "TYPE k", "TTL k", "PTTL k", "OBJECT ENCODING k", "MEMORY USAGE k SAMPLES 0",
		"STRLEN k",
		"GETRANGE k 0 4999", "EXISTS k", "CLIENT LIST", "ACL WHOAMI", "ACL LIST", "SELECT 0", "PING",
		"SLOWLOG GET 50", "SLOWLOG LEN", "CONFIG GET slowlog*", "LATENCY LATEST", "LATENCY DOCTOR", "MEMORY DOCTOR",
		"PUBSUB CHANNELS *",
	} {
		if r := c.Do(strings.Fields(request)...); r.IsError() {
			t.Errorf("%s: %v", request, r)
		}
	}
}

// TestInfoKinds: each field has a value of the kind that it has in Redis, a whole number, a decimal, an
// amount with a unit or a word, since telegraf and Datadog's agent read them by that; the values that are
// lists of names have the same names.
func TestInfoKinds(t *testing.T) {
	kinds := map[string]map[string]string{}
	for _, s := range []*harness.Server{harness.Start(t, "enable-debug-command yes"), harness.StartRedis(t)} {
		c := s.Dial(t)
		fill(c)
		kinds[s.Name] = map[string]string{}
		for line := range strings.SplitSeq(c.Do("INFO", "EVERYTHING").Text, "\r\n") {
			if name, value, ok := strings.Cut(line, ":"); ok {
				kinds[s.Name][name] = kindOf(value)
			}
		}
	}
	both := 0
	for name, want := range kinds["redis"] {
		got, ok := kinds["larder"][name]
		if name == "db0" || name == "db3" {
			want += ",subexpiry=whole" // Redis 7.4
		}
		if ok && got != want && name != "redis_build_id" { // 16 hexadecimal digits, of which none need be a letter
			t.Errorf("%s: %s, in Redis %s", name, got, want)
		}
		if ok {
			both++
		}
	}
	if both < 180 {
		t.Errorf("%d fields in both", both)
	}
}

// valueKind is a kind of value and what such values look like.
type valueKind struct {
	name string
	form *regexp.Regexp
}

// valueKinds are all of them, the narrowest first.
var valueKinds = []valueKind{
	{"whole", regexp.MustCompile(`^-?\d+$`)},
	{"decimal", regexp.MustCompile(`^-?\d+\.\d+$`)},
	{"percentage", regexp.MustCompile(`^\d+\.\d+%$`)},
	{"amount", regexp.MustCompile(`^\d+(\.\d+)?[BKMGT]$`)},
	{"word", regexp.MustCompile(``)},
}

// kindOf names the kind of a value; of a list such as calls=1,usec=2 those of all its values.
func kindOf(value string) string {
	var kinds []string
	for part := range strings.SplitSeq(value, ",") {
		name, v, named := strings.Cut(part, "=")
		if !named {
			name, v = "", part
		}
		kind := slices.IndexFunc(valueKinds, func(k valueKind) bool { return k.form.MatchString(v) })
		if named {
			name += "="
		}
		kinds = append(kinds, name+valueKinds[kind].name)
	}
	return strings.Join(kinds, ",")
}
