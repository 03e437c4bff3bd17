// Statistics by prefix (store/prefixes.go) as far as commands have to do with them: the bytes of
// requests and replies, and the parameters prefix-*.
//
// A command with one key counts its request and its reply for that key's prefix. Of one with several
// keys each has its own arguments, if its keys go up to the last argument (MSET), and its own part of
// the reply, if the handler says where each ends (MGET, by KeyReplied); else an equal part. The first
// key has what is left. Only commands
// that have been answered, and not with an error, count. Scripts do not, nor their commands, whose
// replies go nowhere; commands of a transaction do.

package engine

import (
	"strconv"

	"github.com/larderkv/larder/store"
)

// prefixRule is what the parameters prefix-* ask for.
func (k *Kernel) prefixRule() store.PrefixRule {
	v := k.Config.Values()
	if !v.PrefixStats {
		return store.PrefixRule{}
	}
	return store.PrefixRule{Delimiter: v.PrefixDelimiter[0], Depth: int(v.PrefixDepth), Most: int(v.PrefixMax)}
}

// FollowPrefixes brings what is counted by prefix in line with the configuration, which may have
// changed.
func (c *Ctx) FollowPrefixes() {
	rule := c.Kernel.prefixRule()
	if rule == c.Store.PrefixRule() {
		return
	}
	if !c.Held {
		c.LockAll()
		defer c.Store.UnlockAll()
	}
	c.Store.SetPrefixes(rule)
}

// runCounted is run, and counts the bytes of the request and its reply.
func (c *Ctx) runCounted(s *Spec) error {
	start := c.Out.Len()
	c.parts, c.parting = c.parts[:0], s.Flags&(RunsScript|RunsQueue) == 0
	err := c.run(s)
	c.parting = false
	if err == nil && len(c.Keys) > 0 && c.Keys[0].Counted() {
		c.countBytes(s, c.Out.Len()-start)
	}
	return err
}

// countOne counts a client's own command with one key, which has just run, and whose reply begins at
// start.
func (c *Ctx) countOne(start int) {
	in, out := len(c.wire), c.Out.Len()-start
	switch {
	case out == 0 || c.Out.Counting(): // it waits, or has to run again
		return
	case c.Session.onlooker:
		return
	case c.Session.reply != replyOn:
		out = 0
	}
	if in == 0 {
		in = wireSize(c.Args)
	}
	c.Store.Moved(&c.Keys[0], in, out)
}

// countBytes counts the command that has just run, with a reply of out bytes. Its keys are still
// locked.
func (c *Ctx) countBytes(s *Spec, out int) {
	if c.Loading || c.Session.onlooker || s.Flags&(RunsScript|RunsQueue) != 0 {
		return
	}
	if out == 0 || c.Out.Counting() { // it waits, or has to run again
		return
	}
	if c.Session.reply != replyOn {
		out = 0
	}
	in := len(c.wire)
	if in == 0 || c.frame.locked {
		in = wireSize(c.Args)
	}
	restIn, restOut := in, out
	for i := 1; i < len(c.Keys); i++ {
		keyIn, keyOut := c.requestPart(s, i, in), out/len(c.Keys)
		if out > 0 && len(c.parts) == len(c.Keys) {
			keyOut = c.parts[i] - c.parts[i-1]
		}
		c.Store.Moved(&c.Keys[i], keyIn, keyOut)
		restIn, restOut = restIn-keyIn, restOut-keyOut
	}
	c.Store.Moved(&c.Keys[0], restIn, restOut)
}

// KeyReplied notes that the part of the reply that is about the next one of Keys has been written.
func (c *Ctx) KeyReplied() {
	if c.parting {
		c.parts = append(c.parts, c.Out.Len())
	}
}

// requestPart is how much of a request of in bytes is about number i of Keys.
func (c *Ctx) requestPart(s *Spec, i, in int) int {
	if len(s.Keys) == 1 {
		k := &s.Keys[0]
		if at := k.Pos + i*k.Step; k.Last == -1 && k.Limit == 0 && k.Pos > 0 && !k.ByCount && at+k.Step <= len(c.Args) {
			return wordsSize(c.Args[at : at+k.Step])
		}
	}
	return in / len(c.Keys)
}

// wireSize is the length of a request of these arguments.
func wireSize(args [][]byte) int {
	return len("*\r\n") + digits(len(args)) + wordsSize(args)
}

func wordsSize(args [][]byte) (n int) {
	for _, a := range args {
		n += len("$\r\n\r\n") + digits(len(a)) + len(a)
	}
	return n
}

func digits(n int) int {
	var room [20]byte
	return len(strconv.AppendInt(room[:0], int64(n), 10))
}
