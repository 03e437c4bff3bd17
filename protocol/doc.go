// Package protocol reads requests and writes replies of the Redis protocol. It knows no command.
//
// # Requests
//
// Parser follows Redis 7's processMultibulkBuffer and processInlineBuffer to the byte, oddities
// included: a header line ends at its first \r, whatever follows that; so does a bulk, whose two
// closing bytes are not looked at; lengths are what string2ll accepts (no leading zeros, no plus);
// a '$' that is missing is complained of only when its line is complete; *0, *-1 and empty lines
// are passed over; and a line that holds a NUL byte never ends, because Redis searches with strchr.
// It was all checked with a real server.
//
// Whether a line is too long depends on how its bytes arrive, as in Redis: its limit of 64 KiB is
// applied when a read has not brought the end, and since its first two reads take 80 KiB, a line of
// as much passes if it is sent at once. Here, too, a line without its end may have 64 KiB, and one
// that is complete when the parser sees it 80 KiB. Lines that have their end within 64 KiB make the
// parser a function of the bytes: however they are cut, the same requests and the same error come
// out, and a fuzzer can hold it to that.
//
// Invariants:
//
//   - No byte is looked at twice to find a line's end, and no byte of a bulk at all: a value of a
//     megabyte that arrives byte by byte costs some 8 ns per byte, as one of a kilobyte does. An
//     incomplete request is kept as offsets, since the caller's buffer may move; they become slices
//     when the request is complete.
//   - Nothing is allocated on the client's word. Room for arguments is made for as many as the
//     bytes that have come can hold, at six bytes each, or for 16, and grows with those that come; an
//     argument is never copied.
//   - An idle parser points into nobody's buffer and holds at most 3 KB, as a rule 200 bytes.
//     Without that, one slice left over from a request would keep a query buffer of 100 MB alive.
//
// Most requests are there as a whole when they are first looked at, and plain. Function quick takes
// those in one pass without writing any state but the slices: 19 ns for a GET, 25 for a SET, 7.7
// per key of a long MGET. When it meets anything else it gives up without a verdict and the
// resumable way starts over, so that everything that is wrong or rare is judged in one place; the
// bytes it has looked at are looked at a second time, once per request. Reading digits by hand is
// what makes it fast: headers have three to five bytes, fewer than a call of bytes.IndexByte is
// worth.
//
// Inline requests are unescaped in place, as words only get shorter: no buffer, no allocation. The
// price is that the bytes of a request that has been returned are not what the client sent.
//
// # Replies
//
// Writer encodes RESP2 through redcon's Append functions, and by hand integers and what only RESP3 has. It
// appends to a chain.Buffer, which begins in the event loop's output and goes on in blocks, and
// never writes to a socket. Handlers say what they mean (Map, Set, Bool, Double, Null), the writer what the client's
// version of the protocol calls that.
package protocol
