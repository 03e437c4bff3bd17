// Package acl says who may do what: users, the rules that describe them, and what was refused.
//
// # A user is a value
//
// A User never changes. Rules make a new one of an old one (Users.Set), and publish it by the one
// pointer of the user's Record. A session points at a Record, not at a User: the next command of
// every session of that user sees the new rights, whatever loop it is on, and nobody walks over
// sessions to tell them. A command asks the pointer once, so it is judged by one state of the user
// and never by half of an ACL SETUSER.
//
// The simpler way, a mutable user behind a lock, would cost each command a lock, and commands of
// several loops a cache line that all of them write. Telling each session to copy the user's rights
// would save one load per command, but then it would have to be proved that no session is missed.
//
// A Record whose user has been deleted says so (Gone), and has a user without any rights: what a
// session has queued when its user is deleted is refused like anything else.
//
// # Cost
//
// A user who may do everything is Free. That is computed when the user is made, so such a session
// pays for one branch. Any other command costs a bit test, and for keys the patterns of the user in
// their order, compiled when the rule was read. Nothing is allocated.
//
// # Selectors
//
// A user has a root selector and any number of further ones, each a set of commands, of key patterns
// and of channel patterns. A command is allowed if one selector allows all of it: the command, every
// key and every channel. Rights of several selectors do not add up.
//
// The commands are a bit set over the indexes of the command table, subcommands included, and so need
// no names at run time. Redis also lets a rule allow a command by its first argument (+select|0);
// these are kept beside the bits, which are clear for such a command.
//
// # What is printed
//
// ACL LIST, GETUSER and SAVE print rules that make an equal user. For commands that is, as in Redis
// since 7.2, +@all or -@all and behind it the rules that were given since then, in order; a rule for
// a command or category takes away earlier ones for the same command, its subcommands included. So
// categories stay categories: a command that a later version adds to @read belongs to those who were
// given +@read. (Redis 7.0 looked for the fewest categories and commands that give the same bits.)
//
// # Passwords
//
// Passwords are kept as their SHA-256. Digests are compared in constant time; for a user who does not
// exist, or is off, a digest is made and compared as well, so that how long AUTH takes says nothing
// of who exists. SHA-256 without a salt is no protection for weak passwords if the digests leak: it
// is what aclfile and redis.conf contain, and rules are exchanged with Redis. ACL GENPASS makes
// passwords for which it is enough.
//
// # Locks
//
// Users.mu protects the set of records and orders changes. It is a leaf: nothing else is locked while
// it is held, and no command takes it but those that log in or change users.
//
// The package knows neither RESP nor the engine. A command comes to it as an index, with its
// arguments and with where keys and channels are among them.
package acl
