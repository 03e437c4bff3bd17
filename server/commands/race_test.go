//go:build race

package commands

// raceEnabled: the race detector makes sync.Pool forget what it was given.
const raceEnabled = true
