package engine

import (
	"errors"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/larderkv/larder/persistence/vfs"
)

// flaggedRow is a row FLAGGED flags numkeys key [key ...] command [command ...]: a script that says
// what it does by letters: n(o-writes), o(om allowed); any other letter only that it says something.
func flaggedRow(name string, flags Flags) Spec {
	says := func(c *Ctx) (f ScriptFlags) {
		if strings.Contains(string(c.Args[1]), "n") {
			f |= NoWrites
		}
		if strings.Contains(string(c.Args[1]), "o") {
			f |= AllowOOM
		}
		if string(c.Args[1]) == "-" {
			f = NoShebang
		}
		return f
	}
	return Spec{Name: name, Arity: -4, Flags: flags | RunsScript, Keys: []KeySpec{NumKeys(2, RW)},
		Undeclared: func(*Ctx) bool { return true },
		FlagsOf:    func(c *Ctx, row Flags) Flags { return says(c).Of(row) },
		Handler:    func(c *Ctx) error { return runCommands(c, c.Args[3+len(c.Keys):], says(c)) },
	}
}

// innerCommands are rows of scripts that have flags.
func innerCommands() []Spec {
	return []Spec{flaggedRow("flagged", PausesAsWrite), flaggedRow("flagged_ro", ReadOnly)}
}

// TestInnerRefusals: what a command inside a script is refused for, in order.
func TestInnerRefusals(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	const rejected = "-ERR This Redis command is not allowed from script"
	c.expect("script 1 k nope get scriptkill:a client:nope client get:k", "*6 -"+string(errInnerUnknown)+
		" -"+string(errInnerArity)+" "+rejected+" -"+string(errInnerUnknown)+" -"+string(errInnerArity)+" $-1")
	c.expect("flagged_ro - 1 k set:k:v get:k", "*2 -"+string(errInnerReadOnly)+" $-1")
	c.expect("flagged n 1 k set:k:v get:k set", "*3 -"+string(errInnerReadOnly)+" $-1 -"+string(errInnerArity))
	c.expect("flagged_ro w 1 k get:k", "-"+string(errReadOnlyRow))
	c.expect("flagged w 1 k set:k:v get:k half", "*3 +OK $1 v -"+string(ErrSyntax))
	for command, want := range map[string][2]int64{"get": {1, 0}, "scriptkill": {1, 0}, "half": {0, 1}, "flagged": {0, 0}} {
		s := r.kernel.Stats.Row(r.kernel.Table.Lookup([]byte(command)).Index())
		if s.Rejected != want[0] || s.Failed != want[1] {
			t.Errorf("%s: %d rejected, %d failed, want %v", command, s.Rejected, s.Failed, want)
		}
	}
}

// TestInnerMemory: a script that there is no room for is told so by its first command that needs
// memory, unless it has said that it does not mind; and it ends somewhere.
func TestInnerMemory(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.expect("set k v", "+OK")
	r.configure("maxmemory", "1")
	oom := "-" + string(ErrOOM)
	c.expect("script 1 k get:k set:k:w dice:k:1 set:k:x", "*4 $1 v "+oom+" :1 "+oom)
	r.configure("maxmemory", "0")
	c.expect("script 1 k set:k:w", "*1 +OK")
	r.configure("maxmemory", "1")
	c.expect("flagged w 1 k get:k", oom)
	c.expect("flagged n 1 k get:k", "*1 $1 w")
	c.expect("flagged o 1 k set:k:x", "*1 +OK")
	c.expect("flagged_ro - 1 k get:k", "*1 $1 x")
	c.expect("multi\nscript 1 k get:k", "+OK "+oom)
	c.do("discard")

	r.configure("maxmemory", "0")
	c.expect("multi\nscript 1 k get:k set:k:y\nget k", "+OK +QUEUED +QUEUED")
	r.configure("maxmemory", "1")
	c.expect("exec", "*2 *2 $1 x "+oom+" $1 x")

	r.configure("maxmemory", "100mb")
	big := strings.Repeat("v", 64<<10)
	line := "flagged w 1 k"
	for i := range 60 {
		line += " set:k" + string(rune('0'+i)) + ":" + big[:1<<10]
	}
	c.expect(line, "*60"+strings.Repeat(" +OK", 60))
}

// TestInnerSlack: a script that has begun to write may pass the cap, but not without end.
func TestInnerSlack(t *testing.T) {
	r := newRig(t)
	ctx := newCtx(r.kernel)
	c := r.connect()
	c.do("set k " + strings.Repeat("v", 1<<20))
	ctx.inner.wrote = true
	for percent, want := range map[int64]bool{99: false, 105: false, 120: true} {
		counted := r.kernel.counted(r.kernel.Counted())
		r.configure("maxmemory", strconv.FormatInt(counted*100/percent, 10))
		if got := ctx.outOfMemory(); got != want {
			t.Errorf("%d %%: %v", percent, got)
		}
		r.configure("maxmemory", "0")
	}
}

