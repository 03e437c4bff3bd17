package harness

import "golang.org/x/sys/unix"

// limitFiles sets the soft limit alone: raising it again needs no privilege.
func limitFiles(pid int, bytes int64) error {
	var limit unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	if bytes >= 0 {
		limit.Cur = uint64(bytes)
	}
	return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &limit, nil)
}
