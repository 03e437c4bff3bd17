package config

import (
	"path/filepath"
	"strings"

	"github.com/larderkv/larder/eviction"
)

// Values is one consistent state of all parameters, with typed fields for those that larder acts
// on. A published Values never changes: whoever holds one may read it without a lock, and sees all
// of a CONFIG SET or nothing of it.
type Values struct {
	// Network.
	Bind           []string // addresses as written: "*", "-::1" (a leading '-': not available is no error); empty: no TCP
	Port           int64    // 0: the system chooses one
	TCPBacklog     int64
	TCPKeepAlive   int64 // seconds, 0 off
	UnixSocket     string
	UnixSocketPerm int64 // mode bits, 0: as the umask leaves it
	ProtectedMode  bool
	RequirePass    string // "" none

	ACLFile          string // "" none
	ACLPubSubDefault string // "allchannels" or "resetchannels"
	ACLLogMaxLen     int64  // refusals that ACL LOG keeps
	Timeout          int64  // seconds a client may be idle, 0 for ever
	MaxClients       int64
	IOThreads        int64  // event loops; for auto, what it came to
	NetworkDriver    string // DriverAuto, DriverEpoll, DriverURing, DriverPortable

	// TLS.
	TLSPort           int64  // 0: none
	TLSCertFile       string // file names: see Path
	TLSKeyFile        string
	TLSKeyFilePass    string
	TLSCACertFile     string
	TLSCACertDir      string
	TLSAuthClients    string // "no", "yes", "optional"
	TLSClientsUser    string // UserOff, UserCN
	TLSProtocols      string // see TLSVersions
	TLSCiphers        string // OpenSSL's names
	TLSCiphersuites   string // names of TLS 1.3's
	TLSSessionCaching bool
	TLSSessionTimeout int64 // seconds

	// The admin server.
	AdminPort         int64    // 0: none
	AdminBind         []string // as Bind
	AdminHosts        []string // lower case
	AdminPassword     string   // "" none
	AdminWrite        bool
	HealthHitRateWarn float64 // 0..1

	// Process.
	Dir        string // absolute
	LogLevel   string // "debug", "verbose", "notice", "warning"
	LogFile    string // "": standard output
	PIDFile    string // "": none
	Supervised string // one of the constants below
	Databases  int64
	Hz         int64 // background rounds per second

	NotifyKeyspaceEvents string // letters, each at most once: see EventLetters

	// Bounds per client.
	ProtoMaxBulkLen        int64 // bytes
	ClientQueryBufferLimit int64 // bytes
	OutputLimits           [ClassCount]OutputLimit

	// Data.
	HashMaxListpackEntries int64
	HashMaxListpackValue   int64 // bytes
	SetMaxIntsetEntries    int64
	SetMaxListpackEntries  int64
	SetMaxListpackValue    int64 // bytes
	ListMaxListpackSize    int64 // entries, or a level if negative
	ZsetMaxListpackEntries int64
	ZsetMaxListpackValue   int64 // bytes
	ActiveExpireEffort     int64 // 1..10

	// Memory.
	MaxMemory            int64 // bytes, 0 no cap
	MaxMemoryPolicy      string
	MaxMemorySamples     int64 // keys compared for an eviction
	EvictionTenacity     int64 // 0..100
	BusyReplyThreshold   int64 // milliseconds
	LuaMemoryLimit       int64 // bytes
	TrackingMaxKeys      int64 // 0 no limits
	StaleReads           bool
	LeaseMax             int64
	StaleIfErrorMax      int64 // milliseconds
	MaxMemoryClients     int64 // bytes, 0 no bound, below it percent of MaxMemory; see ClientsLimit
	LFULogFactor         int64
	LFUDecayTime         int64 // minutes
	ActiveDefrag         bool
	DefragIgnoreBytes    int64 // bytes of fragmentation
	DefragThresholdLower int64 // percent of fragmentation
	DefragThresholdUpper int64 // percent of fragmentation
	DefragCycleMin       int64 // percent of a core
	DefragCycleMax       int64 // percent of a core

	// Snapshots.
	SavePoints              []SavePoint // none: no save unless asked for
	DBFilename              string      // within Dir
	RDBCompression          bool
	RDBChecksum             bool
	RDBSaveIncrementalFsync bool
	RDBSkipUnknownTypes     bool
	StopWritesOnBgsaveError bool
	ShutdownOnSigint        ShutdownFlags
	ShutdownOnSigterm       ShutdownFlags

	// The log.
	AppendOnly                 bool
	AppendFsync                string // FsyncAlways, FsyncEverySec, FsyncNo
	AppendFilename             string // what the files' names begin with
	AppendDirname              string // folder within Dir
	NoAppendfsyncOnRewrite     bool
	AutoAOFRewritePercentage   int64 // 0: never
	AutoAOFRewriteMinSize      int64 // bytes
	AOFLoadTruncated           bool
	AOFUseRDBPreamble          bool
	AOFTimestampEnabled        bool
	AOFRewriteIncrementalFsync bool

	// What is noted of slow commands.
	SlowlogSlowerThan  int64 // microseconds, -1: nothing is logged
	SlowlogMaxLen      int64
	LatencyThreshold   int64 // milliseconds, 0: nothing is noted
	LatencyTracking    bool
	LatencyPercentiles []string // numbers from 0 to 100, as CONFIG GET writes them

	HotKeys  bool // sample the accesses to keys
	KeySizes bool // count how large values are

	// What is counted by prefix.
	PrefixStats     bool
	PrefixDelimiter string // one byte
	PrefixDepth     int64  // levels
	PrefixMax       int64

	// Permissions.
	EnableDebugCommand     string // "no", "yes", "local"
	EnableProtectedConfigs string // "no", "yes", "local"

	texts   []string // canonical, one per row of the table
	policy  eviction.Policy
	machine int64 // bytes that shares of the machine's memory are of, 0 unknown
	cores   int   // processors for io-threads auto: see threads
}

