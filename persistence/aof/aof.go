// Package aof is the append-only log: the effects of commands, in Redis' multi-part layout, so that
// a server of either kind goes on where the other has stopped.
//
// # Problem
//
// Event loops append effects to the journal (persistence/journal) while they hold the locks of what
// they changed. Those must be on the disk before replies leave (as far as the policy says), and the
// disk may be slow, full, failing, or lose power at any moment. A loop must not wait for it longer
// than the policy makes it; what was promised must never be missing; and a log that could not be
// written must refuse writes until it can be again, rather than lose some in the middle.
//
// # Files
//
//	appendonlydir/
//	  appendonly.aof.manifest      the list of the others; replaced as a whole: temporary file, sync,
//	                               rename, sync of the folder
//	  appendonly.aof.2.base.rdb    the data at the last rewrite's cut (.base.aof: as commands)
//	  appendonly.aof.2.incr.aof    effects since, and those of
//	  appendonly.aof.3.incr.aof    rewrites that have not come to their end
//
// Names, the manifest's grammar and its errors are those of Redis' aof.c. One thing differs: a name
// with a single quote is quoted in the manifest, since Redis cannot read back what it writes there.
//
// # Appending
//
//	Commit   under io: take the journal's buffer and leave the spare one, write the flight (what was
//	         taken) with one write, sync it if the policy is Always.
//
// While one loop is in Commit the others append to the journal and come to wait for io; the first
// of them writes for all, the rest find their bytes done: group commit without a queue. A flight is
// kept until it is where the policy wants it. Under EverySec a sync runs in a goroutine of its own,
// begun by Tick. A write to a file that is being synced may wait inside the system, so Commit
// leaves bytes where they are while a sync is under way, for two seconds at most, as
// flushAppendOnlyFile does.
//
// Lock order: the shards', then manage (start, stop, rewrites, the manifest), then io, then mu,
// then the journal's. CutLocked, called with all shards locked, takes only the last two.
//
// # Failures
//
//   - A write that fails or is short is cut off again (at once, or before the next write if that
//     fails too), so the file always ends with a whole flight. The flight is written again later.
//     Order is kept, since nothing overtakes it.
//   - A sync that fails is not repeated: Linux reports a failed write-back once, marks the pages
//     clean, and a second fsync then succeeds without them (Rebello et al., "Can Applications
//     Recover from fsync Failures?", 2020). Under Always the flight is still in memory: the file is
//     cut to what was durable and the flight written anew, as new dirty pages. Under EverySec a
//     second of writes is too much to keep; the range since the last good sync is read back,
//     compared with checksums taken when it was written, and written again in place. If the system
//     no longer has it the log says that it needs a rewrite, and refuses writes until there is one.
//     Redis exits under always, and under everysec believes the second fsync.
//   - While anything of this lasts Err tells of it, the engine refuses writes (which also bounds
//     the journal), and Tick tries again once a second. Commit under Always fails for as long as
//     anything is not durable; it tries the disk again only if there is more to write.
//
// # Rewriting
//
//	PrepareRewrite   the next incremental file, durable and in the durable manifest. Until the cut it stays empty.
//	CutLocked        with the snapshot: notes the journal's offset; what follows belongs to the new file.
//	Finish           base renamed, folder synced, manifest swapped; then old files go, and then their names.
//
// The flight that has that place in it is written on both sides of it. Between them the old file is
// synced, under every policy: otherwise a power failure could leave a hole in the middle of the
// log, where no reader may cut anything off. This is the one wait that Redis does not have;
// PrepareRewrite has synced the rest before, so it is short.
//
// A file is removed only after a manifest without it is durable. When saving a manifest fails
// nobody knows which of the two is on the disk, so both must stay loadable: the new base becomes
// history, no number of a base is used twice, and a new incremental file that may be named stays. A
// file that is opened anew under an old name is emptied durably before it is named.
//
// # Reading
//
// What a crash leaves of an unsynced end is a torn command, a MULTI without its EXEC, or zeros; a
// reader reports where the good part ends, and the owner cuts there if its configuration allows.
// All else is damage and stops the start. Redis takes zeros for damage, too. A torn end may only be
// in the last file that is not empty. The format has no checksums: sectors that are missing inside
// one argument, longer than they are, cannot be told from data. File systems that write data before
// they make a file longer (ext4 by default, XFS, btrfs) do not leave such.
//
// # Rejected
//
//   - A goroutine that writes for all loops: a switch to it and back per round, and it would still
//     have to be waited for under Always.
//   - Opening the next file and naming it at the moment of the cut, as Redis does with its world
//     standing still: syncs of the manifest and the folder under all locks.
//   - Cutting the file into blocks with checksums: Redis could not read them.
//   - Keeping everything since the last good sync in memory under EverySec: at 500,000 SETs of 64
//     bytes a second that is 60 MB, for an event that reading back handles.
//
// # Numbers
//
// Two cores, Go 1.26, ext4, CPU time per SET of a 16-byte key and a 64-byte value (115 bytes), 256
// per Commit, EverySec: appending 45 ns, checksum 6 ns, the system's write 125 ns; no allocation.
// Commit with nothing pending: 4 ns. ReadCommands: 80 ns per such command. A commit of 100 bytes
// with fdatasync: 0.9 to 1.7 ms, on a disk that others used as well.
package aof
