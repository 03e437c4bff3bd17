// Package diff holds larder against redis-server 7.0.15, reply by reply.
//
// Five ways, because each finds what the others do not:
//
//   - testdata/*.txt: one line is one comparison. Written by hand, they cover every option, every
//     error and every order of checks that somebody thought of. script_test.go explains the format.
//     lua_*.txt are scripts.
//   - testdata/messages/*.txt: conversations of several connections, which also get what they have not asked for.
//     conversation_test.go says when that has arrived.
//   - the grammar in grammar_test.go: one row per command. generate_test.go draws thousands of
//     calls from it, with few keys (so that types collide) and nasty values, damages some of them,
//     and compares every reply and, at the end, the whole keyspace.
//   - random programs in Lua (program_test.go), run by EVAL; SOAK=10m goes on for that long.
//   - the command table itself: wrong arities of every command, and COMMAND INFO field by field.
//
// A command that larder has and no test here mentions is a failure (coverage_test.go), and so is one
// of redis-server that larder lacks and README does not name, or names wrongly (readme_test.go).
//
// Larder speaks Redis 7.4 and the oracle is 7.0, so a few replies differ rightly. They stand in one
// table with the reason, exceptions_test.go; every other difference is a bug.
//
// SUBJECT=redis puts a second redis-server in larder's place: the tests must pass then, or they
// test nothing but their own noise.
package diff
