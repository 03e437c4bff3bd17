// Package netloop owns connections from accept to close, and moves bytes between them and sessions.
// It knows neither requests nor commands: a Session takes input and returns output and what is to
// happen next.
//
// # Accepting
//
// redcon.Server accepts every connection, but must not read any: its parser has no limits, ends the
// process on "*1\r\n$-2\r\n" and spins on a large count. So the listener given to it returns
// connections whose first Read answers "*1\r\n$0\r\n\r\n" without touching the socket. redcon
// parses that, calls the handler, and the handler detaches the connection and gives it to a driver.
// redcon's goroutine ends and its buffers are garbage then; its own Close of a connection that has
// been taken away does nothing. Its accept loop retries errors at once, so the listener keeps them
// from it: out of descriptors, it logs, waits 10 ms to 1 s and goes on.
//
// # The loops
//
// On Linux a socket's descriptor is duplicated and Go's copy closed, which takes it out of the
// runtime's poller, and one of the loops takes it. A loop is a goroutine that alone touches its
// connections; there are no locks on the way of a request. It is not locked to its thread: every 20 ms
// the runtime preempts it, and if it waits for a shard it has to come back, which with a lock takes
// other threads to hand the processor there and back (futex calls per 1000 requests: 14 to 41 and 8 to
// 11 at P=1, 2.0 and 0.95 at P=16 with two loops; context switches there 11.5 and 10.0). A lone client's
// round trip is the same (lower quartile of 60 turns of 1,200 requests: 21.8 us, with the lock 21.9,
// Redis 22.1). Processor time, that with a lock being 1, GET and SET: 1.01 and 1.03 with one loop (18
// pairs in turn at P=1, where single ones are 20 % apart), 0.97 and 0.93 with two (six pairs), 0.99 to
// 1.04 at P=16. One round:
//
//	poll     epoll_wait, without waiting if there are leftovers. For up to 20 ms it waits as if it were
//	         computing, and only then tells the scheduler that it waits.
//	turns    For each ready connection one recv into the loop's shared buffer, and one call of
//	         Session.Data, which executes all that is there and appends the replies to the loop's
//	         shared output.
//	send     One Commit for all turns, one send per connection, then what its session has asked for.
//	         Sending after the turns, rather than within each, wakes the clients together, and they
//	         answer together: more events per round, and more turns that one Commit covers.
//	notices  What others want (Resume, Kill, new connections), then some of what they have pushed. An
//	         eventfd wakes a loop that sleeps.
//	again    A turn for each connection with leftovers: complete requests that the session has put off,
//	         unread input, or more output than one call offers.
//
// So a busy connection costs one recv and one send per round, and a share of an epoll_wait. With
// io_uring the sends of a round share a system call, too. recv, send and the first poll are raw
// system calls: they do not block, or not for long, and telling the scheduler costs as much as a
// short one takes. Events are edge-triggered, because epoll_wait looks at each level-triggered
// socket a second time in the next round; the price is to remember (conn.readable, conn.ended) what
// could not be acted on when it was reported. A short read has emptied the socket and needs no
// second one to say so. The clock is read every 8 rounds, or after a long wait.
//
// Nobody gets more than one turn per round, and a turn is at most 64 KiB of input in the shared
// buffer, or 256 KiB behind a long leftover, and what a session does before it yields: a client
// that always wants more delays another one by one turn.
//
// # Sending together
//
// With Options.URing a loop has an io_uring beside its epoll instance, and sendTurns gives the kernel
// the output of all turns with one system call (sendAhead); each result is then handled where that of
// a send would have been. So no connection is in a state that it is not in without: the sends have
// MSG_DONTWAIT, and each is over, with a number of bytes or EAGAIN, when the call returns. Nothing is
// under way between two rounds, the ring is bound to no thread, and a loop can be handed over, drained
// or closed as before. Each loop makes sure of that when it starts, by a probe, and does without a ring
// where it may (Options.URingOptional): a sandbox may refuse io_uring, the limit of locked memory may
// be up after some loops, and io_uring may be switched off between two of them. Sent on their own are:
// the output of a round with one turn, what has unsent output in front or blocks behind it, a second turn
// of the same connection, TLS, and messages that were pushed.
//
// Server CPU per request with the ring, that without being 1 (medians of 7 to 18 interleaved runs, 50
// clients, GET and SET): P=1 0.92 and 0.96, P=16 0.93 and 0.90. System calls per GET at P=1: 1.27 in
// place of 2.14 (Redis 7.0.15: 2.14) where a round finds about eight requests, 2.0 (Redis: 2.5) where the
// client is so slow that it finds two. The ring takes 25 KB per loop, and nothing per connection; a lone
// client's request passes it by.
//
// Tried in the same runs and not kept: recv through the ring, too (0.89 to 0.99 of epoll's, in medians
// no better than sending alone, for a buffer per ready connection); multishot receive into provided
// buffers in place of epoll, with the sends and the wait in one call (0.21 calls per GET, but 0.96 to
// 1.06); a wait of 20 us for company (min_wait_usec: three times as many context switches, since it
// programs a timer); a registered ring and registered files (no difference beyond the noise,
// for two system calls more per connection); completions of failures only (likewise). What is left at
// P=1 (perf, SET): 58 % of the server's time are sends, nearly all of it TCP's work on both ends of the
// loopback, which Redis has as well (55 %), 10 % recv, 9 % epoll_wait and waking up from it, 18 % the
// program, 2.3 % other threads. Not tried, since
// it saves an eighth of a call per request and binds the ring to a thread: epoll_wait through the ring.
//
// # Resuming
//
// A session that waits (Block) is resumed by a notice if another goroutine says so, which costs an
// eventfd and a round. One session of the loop may resume another without both (Conn.ResumeAfter,
// Again): the push of one client is the pop of another, and that client is to be served before
// anything else happens. The loop ends the turn that it is in, runs those that were named, and goes
// on with the same input. Their replies leave first.
//
// # Handing over
//
// A session may have to compute for seconds, and nobody knows that before it has begun (a script in
// a loop). It says so in the middle of a call (Conn.HandOver). Then a new goroutine takes the loop over
// as it stands: its epoll instance, connections and notices, and the rest of the round, which is why all
// that a round has yet to do stands in fields of the loop. The goroutine that was the loop keeps the
// batch, and what it has got for it: the input in the old shared buffer, the output begun in the other,
// in whose places the loop gets new ones. Handing over takes some tens of microseconds, and a loop that
// never does pays a comparison per turn.
//
// The connection is blocked meanwhile: the loop neither reads it nor calls its session. It may send
// what the connection still owed before, and it may close the socket, on CLIENT KILL, a client that
// is gone, a limit; but Session.Closed and the end of the input's buffer wait for the call's end.
// Messages wait in the queue, since their place is behind the output of the call. A Resume is
// remembered, since the call may end in a Block that somebody has ended already. A server that
// drains or stops waits for the call; to have it end soon is the business of those who made it.
//
// When the call returns the goroutine leaves a notice and ends (runtime.Goexit: the functions below
// it on its stack belong to a round that is long over). The loop keeps the rest of the input,
// commits, sends, and does what the session wants next, as after any turn. Rejected: to give each
// long batch to a goroutine from the start, which would cost all short ones a hand-over and their
// order; and to interrupt a session and go on with it later, which would have every handler be
// written for that.
//
// A loop that waits for input keeps its processor only as long as one is free beside those of the
// batches that have been handed over (loop.poll).
//
// # Moving
//
// Server.SetLoops starts loops, or has some end, and connections go from one to another. A loop that is
// to end takes none any more, gives its connections away, and ends when the last one is gone; until then
// it does all that a loop does. And once a second a loop with more than its share gives some away
// (loop.balance), since clients do not leave as evenly as they come.
//
// A connection moves at the end of a round. Then it stands in no list of the round, and what is left of
// its input and output, what it waits for and what it owes is in its own fields, which simply go with
// it; so do TLS and the buffers, which belong to no loop. The old loop takes it out of the epoll set and
// its lists and posts it to the new one, which adds it to its own set: the kernel reports at once what
// has come in between. Those whose batch another goroutine executes (Handing over) stay until it is back.
//
// Others find a connection's loop in conn.home, which changes under the mutex of the old loop's notices:
// whoever has locked those and finds home unchanged has the right ones (lockNotices). Notices and
// messages are the connection's, not the list's. So those that come while it is on its way wait in it,
// with a notice of the new loop's that says that it has not got it yet (noticeMoved), and leave in their
// order when it has. Until then ResumeAfter says no.
//
// A round gives 64 connections away at most, some 200 us of work, and costs a loop that gives nothing a
// comparison. Rejected: to move only connections that are idle, which would leave a busy client, the one
// that matters, on a loop that is to end.
//
// # Cache lines
//
// What several loops write is what they can hold each other up by. In this package:
//
//	loop.notices       written by whoever wants something of the loop, and read by it in each round; 64 bytes of
//	                   padding before and behind it, so that nothing else of a round is in these lines
//	loop.load, active  written where connections come and move; a line of their own, behind the traffic, which its
//	                   loop publishes every 8 rounds
//	conn               7 lines, and loop, whole lines: neighbours in the allocator share none. Of a connection
//	                   others write home and the queue alone, when they push
//	loops.free, all    read by loops that wait; written when loops come and go, in one line with the mutex that
//	                   accepting takes
//	Server.current ..  counted where connections come and go
//	chain.Pool         a counter per block of 64 KiB of output that the loop's buffer does not hold
//
// So of a request without output beyond that nothing here is written by two loops (TestLoopLines). What
// a second loop costs on two cores is that it finds less to do in a round: per 1000 GETs at P=16 with 50
// clients 11.2 waits and 4.8 task switches with one loop, 14 to 18 and 12 with two; at P=1 60 and 80,
// 320 and 226. The loops and the client then compete for the cores, and so a loop that holds a shard is
// put aside now and then, which is what lock waits come from. What
// the kernel of commands shares is listed in package engine's comment.
//
// # Pushing
//
// Push may be called by anybody at any moment, in the middle of a command and under its locks. It
// appends to the connection's queue, under the mutex of the loop's notices, a reference to bytes
// that all receivers share: some tens of nanoseconds, and no allocation. When the loop comes to the
// connection it sends the whole queue, up to 64 KiB of short messages with one system call; what
// the kernel does not take is copied behind the connection's unsent output.
//
// Messages that were pushed before a turn of the connection begins leave before what the turn
// answers: a turn first looks whether there are any, a load of an atomic. Those that are pushed
// during it or later leave after its replies. So whoever has got the reply to a PUBLISH can be sure
// that a subscriber's PING from then on is answered behind the message, on whatever loops they are.
// A client that is blocked or paused gets its messages too, one that is about to be closed none.
//
// A send takes some microseconds, so 10,000 subscribers of one channel are 30 ms and more of work.
// A round sends to 16 of them (or a megabyte), and then others have their turns. Meanwhile a
// publisher can go on, and messages that come together in a queue leave with one call: the more
// there is to do, the less each message costs. What a slow command or disk lets pile up that way
// must not cut a subscriber that reads all it gets: from 256 KiB in one queue on, or a quarter of
// the hard limit, the loop sends everybody's within the round.
//
// A loop that sleeps is woken by the first message, sends it, and sleeps again while whoever says
// the next one is still at it. Whoever says much within a moment therefore uses PushLater, and
// Server.Flush at the end. With 17,000 keys a second that expire and a client that hears of each,
// that took the whole of larder from 7.1 to 5.5 us of processor time per key.
//
// What is in the queue counts as the connection's output at once, for Sizes and the hard limit.
// Its session (Sizer) is told of what is left when the loop has come to it, in the same round unless
// there are thousands. A loop may be kept from that by a slow command or disk, a goroutine of the
// portable driver by a client that does not read: of 64 KiB and more in one queue the account is told
// by whoever pushes. Push returns the number for that, rather than call the session itself, because
// only its caller surely knows the session of a connection that is just being made.
//
// A session that keeps account of what clients do not read (Sizes.Unread) kills those that leave most.
// Their memory is wanted for the messages to others that a round sends, so the loop closes them between
// two of these, and not when it comes to its notices.
//
// Messages that a client does not take do not pause it, and count for the soft limit as they are. So
// nothing slows down who causes them, and where the class has no hard limit they have one of their
// own (Limits.UnaskedHard), which counts those in the queue and those behind it separately.
//
// # TLS
//
// A connection with TLS lives on a loop like any other. What is rare and dear, the handshake, comes
// before it: a goroutine does it on the runtime's connection (crypto/tls has no other way), until a
// deadline. At most maxHandshakes wait for their clients, and one more gives up that whose client has
// been silent for longest. Only so many compute at a time as there are processors beside the loops: one
// that waits for its client leaves its place. While maxHandshakes wait for such a place nothing is
// accepted. So neither a thousand clients that begin and stop, nor as many that come at once, delay a
// request by more than the machine's other work does, and those that come at once all get in. The
// descriptor then goes to a loop.
//
// There the tls.Conn stays, above a net.Conn of the loop's (secure). It is asked for input when the
// loop would receive some, and calls Read, which receives to where the record is decrypted: no copy
// more than with a goroutine of its own. Without input Read answers an error that calls itself
// temporary. crypto/tls keeps what it has of a record then, and of a handshake message, and goes on at
// the next call; all its other errors are final (readRecordOrCCS, in crypto/tls' conn.go). A turn
// decrypts until its buffer is full or the socket empty. What crypto/tls has received beyond that is no
// event of epoll's, so the connection stays readable until an error says that there is no more.
//
// Output is encrypted when it is sent, 64 KiB at a time, to a buffer of the loop's, and what the
// kernel does not take of it is kept with the connection (conn.sealed bytes): a record once made must
// be sent, and in its place. All that waits behind it waits unencrypted, in the same buffers and
// blocks as without TLS, so pauses and limits need not know of it. Messages that connections share are
// encrypted for each when they leave. What crypto/tls has to say by itself, the answer to a key
// update or an alert, goes behind the sealed output, and counts as output: a client that asks for
// thousands of key updates and reads none is paused like others. Whoever is disconnected gets a
// close_notify if the socket takes it, and the middle of no record is in its way.
//
// An idle connection keeps its tls.Conn, two ciphers with their keys, and crypto/tls' buffer of one
// record, as long as the longest that the client has sent: 15,300 bytes of resident memory in all with
// short requests, the collector's half included, where Redis 7.0.15 with OpenSSL takes 28,500. The
// buffer of a client that has sent records of 16 KiB takes 17 to 33 KiB, and crypto/tls gives no
// access to it. A second of processor time is 1,700 handshakes (ECDSA, P-256), of Redis' 1,750.
//
// Rejected: a goroutine for each connection, as the portable driver has it. It took 12.4 us of
// processor time per GET at P=1 where the loop takes 8.4 and Redis 12.0, 1.2 at P=16 (0.85, 1.96), and
// 22,400 bytes for an idle connection. And the kernel's TLS, or a record layer of larder's own with the
// keys of the handshake: crypto/tls hands those out for debugging only, and what is left to gain by it
// is the buffer above.
//
// # Commit
//
// No byte of a reply leaves before Options.Commit has succeeded after the turn that wrote it. For
// that the output of turns has one way out, sendTurns; what goes out elsewhere was committed before
// (output that the kernel did not take at first), or answers nobody's request (Push). Commit may
// wait for a disk: the loop waits with it, since all its clients' replies do, and blocking system
// calls of package os let the scheduler know. If it fails, nobody can say whether the changes of
// these turns will be found again after a crash, so their clients get no reply at all: the
// connections are closed. Turns that changed nothing are answered all the same, though they may
// have read such changes: a disk that fails is to make writing fail, not reading.
//
// # Memory
//
// An idle connection has no buffer: 1,060 bytes of resident memory with a session of a parser and
// little else, where Redis 7.0.15 takes 9,100 (9,000 connections that have sent one PING each).
// Leftovers of a read are copied to a buffer of their size from the loop's own store and go in
// front of the next read. From 4 KiB on they are read behind in place, and the query buffer grows
// by as much as has honestly arrived, or by what the session says is missing (Wanter) if that is
// less: a declared length alone gets nothing.
//
// A session may have a long request received into memory of its own (Lender), where it can stay. To
// collect 100 MB in a buffer that grows means copies of 32 and 64 MB within a turn, and another one
// for whoever stores them. Such memory holds one request: no read goes beyond what the session says
// belongs to it, so nothing needs to be saved from there when the request is executed. A read takes
// 256 KiB of it at most, page faults included; what is not received yet takes no memory.
//
// What a connection takes is published after each turn, and its session is told when it has changed
// (Sizer): before that a round appends 8 MiB to query buffers at most, so that whoever bounds the
// memory of all connections is late by no more.
//
// Output begins in the loop's shared buffer, and what does not fit there goes to blocks of memory
// outside the Go heap (package chain), which count as the connection's from the moment on at which
// they are taken, in the middle of a command if need be. Such a turn is sent at once, a megabyte per
// call and round, so that one client's 400 MB do not hold the loop; blocks that the kernel has taken
// go back. A reply that passes the hard limit while it is being made, or whose client is evicted
// meanwhile, ends there: the rest is only counted, and the connection closed instead of answered.
//
// Output that the kernel does not take stays with the connection, a short one copied from the
// shared buffer, and EPOLLOUT says when to go on.
// A connection that owes more than Limits.OutputPause, or has put requests off and owes anything,
// is paused: neither read nor executed until all of it has gone out. A client that pipelines 20 GB
// worth of GETs and never reads costs one pause's output and the kernel's buffers, and nobody else
// notices; Redis would collect all of it. Clients that write a pipeline of any size before they
// read must be prepared for the server to stop reading; all that use a reasonable batch, or read
// meanwhile, are.
//
// # Ends
//
// A client that ends its side gets the replies to what it has sent, then the connection is closed.
// (Redis closes at once and drops what the kernel has not taken by then.) One that does so while
// its session is blocked is closed at once, as in Redis, so that nothing is handed to somebody who
// has gone. After a last reply (QUIT, a protocol error, a refusal, the server's end) this side is
// shut down and what has arrived is read before closing: with unread input close sends a reset,
// which can overtake the reply.
//
// Every end has a CloseReason, and Session.Closed is called once with it.
//
// # The portable driver
//
// Where there is no epoll, for connections without a descriptor, and if Options.Portable says so, a
// goroutine per connection drives the same sessions over net.Conn. What others want is done between
// its reads; a read deadline in the past interrupts a read that waits. Writing blocks, which is all
// the back-pressure that is needed: whoever does not read is not read either. An idle
// connection waits with a buffer of 512 bytes; one that needs more borrows 64 KiB and gives them
// back when it has been idle for a second: 7,800 bytes per idle connection, most of it stacks.
//
// # Figures
//
// Server CPU per operation in microseconds, SET of 64 bytes by redis-benchmark with 50 clients;
// medians of 7 to 9 runs in turns on 2 cores shared with the client. The sessions parse and answer
// but store nothing, so these are the costs of this package and protocol beside those of the whole
// of Redis 7.0.15:
//
//	            P=1    P=16   P=100
//	Redis       9.30   1.39   1.05
//	one loop    8.33   0.53   0.13
//	two loops  10.97   0.70   0.18
//	portable    9.70   0.63   0.15
//
// At P=1 nine tenths are the kernel's. These are figures of waits of 1 ms: with 20 ms (loop.poll)
// all of larder takes 0.87 of Redis' there in place of 0.98. Tried and not kept: several loops by
// default (with 2 cores they compete with the client), read and write in place of recv and send
// (0.3 us more at P=1: they pass through the file layer), level-triggered events (0.2 us more),
// sending within each turn (2-4 % more at P=16).
package netloop
