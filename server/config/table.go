package config

import (
	"math"
	"slices"
)

// activeParams are the parameters that larder acts on.
func activeParams() []Param {
	return slices.Concat(networkParams(), tlsParams(), adminParams(), processParams(), dataParams(), memoryParams(),
		snapshotParams(), logParams(), watchParams())
}

func networkParams() []Param {
	return []Param{
		{
			Name: "busy-reply-threshold", Aliases: []string{"lua-time-limit"}, Default: "5000",
			Kind:    integer(0, math.MaxInt64, func(v *Values) *int64 { return &v.BusyReplyThreshold }),
			Meaning: "milliseconds that a script may run until those who need its keys are refused with BUSY; 0 never",
		},
		{
			Name: "bind", Default: "* -::*",
			Kind:    addresses(func(v *Values) *[]string { return &v.Bind }),
			Meaning: "addresses to listen on",
		}, {
			Name: "port", Default: "6379",
			Kind:    integer(0, 65535, func(v *Values) *int64 { return &v.Port }),
			Meaning: "TCP port; 0 at the start lets the system choose one, which is logged; with a tls-port, or by CONFIG SET, it is none",
		}, {
			Name: "unixsocket", Default: "", Change: Immutable,
			Kind:    text("a file name", func(v *Values) *string { return &v.UnixSocket }),
			Meaning: "Unix socket to listen on as well",
		}, {
			Name: "unixsocketperm", Default: "0", Change: Immutable,
			Kind:    octal(0o777, func(v *Values) *int64 { return &v.UnixSocketPerm }),
			Meaning: "mode of the Unix socket; 0 leaves it to the umask",
		}, {
			Name: "protected-mode", Default: "yes",
			Kind:    yesNo(func(v *Values) *bool { return &v.ProtectedMode }),
			Meaning: "without a password, refuse clients from other machines",
		}, {
			Name: "requirepass", Default: "",
			Kind:    password(func(v *Values) *string { return &v.RequirePass }),
			Meaning: "password of the default user, which clients have to give by AUTH",
		}, {
			Name: "aclfile", Default: "", Change: Immutable,
			Kind:    text("a file name", func(v *Values) *string { return &v.ACLFile }),
			Meaning: "file of users, for ACL LOAD and ACL SAVE; instead of user lines",
			Caution: func(v *Values, text string) string {
				if text != "" && v.RequirePass != "" {
					return "requirepass has no effect, since the file says the passwords of all users"
				}
				return ""
			},
		}, {
			Name: "acl-pubsub-default", Default: "resetchannels",
			Kind:    enum(func(v *Values) *string { return &v.ACLPubSubDefault }, "allchannels", "resetchannels"),
			Meaning: "whether new users may use all channels or none",
		}, {
			Name: "acllog-max-len", Default: "128",
			Kind:    integer(0, math.MaxInt64, func(v *Values) *int64 { return &v.ACLLogMaxLen }),
			Meaning: "refusals that ACL LOG keeps",
		}, {
			Name: "timeout", Default: "0",
			Kind:    integer(0, math.MaxInt32, func(v *Values) *int64 { return &v.Timeout }),
			Meaning: "close clients that are idle for so many seconds; 0 never",
		}, {
			Name: "tcp-keepalive", Default: "300",
			Kind:    integer(0, math.MaxInt32, func(v *Values) *int64 { return &v.TCPKeepAlive }),
			Meaning: "seconds between TCP keep-alive probes of new connections; 0 none",
		}, {
			Name: "tcp-backlog", Default: "511", Change: Immutable,
			Kind:    integer(0, math.MaxInt32, func(v *Values) *int64 { return &v.TCPBacklog }),
			Meaning: "connections that may wait to be accepted",
		}, {
			Name: "maxclients", Default: "10000",
			Kind:    integer(1, math.MaxUint32, func(v *Values) *int64 { return &v.MaxClients }),
			Meaning: "clients connected at the same time",
		}, {
			// In Redis it is immutable, and its threads but read and write. Here a change moves connections.
			Name: "io-threads", Default: auto,
			Kind:    threads(128, func(v *Values) *int64 { return &v.IOThreads }),
			Meaning: "event loops; each reads, executes and writes for its own connections; none with network-driver portable",
		}, {
			Name: "network-driver", Default: DriverAuto, Change: Immutable,
			Kind: enum(func(v *Values) *string { return &v.NetworkDriver }, DriverAuto, DriverEpoll, DriverURing, DriverPortable),
			Meaning: "epoll loops, which send through io_uring or not, a goroutine per connection, or auto: the best there is " +
				"(larder's own)",
		}, {
			Name: "proto-max-bulk-len", Default: "512mb",
			Kind:    memory(1<<20, math.MaxInt64, func(v *Values) *int64 { return &v.ProtoMaxBulkLen }),
			Meaning: "longest argument of a command, and longest string",
		}, {
			Name: "client-query-buffer-limit", Default: "1gb",
			Kind:    memory(1<<20, math.MaxInt64, func(v *Values) *int64 { return &v.ClientQueryBufferLimit }),
			Meaning: "bytes of input that one client may have waiting",
		}, {
			Name:    "client-output-buffer-limit",
			Default: "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60",
			Kind:    outputLimits(func(v *Values) *[ClassCount]OutputLimit { return &v.OutputLimits }),
			Meaning: "per class of clients: close one whose unsent output passes <hard>, or <soft> for <seconds>; 0 none",
		}, {
			Name: "tracking-table-max-keys", Default: "1000000",
			Kind:    integer(0, math.MaxInt64, func(v *Values) *int64 { return &v.TrackingMaxKeys }),
			Meaning: "keys to track for clients' caches, with 16 times as many items and 256 times as many bytes of names; 0 no limits",
		},
	}
}

