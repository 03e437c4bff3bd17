package commands

import "github.com/larderkv/larder/server/engine"

// debugProtocol is DEBUG PROTOCOL: a reply of each type of RESP, the same as Redis', for tests of
// clients.
func debugProtocol(c *engine.Ctx, a *engine.Args) error {
	const three = 3
	w := c.Out
	switch {
	case a.Match("string"):
		w.BulkString("Hello World")
	case a.Match("integer"):
		w.Int(12345)
	case a.Match("double"):
		w.Double(3.141)
	case a.Match("bignum"):
		w.BigNumber("1234567999999999999999999999999999999")
	case a.Match("null"):
		w.Null()
	case a.Match("array"):
		w.Array(three)
		countToThree(c)
	case a.Match("set"):
		w.Set(three)
		countToThree(c)
	case a.Match("map"):
		w.Map(three)
		for i := range int64(three) {
			w.Int(i)
			w.Bool(i == 1)
		}
	case a.Match("attrib"):
		if w.RESP3() {
			w.Attribute(1)
			w.BulkString("key-popularity")
			w.Array(2)
			w.BulkString("key:123")
			w.Int(90)
		}
		w.BulkString("Some real reply following the attribute")
	case a.Match("push"):
		if !w.RESP3() {
			return engine.ErrNotRESP2
		}
		w.Push(2)
		w.BulkString("server-cpu-usage")
		w.Int(42)
		w.BulkString("Some real reply following the push reply")
	case a.Match("verbatim"):
		w.Verbatim("txt", "This is a verbatim\nstring")
	case a.Match("true"):
		w.Bool(true)
	case a.Match("false"):
		w.Bool(false)
	default:
		return engine.ErrProtocolType
	}
	return nil
}

func countToThree(c *engine.Ctx) {
	for i := range int64(3) {
		c.Out.Int(i)
	}
}
