package commands

import (
	"fmt"
	"time"

	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/server/engine"
)

// INFO persistence. What Redis calls copy-on-write (cow) is here what a snapshot
// costs in memory beside the data: the bytes that writers have handed over and
// that are not written yet (store.Debt). Nothing forks.

// diskStatus is the state of persistence; without any it is that of a server which
// has saved at its start.
func diskStatus(k *engine.Kernel) persistence.Status {
	if k.Persist != nil {
		return k.Persist.Status()
	}
	return persistence.Status{
		LastSave: k.Started, LastSaveOK: true, LastSaveTook: -1, SaveRunsFor: -1,
		LastRewriteOK: true, LastRewriteTook: -1, RewriteRunsFor: -1,
	}
}

func (w *infoWriter) persistence() {
	d := &w.disk
	w.put("loading", count(d.Loading))
	w.zero("async_loading")
	w.put("current_cow_peak", d.DebtPeak)
	w.put("current_cow_size", d.Debt)
	w.zero("current_cow_size_age") // the size is that of this moment
	w.put("current_fork_perc", fmt.Sprintf("%.2f", percent(d.KeysDone, d.KeysTotal)))
	w.put("current_save_keys_processed", d.KeysDone)
	w.put("current_save_keys_total", d.KeysTotal)
	w.put("rdb_changes_since_last_save", d.Dirty)
	w.put("rdb_bgsave_in_progress", count(d.SaveRunning))
	w.put("rdb_last_save_time", d.LastSave.Unix())
	w.outcome("rdb_last_bgsave_status", d.LastSaveOK)
	w.seconds("rdb_last_bgsave_time_sec", d.LastSaveTook)
	w.seconds("rdb_current_bgsave_time_sec", d.SaveRunsFor)
	w.put("rdb_saves", d.Saves)
	w.put("rdb_last_cow_size", d.SaveDebt)
	w.put("rdb_last_load_keys_expired", d.ExpiredKeys)
	w.put("rdb_last_load_keys_loaded", d.LoadedKeys)
	w.put("aof_enabled", count(d.LogOn))
	w.put("aof_rewrite_in_progress", count(d.RewriteRunning))
	w.put("aof_rewrite_scheduled", count(d.RewriteScheduled))
	w.seconds("aof_last_rewrite_time_sec", d.LastRewriteTook)
	w.seconds("aof_current_rewrite_time_sec", d.RewriteRunsFor)
	w.outcome("aof_last_bgrewrite_status", d.LastRewriteOK)
	w.put("aof_rewrites", d.Rewrites)
	w.put("aof_rewrites_consecutive_failures", d.RewriteFailures)
	w.outcome("aof_last_write_status", d.Log.Err == nil)
	w.put("aof_last_cow_size", d.RewriteDebt)
	w.zero("module_fork_in_progress", "module_fork_last_cow_size")
	if d.LogOn {
		w.log()
	}
	if d.Loading {
		w.loading()
	}
}

func (w *infoWriter) log() {
	l := &w.disk.Log
	w.put("aof_current_size", l.CurrentSize)
	w.put("aof_base_size", l.BaseSize)
	w.zero("aof_pending_rewrite")
	w.put("aof_buffer_length", l.PendingBytes)
	w.put("aof_pending_bio_fsync", l.PendingFsync)
	w.put("aof_delayed_fsync", l.DelayedFsync)
}

func (w *infoWriter) loading() {
	d := &w.disk
	eta := int64(1) // in the first second nobody can tell
	if elapsed := int64(w.now.Sub(d.LoadStarted) / time.Second); elapsed > 0 {
		eta = elapsed * (d.LoadTotal - d.LoadDone) / (d.LoadDone + 1)
	}
	w.put("loading_start_time", d.LoadStarted.Unix())
	w.put("loading_total_bytes", d.LoadTotal)
	w.put("loading_rdb_used_mem", d.LoadMemory)
	w.put("loading_loaded_bytes", d.LoadDone)
	w.put("loading_loaded_perc", fmt.Sprintf("%.2f", percent(d.LoadDone, d.LoadTotal)))
	w.put("loading_eta_seconds", eta)
}

// seconds writes a duration, -1 for one that is not there.
func (w *infoWriter) seconds(name string, d time.Duration) {
	if d < 0 {
		w.put(name, -1)
		return
	}
	w.put(name, int64(d/time.Second))
}

// outcome writes how something went last.
func (w *infoWriter) outcome(name string, ok bool) {
	if ok {
		w.put(name, "ok")
	} else {
		w.put(name, "err")
	}
}