func processParams() []Param {
	return []Param{
		{
			Name: "dir", Default: "./", Change: Protected,
			Kind:    folder(func(v *Values) *string { return &v.Dir }),
			Meaning: "folder of snapshots and log, and what relative file names start from",
		}, {
			Name: "supervised", Default: "no", Change: Immutable,
			Kind:    enum(func(v *Values) *string { return &v.Supervised }, SupervisedUpstart, SupervisedSystemd, SupervisedAuto, SupervisedNo),
			Meaning: "which service manager is told that the server is ready, or stops; auto: the one that the environment names",
		}, {
			Name: "databases", Default: "16", Change: Immutable,
			Kind:    integer(1, 1<<16, func(v *Values) *int64 { return &v.Databases }), // each costs 8 bytes per shard
			Meaning: "number of databases to SELECT from",
		}, {
			Name: "hz", Default: "10",
			Kind:    clamped(1, 500, func(v *Values) *int64 { return &v.Hz }),
			Meaning: "rounds of background work per second",
		}, {
			Name: "loglevel", Default: "notice",
			Kind:    enum(func(v *Values) *string { return &v.LogLevel }, "debug", "verbose", "notice", "warning"),
			Meaning: "how much to log",
		}, {
			Name: "logfile", Default: "", Change: Immutable,
			Kind:    text("a file name", func(v *Values) *string { return &v.LogFile }),
			Meaning: "file to append the log to; standard output if empty",
		}, {
			Name: "pidfile", Default: "", Change: Immutable,
			Kind:    text("a file name", func(v *Values) *string { return &v.PIDFile }),
			Meaning: "file to hold the process id while larder runs",
		}, {
			Name: "notify-keyspace-events", Default: "",
			Kind:    events(func(v *Values) *string { return &v.NotifyKeyspaceEvents }),
			Meaning: "which changes of keys are published, and on which channels; README explains the letters",
		}, {
			Name: "enable-debug-command", Default: "no", Change: Immutable,
			Kind:    enum(func(v *Values) *string { return &v.EnableDebugCommand }, "no", "yes", "local"),
			Meaning: "who may use DEBUG: nobody, everybody, or clients on this machine",
		}, {
			Name: "enable-protected-configs", Default: "no", Change: Immutable,
			Kind:    enum(func(v *Values) *string { return &v.EnableProtectedConfigs }, "no", "yes", "local"),
			Meaning: "who may CONFIG SET dir and dbfilename: nobody, everybody, or clients on this machine",
		},
	}
}

