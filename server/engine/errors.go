// Every error text of the server stands in this file, with its code and as
// Redis 7.4 words it: clients match on them.

package engine

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/larderkv/larder/server/acl"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/store"
)

// Error is an error reply: the code, a space and the text, without the '-'.
type Error string

func (e Error) Error() string { return string(e) }

// positiveTime is what is wrong with the time of an option.
const positiveTime = " must be a positive number of milliseconds"

// Errors of arguments and values.
const (
	ErrSyntax          Error = "ERR syntax error"
	ErrWrongType       Error = "WRONGTYPE Operation against a key holding the wrong kind of value"
	ErrNotInteger      Error = "ERR value is not an integer or out of range"
	ErrNotFloat        Error = "ERR value is not a valid float"
	ErrNoSuchKey       Error = "ERR no such key"
	ErrIndexRange      Error = "ERR index out of range"
	ErrOffsetRange     Error = "ERR offset is out of range"
	ErrPositive        Error = "ERR value is out of range, must be positive"
	ErrStringTooLong   Error = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
	ErrOverflow        Error = "ERR increment or decrement would overflow"
	ErrDecrOverflow    Error = "ERR decrement would overflow"
	ErrNaNOrInfinity   Error = "ERR increment would produce NaN or Infinity"
	ErrIncrInfinity    Error = "ERR value is NaN or Infinity"
	ErrCountRange      Error = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
	ErrInt32Range      Error = "ERR value is out of range, value must between -2147483648 and 2147483647"
	ErrNoValues        Error = "ERR NOVALUES option can only be used in HSCAN"
	ErrBoundsOrder     Error = "ERR LBOUND is greater than UBOUND"
	ErrRateZero        Error = "ERR zero rates are not supported"
	ErrRateRange             = ErrNotInteger + ": the burst at this rate ends after the year 2262"
	ErrMaxBurst              = ErrNotInteger + ": max-burst must be 0 or more"
	ErrRateCount             = ErrNotInteger + ": count must be 1 or more"
	ErrPeriod                = ErrNotInteger + ": period must be 1 second or more"
	ErrQuantity              = ErrNotInteger + ": quantity must be 0 or more"
	ErrWindowLimit           = ErrNotInteger + ": limit must be 1 or more"
	ErrWindowTime            = ErrNotInteger + ": the window must be 1 to 2305843009213693952 milliseconds"
	ErrNotRate               = ErrNotInteger + ": the key holds no state of CL.THROTTLE"
	ErrNotWindow       Error = "ERR value is not a sliding window of CL.WINDOW"
	ErrNoFields        Error = "ERR Mandatory argument FIELDS is missing or not at the right position"
	ErrFieldCount      Error = "ERR Parameter `numFields` should be greater than 0"
	ErrFieldsCount     Error = "ERR The `numfields` parameter must match the number of arguments"
	ErrFieldTime       Error = "ERR invalid expire time, must be >= 0"
	ErrNoMembers       Error = "ERR Mandatory argument MEMBERS is missing or not at the right position"
	ErrMemberCount     Error = "ERR Parameter `numMembers` should be greater than 0"
	ErrMembersCount    Error = "ERR The `nummembers` parameter must match the number of arguments"
	ErrHashNotInteger  Error = "ERR hash value is not an integer"
	ErrHashNotFloat    Error = "ERR hash value is not a float"
	ErrTagName         Error = "ERR a tag is 1 to 1024 bytes long"
	ErrManyTags        Error = "ERR a key has 64 tags at most"
	ErrTagCount        Error = "ERR TAGS must be the number of tags, 64 at most"
	ErrNoTag           Error = "NOPERM No permissions to use a tag"
	ErrExtras          Error = "ERR malformed extras of a key"
	ErrFresh           Error = "ERR FRESH must be within the time to live"
	ErrFreshTime       Error = "ERR FRESH" + positiveTime
	ErrLeaseTime       Error = "ERR LEASE" + positiveTime
	ErrWaitTime        Error = "ERR WAIT" + positiveTime
	ErrStaleTime       Error = "ERR STALE" + positiveTime
	ErrLeaseToken      Error = "ERR LEASE must be a token that CACHE.GET has given"
	ErrFailToken       Error = "ERR the token must be one that CACHE.GET has given"
	ErrVersion         Error = "ERR VERSION must be a number that is not negative"
	ErrBeta            Error = "ERR BETA must be a number that is not negative"
	ErrInvalidCursor   Error = "ERR invalid cursor"
	ErrSameObject      Error = "ERR source and destination objects are the same"
	ErrNXWithXX        Error = "ERR NX and XX, GT or LT options at the same time are not compatible"
	ErrGTWithLT        Error = "ERR GT and LT options at the same time are not compatible"
	ErrNumKeysZero     Error = "ERR numkeys should be greater than 0"
	ErrNumKeysMany     Error = "ERR Number of keys can't be greater than number of args"
	ErrNumKeysNegative Error = "ERR Number of keys can't be negative"
	ErrNumKeysInvalid  Error = "ERR invalid numkeys value"
	ErrKeyValuePairs   Error = "ERR wrong number of key-value pairs"
	ErrDigest          Error = "ERR The digest must be exactly 16 hexadecimal characters"
	ErrLCSType         Error = "ERR The specified keys must contain string values"
	ErrLCSLenAndIdx    Error = "ERR If you want both the length and indexes, please just use IDX."
	ErrLCSTooLong      Error = "ERR String too long for LCS"
	ErrLCSMemory       Error = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
	ErrLimitNegative   Error = "ERR LIMIT can't be negative"
	ErrCountNegative   Error = "ERR COUNT can't be negative"
	ErrMaxLenNegative  Error = "ERR MAXLEN can't be negative"
	ErrRankZero        Error = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list"
	ErrPopCountZero    Error = "ERR count should be greater than 0"
	ErrXXWithNX        Error = "ERR XX and NX options at the same time are not compatible"
	ErrGTLTWithNX      Error = "ERR GT, LT, and/or NX options at the same time are not compatible"
	ErrIncrPair        Error = "ERR INCR option supports a single increment-element pair"
	ErrScoreNaN        Error = "ERR resulting score is not a number (NaN)"
	ErrScoreRange      Error = "ERR min or max is not a float"
	ErrLexRange        Error = "ERR min or max not valid string range item"
	ErrLimitByRank     Error = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
	ErrScoresByLex     Error = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
	ErrWeightFloat     Error = "ERR weight value is not a float"
	ErrDBIndex         Error = "ERR DB index is out of range"
	ErrInvalidDB       Error = "ERR invalid DB index"
	ErrFirstDBIndex    Error = "ERR invalid first DB index"
	ErrSecondDBIndex   Error = "ERR invalid second DB index"
	ErrValueRange      Error = "ERR value is out of range"
	ErrTimeout         Error = "ERR timeout is not a float or out of range"
	ErrNoArgKeys       Error = "ERR The command has no key arguments"
	ErrSortNumber      Error = "ERR One or more scores can't be converted into double"
	ErrSortTooLarge    Error = "ERR The values that GET finds add up to more than 512 MB"
	ErrBadArguments    Error = "ERR Invalid arguments specified for command"
	ErrBadCommand      Error = "ERR Invalid command specified"
	ErrSlowlogCount    Error = "ERR count should be greater than or equal to -1"
	ErrNotRESP2        Error = "ERR RESP2 is not supported by this command"
	ErrProtocolType    Error = "ERR Wrong protocol type name. Please use one of the following: " +
		"string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"
	ErrBadArgCount     Error = "ERR Invalid number of arguments specified for command"
	ErrPackedThreshold Error = "ERR argument must be a memory value bigger than 1 and smaller than 4gb"
	ErrNotListpack     Error = "ERR Not a listpack encoded object."
	ErrManyPurges      Error = "ERR too many purges are running: wait, or stop one of them"
	ErrPurgePattern    Error = "ERR the pattern of a purge is longer than 4096 bytes"
	ErrPurgeRate       Error = "ERR RATE is the number of keys per second, and must be positive"
	ErrPurgeID         Error = "ERR the number of a purge must be positive"
	ErrStopping        Error = "ERR The server is stopping"
	ErrReloadOption    Error = "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."
	ErrReload          Error = "ERR Error trying to load the RDB dump, check server logs."
	ErrLoadLog         Error = "ERR Error trying to load the AOF files, check server logs."
)

