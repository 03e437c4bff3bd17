// Package commands holds every command: one file per family, the rows on top and
// the handlers below. A row is all that has to be written for a command to be
// dispatched, refused, queued, locked, documented and counted (see engine.Spec).
package commands

import (
	"slices"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/scripting"
)

// All returns a fresh copy of the rows of all commands, of which some run scripts.
func All(scripts *scripting.Scripts) []engine.Spec {
	return slices.Concat(
		stringCommands(),
		cacheCommands(),
		limitCommands(),
		hashCommands(),
		hashTTLCommands(),
		setCommands(),
		setTTLCommands(),
		listCommands(),
		zsetCommands(),
		blockingCommands(),
		sortCommands(),
		keyCommands(),
		tagCommands(),
		pubsubCommands(),
		connectionCommands(),
		clientCommands(),
		aclCommands(),
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
		slowlogCommands(),
		cacheStatsCommands(),
		cachePurgeCommands(),
		latencyCommands(),
		hotkeysCommands(),
		moduleCommands(),
		objectCommands(),
		memoryCommands(),
		scriptCommands(scripts),
		functionCommands(scripts.Libraries()),
		debugCommands(),
	)
}
