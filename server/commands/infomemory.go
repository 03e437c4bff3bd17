package commands

import (
	"fmt"
	"time"

	"github.com/larderkv/larder/server/engine"
)

// INFO memory, and what INFO stats says of eviction and compaction. Redis' active
// defragmentation is here the compaction of the arena: a hit of its "values" is a
// block moved, of its "keys" a record.

func (w *infoWriter) memory() {
	m := readMemory(w.c, w.store, w.process, w.disk.Log.PendingBytes)
	w.bytes("used_memory", m.used)
	w.bytes("used_memory_rss", m.rss)
	w.bytes("used_memory_peak", m.peak)
	w.put("used_memory_peak_perc", fmt.Sprintf("%.2f%%", m.peakPercent()))
	w.put("used_memory_overhead", m.overhead())
	w.put("used_memory_startup", m.startup)
	w.put("used_memory_dataset", m.dataset())
	w.put("used_memory_dataset_perc", fmt.Sprintf("%.2f%%", m.datasetPercent()))
	w.put("allocator_allocated", m.used)
	w.put("allocator_active", m.active)
	w.put("allocator_resident", m.resident)
	w.put("allocator_muzzy", m.muzzy)
	w.bytes("total_system_memory", w.process.TotalMemory)
	w.scripts()
	w.bytes("maxmemory", w.v.MaxMemory)
	w.put("maxmemory_policy", w.v.MaxMemoryPolicy)
	w.layer("allocator_frag", m.fragmentation())
	w.layer("allocator_rss", m.unreturned())
	w.layer("rss_overhead", m.process())
	w.layer("mem_fragmentation", m.total())
	w.put("mem_not_counted_for_evict", m.notCounted)
	w.zero("mem_replication_backlog", "mem_total_replication_buffers", "mem_clients_slaves")
	w.put("mem_clients_normal", m.clients)
	w.zero("mem_cluster_links")
	w.put("mem_aof_buffer", m.log)
	w.put("mem_allocator", "larder")
	w.zero("mem_overhead_db_hashtable_rehashing") // tables grow without a second one beside them
	w.put("active_defrag_running", w.defragShare())
	w.put("lazyfree_pending_objects", w.store.Garbage)
	w.put("lazyfreed_objects", w.totals[engine.CountFreed])
}

// scripts writes what scripts and functions take.
func (w *infoWriter) scripts() {
	s := w.k.Scripts()
	w.put("used_memory_lua", s.Memory)
	w.put("used_memory_vm_eval", s.Memory)
	w.put("used_memory_lua_human", human(s.Memory))
	w.put("used_memory_scripts_eval", s.ScriptMemory)
	w.put("number_of_cached_scripts", s.Scripts)
	w.put("number_of_functions", s.Functions)
	w.put("number_of_libraries", s.Libraries)
	w.put("used_memory_vm_functions", s.FunctionMemory)
	w.bytes("used_memory_vm_total", s.Memory+s.FunctionMemory)
	w.put("used_memory_functions", s.LibraryMemory)
	w.bytes("used_memory_scripts", s.ScriptMemory+s.LibraryMemory)
}

func (w *infoWriter) layer(name string, l layer) {
	w.put(name+"_ratio", fmt.Sprintf("%.2f", l.ratio()))
	w.put(name+"_bytes", l.bytes())
}

// defragShare is the share of a core, in percent, that compaction has, 0 while there
// is nothing to compact. A writer that needs memory may compact before the background
// does: that is 1.
func (w *infoWriter) defragShare() int64 {
	if !w.moved.Running {
		return 0
	}
	return max(1, w.k.CompactingShare.Load())
}

func (w *infoWriter) evictions() {
	t := &w.totals
	total, current := w.k.OverLimit()
	w.put("evicted_keys", t[engine.CountEvicted])
	w.put("evicted_clients", t[engine.CountEvictedClients])
	w.put("evicted_scripts", w.k.Scripts().Evicted)
	w.put("total_eviction_exceeded_time", total.Milliseconds())
	w.put("current_eviction_exceeded_time", current.Milliseconds())
}

func (w *infoWriter) compaction() {
	t := &w.totals
	w.put("active_defrag_hits", t[engine.CountMoved]+t[engine.CountArrays])
	w.put("active_defrag_misses", t[engine.CountKept]+t[engine.CountKeptArrays])
	w.put("active_defrag_key_hits", t[engine.CountMoved])
	w.put("active_defrag_key_misses", t[engine.CountKept])
	w.put("total_active_defrag_time", time.Duration(t[engine.CountCompaction]).Milliseconds())
	w.put("current_active_defrag_time", w.moved.Current.Milliseconds())
}
