//go:build !unix

package main

import (
	"log/slog"

	"github.com/larderkv/larder/server/admin"
	"github.com/larderkv/larder/server/config"
)

// fitClients has nothing to do where open files are not limited per process.
func fitClients(*config.Config, *slog.Logger) (admins int, err error) {
	return admin.MaxConnections, nil
}
