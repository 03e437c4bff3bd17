package load

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Operation is a command that a load sends, and how often it does.
type Operation struct {
	Name    string
	Command string // a template
	Weight  int    // its part of all requests
	reads   reading
	fills   []string // templates of what makes it find something, for each key; each is answered by one line
}

// reading says which replies count as misses. Errors never do.
type reading uint8

const (
	readsNothing reading = iota
	readsWhole           // nil and an empty array are misses
	readsEach            // each element that is nil is a miss, each other one a hit
	readsNumber          // 0 is a miss
)

// Of each type the keys have names of their own, so any of these go together.
const (
	fillString = "SET {prefix}key:{key} {value}"
	fillHash   = "HSET {prefix}hash:{key} field:0 {value} field:1 {value} field:2 {value} field:3 {value} field:4 {value} " +
		"field:5 {value} field:6 {value} field:7 {value} field:8 {value} field:9 {value}"
	emptyList = "DEL {prefix}list:{key}"
	fillList  = "RPUSH {prefix}list:{key} {value} {value} {value} {value} {value} {value} {value} {value} {value} {value}"
	fillSet   = "SADD {prefix}set:{key} member:0 member:1 member:2 member:3 member:4 member:5 member:6 member:7 member:8 member:9"
	fillZset  = "ZADD {prefix}zset:{key} {rand:1000000} member:0 {rand:1000000} member:1 {rand:1000000} member:2 {rand:1000000} member:3 " +
		"{rand:1000000} member:4 {rand:1000000} member:5 {rand:1000000} member:6 {rand:1000000} member:7 {rand:1000000} member:8 {rand:1000000} member:9"
)

// operations are those that have names.
func operations() []Operation {
	plain, hashes, sets, zsets := []string{fillString}, []string{fillHash}, []string{fillSet}, []string{fillZset}
	lists := []string{emptyList, fillList}
	return []Operation{
		{Name: "ping", Command: "PING"},
		{Name: "get", Command: "GET {prefix}key:{key}", reads: readsWhole, fills: plain},
		{Name: "set", Command: fillString},
		{Name: "mget", Command: "MGET {prefix}key:{key}" + strings.Repeat(" {prefix}key:{any}", 9), reads: readsEach, fills: plain},
		{Name: "exists", Command: "EXISTS {prefix}key:{key}", reads: readsNumber, fills: plain},
		{Name: "del", Command: "DEL {prefix}key:{key}"},
		{Name: "incr", Command: "INCR {prefix}counter:{key}"},
		{Name: "hget", Command: "HGET {prefix}hash:{key} field:{rand:10}", reads: readsWhole, fills: hashes},
		{Name: "hset", Command: "HSET {prefix}hash:{key} field:{rand:10} {value}"},
		{Name: "hgetall", Command: "HGETALL {prefix}hash:{key}", reads: readsWhole, fills: hashes},
		{Name: "lpush", Command: "LPUSH {prefix}list:{key} {value}"},
		{Name: "rpush", Command: "RPUSH {prefix}list:{key} {value}"},
		{Name: "lpop", Command: "LPOP {prefix}list:{key}", reads: readsWhole, fills: lists},
		{Name: "rpop", Command: "RPOP {prefix}list:{key}", reads: readsWhole, fills: lists},
		{Name: "lrange", Command: "LRANGE {prefix}list:{key} 0 9", reads: readsWhole, fills: lists},
		{Name: "sadd", Command: "SADD {prefix}set:{key} member:{rand:100}"},
		{Name: "srem", Command: "SREM {prefix}set:{key} member:{rand:100}"},
		{Name: "sismember", Command: "SISMEMBER {prefix}set:{key} member:{rand:10}", reads: readsNumber, fills: sets},
		{Name: "smembers", Command: "SMEMBERS {prefix}set:{key}", reads: readsWhole, fills: sets},
		{Name: "zadd", Command: "ZADD {prefix}zset:{key} {rand:1000000} member:{rand:100}"},
		{Name: "zincrby", Command: "ZINCRBY {prefix}zset:{key} 1 member:{rand:100}"},
		{Name: "zscore", Command: "ZSCORE {prefix}zset:{key} member:{rand:10}", reads: readsWhole, fills: zsets},
		{Name: "zrange", Command: "ZRANGE {prefix}zset:{key} 0 9", reads: readsWhole, fills: zsets},
	}
}

// OperationNames lists the operations that need not be described.
func OperationNames() (names []string) {
	for _, o := range operations() {
		names = append(names, o.Name)
	}
	return names
}

// ParseMix reads "get:90,set:10". Each of own is NAME=COMMAND and adds an operation to those that can
// be named; without a mix, all of them are sent equally often, or GET and SET, nine to one, if there
// are none.
func ParseMix(mix string, own []string) ([]Operation, error) {
	known := operations()
	var described []string
	for _, text := range own {
		name, command, ok := strings.Cut(text, "=")
		if !ok || name == "" || strings.ContainsAny(name, ":, ") || strings.TrimSpace(command) == "" {
			return nil, fmt.Errorf("%q describes no operation: it takes a name, = and a command", text)
		}
		for _, o := range known {
			if o.Name == name {
				return nil, fmt.Errorf("there are two operations named %s", name)
			}
		}
		known = append(known, Operation{Name: name, Command: command, reads: readsWhole})
		described = append(described, name)
	}
	switch {
	case mix == "" && len(own) > 0:
		mix = strings.Join(described, ",")
	case mix == "":
		mix = "get:90,set:10"
	}
	return chosen(mix, known)
}

// chosen finds the operations of a mix among those that are known.
func chosen(mix string, known []Operation) (all []Operation, err error) {
	seen := map[string]bool{}
	for item := range strings.SplitSeq(mix, ",") {
		name, weight, ok := strings.Cut(strings.TrimSpace(item), ":")
		n := 1
		if ok {
			if n, err = strconv.Atoi(weight); err != nil || n < 1 || n > 1_000_000 {
				return nil, fmt.Errorf("%q: a weight is a number from 1 on, as in get:90,set:10", item)
			}
		}
		if seen[name] {
			return nil, fmt.Errorf("%s is in the mix twice", name)
		}
		seen[name] = true
		found := false
		for _, o := range known {
			if o.Name == name {
				o.Weight, found = n, true
				all = append(all, o)
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no operation %q: there are %s, and what you describe",
				name, strings.Join(OperationNames(), ", "))
		}
	}
	if len(all) > mostOperations {
		return nil, errors.New("too many operations")
	}
	return all, nil
}

// mostOperations is what fits into the notes about requests in flight.
const mostOperations = 200