// Errors of admission.
const (
	ErrNoAuth Error = "NOAUTH Authentication required."
	ErrOOM    Error = "OOM command not allowed when used memory > 'maxmemory'."
	// ErrReplyOOM is the reply of a command whose own would not fit under maxmemory. Redis, which
	// counts a reply when it has been made, has no such error.
	ErrReplyOOM Error = "OOM the reply does not fit under 'maxmemory'."
	ErrNoMulti  Error = "ERR Command not allowed inside a transaction"
	// errStrays is the reply to a command of a script that touches a key which it has been proved not to.
	errStrays  Error = "ERR BUG: the script was taken for one that keeps to its declared keys"
	ErrLoading Error = "LOADING Redis is loading the dataset in memory"
	// errUnblocked is the reply to a client that CLIENT UNBLOCK has kept from waiting.
	errUnblocked Error = "UNBLOCKED client unblocked via CLIENT UNBLOCK"
	// ErrSaveFailing is the reply to a write while background saves fail.
	ErrSaveFailing Error = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."
)

// Errors of saving, DUMP, RESTORE and MIGRATE.
const (
	ErrPlain           Error = "ERR"
	ErrSaveRunning     Error = "ERR Background save already in progress"
	ErrChildActive     Error = "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible."
	ErrRewriteRunning  Error = "ERR Background append only file rewriting already in progress"
	ErrRewrite         Error = "ERR Can't execute an AOF background rewriting. Please check the server logs for more information."
	ErrNothingKept     Error = "ERR This server keeps nothing on disk"
	ErrBusyKey         Error = "BUSYKEY Target key name already exists."
	ErrTTL             Error = "ERR Invalid TTL value, must be >= 0"
	ErrIdleTime        Error = "ERR Invalid IDLETIME value, must be >= 0"
	ErrFrequency       Error = "ERR Invalid FREQ value, must be >= 0 and <= 255"
	ErrPayload         Error = "ERR DUMP payload version or checksum are wrong"
	ErrBadFormat       Error = "ERR Bad data format"
	ErrMigrateKeys     Error = "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
	ErrMigrateInExec   Error = "ERR MIGRATE is not possible inside a transaction"
	ErrMigrateConnect  Error = "IOERR error or timeout connecting to the client"
	ErrMigrateWrite    Error = "IOERR error or timeout writing to target instance"
	ErrMigrateRead     Error = "IOERR error or timeout reading to target instance"
	ErrMigrateChanged  Error = "ERR Keys kept changing while they were migrated: they are still here, and the target instance has older values of them"
	ErrMigrateStopped  Error = "ERR The server is stopping: the keys are still here, and on the target instance"
	ErrNumLocal        Error = "ERR value is out of range, value must between 0 and 1"
	ErrTimeoutInt      Error = "ERR timeout is not an integer or out of range"
	ErrTimeoutRange    Error = "ERR timeout is out of range"
	ErrUnblockReason   Error = "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"
	ErrTimeoutNegative Error = "ERR timeout is negative"
	ErrMonitorKeys     Error = "ERR Replica can't interact with the keyspace"
	ErrMonitorInMulti  Error = "ERR MONITOR isn't allowed for DENY BLOCKING client"
	ErrPauseMode       Error = "ERR CLIENT PAUSE mode must be WRITE or ALL"
	ErrWaitAOFOff      Error = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
)