// The values of network-driver.
const (
	DriverAuto     = "auto"
	DriverEpoll    = "epoll"
	DriverURing    = "io_uring"
	DriverPortable = "portable"
)

// The values of supervised.
const (
	SupervisedNo      = "no"
	SupervisedAuto    = "auto"
	SupervisedSystemd = "systemd"
	SupervisedUpstart = "upstart"
)

// The values of appendfsync.
const (
	FsyncAlways   = "always"
	FsyncEverySec = "everysec"
	FsyncNo       = "no"
)

// SavePoint asks for a save once Seconds have passed since the last one and there have been at
// least Changes.
type SavePoint struct{ Seconds, Changes int64 }

// ShutdownFlags are what a signal asks for, in the words of SHUTDOWN. Save and NoSave exclude each
// other; with neither, save points decide.
type ShutdownFlags struct{ Save, NoSave, Now, Force bool }

// set raises the flag of a word; "default" raises none.
func (f *ShutdownFlags) set(word string) {
	switch word {
	case "save":
		f.Save = true
	case "nosave":
		f.NoSave = true
	case "now":
		f.Now = true
	case "force":
		f.Force = true
	}
}

// String says the flags as CONFIG GET does.
func (f ShutdownFlags) String() string {
	var words []string
	for _, flag := range []struct {
		on   bool
		word string
	}{{f.Save, "save"}, {f.NoSave, "nosave"}, {f.Now, "now"}, {f.Force, "force"}} {
		if flag.on {
			words = append(words, flag.word)
		}
	}
	if len(words) == 0 {
		return "default"
	}
	return strings.Join(words, " ")
}

// Class is a class of clients with its own output limits.
type Class int

// The classes, in the order in which CONFIG GET client-output-buffer-limit names them.
const (
	ClassNormal Class = iota
	ClassReplica
	ClassPubSub
	ClassCount int = iota
)

// OutputLimit bounds the unsent output of one client: past Hard bytes it is closed at once, past
// Soft bytes when that has lasted SoftSeconds. 0 is no bound.
type OutputLimit struct {
	Hard, Soft  int64
	SoftSeconds int64
}

// Policy is MaxMemoryPolicy, read.
func (v *Values) Policy() eviction.Policy { return v.policy }

// LFU reports whether the policy counts how often keys are used in Redis' way, so that OBJECT FREQ
// can tell.
func (v *Values) LFU() bool { return v.policy.Rule == eviction.LFU }

// MachineMemory is how many bytes the process may hope for, by the machine or its control group,
// when the parameters were set; 0 unknown.
func (v *Values) MachineMemory() int64 { return v.machine }

// leastForClients is the smallest bound on the memory of all clients, as in Redis: with less nobody
// could raise it.
const leastForClients = 128 << 10

// ClientsLimit is maxmemory-clients in bytes, 0 for no bound.
func (v *Values) ClientsLimit() int64 {
	limit := v.MaxMemoryClients
	if limit < 0 {
		limit = int64(float64(v.MaxMemory) / 100 * float64(-limit))
	}
	if limit == 0 {
		return 0
	}
	return max(limit, leastForClients)
}

// Path resolves the name of a file given in the configuration against dir. "" stays "".
func (v *Values) Path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(v.Dir, name)
}

// clone gives a copy that may be changed and then published. Fields of slice type are replaced,
// never written into.
func (v *Values) clone() *Values {
	c := *v
	c.texts = append([]string(nil), v.texts...)
	return &c
}
