package syntax

import "strconv"

// token is a kind of token. Below 256 it is a byte that stands for itself.
type token int

const (
	tokAnd token = iota + 257
	tokBreak
	tokDo
	tokElse
	tokElseif
	tokEnd
	tokFalse
	tokFor
	tokFunction
	tokIf
	tokIn
	tokLocal
	tokNil
	tokNot
	tokOr
	tokRepeat
	tokReturn
	tokThen
	tokTrue
	tokUntil
	tokWhile
	tokConcat // what follows is no word
	tokDots
	tokEq
	tokGe
	tokLe
	tokNe
	tokNumber
	tokName
	tokString
	tokEOS
)

// tokens are the texts of the tokens from tokAnd on.
var tokens = [...]string{
	"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local",
	"nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
	"..", "...", "==", ">=", "<=", "~=", "<number>", "<name>", "<string>", "<eof>",
}

// String is what messages call the token.
func (t token) String() string {
	switch {
	case t >= tokAnd:
		return tokens[t-tokAnd]
	case t < ' ' || t == 0x7f:
		return "char(" + strconv.Itoa(int(t)) + ")"
	}
	return string([]byte{byte(t)})
}

// symbol is a word of the source: a reserved one, or a name. There is one symbol per word, so that
// names are compared as addresses.
type symbol struct {
	name     string
	reserved token // 0: a name
	visible  int   // locals of this name that are in scope, in all open functions
}
