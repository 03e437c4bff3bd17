package acl

import "strings"

// Lacking are the commands of Redis up to 7.4 that larder does not have, a container with all of its
// subcommands. Rules may name them: Redis before 7.2 writes "+@read +@write -@dangerous" as
// categories and dozens of exceptions, "-xgroup|help" among them, so that files of users whom nobody
// has given a stream would otherwise be refused. Such a rule allows and forbids nothing, but it is
// printed again: what forbids a command has to be there when a later larder, or Redis, has it.
func Lacking() []string {
	return strings.Fields(`
		bitcount bitfield bitfield_ro bitop bitpos getbit setbit
		pfadd pfcount pfdebug pfmerge pfselftest
		geoadd geodist geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch geosearchstore
		xack xadd xautoclaim xclaim xdel xgroup xinfo xlen xpending xrange xread xreadgroup xrevrange xsetid xtrim
		script|debug
		asking cluster readonly readwrite
		failover psync replconf replicaof slaveof sync
		module|load module|loadex module|unload`)
}

// lacks reports whether a rule names one of them, or a subcommand or first argument of one.
func (t *Commands) lacks(name string) bool {
	name = strings.ToLower(name)
	container, arg, inside := strings.Cut(name, "|")
	return t.lacking[name] || inside && arg != "" && t.lacking[container]
}
