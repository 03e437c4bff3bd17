// All locks, in order.
//
// Whoever holds one of these takes only ones that stand below it. A lock that is marked "leaf" is
// held for a few instructions, and nothing is taken under it. tests/arch reads this table and fails
// when a mutex of the code is missing here.
//
//	order lock                                protects
//	   1  persistence.Manager.shutdown        that one PrepareShutdown runs at a time, to its end
//	   1  store.growth.Mutex                  that one call takes shards which it has not known of at first
//	   1  server/admin.Admin.previews         that one request at a time reads the beginning of a value
//	   2  store.shardMutex.Mutex              one shard: keys, values, arena, watches, waiters; in order of index
//	   3  server/engine.purges.mu             what is deleted in the background, during a step of it too
//	   3  server/config.Config.mu             changes of parameters, and the hooks that they call
//	   4  persistence.Manager.applying        the steps of Apply; the lock on the folder
//	   5  persistence.Manager.mu              the running job, those to come, the outcome of the last
//	   6  persistence/aof.Log.manage          start, stop and rewrites of the log; its manifest
//	   7  persistence/aof.flusher.Mutex       the file being written, and what is to go there
//	   8  persistence/aof.Log.mu              where the next file begins
//	   9  persistence/journal.Journal.mu      effects in their order, and their readers
//	  10  server/pubsub.shard.mu              topics and their subscribers; channels before patterns
//	      server/pubsub.members.mu            leaf: the slots of subscribers
//	  10  server/engine.caches.mu             which clients track keys, and by which prefixes
//	      server/engine.caches.outside        leaf: keys that have changed outside commands
//	      server/engine.unread.looking        that one looks for clients that do not read, never waited for
//	  11  server/engine.clientMemory.listing  lists of clients by their memory
//	  12  server/engine.Clients.mu            the registry of clients
//	  13  server/engine.Session.telling       the protocol, while a message is encoded and pushed
//	      server/engine.Session.meta.Mutex    leaf: names that the client has given itself
//	      server/acl.Users.mu                 leaf: the set of users, and the order of its changes
//	      server/acl.Log.mu                   leaf: what ACL LOG shows
//	      server/engine.timeouts.mu           leaf: when clients that wait get no further
//	      server/engine.leaseHolders.mu       leaf: which clients may hold leases
//	      server/engine.busy.mu               leaf: scripts that take long
//	      server/engine.pause.mu              the pause in force
//	      server/engine.lineup.mu             who waits for the end of a pause, or of a script
//	      server/engine.monitors.mu           leaf: the list of monitors, while it changes
//	      server/engine.work.mu               leaf: that no goroutine begins after Close
//	      server/scripting.cache.mu           leaf: the compiled scripts
//	      server/scripting.Scripts.mu         leaf: interpreters that run nothing
//	      server.listeners.mu                 where is listened, while that changes
//	      server/admin.history.mu             leaf: samples of the last hour
//	      server/admin.tracks.mu              leaf: hit rates of prefixes in the last hour
//	      server/admin.live.mu                leaf: who is sent samples
//	      server/admin.gate.mu                leaf: connections to the admin server
//	      cmd/warm.filler.mu                  leaf: how far a file has been taken in (larder warm, no server)
//	      cmd/warm.tally.mu                   leaf: errors of records (likewise)
//	      server/netloop.Server.mu            listeners, while they are opened and closed
//	      server/netloop.loops.mu             event loops that come and go, and connections on their way to one
//	      server/netloop.portable.mu          connections of the portable driver
//	  14  server/netloop.pconn.mu             leaf: what others want of such a connection
//	      server/netloop.handshakes.mu        leaf: TLS handshakes under way
//	      server/netloop.handshakes.leaving   leaf: how many of their places are left to event loops
//	      server/netloop.complaints.mu        leaf: what the log has been told of failed accepts and handshakes
//	      server/netloop.notices.mu           leaf: what others want of a loop's connections
//	      store/tags.stripe.mu                some of the tags, and their arena
//	  15  persistence/rdb.loader.mu           leaf: the outcome of a load by several goroutines
//	      store.tracking.mu                   leaf: numbers of clients that track keys
//	      store.LeaseHolder.mu                leaf: the leases that a client holds
//	      store.Store.walksMu                 leaf: times of compaction
//	      store.prefixing.mu                  leaf: which prefix has which slot, while that changes
//	      protocol/chain.Pool.mu              leaf: memory of replies that nobody uses
//	      store/tags.queue.mu                 leaf: the order of jobs, of tags whose keys are to be looked for
//	      store/arena.Heap.mu                 leaf: spans and large blocks that no arena owns
//	      eviction.lhd.mu                     leaf: what the policy LHD has learnt
//	      server/stats.Rate.mu                leaf: samples of one counter
//	      server/stats.Errors.mu              leaf: counts of error replies
//	      server/stats.SlowLog.mu             leaf: commands that were slow
//	      server/stats.Latency.mu             leaf: events that took long
//	  16  persistence/vfs.Mem.mu              leaf: a file system in memory, for tests
//	      persistence/vfs.Faulty.mu           leaf: which calls are to fail, for tests
//	      cmd/load.recorder.mu                leaf: what clients have measured (larder bench, no server)
//
// # Shards
//
// The engine locks the shards of a command's keys before its handler runs, and those of a whole
// transaction before its first command. Everything that a handler may do is therefore done with
// shards locked: no code that stands below the shards in the table may lock one. That is why the
// configuration stands below them, though most of its changes happen with nothing locked: CONFIG
// SET may be queued by MULTI. Its hooks and subscribers must not look at the store shard by shard;
// what has to change in the shards changes once the configuration is unlocked (engine's notify.go).
//
// The order of index has one exception: a script that touches a key which it has not declared takes
// the key's shard then, with others held. It holds growth for that, from before its first
// shard (store/lockset.go).
//
// Behind the shards, and locked together with them, come the slots: locks of the same kind without
// keys, for the libraries of functions (store/lockset.go).
//
// Somebody who holds all shards holds up every client. So nothing is waited for meanwhile that
// waits for the disk: Manager.mu, Log.mu and Journal.mu are never held during I/O; applying, manage
// and the flusher's are, and a cut (CutLocked, BackgroundSaveLocked) takes none of those. The one
// exception is the final save of a shutdown, after which nobody is answered.
//
// A script may need its shards for seconds. Then it gives their mutexes back and has the shards
// occupied, so that nobody waits for a mutex for long: whoever gets one looks whether it is of any
// use (store/occupied.go, engine's busy.go).
//
// # Without locks
//
// A session and its connection belong to one goroutine, that of its event loop; others read what it
// has published in atomics (engine's clients.go) or leave a notice. Parameters in force, the meter
// of eviction and the running snapshot are read through atomic pointers. A snapshot reads what the
// shards have frozen for it without their locks (store/snapshotpreserve.go).

package server