// errStopped is no reply: the client of a write that comes after the final
// snapshot is cut off.
var errStopped = errors.New("engine: the server has stopped")

// errPaused is no reply either: the request comes again when the pause is over.
var errPaused = errors.New("engine: writes pause")

// errOccupied is no reply either: a script has what the request needs (Ctx.behind), and it comes
// again when the script is over, or is refused.
var errOccupied = errors.New("engine: a script occupies a shard")

// postpones reports whether an error means that the request comes again.
func postpones(err error) bool { return errors.Is(err, errPaused) || errors.Is(err, errOccupied) }

// What is said of scripts that run for long. The replies to SCRIPT KILL and FUNCTION KILL are those of
// Redis; the third is the error that a script ends with, which gets the script's name behind it.
const (
	errBusyScript    Error = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
	errBusyFunction  Error = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
	ErrScriptKilled  Error = "ERR Script killed by user with SCRIPT KILL..."
	errNothingToKill Error = "NOTBUSY No scripts in execution right now."
	errUnkillable    Error = "UNKILLABLE Sorry the script already executed write commands against the dataset. " +
		"You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
)

// Errors of the first line of scripts and libraries.
const (
	ErrShebang       Error = "ERR Invalid script shebang"
	ErrShebangEngine Error = "ERR Invalid engine in script shebang"
	ErrLibraryNoHead Error = "ERR Missing library metadata"
	ErrLibraryHead   Error = "ERR Invalid library metadata"
	ErrLibraryNames  Error = "ERR Invalid metadata value, name argument was given multiple times"
	ErrLibraryNoName Error = "ERR Library name was not given"
	ErrLibraryName   Error = "ERR Library names can only contain letters, numbers, or underscores(_) " +
		"and must be at least one character long"
)

