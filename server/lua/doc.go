// Package lua is an interpreter for Lua 5.1, made for short scripts inside a server: those of EVAL
// and of function libraries. It knows nothing of what they are for.
//
// # Why an interpreter of our own
//
// The candidates were gopher-lua 1.1.2 and Lua 5.1 in C compiled to WebAssembly under wazero.
// Measured on two cores of an AMD EPYC with Go 1.26.8:
//
//   - gopher-lua has no limit of memory and no place to put one. `t[60000000] = 1` on an empty table
//     is one instruction; it took 17 s and 4.7 GB, and nothing can interrupt it. Of 15 faulty
//     scripts none got the error text of Lua 5.1. 1e15 prints as 1000000000000000 and 2^53 as
//     9007199254740992, where Lua has 1e+15 and 9.007199254741e+15: such numbers get into keys.
//     Tables are walked in the order of insertion. A million additions took 65 ms.
//   - wazero costs 3 to 6 us per call of a script, more than a whole EVALSHA costs Redis.
//
// So neither can be what the server needs: scripts that cannot harm it, with the results that Lua
// in C gives, to the byte. Language, libraries and error texts are those of Lua 5.1.5; the order of
// a walk through a table is the same too, since tables are laid out by the same rules (table.go).
//
// # Shape
//
//	source -> lexer, parser -> syntax tree -> code (Proto) -> Thread runs it
//
//	State      what one interpreter has: globals, the metatable of strings, memory account, hook
//	Thread     a stack of values and of calls: the main one, or a coroutine
//	Value      16 bytes; numbers and booleans need no object (value.go)
//	Table      an array part and a hash part (table.go)
//	Function   code with its upvalues, or a Native, which is written in Go
//
// A call of a Lua function by a Lua function takes no Go stack, so that recursion is bounded by a
// count and not by the process. An error is a Go error that is returned, not a panic.
//
// # Limits
//
// Whatever a script does is cut into steps. Code takes one at each jump backwards and at each call;
// a Native that loops takes them by itself (Thread.Step). After some thousands of steps the State's
// hook is called, which may end the script. What a script allocates is counted (memory.go): when
// the count passes a mark, a walk from the roots finds what is alive, and if that is more than the
// limit the script ends with "not enough memory". What would be large at once asks first
// (Thread.Reserve). Go's collector frees what the script dropped.
//
// A State is for one goroutine at a time.
package lua
