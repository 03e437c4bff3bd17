package commands

import "github.com/larderkv/larder/server/engine"

// MONITOR. What a monitor is told stands in engine/monitor.go.

func monitorCommands() []engine.Spec {
	return []engine.Spec{{
		Name: "monitor", Handler: cmdMonitor, Arity: 1,
		Flags: engine.Admin | engine.NoScript | engine.Loading | engine.Stale | engine.ManyReplies,
		Group: "server", Since: "1.0.0",
		Summary:    "Shows every command that is executed from now on.",
		Complexity: "O(1); every command costs O(N) from then on, where N is the number of such clients",
	}}
}

// cmdMonitor does not answer a client that is a monitor, as in Redis. In a transaction there is to be
// one reply per command.
func cmdMonitor(c *engine.Ctx) error {
	if !c.MayWait() {
		return engine.ErrMonitorInMulti
	}
	if c.Monitor() {
		c.Out.OK()
	}
	return nil
}
