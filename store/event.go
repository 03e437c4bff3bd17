package store

// Events: what can happen to a key, by the names that Redis gives it in its keyspace
// notifications. Every mutation says its Event when it calls View.Changed (feed.go); those that
// no data type of larder causes yet are not here.
//
// Two classes are not of changes. A key that comes into being is told of twice: by EventNew, in
// front of the event of the command that made it, and that says the rest. And a read that finds
// nothing has an event too.

// Event is one kind of change. Its low byte counts the events, the bits above are its class, so
// that to ask whether anybody listens takes no table.
type Event uint32

// EventClass is a set of kinds of events, as notify-keyspace-events selects them.
type EventClass uint16

// The classes, with the letters that Redis has for them.
const (
	ClassGeneric     EventClass = 1 << iota // g: commands of any type
	ClassString                             // $
	ClassList                               // l
	ClassSet                                // s
	ClassHash                               // h
	ClassZset                               // z
	ClassExpired                            // x
	ClassEvicted                            // e
	ClassInvalidated                        // told of as g

	// AllClasses is every change to a key, and nothing else.
	AllClasses = 1<<iota - 1
)

// The classes of what is no change by itself.
const (
	ClassNew     EventClass = (AllClasses + 1) << iota // n
	ClassKeyMiss                                       // m
)

// classCounted is in a shard's interest while it counts by prefix, which wants every event.
const classCounted EventClass = 1 << 15

const classShift = 8

// The events. Comments name the commands whose event does not have their name.
const (
	EventDel        = Event(iota) | Event(ClassGeneric)<<classShift // also: a command removed the last element
	EventExpire     = Event(iota) | Event(ClassGeneric)<<classShift // a time to live was set, by whatever command
	EventPersist    = Event(iota) | Event(ClassGeneric)<<classShift
	EventRenameFrom = Event(iota) | Event(ClassGeneric)<<classShift
	EventRenameTo   = Event(iota) | Event(ClassGeneric)<<classShift
	EventMoveFrom   = Event(iota) | Event(ClassGeneric)<<classShift
	EventMoveTo     = Event(iota) | Event(ClassGeneric)<<classShift
	EventCopyTo     = Event(iota) | Event(ClassGeneric)<<classShift
	EventRestore    = Event(iota) | Event(ClassGeneric)<<classShift

	EventSet         = Event(iota) | Event(ClassString)<<classShift // SET and all that store a whole string
	EventSetRange    = Event(iota) | Event(ClassString)<<classShift
	EventAppend      = Event(iota) | Event(ClassString)<<classShift
	EventIncrBy      = Event(iota) | Event(ClassString)<<classShift // INCR, DECR, DECRBY
	EventIncrByFloat = Event(iota) | Event(ClassString)<<classShift

	EventHSet         = Event(iota) | Event(ClassHash)<<classShift
	EventHDel         = Event(iota) | Event(ClassHash)<<classShift
	EventHIncrBy      = Event(iota) | Event(ClassHash)<<classShift
	EventHIncrByFloat = Event(iota) | Event(ClassHash)<<classShift
	EventHExpire      = Event(iota) | Event(ClassHash)<<classShift // fields got a time to live, by whatever command
	EventHExpired     = Event(iota) | Event(ClassHash)<<classShift // the time of fields had come
	EventHPersist     = Event(iota) | Event(ClassHash)<<classShift

	EventSAdd        = Event(iota) | Event(ClassSet)<<classShift
	EventSRem        = Event(iota) | Event(ClassSet)<<classShift
	EventSPop        = Event(iota) | Event(ClassSet)<<classShift
	EventSExpire     = Event(iota) | Event(ClassSet)<<classShift // members got a time to live, by whatever command
	EventSExpired    = Event(iota) | Event(ClassSet)<<classShift // the time of members had come
	EventSPersist    = Event(iota) | Event(ClassSet)<<classShift
	EventSInterStore = Event(iota) | Event(ClassSet)<<classShift
	EventSUnionStore = Event(iota) | Event(ClassSet)<<classShift
	EventSDiffStore  = Event(iota) | Event(ClassSet)<<classShift

	EventLPush     = Event(iota) | Event(ClassList)<<classShift
	EventRPush     = Event(iota) | Event(ClassList)<<classShift
	EventLPop      = Event(iota) | Event(ClassList)<<classShift
	EventRPop      = Event(iota) | Event(ClassList)<<classShift
	EventLInsert   = Event(iota) | Event(ClassList)<<classShift
	EventLSet      = Event(iota) | Event(ClassList)<<classShift
	EventLRem      = Event(iota) | Event(ClassList)<<classShift
	EventLTrim     = Event(iota) | Event(ClassList)<<classShift
	EventSortStore = Event(iota) | Event(ClassList)<<classShift

	EventZAdd        = Event(iota) | Event(ClassZset)<<classShift
	EventZIncr       = Event(iota) | Event(ClassZset)<<classShift // ZINCRBY, and ZADD with INCR
	EventZRem        = Event(iota) | Event(ClassZset)<<classShift
	EventZRemByRank  = Event(iota) | Event(ClassZset)<<classShift
	EventZRemByScore = Event(iota) | Event(ClassZset)<<classShift
	EventZRemByLex   = Event(iota) | Event(ClassZset)<<classShift
	EventZPopMin     = Event(iota) | Event(ClassZset)<<classShift
	EventZPopMax     = Event(iota) | Event(ClassZset)<<classShift
	EventZRangeStore = Event(iota) | Event(ClassZset)<<classShift
	EventZUnionStore = Event(iota) | Event(ClassZset)<<classShift
	EventZInterStore = Event(iota) | Event(ClassZset)<<classShift
	EventZDiffStore  = Event(iota) | Event(ClassZset)<<classShift

	EventExpired = Event(iota) | Event(ClassExpired)<<classShift // its time had come
	EventEvicted = Event(iota) | Event(ClassEvicted)<<classShift // memory was short

	EventTag         = Event(iota) | Event(ClassGeneric)<<classShift     // tags, or other extras
	EventInvalidated = Event(iota) | Event(ClassInvalidated)<<classShift // a tag of it was

	EventNew     = Event(iota) | Event(ClassNew)<<classShift     // the key was absent, and its value may not be whole yet
	EventKeyMiss = Event(iota) | Event(ClassKeyMiss)<<classShift // a command looked for it, to read

	numEvents = iota
)

var eventNames = [numEvents]string{
	"del", "expire", "persist", "rename_from", "rename_to", "move_from", "move_to", "copy_to", "restore",
	"set", "setrange", "append", "incrby", "incrbyfloat",
	"hset", "hdel", "hincrby", "hincrbyfloat", "hexpire", "hexpired", "hpersist",
	"sadd", "srem", "spop", "sexpire", "sexpired", "spersist", "sinterstore", "sunionstore", "sdiffstore",
	"lpush", "rpush", "lpop", "rpop", "linsert", "lset", "lrem", "ltrim", "sortstore",
	"zadd", "zincr", "zrem", "zremrangebyrank", "zremrangebyscore", "zremrangebylex", "zpopmin", "zpopmax",
	"zrangestore", "zunionstore", "zinterstore", "zdiffstore",
	"expired", "evicted", "tag", "invalidated", "new", "keymiss",
}

// String is the event's name in Redis' keyspace notifications.
func (ev Event) String() string { return eventNames[ev&(1<<classShift-1)] }

// Class is the class that the event belongs to.
func (ev Event) Class() EventClass { return EventClass(ev >> classShift) }
