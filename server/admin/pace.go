package admin

import "time"

// pace is how fast connections are accepted and requests looked at: one by one, with a pause between
// them, which makes some thousands in a second. A flood of requests, for which nobody needs a password,
// would otherwise be as many goroutines that want to run as there are connections, and a loop that has
// input would wait for its turn among them: PING took up to a second.
type pace chan struct{}

// pause is short for who asks now and then.
const pause = 100 * time.Microsecond

func newPace() pace { return make(pace, 1) }

func (p pace) keep() {
	p <- struct{}{}
	time.Sleep(pause)
	<-p
}
