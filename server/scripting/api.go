package scripting

import (
	"context"
	"crypto/sha1" // as in Redis
	"encoding/hex"
	"log/slog"
	"strings"

	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/lua"
)

// Flags of redis.set_repl. There are no replicas, so that only the log matters.
const (
	replAOF     = 1
	replReplica = 2
)

// logLevels are those of redis.log, from redis.LOG_DEBUG on. verbose is between slog's Debug and Info.
var logLevels = [...]slog.Level{slog.LevelDebug, slog.LevelDebug + 2, slog.LevelInfo, slog.LevelWarn}

// redisTable makes the table redis.
func (in *interpreter) redisTable() *lua.Table {
	t := in.state.Table(0, 32)
	for _, f := range []struct {
		name string
		fn   lua.Native
	}{
		{"call", in.call}, {"pcall", in.callProtected}, {"log", in.writeLog}, {"setresp", in.setRESP},
		{"error_reply", in.errorReply}, {"status_reply", in.statusReply}, {"sha1hex", in.sha1hex},
		{"set_repl", in.setReplication}, {"replicate_commands", answer(lua.True)},
		{"breakpoint", answer(lua.False)}, {"debug", answer()}, {"acl_check_cmd", in.mayRun},
	} {
		in.state.Register(t, f.name, f.fn)
	}
	for _, c := range []struct {
		name  string
		value int
	}{
		{"LOG_DEBUG", 0}, {"LOG_VERBOSE", 1}, {"LOG_NOTICE", 2}, {"LOG_WARNING", 3},
		{"REPL_NONE", 0}, {"REPL_AOF", replAOF}, {"REPL_SLAVE", replReplica}, {"REPL_REPLICA", replReplica},
		{"REPL_ALL", replAOF | replReplica}, {"REDIS_VERSION_NUM", config.RedisVersionNum},
	} {
		t.SetStr(lua.NewString(c.name), lua.Int(c.value))
	}
	t.SetStr(lua.NewString("REDIS_VERSION"), lua.NewString(config.RedisVersion).Value())
	return t
}

// answer is a native that does nothing and returns some values. There is no debugger here, so that
// nothing is to be done for it.
func answer(values ...lua.Value) lua.Native {
	return func(t *lua.Thread) (int, error) { return t.Return(values...) }
}

// errorTable makes the table that an error is for scripts. text begins with a code.
func (in *interpreter) errorTable(text string) lua.Value {
	t := in.state.Table(0, 1)
	t.SetStr(fieldErr, in.state.String(text).Value())
	return t.Value()
}

// raise makes an error of the library redis.
func (in *interpreter) raise(text string) error {
	return &lua.Error{Value: in.errorTable("ERR " + text)}
}

// withCode is the text of an error by Redis' rules: what begins with '-' has a code, if there is more
// than one word; anything else gets the code ERR.
func withCode(text string) string {
	text = strings.Trim(text, "\r\n")
	rest, coded := strings.CutPrefix(text, "-")
	if coded && strings.Contains(rest, " ") {
		return rest
	}
	return "ERR " + rest
}

// errorReply is redis.error_reply.
func (in *interpreter) errorReply(t *lua.Thread) (int, error) {
	s := t.Arg(1).AsString()
	if t.Count() != 1 || s == nil {
		return t.Return(in.errorTable("ERR wrong number or type of arguments"))
	}
	text := s.Str()
	if !strings.HasPrefix(text, "-") {
		text = "-" + text
	}
	return t.Return(in.errorTable(withCode(text)))
}

// statusReply is redis.status_reply.
func (in *interpreter) statusReply(t *lua.Thread) (int, error) {
	s := t.Arg(1)
	if t.Count() != 1 || s.AsString() == nil {
		return t.Return(in.errorTable("ERR wrong number or type of arguments"))
	}
	reply := in.state.Table(0, 1)
	reply.SetStr(fieldOK, s)
	return t.Return(reply.Value())
}

// sha1hex is redis.sha1hex.
func (in *interpreter) sha1hex(t *lua.Thread) (int, error) {
	if t.Count() != 1 {
		return 0, in.raise("wrong number of arguments")
	}
	text, _ := textOf(t.Arg(1))
	if err := t.Step(len(text) / bytesPerStep); err != nil {
		return 0, err
	}
	sum := sha1.Sum([]byte(text)) // as in Redis
	return t.Return(in.state.String(hex.EncodeToString(sum[:])).Value())
}

// bytesPerStep is how many bytes are looked at in the time of a step.
const bytesPerStep = 64

// textOf is a value as lua_tolstring has it: a string, or a number printed.
func textOf(v lua.Value) (text string, ok bool) {
	if s := v.AsString(); s != nil {
		return s.Str(), true
	}
	if v.IsNumber() {
		return string(lua.AppendNumber(nil, v.Num())), true
	}
	return "", false
}

// writeLog is redis.log.
func (in *interpreter) writeLog(t *lua.Thread) (int, error) {
	if t.Count() < 2 {
		return 0, in.raise("redis.log() requires two arguments or more.")
	}
	n, ok := t.Arg(1).ToNumber()
	if !ok {
		return 0, in.raise("First argument must be a number (log level).")
	}
	level := lua.ToInt(n)
	if level < 0 || level >= len(logLevels) {
		return 0, in.raise("Invalid debug level.")
	}
	if !in.scripts.log.Enabled(context.Background(), logLevels[level]) {
		return 0, nil
	}
	var line strings.Builder
	for i := 2; i <= t.Count(); i++ {
		text, ok := textOf(t.Arg(i))
		switch {
		case !ok:
			continue
		case i > 2:
			line.WriteByte(' ')
		}
		line.WriteString(text[:min(len(text), mostLogged-min(line.Len(), mostLogged))])
	}
	in.scripts.log.Log(context.Background(), logLevels[level], line.String())
	return 0, nil
}

// mostLogged is how many bytes of a line are written: Redis' LOG_MAX_LEN.
const mostLogged = 1024

// setRESP is redis.setresp.
func (in *interpreter) setRESP(t *lua.Thread) (int, error) {
	if t.Count() != 1 {
		return 0, in.raise("redis.setresp() requires one argument.")
	}
	n, _ := t.Arg(1).ToNumber()
	version := lua.ToInt(n)
	if version != 2 && version != 3 {
		return 0, in.raise("RESP version must be 2 or 3.")
	}
	in.resp = version
	in.ctx.SetScriptRESP(version)
	return 0, nil
}

// setReplication is redis.set_repl.
func (in *interpreter) setReplication(t *lua.Thread) (int, error) {
	if t.Count() != 1 {
		return 0, in.raise("redis.set_repl() requires two arguments.")
	}
	n, _ := t.Arg(1).ToNumber()
	flags := lua.ToInt(n)
	if flags&^(replAOF|replReplica) != 0 {
		return 0, in.raise("Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
	}
	in.ctx.SetScriptSilent(flags&replAOF == 0)
	return 0, nil
}

// mayRun is redis.acl_check_cmd.
func (in *interpreter) mayRun(t *lua.Thread) (int, error) {
	args, err := in.arguments(t)
	if err != nil {
		return 0, err
	}
	row := in.ctx.Kernel.Table.Resolve(args)
	if row == nil {
		return 0, in.raise("Invalid command passed to redis.acl_check_cmd()")
	}
	if !in.ctx.MayRun(row, args) {
		return t.Return(lua.False)
	}
	return t.Return(lua.True)
}
