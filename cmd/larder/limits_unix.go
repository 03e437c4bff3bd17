//go:build unix

package main

import (
	"fmt"
	"log/slog"
	"strconv"
	"syscall"

	"github.com/larderkv/larder/server/config"
)

// reservedFiles are the descriptors that larder needs besides its clients' connections.
const reservedFiles = 32

// fitClients lowers maxclients to what the system's limit on open files leaves room for (the
// runtime has raised the soft limit to the hard one already), so that a full server refuses clients
// in words instead of failing to accept them.
func fitClients(cfg *config.Config, log *slog.Logger) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit on open files: %w", err)
	}
	want := uint64(cfg.Values().MaxClients)
	files := uint64(limit.Cur)
	switch {
	case want+reservedFiles <= files:
		return nil
	case files <= reservedFiles:
		return fmt.Errorf("the limit on open files is %d, which leaves no room for clients", files)
	}
	log.Warn("maxclients is lowered to what the limit on open files allows", "maxclients", files-reservedFiles, "asked", want, "open-files", files)
	return cfg.Set([]config.Setting{{Name: "maxclients", Value: strconv.FormatUint(files-reservedFiles, 10)}}, true)
}
