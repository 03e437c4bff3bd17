package commands

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"time"

	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
)

// MIGRATE: keys go to another server, as DUMP payloads in RESTORE, and go away
// here once it has said OK.
//
// Redis stops for everybody until the other server has answered, so that nobody
// sees a key in two places or changes it on the way. Here nobody waits but the
// client itself:
//
//	handler     shards locked: payloads of all keys, as of one moment; the keys
//	            are watched; the client waits
//	transfer    a goroutine, no lock: RESTORE, one reply for each
//	delete      shards locked: what was taken over and has not changed since is
//	            deleted. What has changed is sent again as it is now, what is gone
//	            is deleted there; and so on, a few rounds at most
//
// So each key moves as a whole and no change is lost. While it is on its way a
// reader may find it on both sides, and a key that never rests cannot be moved:
// the client is told, and it stays. The transfer goes on when the client has gone,
// because what the other server has taken over must not stay here.

// migrateRounds is how often a key may have changed before MIGRATE gives up.
const migrateRounds = 8

// migrateFlags say what MIGRATE does to its keys.
const migrateFlags = engine.RW | engine.Access | engine.Delete

// migrateSecret finds what MIGRATE shows the target to be let in. Options begin at the seventh word.
func migrateSecret(args [][]byte, i int) bool {
	return follows(args, i, 6, "auth", 1) || follows(args, i, 6, "auth2", 2)
}

func migrateCommands() []engine.Spec {
	return []engine.Spec{{
		Name: "migrate", Handler: cmdMigrate, Arity: -6, Flags: engine.Write, Secret: migrateSecret,
		Keys: []engine.KeySpec{
			engine.Key(3, migrateFlags),
			{Keyword: "KEYS", From: -2, Last: -1, Step: 1, Flags: migrateFlags | engine.Incomplete},
		},
		KeysAt: migrateKeys,
		Group:  "generic", Categories: engine.CatKeyspace | engine.CatDangerous, Since: "2.6.0",
		Syntax: `host port=integer <key | ""> destination-db timeout=integer [COPY] [REPLACE] ` +
			`[AUTH password | AUTH2 username password] [KEYS key [key ...]]`,
		Tips:       []string{"nondeterministic_output"},
		Summary:    "Moves keys to another server.",
		Complexity: "O(N) where N is the size of the values.",
		History: []string{"3.0.0: The options `COPY` and `REPLACE`.", "3.0.6: The option `KEYS`.",
			"4.0.7: The option `AUTH`.", "6.0.0: The option `AUTH2`."},
	}}
}

// migrateKeys finds the keys of a request: after KEYS, if that is an option and
// not an option's value, else in front.
func migrateKeys(args [][]byte) (keys []engine.KeyAt) {
	const key, options = 3, 6
	for i := options; i < len(args)-1; i++ {
		switch {
		case equalWord(args[i], "KEYS") && len(args[key]) > 0:
			return nil // a mistake, which the handler reports
		case equalWord(args[i], "KEYS"):
			for j := i + 1; j < len(args); j++ {
				keys = append(keys, engine.KeyAt{Index: j, Flags: migrateFlags})
			}
			return keys
		case equalWord(args[i], "AUTH"):
			i++
		case equalWord(args[i], "AUTH2"):
			i += 2
		}
	}
	return []engine.KeyAt{{Index: key, Flags: migrateFlags}}
}

func equalWord(b []byte, word string) bool { return bytes.EqualFold(b, []byte(word)) }

// migration is one MIGRATE on its way.
type migration struct {
	kernel        *engine.Kernel
	db            int
	host, port    string
	targetDB      int64
	timeout       time.Duration
	copy, replace bool
	none          bool     // KEYS was given, and no key
	auth          [][]byte // AUTH and its values; nil: none
	keys          []*moving
}

// moving is one key of a migration.
type moving struct {
	key     store.Key
	payload []byte // nil: the key is gone here, and has to go there
	ttl     int64  // milliseconds, 0: none
	again   bool   // the other server has an older value by now
	taken   bool   // it has said OK
	changed bool   // since the payload was made
	watch   store.Watcher
}

func parseMigrate(c *engine.Ctx) (m *migration, err error) {
	m = &migration{kernel: c.Kernel, db: c.DB, host: string(c.Args[1]), port: string(c.Args[2])}
	a := c.Parse(6)
	for !a.Done() {
		switch {
		case a.Match("COPY"):
			m.copy = true
		case a.Match("REPLACE"):
			m.replace = true
		case a.MatchValue("AUTH"):
			m.auth = cloneAll([]byte("AUTH"), a.Next())
		case a.Left() > 2 && a.Match("AUTH2"):
			m.auth = cloneAll([]byte("AUTH"), a.Next(), a.Next())
		case a.Match("KEYS"):
			if len(c.Args[3]) > 0 {
				a.Fail(engine.ErrMigrateKeys)
			}
			m.none = len(a.Rest()) == 0
		default:
			a.Syntax()
		}
	}
	if err := a.Err(); err != nil {
		return nil, err
	}
	a = c.Parse(4)
	m.targetDB = a.Int64()
	timeout := a.Int64()
	if timeout <= 0 {
		timeout = 1000
	}
	m.timeout = time.Duration(min(timeout, int64(time.Hour/time.Millisecond)*24*365)) * time.Millisecond
	return m, a.Err()
}

