package config

const (
	// Version is larder's own version, as `larder version` prints it.
	Version = "0.1.0"

	// RedisVersion is the Redis version whose behaviour clients see: the redis_version of INFO and
	// HELLO. Client libraries switch features on by it.
	RedisVersion = "7.4.0"
	// RedisVersionNum is the same as scripts see it: a byte for each number.
	RedisVersionNum = 7<<16 | 4<<8
)
