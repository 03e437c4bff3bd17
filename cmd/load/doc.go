// Package load generates load for servers that speak Redis' protocol. `larder bench` is its face,
// and `make bench` stands on it.
//
// There are two kinds of load, and they answer different questions.
//
// A closed loop (closed.go) has a number of clients, each of which keeps a number of requests under
// way and sends the next ones when the replies are there. It finds out how much a server can do. What
// it says about latency is what its own clients see, which is flattering: a client that waits for a
// slow reply asks nothing meanwhile, so a stall of a second that would have hit ten thousand requests
// is measured once per client (the "coordinated omission" of Gil Tene).
//
// An open loop (open.go) has a rate. Request k is due at k/rate whatever became of those before it,
// and its latency is counted from that moment on, so a stall of the server, or of this program, is in
// the latency of all requests that it held up.
//
// Both loops are generic in what they send: a Stream is one connection's requests and what it makes
// of the replies. The streams of `larder bench` (stream.go) are made of operations (operation.go),
// commands with placeholders that are compiled into templates (template.go); replies are skipped,
// not kept (reply.go). Streams of `make bench` know the length of each reply beforehand and are
// cheaper still. What is measured goes into a recorder per few clients (recorder.go), which a
// sampler looks into each second (run.go), and comes out as a Result (result.go): text, JSON, or a
// picture (picture.go).
//
// Keys are numbers 0..n-1 until they are sent; random.go says how they are chosen, and how long the
// value of a key is.
package load
