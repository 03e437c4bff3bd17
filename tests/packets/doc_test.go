// Package packets sends larder what a hostile, broken or merely odd client sends, byte for byte.
//
// Three kinds of tests:
//
//   - wire_test.go: bytes whose answer Redis defines. The same bytes go to redis-server 7.0.15 and
//     both answers, up to the closing of the connection, must be equal. The client half-closes
//     after its last byte, so "everything until the end" needs no timing.
//   - split_test.go: how the bytes are cut must not matter. Pipelines arrive whole, in two parts at
//     every place, and byte by byte.
//   - hostile_test.go, load_test.go: packets that announce more than they send, clients that never
//     read, thousands that say nothing. The built binary serves them, so that its memory and
//     descriptors can be read from outside; somebody else must be served meanwhile.
//
// fuzz_test.go throws random arguments at every command of the table.
package packets
