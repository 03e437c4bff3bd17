//go:build invariants

package invariants

// Enabled: the checks are made.
const Enabled = true
