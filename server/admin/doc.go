// Package admin serves, over HTTP on a port of its own, what people and their tools want to see of a
// running server: metrics for Prometheus, health checks, profiles of the process, and a dashboard with
// the JSON and the events that it is made of.
//
// # Why beside the loops
//
// Nothing here is on the way of a client's command. The port has its own listener and goroutines; it
// reads counters that the server keeps anyway, most of them atomics, the others one shard at a time
// under the shard's lock for the time of a few additions. Who wants more than to read, keys and their
// values, makes requests as a client does (engine.Caller): rights, the memory cap, the log,
// notifications and other clients' caches hold for them as for anybody. There is no second way to the
// store. With admin-port 0 nothing of this runs.
//
// # One request
//
//	gate       at most 256 connections; a new one takes the place of the one that has been without
//	           a user's request being served for longest
//	net/http   16 KB of headers within 5 seconds, the whole request within 15
//	guard      is the Host one of ours, the path a plain one, the request not another site's
//	enter      the route's row (route.go): a password, the right to the command that tells the
//	           same, for changes admin-write and the token
//	handler    at most 30 seconds for the reply
//
// # Who may see what
//
// A browser is a program that works for many masters: any page that its user opens can have it send
// requests here, with the user's password if the browser knows it. So
//
//   - everything but two words of health and a style sheet needs a password, also where clients need
//     none; a user of ACL of whom any password is right does not get in.
//   - a request must say a Host that only we can have. Else another site could, by having its name
//     lead to this address (DNS rebinding), read the replies as its own.
//   - what a browser marks as another site's is refused, and what changes something needs a token
//     as well, which only a page of ours has been able to read.
//   - a reply forbids to be framed, to be taken for a script, to be cached, and to load anything. The
//     page may load its own files, and cannot make elements from text (pagePolicy).
//
// A row names the command that tells the same over Redis' protocol, and its user needs the right to
// that. /metrics, for example, is for who may say INFO. The commands of the key browser are judged
// one by one, with their keys, when they run.
//
// Passwords are compared in constant time, by their digests, and what failed is in ACL LOG. Tries are
// not counted, as they are not for AUTH.
//
// # Samples
//
// Once a second a goroutine reads the counters and makes a Sample of what has happened since; pages
// that are open get it as a server-sent event, at most 32 of them, and whoever reads too slowly misses
// some. 300 of those and 60 of a minute are kept, and for each prefix an hour of its hits and misses
// (prefixes.go), so that a page that is opened has something to show at once. All of it is bounded by
// constants and prefix-max.
//
// # The page
//
// The folder page holds the dashboard as it is sent: HTML, a style sheet, modules of JavaScript, and
// uPlot, which is the only file in it that is not ours. There is nothing to build, and nothing to fetch
// from elsewhere. main.js is where it begins; a module is a view, or a part of one; api.js and live.js
// are all that speaks to the server. It shows what the API tells, and has no rights of its own.
//
// # Numbers and names
//
// Times are unix milliseconds, sizes bytes, rates per second, and a rate or a percentile that there is
// none of is null, never 0. Keys and prefixes are bytes: each is said as base64url, by which it can be
// asked for, and escaped, by which it can be shown (text.go). JSON goes out with <, > and & escaped.
//
// # Limits
//
// There is no HTTP/2, and no compression. Names of keys longer than 4 KB cannot be asked for, since a
// URL has no room for them. Where TLS is configured for clients it is used here, with the same
// certificates, and with the same demand for a certificate of the client's (tls-auth-clients).
package admin