// TestInnerDisk: while the disk fails a script is told so by its first write.
func TestInnerDisk(t *testing.T) {
	fs := vfs.NewFaulty(vfs.NewMem())
	r := newRigOn(t, fs)
	c := r.connect()
	fs.Fail(vfs.OpWrite, 0, vfs.Forever, syscall.ENOSPC)
	c.expect("set k v", "+OK")
	if err := r.manager.Log().Commit(); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Commit: %v", err)
	}
	const failing = "-MISCONF Errors writing to the AOF file: No space left on device"
	c.expect("script 1 k get:k ping set:k:w get:k", "*4 $1 v +ping "+failing+" $1 v")
	c.expect("flagged w 1 k get:k", failing)
	c.expect("flagged n 1 k get:k", "*1 $1 v")
	fs.Heal()
}

// TestInnerEffects: what a script does is one transaction in the log, also with another around it,
// and what it has silenced is not there.
func TestInnerEffects(t *testing.T) {
	fs := vfs.NewMem()
	r := newRigOn(t, fs)
	c := r.connect()
	c.do("script 1 k incr:k incr:other get:k dice:k:2 select:1 set:k:v")
	c.expect("get k", "$1 1")
	c.do("script 1 k incr:n\nscript 1 k get:k\nmulti\nset a 1\nscript 1 b incr:b incr:c\nset d 1\nexec")
	if got := logged(t, r, fs); got != "SELECT 0\nMULTI\nincr k\nincr other\nSET k 0\nSET k 1\nSELECT 1\nset k v\nEXEC\n"+
		"SELECT 0\nincr n\nMULTI\nset a 1\nincr b\nincr c\nset d 1\nEXEC" {
		t.Errorf("logged: %s", got)
	}
}

// TestInnerShown: monitors see the script, and then its commands, which no client has sent.
func TestInnerShown(t *testing.T) {
	r := newRig(t)
	c, m := r.connect(), r.connect()
	m.expect("monitor", "+OK")
	c.do("script 1 k get:k nope set:k:v")
	heard := m.conn.heard()
	if n := strings.Count(heard, "[0 lua] "); n != 2 {
		t.Errorf("%d lines of lua: %s", n, heard)
	}
	if !strings.Contains(heard, `"script" "1" "k"`) || strings.Index(heard, `"script"`) > strings.Index(heard, `"get"`) {
		t.Error(heard)
	}
}

// TestInnerLongReply: a read whose reply does not fit into a script's memory is refused, and what
// was long is not kept.
func TestInnerLongReply(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.do("set l v")
	r.kernel.Store.LockAll()
	ctx := c.begin(&c.out)
	ctx.SetString(r.kernel.Store.Key([]byte("k")), make([]byte, 2<<20), 0)
	r.kernel.Store.UnlockAll()
	c.expect("script 2 k l get:k set:l:v get:l", "*3 -"+string(ErrScriptReply)+" +OK $1 v")

	ctx.Spec = r.kernel.Table.Lookup([]byte("script"))
	ctx.frame.locked, ctx.Held = true, true
	r.kernel.Store.LockAll()
	defer r.kernel.Store.UnlockAll()
	if err := ctx.EnterScript("", false, NoShebang, 8<<20); err != nil {
		t.Fatal(err)
	}
	if reply, err := ctx.CallInner([][]byte{[]byte("get"), []byte("k")}); err != nil || len(reply) < 2<<20 {
		t.Errorf("%d bytes, %v", len(reply), err)
	}
	reply, err := ctx.CallInner([][]byte{[]byte("get"), []byte("l")})
	if err != nil || string(reply) != "$1\r\nv\r\n" || cap(reply) > 1<<10 {
		t.Errorf("%q of %d, %v", reply, cap(reply), err)
	}
	ctx.LeaveScript()
}

// TestInnerCostsNoMemory: a script that reads allocates nothing here.
func TestInnerCostsNoMemory(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.do("set k v")
	ctx := c.begin(&c.out)
	c.out.Lend(make([]byte, 0, 64), nil, nil)
	ctx.Spec = r.kernel.Table.Lookup([]byte("script"))
	args := [][]byte{[]byte("get"), []byte("k")}
	r.kernel.Store.LockAll()
	defer r.kernel.Store.UnlockAll()
	ctx.frame.locked, ctx.Held = true, true
	if n := testing.AllocsPerRun(100, func() {
		if err := ctx.EnterScript("sha", false, NoShebang, 1<<20); err != nil {
			t.Error(err)
		}
		if reply, err := ctx.CallInner(args); err != nil || string(reply) != "$1\r\nv\r\n" {
			t.Errorf("%q, %v", reply, err)
		}
		ctx.LeaveScript()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
