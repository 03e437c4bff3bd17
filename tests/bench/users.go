//go:build linux

package main

import (
	"fmt"
	"strings"
)

// Users: what it costs that a client may not do everything.

// userCommands are those that the user may run: fifty rules. The last one is for redis-benchmark, which
// asks how the server is configured.
const userCommands = "get set setex psetex setnx mget mset append strlen getrange setrange incr decr incrby decrby " +
	"del exists expire pexpire ttl pttl persist type hget hset hdel hgetall hmget hlen hincrby " +
	"lpush rpush lpop rpop llen lrange lindex sadd srem smembers sismember scard " +
	"zadd zrem zrange zscore zcard zrank ping config|get"

// userPatterns is how many key patterns the user has. The keys match the last one.
const userPatterns = 20

func (b *bench) userFigure() figure {
	f := b.commandFigure(commandLoad{
		name: "acl-GET-p16", what: "GET 64 B as a user with 20 key patterns and 50 command rules",
		pipeline: 16, ops: b.size(1_000_000, 100_000), limit: 0.75,
		standard: "GET", fill: fillStrings, setup: makeUser, args: []string{"--user", "worker", "-a", "secret"},
	})
	f.note = "the keys match the last pattern"
	return f
}

// makeUser makes the user on a server.
func makeUser(s *server) error {
	rules := []string{"ACL", "SETUSER", "worker", "on", ">secret", "-@all"}
	for i := range userPatterns - 1 {
		rules = append(rules, fmt.Sprintf("~tenant:%d:*", i))
	}
	rules = append(rules, "~key:*")
	for name := range strings.FieldsSeq(userCommands) {
		rules = append(rules, "+"+name)
	}
	return s.once(rules...)
}