// Errors of functions.
const (
	ErrNoFunction     Error = "ERR Function not found"
	ErrFunctionKeys   Error = "ERR Bad number of keys provided"
	ErrNoLibrary      Error = "ERR Library not found"
	ErrNoFunctions    Error = "ERR No functions registered"
	ErrNoLibraryName  Error = "ERR library name argument was not given"
	ErrFunctionFlush  Error = "ERR FUNCTION FLUSH only supports SYNC|ASYNC option"
	ErrRestorePolicy  Error = "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."
	ErrOldLibrary     Error = "ERR Pre-GA function format not supported"
	ErrNotLibrary     Error = "ERR given type is not a function"
	ErrLibraryPayload Error = "ERR Failed loading library payload"
)

// Errors of scripts. The first five are said to the script in place of a command's reply.
const (
	errInnerUnknown   Error = "ERR Unknown Redis command called from script"
	errInnerArity     Error = "ERR Wrong number of args calling Redis command from script"
	errInnerForbidden Error = "ERR This Redis command is not allowed from script"
	errInnerReadOnly  Error = "ERR Write commands are not allowed from read-only scripts."
	// ErrScriptReply is the reply to a read that does not fit into a script's memory.
	ErrScriptReply Error = "ERR the reply does not fit under 'lua-memory-limit'."
	// ErrScriptResult is the reply in place of a script's that is too long.
	ErrScriptResult Error = "ERR the script's reply is longer than 512 MB"
	ErrNoScript     Error = "NOSCRIPT No matching script. Please use EVAL."
	ErrScriptFlush  Error = "ERR SCRIPT FLUSH only support SYNC|ASYNC option"
	errReadOnlyRow  Error = "ERR Can not execute a script with write flag using *_ro command."
	errScriptOOM    Error = "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'"
)

// Errors of connections.
const (
	ErrWrongPass       Error = "WRONGPASS invalid username-password pair or user is disabled."
	ErrNoPassword      Error = "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
	ErrNoProto         Error = "NOPROTO unsupported protocol version"
	ErrProtoNotInt     Error = "ERR Protocol version is not an integer or out of range"
	ErrHelloNoAuth     Error = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
	ErrRedirectTwice   Error = "ERR A client can only redirect to a single other client"
	ErrRedirectClient  Error = "ERR The client ID you want redirect to does not exist"
	ErrPrefixMode      Error = "ERR PREFIX option requires BCAST mode to be enabled"
	ErrSwitchBroadcast Error = "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode."
	ErrOptBroadcast    Error = "ERR OPTIN and OPTOUT are not compatible with BCAST"
	ErrOptBoth         Error = "ERR You can't specify both OPTIN mode and OPTOUT mode"
	ErrSwitchOpt       Error = "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode."
	ErrCachingMode     Error = "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
	ErrCachingYes      Error = "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."
	ErrCachingNo       Error = "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."
	ErrClientName      Error = "ERR Client names cannot contain spaces, newlines or special characters."
	ErrNoSuchClient    Error = "ERR No such client"
	ErrClientID        Error = "ERR Invalid client ID"
	ErrClientIDLow     Error = "ERR client-id should be greater than 0"
	ErrMaxAge          Error = "ERR maxage is not an integer or out of range"
	ErrMaxAgeLow       Error = "ERR maxage should be greater than 0"
	ErrMaxClients      Error = "ERR max number of clients reached"
	ErrServerDown      Error = "ERR Errors trying to SHUTDOWN. Check logs."
	ErrNoShutdown      Error = "ERR No shutdown in progress."
	ErrNotLFU          Error = "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
	ErrNotLRU          Error = "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
	ErrProtectedMode   Error = "DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Set up an authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside."
	ErrDebugForbidden  Error = `ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.`
)

