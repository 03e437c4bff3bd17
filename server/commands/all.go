// Package commands holds every command: one file per family, the rows on top and
// the handlers below. A row is all that has to be written for a command to be
// dispatched, refused, queued, locked, documented and counted (see engine.Spec).
package commands

import (
	"slices"

	"github.com/larderkv/larder/server/engine"
)

// All returns a fresh copy of the rows of all commands.
func All() []engine.Spec {
	return slices.Concat(
		stringCommands(),
		hashCommands(),
		setCommands(),
		listCommands(),
		zsetCommands(),
		blockingCommands(),
		sortCommands(),
		keyCommands(),
		pubsubCommands(),
		connectionCommands(),
		clientCommands(),
		transactionCommands(),
		serverCommands(),
		persistenceCommands(),
		dumpCommands(),
		migrateCommands(),
		waitCommands(),
		monitorCommands(),
		replicationCommands(),
		configCommands(),
		commandCommands(),
		objectCommands(),
		memoryCommands(),
		debugCommands(),
	)
}
