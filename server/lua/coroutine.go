package lua

// openCoroutine installs the library coroutine.
func (s *State) openCoroutine() {
	s.openGlobal("coroutine", library{
		{"create", coCreate},
		{"resume", coResume},
		{"running", coRunning},
		{"status", coStatus},
		{"wrap", coWrap},
		{"yield", coYield},
	})
}

// AsThread returns the coroutine in v, nil if v is none.
func (v Value) AsThread() *Thread {
	if v.Kind() == KindThread {
		return (*Thread)(v.ref)
	}
	return nil
}

func (t *Thread) checkCoroutine(i int) (*Thread, error) {
	if co := t.Arg(i).AsThread(); co != nil {
		return co, nil
	}
	return nil, t.ArgError(i, "coroutine expected")
}

// newCoroutine makes a coroutine of the function that is argument 1.
func (t *Thread) newCoroutine() (*Thread, error) {
	fn := t.Arg(1).AsFunction()
	if fn == nil || fn.proto == nil {
		return nil, t.ArgError(1, "Lua function expected")
	}
	if err := t.Reserve(int(threadSize) + firstStack*int(valueSize)); err != nil {
		return nil, err
	}
	co := newThread(t.state)
	co.Push(fn.Value())
	return co, nil
}

func coCreate(t *Thread) (int, error) {
	co, err := t.newCoroutine()
	if err != nil {
		return 0, err
	}
	return t.Return(co.Value())
}

func coWrap(t *Thread) (int, error) {
	co, err := t.newCoroutine()
	if err != nil {
		return 0, err
	}
	wrapped := t.state.NewNative(func(t *Thread) (int, error) {
		n, failure, err := t.resume(co, t.Count())
		if failure == nil || err != nil {
			return n, err
		}
		if text := failure.Value; isText(text) {
			if err := t.Reserve(len(failure.Error())); err != nil {
				return 0, err
			}
			failure = t.state.newError(t.Where(1) + failure.Error())
		}
		return 0, failure
	}, co.Value())
	return t.Return(wrapped.Value())
}

func coResume(t *Thread) (int, error) {
	co, err := t.checkCoroutine(1)
	if err != nil {
		return 0, err
	}
	n, failure, err := t.resume(co, t.Count()-1)
	if err != nil {
		return 0, err
	}
	if failure != nil {
		return t.Return(False, failure.Value)
	}
	t.Insert(t.Count()-n+1, True) // below the results, which are on top
	return n + 1, nil
}

func coRunning(t *Thread) (int, error) {
	if t == t.state.main {
		return t.Return(Nil)
	}
	return t.Return(t.Value())
}

func coStatus(t *Thread) (int, error) {
	co, err := t.checkCoroutine(1)
	if err != nil {
		return 0, err
	}
	return t.Return(statusNames[co.statusFor(t)].Value())
}

var statusNames = [...]*String{
	statusSuspended: NewString("suspended"),
	statusRunning:   NewString("running"),
	statusNormal:    NewString("normal"),
	statusDead:      NewString("dead"),
}

// statusFor is what the coroutine does while t runs.
func (co *Thread) statusFor(t *Thread) status {
	if co == t {
		return statusRunning
	}
	return co.status
}

func coYield(t *Thread) (int, error) {
	if t.state.goCalls > t.baseCalls {
		return 0, t.runError("attempt to yield across metamethod/C-call boundary")
	}
	return t.Count(), errYield
}

// resume lets a coroutine run until it yields or ends, with the n values on top as its arguments or
// as the results of yield. What it yields or returns is on top then, their number is results.
func (t *Thread) resume(co *Thread, n int) (results int, failure *Error, err error) {
	s := t.state
	if st := co.statusFor(t); st != statusSuspended {
		return 0, s.newError("cannot resume " + statusNames[st].s + " coroutine"), nil
	}
	if !co.Room(n) {
		return 0, nil, t.Errorf("too many arguments to resume")
	}
	if s.goCalls >= maxGoCalls {
		return 0, s.newError("C stack overflow"), nil
	}
	for _, v := range t.stack[t.top-n : t.top] {
		co.Push(v)
	}
	calls, held := s.goCalls, s.held
	s.goCalls++
	co.baseCalls, co.resumer, co.status, s.current = s.goCalls, t, statusRunning, co
	t.status = statusNormal
	err = co.proceed(n)
	s.goCalls, s.held, s.current, co.resumer, t.status = calls, held, t, nil, statusRunning
	switch e := err.(type) {
	case nil:
		return t.take(co, co.top-co.base)
	case *Error:
		co.kill()
		return 0, e, nil
	}
	if err == errYield {
		co.status = statusSuspended
		return t.take(co, co.yielded)
	}
	co.kill()
	return 0, nil, err
}

// proceed runs a coroutine, which has n values on top, from its beginning or from where it yielded.
func (co *Thread) proceed(n int) error {
	if err := co.state.step(1); err != nil {
		return err
	}
	if len(co.frames) == 1 { // the function is below the values
		slot := co.top - n - 1
		if err := co.enter(co.stack[slot].AsFunction(), slot, multiple); err != nil {
			return err
		}
		co.frames[1].fresh = true
	} else { // the call of yield ends
		fixed := co.frames[len(co.frames)-1].results >= 0
		co.leave(co.top-n, n)
		if fixed {
			co.top = int(co.frames[len(co.frames)-1].top)
		}
	}
	err := co.execute()
	if err == nil {
		co.status = statusDead
		co.base = 1
	}
	return err
}

// take moves n values from the top of a coroutine's stack.
func (t *Thread) take(co *Thread, n int) (results int, failure *Error, err error) {
	if !t.Room(n + 1) {
		return 0, nil, t.Errorf("too many results to resume")
	}
	for _, v := range co.stack[co.top-n : co.top] {
		t.Push(v)
	}
	co.top -= n
	if co.status == statusDead {
		co.kill()
	}
	return n, nil, nil
}

// kill ends a coroutine and frees its stack. Functions may still use its variables.
func (co *Thread) kill() {
	co.closeUpvalues(0)
	co.status = statusDead
	co.stack, co.frames, co.top, co.base = nil, nil, 0, 0
}
