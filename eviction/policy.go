package eviction

// Rule is how a policy chooses among the keys that it may evict.
type Rule uint8

const (
	NoEviction Rule = iota
	LRU             // least recently used
	LFU             // least frequently used
	LRM             // least recently modified
	Random
	TTL // the next to expire
	LHD // least hit density: fewest hits to be expected for the memory it takes
)

// Policy is a value of maxmemory-policy.
type Policy struct {
	Rule     Rule
	Volatile bool // only keys with an expiry time are candidates
}

// named is a policy under its name.
type named struct {
	name string
	Policy
}

// policies lists every policy, in Redis' order and larder's own at the end.
func policies() [11]named {
	return [...]named{
		{"volatile-lru", Policy{LRU, true}},
		{"volatile-lfu", Policy{LFU, true}},
		{"volatile-random", Policy{Random, true}},
		{"volatile-ttl", Policy{TTL, true}},
		{"volatile-lrm", Policy{LRM, true}},
		{"allkeys-lru", Policy{LRU, false}},
		{"allkeys-lfu", Policy{LFU, false}},
		{"allkeys-random", Policy{Random, false}},
		{"allkeys-lrm", Policy{LRM, false}},
		{"noeviction", Policy{}},
		{"allkeys-lhd", Policy{LHD, false}},
	}
}

// ParsePolicy finds the policy of a name in lower case.
func ParsePolicy(name string) (Policy, bool) {
	for _, row := range policies() {
		if row.name == name {
			return row.Policy, true
		}
	}
	return Policy{}, false
}

// String is the name in maxmemory-policy, empty for a policy that does not
// exist.
func (p Policy) String() string {
	for _, row := range policies() {
		if row.Policy == p {
			return row.name
		}
	}
	return ""
}

// Names lists all policies.
func Names() []string {
	var names []string
	for _, row := range policies() {
		names = append(names, row.name)
	}
	return names
}
