// Package invariants says whether this build checks, at run time, what must always hold and is too
// dear to check in a server: `go test -tags invariants`, as `make test` does.
//
//   - Freed bytes of the arena are overwritten, so that who reads them anew finds no old value that
//     happens to be right (store/arena).
//   - A shard knows whether it is locked: its tables, and its arena's Alloc and Free, panic when it
//     is not (store/held_on.go).
//   - A handler has written exactly one reply when it returns without an error (server/engine).
//
// Enabled is a constant, so that without the tag the compiler drops what stands under it.
package invariants

// Poison is what freed memory is filled with: no length, no reference and no text of any use.
const Poison = 0xdb
