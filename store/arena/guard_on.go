//go:build invariants

package arena

// guard is what checks that the arena's lock is held.
type guard struct{ held func() }

func (g *guard) check() {
	if g.held != nil {
		g.held()
	}
}

// SetGuard has check called before the arena changes. check panics unless the arena's lock is held.
func (a *Arena) SetGuard(check func()) { a.guard.held = check }
