package scripting

import (
	"bytes"
	"strconv"
	"unsafe"

	"github.com/larderkv/larder/protocol"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/lua"
)

// call is redis.call: an error reply is raised.
func (in *interpreter) call(t *lua.Thread) (int, error) {
	v, failed, err := in.command(t)
	switch {
	case err != nil:
		return 0, err
	case failed:
		return 0, &lua.Error{Value: v}
	}
	return t.Return(v)
}

// callProtected is redis.pcall: an error reply is returned. So are, as in Redis, errors of the
// arguments.
func (in *interpreter) callProtected(t *lua.Thread) (int, error) {
	v, _, err := in.command(t)
	if failure, ok := err.(*lua.Error); ok && !failure.Value.IsNil() { // it comes as it is
		v, err = failure.Value, nil
	}
	if err != nil {
		return 0, err
	}
	return t.Return(v)
}

// command runs a command, and returns its reply as a value of Lua. failed: that is an error reply.
func (in *interpreter) command(t *lua.Thread) (v lua.Value, failed bool, err error) {
	args, err := in.arguments(t)
	if err != nil {
		return lua.Nil, false, err
	}
	reply, err := in.ctx.CallInner(args)
	if err != nil {
		in.place = in.state.Place()
		return lua.Nil, false, err
	}
	if err = t.Step(in.took(args)); err != nil {
		return lua.Nil, false, err
	}
	v, _, err = in.value(t, reply)
	return v, len(reply) > 0 && reply[0] == '-', err
}

// slowCall is how many steps a command counts as that is not one of constant time. A look at the clock
// after each would be the exact way, and some per cent of what small commands cost.
const slowCall = lua.HookEvery / 8

// took is how many steps the command that has run counts as.
func (in *interpreter) took(args [][]byte) int {
	steps := 0
	for _, arg := range args {
		steps += len(arg) / bytesPerStep
	}
	if in.ctx.Spec.Flags&engine.Fast == 0 {
		steps += slowCall
	}
	return steps
}

// arguments are those of a command: strings, and numbers printed. They are good until the next call:
// bytes of strings are those of Lua, which nobody may write to.
func (in *interpreter) arguments(t *lua.Thread) ([][]byte, error) {
	n := t.Count()
	if n == 0 {
		return nil, in.raise("Please specify at least one argument for this redis lib call")
	}
	args, numbers := in.args[:0], in.numbers[:0]
	for i := 1; i <= n; i++ {
		v := t.Arg(i)
		if s := v.AsString(); s != nil {
			text := s.Str()
			args = append(args, unsafe.Slice(unsafe.StringData(text), len(text)))
			continue
		}
		if !v.IsNumber() {
			return nil, in.raise("Lua redis lib command arguments must be strings or integers")
		}
		start := len(numbers)
		numbers = protocol.FormatDouble(numbers, v.Num()+0) // Redis prints -0 as 0 here
		args = append(args, numbers[start:len(numbers):len(numbers)])
	}
	in.args, in.numbers = args, numbers
	return args, nil
}

// value makes a value of Lua of the first reply in b, and returns what follows it. The replies are the
// server's own, and whole.
func (in *interpreter) value(t *lua.Thread, b []byte) (v lua.Value, rest []byte, err error) {
	end := bytes.IndexByte(b, '\r')
	kind, line := b[0], b[1:end]
	rest = b[end+2:]
	switch kind {
	case ':':
		return lua.Number(float64(integer(line))), rest, nil
	case '+':
		v, err = in.single(fieldOK, line)
		return v, rest, err
	case '-':
		v, err = in.failedReply(line)
		return v, rest, err
	case '_':
		return lua.Nil, rest, nil
	case '#':
		return lua.Bool(line[0] == 't'), rest, nil
	case ',':
		f, _ := strconv.ParseFloat(string(line), 64)
		table := in.state.Table(0, 1)
		table.SetStr(fieldDouble, lua.Number(f))
		return table.Value(), rest, nil
	case '(':
		v, err = in.single(fieldBig, line)
		return v, rest, err
	}
	n := int(integer(line))
	if n < 0 {
		return lua.False, rest, nil // the null of RESP2
	}
	switch kind {
	case '$':
		v, err = in.newString(rest[:n])
		return v, rest[n+2:], err
	case '=':
		v, err = in.verbatim(rest[:n])
		return v, rest[n+2:], err
	case '%':
		return in.hash(t, rest, n, fieldMap, true)
	case '~':
		return in.hash(t, rest, n, fieldSet, false)
	case '|': // what is said about the reply is not for scripts
		for range 2 * n {
			if _, rest, err = in.value(t, rest); err != nil {
				return lua.Nil, nil, err
			}
		}
		return in.value(t, rest)
	}
	return in.array(t, rest, n)
}

