// Package tags keeps the directory of tags: which there are, what has invalidated them, how many keys
// have them, and where these keys are. It knows no keyspace.
//
// # Problem
//
// A key can have tags, and whoever invalidates a tag wants all of its keys gone before the reply, be
// they five million. To remove those takes seconds, and nobody may wait for that. Keys expire, are
// evicted and overwritten all the time, and nothing of them may stay behind: a tag without keys is
// nothing, and its memory is somebody else's.
//
// # Stamps
//
// A tag has a serial, which the next link to it takes as its stamp. A link is what a key's record has of
// a tag: the Ref of the tag's record and the stamp. An invalidation sets the tag's hard or soft to the
// serial plus one. So a key is gone if any of its links has a stamp below hard of its tag, and stale if
// one has a stamp below soft. Whoever reads a key finds that out with two atomic loads for each tag
// (State), on any loop, from the moment on that Invalidate returns; and Invalidate takes the same time
// for any number of keys. What is gone is hidden, and removed later.
//
// # Lists
//
// What is gone takes memory until somebody finds it, and he must not search the whole keyspace. So each
// tag lists its keys: 8 bytes for each link, appended by Link (list.go). Invalidate detaches the list
// and queues it as a job; the sweeper takes entries in batches, with no lock kept in between, looks each
// key up, and removes those that are gone (Sweep says how). The list is only for this. What Keys and
// Invalidate count is counted by Link and Unlink, to the key.
//
// An entry says where a key is and has the lower 16 bits of the stamp, so that a key that was there
// before or has lost the tag meanwhile is not taken for the one that is meant. Entries are not taken out
// when a key leaves the tag, but from lists of up to 16, where one is found at once. In longer ones they
// stay: when more than 2n+16 are listed for n keys, the list is swept too, and what still holds goes
// back to it (Relist). A key that leaves has then cost two look-ups in the background at most, and a key
// that has its tags for good costs none. Most tags have a key or three, and no job ever unless they are
// invalidated.
//
// A key that is overwritten and keeps a tag may keep its link, if State says that it is neither gone
// nor stale: then nothing here is called.
//
// A tag has one job at most. Whatever happens to it before the job ends joins the job, and the strongest
// kind counts: entries that a tidying sweep has not come to are gone after a hard invalidation. So the
// sweeper does not go by the kind. It asks Relist, which decides under the same lock as Invalidate: a
// link is either gone then, or back in the list before the list is detached.
//
// # Life
//
// A tag's references are the links in records of keys, of which a snapshot may have copies, and its
// job. Retain and Drop do not lock, but the last Drop: it frees the tag under the lock that Hold takes
// to find it. A long list of a tag that nobody holds is freed by Sweep, in steps.
//
// A tag is named by a mark and a name. The mark stands for a database. When that is flushed its mark is
// used no more, and its tags go as the references of its keys do; or all at once, by Reset, if no other
// database has keys. Before that the tags of a million keys with three each took 1.4 s of processor
// time in the background.
//
// # Memory and locks
//
// Everything lies in arenas of the directory's own, one for each of 32 stripes by hash, and nothing
// points into the Go heap but the upper level of each stripe's hash table, 8 bytes for about 430 tags
// (table.go). A stripe's mutex covers all of its tags. It is taken with a shard's lock held and only the
// queue's and the heap's are taken under it; all are held for a microsecond or so: 512 entries or 511
// slots are what is copied at most at once, and 64 chunks freed. A record never moves, since links refer to it, so
// spans that are half empty after many tags have gone are filled by new ones and not compacted.
//
// Stamps have 48 bits: a million links a second to one tag for nine years.
//
// # Numbers
//
// Processor time on a virtual machine of two cores that others kept busy:
//
//	State of a key with one tag         2.7 ns; 58 among a million tags in no order
//	Hold, Link, Unlink, Drop            79 ns in all; 630 among a million tags
//	the same of a tag that is new       520 ns beside a million others
//	Link, Unlink                        42 ns; 390 among a million
//	Invalidate of 5 million keys        6 us
//	Sweep                               5 ns for each entry, without the caller's look-up
//	a tag with one key                  60 bytes over its name: 46, 3.5 to round up, 10 in the table
//	further keys                        24 bytes for the second, 11 to 20 each up to the tenth,
//	                                    9 each up to a hundred, 8.04 each of a hundred thousand
//	a thousand tags of 10 keys          170 KB in use, in spans of 2 MB
//
// # Rejected
//
// A set of names for each tag, as people write it by hand with SADD: a key's name is there once more for
// each of its tags, about 60 bytes with the set's own table, and each expiry and eviction has to search
// the sets of all tags. Or they leak, which is what those sets do.
//
// Lists of keys linked through the keys' records: a key leaves in constant time, for 10 bytes per tag and
// key, about as many as here. But the records' neighbours are in other shards, whose locks whoever
// removes a key does not have; and a record moves, in compaction and when its value changes.
//
// Stamps without lists: what is gone is found by walking the whole keyspace after each invalidation, or
// by chance. A hundred invalidations a second of three keys each would read the whole memory, or leave
// what is gone where what is not is evicted for it.
//
// An exact list with the place in the list in each link: five bytes more per link, and a chunk that is
// swept has to renumber its keys.
package tags
