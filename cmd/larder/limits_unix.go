//go:build unix

package main

import (
	"fmt"
	"log/slog"
	"strconv"
	"syscall"

	"github.com/larderkv/larder/server/admin"
	"github.com/larderkv/larder/server/config"
)

// reservedFiles are the descriptors that larder needs besides connections.
const reservedFiles = 32

// fitClients lowers maxclients to what the system's limit on open files leaves room for, so that a
// full server refuses clients in words instead of failing to accept them. From then on CONFIG SET
// refuses what there is no room for, as in Redis. The connections of the admin server have room of
// their own, as many as fitClients returns: anybody may open these, and clients are not to find the
// descriptors taken. Where there are few, that is a quarter of them.
func fitClients(cfg *config.Config, log *slog.Logger) (admins int, err error) {
	want, beside := uint64(cfg.Values().MaxClients), uint64(reservedFiles)
	if cfg.Values().AdminPort != 0 {
		beside += admin.MaxConnections
	}
	files, err := openFiles(want + beside)
	if err != nil {
		return 0, err
	}
	if want+beside > files && beside > reservedFiles {
		beside = reservedFiles + min(admin.MaxConnections, files/4)
	}
	if files <= beside {
		return 0, fmt.Errorf("the limit on open files is %d, which leaves no room for clients", files)
	}
	cfg.OnApply([]string{"maxclients"}, func(v *config.Values) error {
		files, err := openFiles(uint64(v.MaxClients) + beside)
		if err == nil && uint64(v.MaxClients)+beside > files {
			err = tooManyClients(int64(files) - int64(beside))
		}
		return err
	})
	admins = int(beside - reservedFiles)
	if want+beside <= files {
		return admins, nil
	}
	log.Warn("maxclients is lowered to what the limit on open files allows",
		"maxclients", files-beside, "asked", want, "open-files", files)
	return admins, cfg.Set([]config.Setting{{Name: "maxclients", Value: strconv.FormatUint(files-beside, 10)}}, true)
}

// tooManyClients is Redis' answer to a maxclients above its value, for which there is room.
type tooManyClients int64

func (n tooManyClients) Error() string {
	return fmt.Sprintf("The operating system is not able to handle the specified number of clients, try with %d",
		int64(n))
}

// openFiles is how many files may be open. The runtime has raised the soft limit to the hard one
// already; if that is less than want, a process with the right to do so raises both.
func openFiles(want uint64) (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("limit on open files: %w", err)
	}
	more := syscall.Rlimit{Cur: want, Max: max(want, limit.Max)}
	if want > limit.Cur && syscall.Setrlimit(syscall.RLIMIT_NOFILE, &more) == nil {
		return want, nil
	}
	return limit.Cur, nil
}