// integer reads what the server has written.
func integer(b []byte) (n int64) {
	negative := b[0] == '-'
	if negative {
		b = b[1:]
	}
	for _, c := range b {
		n = 10*n + int64(c-'0')
	}
	if negative {
		return -n
	}
	return n
}

// single makes a table with one field, a string.
func (in *interpreter) single(field *lua.String, text []byte) (lua.Value, error) {
	s, err := in.newString(text)
	if err != nil {
		return lua.Nil, err
	}
	t := in.state.Table(0, 1)
	t.SetStr(field, s)
	return t.Value(), nil
}

// failedReply makes the table of an error reply. It is counted in errorstats by now.
func (in *interpreter) failedReply(line []byte) (lua.Value, error) {
	t := in.state.Table(0, 2)
	t.SetStr(fieldErr, in.state.String(withCode("-"+string(line))).Value())
	t.SetStr(fieldQuiet, lua.True)
	return t.Value(), nil
}

// verbatim makes the table of a text for people: "txt:...".
func (in *interpreter) verbatim(text []byte) (lua.Value, error) {
	s, err := in.newString(text[4:])
	if err != nil {
		return lua.Nil, err
	}
	inner := in.state.Table(0, 2)
	inner.SetStr(fieldFormat, in.state.String(string(text[:3])).Value())
	inner.SetStr(fieldString, s)
	t := in.state.Table(0, 1)
	t.SetStr(fieldVerbatim, inner.Value())
	return t.Value(), nil
}

// array makes the table of n replies.
func (in *interpreter) array(t *lua.Thread, b []byte, n int) (lua.Value, []byte, error) {
	if n > shortArray {
		if err := t.Reserve(n * perElement); err != nil {
			return lua.Nil, nil, err
		}
	}
	table := in.state.Table(n, 0)
	for i := range n {
		if err := stepFor(t, i); err != nil {
			return lua.Nil, nil, err
		}
		v, rest, err := in.value(t, b)
		if err != nil {
			return lua.Nil, nil, err
		}
		table.SetInt(i+1, v)
		b = rest
	}
	return table.Value(), b, nil
}

// stepFor takes a step for every few elements.
func stepFor(t *lua.Thread, i int) error {
	if i%16 == 15 {
		return t.Step(1)
	}
	return nil
}

// hash makes the table of a map of n pairs, or of a set of n elements: a table with one field, which
// is a table whose keys are replies. Its values are replies, or true.
func (in *interpreter) hash(t *lua.Thread, b []byte, n int, field *lua.String, pairs bool) (lua.Value, []byte, error) {
	if n > shortArray {
		if err := t.Reserve(n * perNode); err != nil {
			return lua.Nil, nil, err
		}
	}
	table := in.state.Table(0, n)
	for i := range n {
		if err := stepFor(t, i); err != nil {
			return lua.Nil, nil, err
		}
		key, rest, err := in.value(t, b)
		v := lua.True
		if err == nil && pairs {
			v, rest, err = in.value(t, rest)
		}
		if err == nil {
			err = table.Set(key, v)
		}
		if err != nil {
			return lua.Nil, nil, err
		}
		b = rest
	}
	outer := in.state.Table(0, 1)
	outer.SetStr(field, table.Value())
	return outer.Value(), b, nil
}

// perNode is what a key and its value take in a table, in bytes.
const perNode = 64
