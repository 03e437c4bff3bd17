//go:build !unix

package main

import (
	"log/slog"

	"github.com/larderkv/larder/server/config"
)

// fitClients has nothing to do where open files are not limited per process.
func fitClients(*config.Config, *slog.Logger) error { return nil }
