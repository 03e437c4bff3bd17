package lua

import "time"

// OpenOS installs os.clock, which answers the time that the script may take for that of the
// processor: seconds, by a clock that never goes back.
func (s *State) OpenOS(clock func() time.Duration) {
	s.openGlobal("os", library{{"clock", func(t *Thread) (int, error) {
		return t.Return(Number(clock().Seconds()))
	}}})
}
