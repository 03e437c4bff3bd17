// Package lex holds Redis' lexical rules: what counts as an integer, what
// counts as a float and how one is printed, how glob patterns match, and how a
// pair of offsets selects a part of a string.
//
// Every function here is visible to clients: the text of a counter after
// INCRBYFLOAT, the keys that KEYS finds, whether "007" is a number. The rules
// are those of Redis' util.c on x86-64 Linux in the C locale, which is what
// nearly every Redis that clients have met runs on; where C leaves something
// to the machine (char is signed, long double has 64 bits of mantissa) the
// x86-64 answer is the one reproduced. The package knows no data type and no
// protocol, and keeps no state.
package lex
