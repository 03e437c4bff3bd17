package config

import "math"

// The parameters of persistence that larder acts on.

func snapshotParams() []Param {
	return []Param{
		{
			Name: "save", Default: "3600 1 300 100 60 10000",
			Kind:    savePoints(func(v *Values) *[]SavePoint { return &v.SavePoints }),
			Meaning: "save after so many seconds if there were so many changes; several pairs; \"\" never",
		}, {
			Name: "dbfilename", Default: "dump.rdb", Change: Protected,
			Kind:    baseName("dbfilename", "filename", true, func(v *Values) *string { return &v.DBFilename }),
			Meaning: "name of the snapshot's file in dir",
		}, {
			Name: "rdbcompression", Default: "yes",
			Kind:    yesNo(func(v *Values) *bool { return &v.RDBCompression }),
			Meaning: "compress strings of snapshots with LZF",
		}, {
			Name: "rdbchecksum", Default: "yes", Change: Immutable,
			Kind:    yesNo(func(v *Values) *bool { return &v.RDBChecksum }),
			Meaning: "end snapshots with a CRC64; one that a file has is checked in any case",
		}, {
			Name: "rdb-save-incremental-fsync", Default: "yes",
			Kind:    yesNo(func(v *Values) *bool { return &v.RDBSaveIncrementalFsync }),
			Meaning: "have snapshots written to disk in steps while they grow, and not at the end alone",
		}, {
			Name: "rdb-skip-unknown-types", Default: "no",
			Kind:    yesNo(func(v *Values) *bool { return &v.RDBSkipUnknownTypes }),
			Meaning: "leave out keys of types that larder does not have, and say how many; otherwise loading fails (larder's own)",
		}, {
			Name: "stop-writes-on-bgsave-error", Default: "yes",
			Kind:    yesNo(func(v *Values) *bool { return &v.StopWritesOnBgsaveError }),
			Meaning: "refuse writes after a background save has failed, until one succeeds",
		}, {
			Name: "shutdown-on-sigint", Default: "default",
			Kind:    shutdownFlags(func(v *Values) *ShutdownFlags { return &v.ShutdownOnSigint }),
			Meaning: "what SIGINT does; default saves if there are save points",
		}, {
			Name: "shutdown-on-sigterm", Default: "default",
			Kind:    shutdownFlags(func(v *Values) *ShutdownFlags { return &v.ShutdownOnSigterm }),
			Meaning: "what SIGTERM does; default saves if there are save points",
		},
	}
}

func logParams() []Param {
	return []Param{
		{
			Name: "appendonly", Default: "no", NotLoading: true,
			Kind:    yesNo(func(v *Values) *bool { return &v.AppendOnly }),
			Meaning: "log every change",
		}, {
			Name: "appendfsync", Default: FsyncEverySec,
			Kind:    enum(func(v *Values) *string { return &v.AppendFsync }, FsyncEverySec, FsyncAlways, FsyncNo),
			Meaning: "when the log is forced to disk: before each reply, every second, or when the system likes",
		}, {
			Name: "appendfilename", Default: "appendonly.aof", Change: Immutable,
			Kind:    baseName("appendfilename", "filename", false, func(v *Values) *string { return &v.AppendFilename }),
			Meaning: "what the names of the log's files begin with",
		}, {
			Name: "appenddirname", Default: "appendonlydir", Change: Immutable,
			Kind:    baseName("appenddirname", "dirname", false, func(v *Values) *string { return &v.AppendDirname }),
			Meaning: "folder of the log's files in dir",
		}, {
			Name: "no-appendfsync-on-rewrite", Default: "no",
			Kind:    yesNo(func(v *Values) *bool { return &v.NoAppendfsyncOnRewrite }),
			Meaning: "do not force the log to disk while a snapshot is written",
		}, {
			Name: "auto-aof-rewrite-percentage", Default: "100",
			Kind:    integer(0, math.MaxInt32, func(v *Values) *int64 { return &v.AutoAOFRewritePercentage }),
			Meaning: "growth of the log, in per cent of its last rewrite, at which it is rewritten; 0 never",
		}, {
			Name: "auto-aof-rewrite-min-size", Default: "64mb",
			Kind:    memory(0, math.MaxInt64, func(v *Values) *int64 { return &v.AutoAOFRewriteMinSize }),
			Meaning: "size of the log below which it is not rewritten by itself",
		}, {
			Name: "aof-load-truncated", Default: "yes",
			Kind:    yesNo(func(v *Values) *bool { return &v.AOFLoadTruncated }),
			Meaning: "load a log whose end is missing, and cut it there; otherwise the start fails",
		}, {
			Name: "aof-use-rdb-preamble", Default: "yes",
			Kind:    yesNo(func(v *Values) *bool { return &v.AOFUseRDBPreamble }),
			Meaning: "write the log's base file as a snapshot, and not as commands",
		}, {
			Name: "aof-timestamp-enabled", Default: "no",
			Kind:    yesNo(func(v *Values) *bool { return &v.AOFTimestampEnabled }),
			Meaning: "note the time in the log, so that it can be cut at a moment",
		}, {
			Name: "aof-rewrite-incremental-fsync", Default: "yes",
			Kind:    yesNo(func(v *Values) *bool { return &v.AOFRewriteIncrementalFsync }),
			Meaning: "have the log's base file written to disk in steps while it grows",
		},
	}
}
