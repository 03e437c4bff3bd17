package store

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// receive puts a request with a long value into lent memory, as a connection would,
// and returns the Loan and the value in it. front is what stands before the value.
func receive(t *testing.T, s *Store, front, key, value []byte) (*Loan, []byte) {
	t.Helper()
	l := s.Lend(len(front), len(key), len(value), 256)
	if l == nil {
		t.Fatal("nothing is lent")
	}
	request := l.Request()
	n := copy(request, front)
	n += copy(request[n:], value)
	n += copy(request[n:], "\r\n")
	l.Received(n)
	return l, request[len(front) : len(front)+len(value) : len(front)+len(value)]
}

// front is what SET sends before its value.
func front(key []byte, n int) []byte {
	return fmt.Appendf(nil, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n", len(key), key, n)
}

// setReceived is SetString of a value that was received into a Loan.
func setReceived(t *testing.T, v *View, k Key, value []byte, expire int64) {
	t.Helper()
	l, lent := receive(t, v.Store, front(k.Name, len(value)), k.Name, value)
	v.Loan = l
	v.SetString(k, lent, expire)
	v.Loan = nil
	if l.block != nil {
		t.Error("the value was copied")
	}
	l.Return()
}

// A value that was received in place may grow in place as far as its block goes, and no
// further: what lies behind it is another's.
func TestGrowReceivedValue(t *testing.T) {
	for _, enough := range []int{0, 1, 8, 64, 1000} {
		s := testStore(t)
		v := &View{Store: s, Now: evictStart}
		a, b := s.Key([]byte("a")), s.Key([]byte("b"))
		const block = 1 << 20
		value := bytes.Repeat([]byte{'x'}, block-2000)
		setReceived(t, v, a, value, 0)
		v.SetString(b, value, 0)
		whole := block - recordSize(1, block, false) + block - enough // as long as the size class would have it
		more := bytes.Repeat([]byte{'y'}, whole-len(value))
		if _, err := v.Append(a, more, testMaxLen); err != nil {
			t.Fatal(err)
		}
		for k, want := range map[*Key][]byte{&a: append(value, more...), &b: value} {
			if got, ok, err := v.GetString(*k); err != nil || !ok || !bytes.Equal(got, want) {
				t.Errorf("%s has %d bytes, %v, %v; want %d", k.Name, len(got), ok, err, len(want))
			}
		}
		checkAtRest(t, s)
	}
}

// Whatever is received, under a key of any length and a guess at it that may be wrong,
// is what is stored, with a TTL and without, over any other value; and where the guess
// was right nothing is copied.
func TestReceivedValues(t *testing.T) {
	rng := randtest.New(t)
	s := testStore(t)
	v := &View{Store: s, Now: evictStart}
	copied := 0
	for i := range 500 {
		k := s.Key(bytes.Repeat([]byte{'k'}, 1+rng.IntN(1<<rng.IntN(11))))
		value := bytes.Repeat([]byte{byte(i)}, 20_000+rng.IntN(1<<rng.IntN(21)))
		expire := []int64{0, KeepTTL, evictStart + 1000}[rng.IntN(3)]
		before := front(k.Name, len(value))
		before = append(before, make([]byte, rng.IntN(1<<rng.IntN(12)))...)
		guess := k.Name
		if rng.IntN(3) == 0 {
			guess = make([]byte, rng.IntN(100))
		}
		switch rng.IntN(4) {
		case 0:
			v.Delete(k)
		case 1:
			v.SetString(k, make([]byte, rng.IntN(3*len(value))), expire)
		}
		l, lent := receive(t, s, before, guess, value)
		v.Loan = l
		v.SetString(k, lent, expire)
		v.Loan = nil
		if l.block != nil {
			if copied++; len(guess) == len(k.Name) {
				t.Errorf("a value of %d under a key of %d, %d bytes in front, was copied", len(value), len(k.Name), len(before))
			}
		}
		l.Return()
		if got, ok, err := v.GetString(k); err != nil || !ok || !bytes.Equal(got, value) {
			t.Fatalf("step %d: %d bytes, %v, %v; want %d", i, len(got), ok, err, len(value))
		}
	}
	if copied == 0 || copied > 200 {
		t.Errorf("%d of 500 values were copied", copied)
	}
	checkAtRest(t, s)
}