func dataParams() []Param {
	return []Param{
		{
			Name: "active-expire-effort", Default: "1",
			Kind:    integer(1, 10, func(v *Values) *int64 { return &v.ActiveExpireEffort }),
			Meaning: "how much time removing expired keys may take",
		}, {
			Name: "lease-max", Default: "65536",
			Kind: integer(0, math.MaxInt32, func(v *Values) *int64 { return &v.LeaseMax }),
			Meaning: "keys that leases are out for at one time, with names of 256 bytes on average; " +
				"beyond it CACHE.GET gives none. 0 none at all",
		}, {
			Name: "stale-if-error-max", Default: "3600000",
			Kind:    integer(0, math.MaxInt32*1000, func(v *Values) *int64 { return &v.StaleIfErrorMax }),
			Meaning: "milliseconds that CACHE.FAIL may let a value live after it was fresh",
		}, {
			Name: "stale-reads", Default: "yes",
			Kind:    yesNo(func(v *Values) *bool { return &v.StaleReads }),
			Meaning: "whether GET, MGET and their like return values that are stale; no: they miss. CACHE.GET says of each what it is",
		}, {
			Name: "hash-max-listpack-entries", Aliases: []string{"hash-max-ziplist-entries"}, Default: "512",
			Kind:    integer(0, math.MaxInt64, func(v *Values) *int64 { return &v.HashMaxListpackEntries }),
			Meaning: "fields up to which a hash is packed",
		}, {
			Name: "hash-max-listpack-value", Aliases: []string{"hash-max-ziplist-value"}, Default: "64",
			Kind:    memory(0, math.MaxInt64, func(v *Values) *int64 { return &v.HashMaxListpackValue }),
			Meaning: "longest field or value of a packed hash",
		}, {
			Name: "list-max-listpack-size", Aliases: []string{"list-max-ziplist-size"}, Default: "-2",
			Kind:    integer(math.MinInt32, math.MaxInt32, func(v *Values) *int64 { return &v.ListMaxListpackSize }),
			Meaning: "size of a list's nodes: elements, or -1 to -5 for 4 to 64 KB",
		}, {
			Name: "set-max-intset-entries", Default: "512",
			Kind:    integer(0, math.MaxInt64, func(v *Values) *int64 { return &v.SetMaxIntsetEntries }),
			Meaning: "members up to which a set of integers is packed",
		}, {
			Name: "set-max-listpack-entries", Default: "128",
			Kind:    integer(0, math.MaxInt64, func(v *Values) *int64 { return &v.SetMaxListpackEntries }),
			Meaning: "members up to which a set is packed",
		}, {
			Name: "set-max-listpack-value", Default: "64",
			Kind:    integer(0, math.MaxInt64, func(v *Values) *int64 { return &v.SetMaxListpackValue }),
			Meaning: "longest member of a packed set",
		}, {
			Name: "zset-max-listpack-entries", Aliases: []string{"zset-max-ziplist-entries"}, Default: "128",
			Kind:    integer(0, math.MaxInt64, func(v *Values) *int64 { return &v.ZsetMaxListpackEntries }),
			Meaning: "members up to which a sorted set is packed",
		}, {
			Name: "zset-max-listpack-value", Aliases: []string{"zset-max-ziplist-value"}, Default: "64",
			Kind:    memory(0, math.MaxInt64, func(v *Values) *int64 { return &v.ZsetMaxListpackValue }),
			Meaning: "longest member of a packed sorted set",
		},
	}
}