// errSubscribed refuses what a client of RESP2 must not run while it has subscribed to something.
func errSubscribed(s *Spec) Error {
	return Errf("ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context", s.full)
}

// ErrDenyBlocking refuses what needs a client that may be told of something later, and has none.
func ErrDenyBlocking(s *Spec) Error {
	return Errf("ERR %s isn't allowed for a DENY BLOCKING client", strings.ToUpper(s.full))
}

// Errors of users' rights, in the words of 7.4.
const (
	ErrACLDeniedBy  Error = "ERR BY option of SORT denied due to insufficient ACL permissions."
	ErrACLDeniedGet Error = "ERR GET option of SORT denied due to insufficient ACL permissions."
	ErrACLNoFile    Error = "ERR This Redis instance is not configured to use an ACL file. " +
		"You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE " +
		"(assuming you have a Redis configuration file set) in order to store users in the Redis configuration."
	ErrACLSave Error = "ERR There was an error trying to save the ACLs. " +
		"Please check the server logs for more information"
	ErrACLPassLength Error = "ERR ACL GENPASS argument must be the number of bits for the output password, " +
		"a positive number up to 4096"
)

// errNobodyAsked stops the start, lest somebody be let in who was not meant to be. Redis goes on, and
// asks nobody for the password.
var errNobodyAsked = errors.New("there is a requirepass, " +
	"but the user line or the aclfile lets the default user in without a password")

// noPermission is what stands against a request in the words of its refusal.
func noPermission(user string, s *Spec, why acl.Denial) string {
	switch why {
	case acl.DeniedKey:
		return "No permissions to access a key"
	case acl.DeniedChannel:
		return "No permissions to access a channel"
	}
	return fmt.Sprintf("User %s has no permissions to run the '%s' command", user, s.full)
}

// errNoPermission is the reply to a request that the user may not make.
func errNoPermission(user string, s *Spec, why acl.Denial) Error {
	return Error("NOPERM " + noPermission(user, s, why))
}

// DryDenial is what ACL DRYRUN says of a request that a user may not make. argument is the key or the
// channel at fault.
func DryDenial(u *acl.User, s *Spec, why acl.Denial, argument []byte) string {
	switch why {
	case acl.DeniedKey:
		return fmt.Sprintf("User %s has no permissions to access the '%s' key", u.Name(), argument)
	case acl.DeniedChannel:
		return fmt.Sprintf("User %s has no permissions to access the '%s' channel", u.Name(), argument)
	}
	return noPermission(u.Name(), s, why)
}

// errInnerDenied is said to a script in place of such a command's reply.
func errInnerDenied(user string, s *Spec, why acl.Denial) Error {
	return Error("ERR ACL failure in script: " + noPermission(user, s, why))
}

// errNoLongerAllowed is the reply to a queued command that the user had a right to when it was queued.
func errNoLongerAllowed(why acl.Denial) Error {
	reason := "no permission to execute the command or subcommand"
	switch why {
	case acl.DeniedKey:
		reason = "no permission to touch the specified keys"
	case acl.DeniedChannel:
		reason = "no permission to access one of the channels used as arguments"
	}
	return Error("NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. " +
		"This command is no longer allowed for the following reason: " + reason)
}

// Errors of transactions.
const (
	ErrNestedMulti    Error = "ERR MULTI calls can not be nested"
	ErrExecNoMulti    Error = "ERR EXEC without MULTI"
	ErrDiscardNoMulti Error = "ERR DISCARD without MULTI"
	ErrWatchInMulti   Error = "ERR WATCH inside MULTI is not allowed"
	ErrExecAbort      Error = "EXECABORT Transaction discarded because of previous errors."
)

// Errf builds an error reply; format begins with the code. Arguments of type
// []byte are what clients sent: like Redis' C strings they end at a NUL.
func Errf(format string, args ...any) Error {
	for i, a := range args {
		if b, ok := a.([]byte); ok {
			args[i] = cut(b, len(b))
		}
	}
	return Error(fmt.Sprintf(format, args...))
}

