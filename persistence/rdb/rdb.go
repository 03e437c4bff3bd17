// Package rdb reads and writes Redis' RDB files and DUMP payloads.
//
// # The format
//
// A file is "REDIS" and four digits of version (since Valkey 9 "VALKEY" and three), then records, then an end mark
// and a checksum of everything in front of it (8 bytes, little-endian, 0 for
// none). A record is an opcode with its operands, or a type with a key's name and
// value; format.go lists both. What stands before a key in opcodes (expiry time,
// idle time or access counter) belongs to that key, the database to all that
// follow. Numbers are lengths of 6, 14, 32 or 64 bits; strings have a length, or
// are an integer of 8, 16 or 32 bits, or LZF-compressed. Collections are a count
// and strings, or one string that is a listpack, ziplist, zipmap or intset.
//
// Written is version 10, that of Redis 7.0: strings, hashes and sorted sets as listpack or element
// by element, sets of integers as intset, other sets member by member, lists as a quicklist of one
// node or element by element. One type is of a later version: a hash of which fields expire is
// written as Redis 7.4 writes it (type 24), in a file that says 10 all the same, since its first
// line is out before anybody knows of such a hash. Times of sets' members, for which there is no
// type, are beside the set (membertimes.go). Strings are integers or compressed under the
// conditions that Redis has, listpacks have the integers where Redis has them, and LZF takes the
// same decisions as the code in Redis: a payload of DUMP is the same to the byte, unless it is of a
// list that is too long for one node.
//
// Read are versions 6 (Redis 2.6) to 12 (7.4 to 8.2), Valkey's own 80 and what KeyDB adds
// (keydb.go), every form of strings, hashes, sets, lists and sorted sets. Other types are skipped
// by their grammar (skip.go) when asked.
//
// # Writing
//
//	store.Snapshot ──Key, Begin, Element, End──> Encoder ──chunks──> writer ──> io.Writer
//	                 the caller's goroutine                 a goroutine: checksum, write, sync
//
// Four chunks of 256 KB go round between the two. No value is copied as a whole
// but for compression (up to 32 MB; longer strings stay as they are) and for
// listpacks (up to 1 MB; longer ones are written field by field). Encoding does
// not allocate.
//
// # Reading
//
//	io.Reader ──blocks──> splitter ──batches──> inserters (one per processor) ──> store
//	                      the caller's goroutine: checksum,
//	                      opcodes, the ends of keys and values
//
// Finding where a value ends takes its lengths only, a tenth of the work. So one
// goroutine cuts the file into batches of whole keys, about a block of 256 KB each
// (splitter), and the others decode and insert. An inserter sorts the keys of its
// batch by shard, so that a lock is taken once for some tens of keys and the
// buckets of the next ones are on their way from memory. The number of keys that
// the file announces makes the tables in advance. A collection longer than a block
// is cut into pieces that are inserted one by one, by whoever gets them, those of a list
// in their order; a string longer than a block gets a block of its own length.
//
// Rejected: a reader that decodes into objects and hands those on. It allocates per
// key, and its one goroutine does nine tenths of the work.
//
// # Invariants
//
//   - A length is compared with what is left of the file before memory is taken for
//     it, and the length of a decompressed string with what its compressed form can
//     stand for at most (88 times as much). The items of a blob are 24 bytes each
//     while it is being decoded. A file cannot make the reader take more. Elements of
//     collections, nodes of lists among them, are cut into pieces by the length that
//     they unpack to, so that many of them cannot add up.
//   - Blobs are checked byte by byte while they are taken apart, so a malformed one
//     is an error and never a wrong item or a panic.
//   - Every error of a file has an offset; of several the first in the file is
//     reported, whoever found it first.
//   - What is read is checked against the checksum only at the end: the store holds
//     keys before that. Whoever loads must not serve them until Load returns nil.
//
// # Measured
//
// On 2 cores of a Xeon that were shared with other work, 5 million keys of 16 bytes
// with values of 64, checksum on; CPU seconds of both goroutines, and Redis 7.0.15
// on the same machine, file and setting:
//
//	                              larder          Redis
//	save, random values           0.87            4.8
//	save, random, compression on  1.46            7.5
//	save, text, compression on    1.87            5.6
//	load, random values           1.3 (wall 1.3)  5.4 (wall 5.5)
//
// A million elements, in collections, compression on. Where there are two figures of loading, the
// first is for the file that Redis wrote, the second for larder's own:
//
//	                                  larder save, load  Redis save, load
//	one list, elements of 20 bytes    0.05  0.07         0.04  0.04
//	200,000 lists of 5                0.13  0.20, 0.13   0.29  0.18
//	one sorted set, members of 16     0.15  1.0, 1.55    0.10  0.65
//	200,000 sorted sets of 5          0.15  0.24, 0.21   0.34  0.17
//
// Redis writes a sorted set from the greatest score to the smallest, so that each member is
// inserted at the same end; larder writes it as its table has it, and inserts each where it
// belongs.
//
// The walk over the store is part of these. The encoder alone takes 65 ns per key, 170 with
// compression. Where Redis copies blobs as they are larder takes them apart: 50,000 hashes of 100
// fields and as many sets of 100 integers load in 0.48 CPU seconds, of all processors, against
// Redis' 0.28 of one. Checksum: 2.5 GB/s, the standard library 1.5 (crc64.go). Compression of short
// strings: lzf.go.
package rdb
