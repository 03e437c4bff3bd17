package admin

import (
	"net/http"
	"os"
	"time"

	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/server/config"
)

// What the server says of itself: a struct for each page's part. Times are unix milliseconds,
// durations milliseconds if nothing else is said, sizes bytes.

type databaseState struct {
	DB      int   `json:"db"`
	Keys    int64 `json:"keys"`
	Expires int64 `json:"expires"`
	Bytes   int64 `json:"bytes"`
}

// databases lists those that hold keys.
func (a *Admin) databases() []databaseState {
	list := []databaseState{}
	for db, st := range a.view().DBSurveys() {
		if st.Keys > 0 {
			list = append(list, databaseState{db, int64(st.Keys), int64(st.Expires), st.Bytes})
		}
	}
	return list
}

func (a *Admin) serveServer(w http.ResponseWriter, r *http.Request) {
	k, v, who := a.kernel, a.cfg.Values(), whoOf(r)
	host, _ := os.Hostname() // "" where the system does not say
	reply(w, map[string]any{
		"version": config.Version, "redis_version": config.RedisVersion, "run_id": k.RunID, "pid": os.Getpid(),
		"uptime_s": int64(k.Now().Sub(k.Started) / time.Second),
		"started":  k.Started.UnixMilli(), "now": k.Now().UnixMilli(),
		"role": "master", "host": host, "port": k.Port(), "loops": len(a.loops()),
		"maxmemory": v.MaxMemory, "policy": v.MaxMemoryPolicy, "databases_max": v.Databases, "databases": a.databases(),
		"write": v.AdminWrite, "user": who.User().Name(),
		"token": a.token(who), "health_hit_rate_warn": v.HealthHitRateWarn,
	})
}

type slowCommand struct {
	ID   int64   `json:"id"`
	Time int64   `json:"t"`
	Took float64 `json:"took_us"`
	Args []shown `json:"args"` // shortened as SLOWLOG has them, passwords hidden
	Addr string  `json:"addr"`
	Name shown   `json:"name"`
}

func (a *Admin) serveSlowlog(w http.ResponseWriter, _ *http.Request) {
	const most = 128
	list := []slowCommand{}
	for _, e := range a.kernel.Slow.Last(most) {
		args := make([]shown, len(e.Args))
		for i, arg := range e.Args {
			args[i] = shownOf([]byte(arg), maxShown)
		}
		list = append(list, slowCommand{
			e.ID, e.Time.UnixMilli(), *micros(e.Took), args, e.Addr, shownOf([]byte(e.Name), maxShown),
		})
	}
	v := a.cfg.Values()
	reply(w, map[string]any{"entries": list, "slower_than_us": v.SlowlogSlowerThan, "kept": v.SlowlogMaxLen})
}

type clientState struct {
	ID       uint64 `json:"id"`
	Addr     string `json:"addr"`
	Name     shown  `json:"name"`
	Library  shown  `json:"lib"`
	User     shown  `json:"user"`
	DB       int    `json:"db"`
	Age      int64  `json:"age_s"`
	Idle     int64  `json:"idle_s"`
	Flags    string `json:"flags"` // CLIENT LIST's letters
	RESP     int    `json:"resp"`
	Command  string `json:"command"`
	Memory   int64  `json:"memory"`
	Unsent   int64  `json:"unsent"`
	Received int64  `json:"received"`
	Sent     int64  `json:"sent"`
	Channels int    `json:"subscriptions"`
	Watched  int    `json:"watched"`
	Queued   int    `json:"queued"` // commands of MULTI, -1 outside
}

