package protocol

// Error is a request that breaks the protocol. Its text is Redis', without the leading "ERR ". The
// connection cannot be used after it: where the next request starts is unknown.
type Error struct{ text string }

// Error returns Redis' text, which starts with "Protocol error: ".
func (e *Error) Error() string { return e.text }

var (
	errBigInline    = &Error{"Protocol error: too big inline request"}
	errQuotes       = &Error{"Protocol error: unbalanced quotes in request"}
	errBigCount     = &Error{"Protocol error: too big mbulk count string"}
	errCount        = &Error{"Protocol error: invalid multibulk length"}
	errUnauthCount  = &Error{"Protocol error: unauthenticated multibulk length"}
	errBigLength    = &Error{"Protocol error: too big bulk count string"}
	errLength       = &Error{"Protocol error: invalid bulk length"}
	errUnauthLength = &Error{"Protocol error: unauthenticated bulk length"}
)

func errNoDollar(got byte) *Error {
	return &Error{"Protocol error: expected '$', got '" + string([]byte{got}) + "'"}
}
