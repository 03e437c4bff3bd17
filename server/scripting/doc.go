// Package scripting runs scripts: those of EVAL, and the functions of libraries. It has what Redis
// gives Lua to work with, and what it asks of a script.
//
// # Outline
//
// A script of EVAL is compiled once and kept by its SHA and by its source (cache.go). Its first
// line may have flags (shebang.go). Compiled code never changes, so that several loops run it at
// once, each in an interpreter (interpreter.go): a lua.State with the globals of Redis (globals.go,
// api.go). There are as many interpreters as scripts run at one time, and a few idle ones
// (scripts.go). Which one runs a script makes no difference, since what a script has changed is
// undone after it: the globals are read-only, KEYS and ARGV are emptied, and settings of the codecs
// are reset. What the interpreters do share are the random numbers, as in Redis.
//
// Variables of a library live on, so a library has an interpreter of its own (library.go says who
// may use it when, register.go how it is loaded, function.go how a function is called).
//
// redis.call hands its arguments to the engine (Ctx.CallInner), which checks what a script may do,
// and makes a value of Lua of the bytes that it replies (call.go). What a script returns becomes
// the reply (reply.go), or the error that ends it (run.go).
//
// # What the engine needs to know
//
// A script runs under locks of the keys that it declares. Whether it may touch others is found out
// from its source (proof.go, for libraries prooflibrary.go); engine/straying.go says what is done
// with the answer. A script that takes long is the matter of engine/busy.go: the interpreter calls
// Ctx.Tick every now and then, and ends the script if that returns an error.
//
// # Bounds
//
// An interpreter has lua-memory-limit, and all together have limitsTogether times as much, see
// scripts.go. How many scripts of EVAL are kept, how large a reply gets and how long a proof may
// take are constants where they are used. A source is parsed in bounded memory and stack, see
// syntax.Parse.
package scripting
