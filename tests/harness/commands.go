package harness

// Command is what COMMAND tells of a command, or of a subcommand.
type Command struct {
	Arity int // with its sign
	Flags []string
}

// Commands are those of a server, by name; in the place of those with subcommands stand these, as "config|get".
func (c *Conn) Commands() map[string]Command {
	c.t.Helper()
	all := map[string]Command{}
	add := func(info Reply) {
		arity, _ := info.Elems[1].Int()
		all[info.Elems[0].Text] = Command{int(arity), info.Elems[2].Strings()}
	}
	for _, info := range c.Do("COMMAND").Elems {
		if len(info.Elems) > 9 && len(info.Elems[9].Elems) > 0 {
			for _, sub := range info.Elems[9].Elems {
				add(sub)
			}
			continue
		}
		add(info)
	}
	return all
}