func (a *Admin) serveClients(w http.ResponseWriter, _ *http.Request) {
	const most = 1000
	all := a.kernel.Clients.All()
	list := []clientState{}
	for _, s := range all[:min(len(all), most)] {
		i := s.Info()
		list = append(list, clientState{
			ID: i.ID, Addr: i.Addr, Name: shownOf([]byte(i.Name), maxShown),
			Library: shownOf([]byte(i.LibName+" "+i.LibVer), maxShown),
			User:    shownOf([]byte(i.User), maxShown), DB: i.DB,
			Age: int64(i.Age / time.Second), Idle: int64(i.Idle / time.Second),
			Flags: i.Flags, RESP: i.RESP, Command: i.Command, Memory: i.Memory, Unsent: i.Sizes.Output,
			Received: i.Sizes.Read, Sent: i.Sizes.Written, Channels: i.Channels + i.Patterns + i.ShardChannels,
			Watched: i.Watched, Queued: i.Queued,
		})
	}
	reply(w, map[string]any{"total": len(all), "maxclients": a.cfg.Values().MaxClients,
		"blocked": a.kernel.Clients.Blocked(), "clients": list})
}

type parameter struct {
	Name    string `json:"name"`
	Value   shown  `json:"value"`
	Default string `json:"default"`
	Changed bool   `json:"changed"`
	Secret  bool   `json:"secret"`  // the value is not said, but for whether there is one
	Mutable bool   `json:"mutable"` // by CONFIG SET
	Meaning string `json:"meaning"`
	Inert   string `json:"inert"` // why it has no effect; "": it has
}

func (a *Admin) serveConfig(w http.ResponseWriter, _ *http.Request) {
	list := []parameter{}
	a.cfg.Each(func(p *config.Param, text string, changed bool) {
		if p.Secret() && text != "" {
			text = "(hidden)"
		}
		list = append(list, parameter{
			Name: p.Name, Value: shownOf([]byte(text), maxValue), Default: p.Default, Changed: changed, Secret: p.Secret(),
			Mutable: p.Change == config.Runtime, Meaning: p.Meaning, Inert: p.Inert,
		})
	})
	reply(w, map[string]any{"file": a.cfg.File(), "parameters": list})
}

func (a *Admin) servePersistence(w http.ResponseWriter, _ *http.Request) {
	d, v := a.kernel.Persist.Status(), a.cfg.Values()
	points := [][2]int64{}
	for _, p := range v.SavePoints {
		points = append(points, [2]int64{p.Seconds, p.Changes})
	}
	reply(w, map[string]any{
		"dir": v.Dir, "loading": loadingState(&d), "snapshot": snapshotState(&d, v, points), "log": logState(&d, v),
	})
}

func loadingState(d *persistence.Status) map[string]any {
	return map[string]any{
		"running": d.Loading, "started": d.LoadStarted.UnixMilli(), "bytes": d.LoadDone, "total": d.LoadTotal,
		"keys": d.LoadedKeys, "expired": d.ExpiredKeys,
	}
}

func snapshotState(d *persistence.Status, v *config.Values, points [][2]int64) map[string]any {
	return map[string]any{
		"file": v.DBFilename, "save_points": points, "changes": d.Dirty, "saves": d.Saves,
		"running": d.SaveRunning, "runs_for_ms": millis(d.SaveRunsFor),
		"keys_done": d.KeysDone, "keys_total": d.KeysTotal,
		"last": d.LastSave.UnixMilli(), "last_ok": d.LastSaveOK,
		"last_took_ms": millis(d.LastSaveTook), "handed_over": d.Debt,
	}
}

func logState(d *persistence.Status, v *config.Values) map[string]any {
	failure := ""
	if d.Log.Err != nil {
		failure = d.Log.Err.Error()
	}
	return map[string]any{
		"on": d.LogOn, "fsync": v.AppendFsync, "size": d.Log.CurrentSize,
		"base_size": d.Log.BaseSize, "pending": d.Log.PendingBytes,
		"error": failure, "syncs": d.Log.Syncs, "sync_time_ms": millis(d.Log.SyncTime),
		"delayed_syncs": d.Log.DelayedFsync,
		"rewriting":     d.RewriteRunning, "rewrite_runs_for_ms": millis(d.RewriteRunsFor), "rewrites": d.Rewrites,
		"last_rewrite_ok": d.LastRewriteOK, "last_rewrite_took_ms": millis(d.LastRewriteTook),
	}
}

// millis is a duration in ms, nil for one that is not there.
func millis(d time.Duration) *float64 {
	if d < 0 {
		return nil
	}
	f := float64(d) / float64(time.Millisecond)
	return &f
}
