package persistence

// LogReady tells whether what the log has synced would be found by the next start:
// it is on, and its base file is there. The first is true before the second while
// the log is being switched on.
func (m *Manager) LogReady() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.aof.On() && !m.queue.startLog
}