// ErrArity is the reply to a request that does not fit the row's arity.
func ErrArity(s *Spec) Error {
	return Errf("ERR wrong number of arguments for '%s' command", s.full)
}

// ErrKeyNeeded is the reply to a number of inputs below 1.
func ErrKeyNeeded(s *Spec) Error {
	return Errf("ERR at least 1 input key is needed for '%s' command", s.full)
}

// ErrInvalidExpire is the reply to a time to live that is not positive or that
// overflows.
func ErrInvalidExpire(s *Spec) Error {
	return Errf("ERR invalid expire time in '%s' command", s.full)
}

// ErrTypeName is the reply to the name of a type that there is not.
func ErrTypeName(name []byte) Error {
	return Errf("ERR unknown type name '%s'", name)
}

// ErrExpireOption is the reply to an option EXPIRE does not know.
func ErrExpireOption(option []byte) Error {
	return Errf("ERR Unsupported option %s", option)
}

// ErrSubcommandSyntax is the reply of a command that reads its subcommands
// itself to a request it cannot read.
func ErrSubcommandSyntax(s *Spec, sub []byte) Error {
	return Errf("ERR unknown subcommand or wrong number of arguments for '%s'. Try %s HELP.", cut(sub, 128), strings.ToUpper(s.Name))
}

// ErrUsage is the reply to arguments that a command of larder's own cannot read: Redis' text, and behind it
// those of its row, since no other server's manual has them.
func ErrUsage(s *Spec) Error {
	words := strings.Fields(s.Syntax)
	for i, word := range words { // without the types
		if name, kind, typed := strings.Cut(word, "="); typed {
			words[i] = name + strings.TrimLeft(kind, "abcdefghijklmnopqrstuvwxyz-")
		}
	}
	name := strings.ToUpper(strings.ReplaceAll(s.full, "|", " "))
	return Errf("%s, it is %s %s", ErrSyntax, name, strings.Join(words, " "))
}

// errLogFailing is the reply to a write while the log cannot be written.
func errLogFailing(cause error) Error {
	return Errf("MISCONF Errors writing to the AOF file: %s", config.SystemText(cause))
}

// errSubcommand is the reply to a name that a container does not have.
func errSubcommand(container string, sub []byte) Error {
	return Errf("ERR unknown subcommand '%s'. Try %s HELP.", cut(sub, 128), strings.ToUpper(container))
}

// errUnknown is the reply to a name that is not in the table.
func (t *Table) errUnknown(args [][]byte) Error {
	if s := t.Lookup(args[0]); s != nil && s.subs != nil && len(args) > 1 {
		return errSubcommand(string(args[0]), args[1])
	}
	var tail []byte
	for i := 1; i < len(args) && len(tail) < 128; i++ {
		tail = append(tail, '\'')
		tail = append(tail, cut(args[i], 128-(len(tail)-1))...)
		tail = append(tail, "' "...)
	}
	return Errf("ERR unknown command '%s', with args beginning with: %s", cut(args[0], 128), tail)
}

// cut is C's "%.*s": at most n bytes, and none after a NUL.
func cut(b []byte, n int) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return b[:min(len(b), n)]
}

// asReply maps any error a handler returns to the text of its reply.
func asReply(err error) Error {
	var e Error
	if errors.As(err, &e) {
		return e
	}
	for _, m := range storeErrors {
		if errors.Is(err, m.from) {
			return m.to
		}
	}
	return Error("ERR " + err.Error())
}

// storeErrors maps what the store reports to replies.
var storeErrors = [...]struct {
	from error
	to   Error
}{
	{store.ErrWrongType, ErrWrongType},
	{store.ErrNotInteger, ErrNotInteger},
	{store.ErrOverflow, ErrOverflow},
	{store.ErrTooLong, ErrStringTooLong},
}

// longestCode is the longest first word of an error that counts as its code, as in Redis.
const longestCode = 30

// code is the key of INFO errorstats: the error's first word, or ERR if that is the only one or too
// long.
func (e Error) code() string {
	if i := strings.IndexByte(string(e[:min(len(e), longestCode+1)]), ' '); i >= 0 {
		return string(e[:i])
	}
	return "ERR"
}
