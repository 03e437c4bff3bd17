package rdb

// Lists. Redis 7 keeps a list in nodes (a quicklist) and writes them as they are, each with the
// kind of its container; before, nodes were ziplists and nothing said so. A node of a long element
// is that element. Nodes without elements are passed over as Redis does it, and a list of nothing
// but such nodes is empty.

// Kinds of nodes.
const (
	nodePlain  = 1 // the string is the element
	nodePacked = 2 // a listpack of elements
)

// node decodes a node of a quicklist.
func (d *decoder) node(c *cursor) {
	kind := c.number()
	s := c.str(&d.items)
	switch {
	case c.bad != "":
	case kind == nodePacked:
		c.check(d.addListpack(s))
	case kind != nodePlain:
		c.bad = "a list has a node of an unknown kind"
	case len(s) == 0:
		c.bad = "a list has a node without a content"
	default:
		d.add(s)
	}
}

// ziplistNode decodes a node as Redis 3.2 to 6.2 wrote it.
func (d *decoder) ziplistNode(c *cursor) {
	if s := c.str(&d.items); c.bad == "" {
		c.check(d.addZiplist(s))
	}
}