// cloneAll copies arguments that are needed after the command.
func cloneAll(args ...[]byte) [][]byte {
	for i := range args {
		args[i] = bytes.Clone(args[i])
	}
	return args
}

func cmdMigrate(c *engine.Ctx) error {
	m, err := parseMigrate(c)
	switch {
	case err != nil:
		return err
	case !c.MayWait():
		return engine.ErrMigrateInExec // nobody may wait for another server with all locks held
	}
	if m.none {
		c.Keys = c.Keys[:0]
	}
	for _, k := range c.Keys {
		if _, ok := c.Read(k); ok {
			k.Name = bytes.Clone(k.Name)
			item := &moving{key: k}
			m.take(&c.View, item)
			m.keys = append(m.keys, item)
		}
	}
	if len(m.keys) == 0 {
		c.Out.Status("NOKEY")
		return nil
	}
	var failed error
	return c.WaitFor(engine.ForServer, func(resume func()) {
		m.kernel.Go(func(ctx context.Context) {
			failed = m.run(ctx)
			m.forget()
			resume()
		})
	}, 0, func(c *engine.Ctx) error {
		if failed != nil {
			return failed
		}
		c.Out.OK()
		return nil
	})
}

// take makes the payload of a key as it is now. Its shard is locked.
func (m *migration) take(v *store.View, k *moving) {
	k.taken, k.changed, k.payload, k.ttl = false, false, nil, 0
	e, ok := v.Peek(k.key)
	if !ok {
		return
	}
	value := e.Content()
	k.payload = m.kernel.Dumper.Dump(nil, &value, m.kernel.Config.Values().RDBCompression)
	if at := e.ExpireAt(); at != 0 {
		k.ttl = max(at-v.Now, 1)
	}
	if !m.copy {
		v.Watch(k.key, &k.watch)
	}
}

// forget watches no key any more.
func (m *migration) forget() {
	for _, k := range m.keys {
		m.kernel.Store.Unwatch(&k.watch)
	}
}

// run moves the keys. The error is the client's reply.
func (m *migration) run(ctx context.Context) error {
	t, err := m.connect(ctx)
	if err != nil {
		return err
	}
	defer t.close()
	var refused error // what the other server has said of a key
	left := m.keys
	for range migrateRounds {
		err := t.move(left, m.replace)
		if refused == nil {
			refused = t.refused
		}
		if !m.copy {
			changed, deleteErr := m.deleteMoved(left)
			if err == nil {
				err = deleteErr
			}
			left = changed
		}
		switch {
		case err != nil && refused == nil:
			return err
		case err != nil || m.copy || len(left) == 0:
			return refused
		}
	}
	if refused != nil {
		return refused
	}
	return engine.ErrMigrateChanged
}

// deleteMoved deletes the keys that were taken over and have not changed since, and
// returns those that have, as they are now.
func (m *migration) deleteMoved(keys []*moving) (changed []*moving, err error) {
	st := m.kernel.Store
	var locks store.Lockset
	for _, k := range keys {
		locks.Add(k.key.Shard())
	}
	locks.Await(st)
	defer locks.Unlock(st)
	if p := m.kernel.Persist; p != nil && p.State()&persistence.Stopping != 0 {
		return nil, engine.ErrMigrateStopped
	}
	v := store.View{Store: st, DB: m.db, Now: m.kernel.Now().UnixMilli()}
	for _, k := range keys { // first of all, as deleting is a change too
		k.changed = k.payload != nil && st.DirtyLocked(&k.watch, v.Now)
		st.UnwatchLocked(&k.watch)
	}
	deleted := [][]byte{[]byte("DEL")}
	for _, k := range keys {
		switch {
		case !k.taken || k.payload == nil:
		case k.changed:
			k.again = true
			m.take(&v, k)
			changed = append(changed, k)
		case v.Delete(k.key):
			deleted = append(deleted, k.key.Name)
		}
	}
	if p := m.kernel.Persist; p != nil {
		p.AddDirty(v.Dirty)
	}
	if len(deleted) > 1 {
		m.kernel.Effect(m.db, deleted...)
	}
	return changed, nil
}

// address is where the other server is, as Redis reads it: a port is what C's
// atoi makes of it, and 16 bits of that. ok is false without an address.
func (m *migration) address() (address string, ok bool) {
	end := 0
	for end < len(m.port) && m.port[end] >= '0' && m.port[end] <= '9' {
		end++
	}
	if end == 0 && len(m.port) > 0 && m.port[0] == '-' {
		return "", false
	}
	port := uint64(0)
	if end > 0 {
		var err error
		if port, err = strconv.ParseUint(m.port[:end], 10, 32); err != nil {
			return "", false
		}
	}
	return net.JoinHostPort(m.host, strconv.FormatUint(port&0xFFFF, 10)), true
}
