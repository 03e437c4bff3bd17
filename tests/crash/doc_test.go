// Package crash kills servers and holds what they come back with against what they had promised.
//
// Several clients write under load, each to keys of its own, in pipelines and transactions. Each
// keeps a model of its keys, and every reply is held against it. At a random moment the process
// gets SIGKILL; restarted on the same folder, it must hold, for every client, the state after some
// number of that client's operations:
//
//	log, appendfsync always or no    not fewer than were acknowledged, not more than were sent
//	log, appendfsync everysec        the same, but for what waits for an fsync under way, as in Redis: see lossWindow
//	snapshots only                   not fewer than were acknowledged when the last snapshot that was completed began
//
// The numbers of all clients together must be one point in time: there has to be a moment before
// which everything that survived was sent, and after which everything that is missing was
// acknowledged. This is what makes "a prefix of the log" and "a snapshot" visible from outside. The
// clients go on from the state that was found, on the same folder, for as many cycles as
// LARDER_CRASH_CYCLES says (10 by default; the operating system survives here, so that what was
// written counts as kept: what only fsync keeps is the matter of persistence/vfs).
//
// Beyond kills: files whose tail is cut off, and a disk that is full for a while, which a limit on
// the size of files stands for.
//
// SUBJECT=redis puts redis-server in larder's place.
package crash
