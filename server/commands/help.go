package commands

import (
	"strings"

	"github.com/larderkv/larder/server/engine"
)

// replyHelp answers HELP of a container: lines describe its subcommands, what
// stands around them is the same everywhere.
func replyHelp(c *engine.Ctx, lines ...string) error {
	container := c.Spec
	if p := container.Parent(); p != nil {
		container = p
	}
	c.Out.Array(len(lines) + 3)
	c.Out.Status(strings.ToUpper(container.Name) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
	for _, line := range lines {
		c.Out.Status(line)
	}
	c.Out.Status("HELP")
	c.Out.Status("    Prints this help.")
	return nil
}
