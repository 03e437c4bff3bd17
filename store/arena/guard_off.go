//go:build !invariants

package arena

// guard is what checks that the arena's lock is held, with the tag invariants.
type guard struct{}

func (guard) check() {}

// SetGuard has check called before the arena changes, with the tag invariants. check panics unless
// the arena's lock is held.
func (a *Arena) SetGuard(check func()) {}
