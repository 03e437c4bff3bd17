//go:build race

package harness

// Race reports that the race detector is on: everything is some ten times slower, so that loads are
// made smaller.
const Race = true
