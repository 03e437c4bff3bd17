package chain

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// account is an Owner that adds up, and refuses from some size on.
type account struct{ held, most int }

func (a *account) Grow(n, _ int) bool {
	if a.most > 0 && a.held+n > a.most {
		return false
	}
	a.held += n
	return true
}

func (a *account) Shrink(n, _ int) { a.held -= n }

// checkClosed closes the pool when all of its blocks have been given back.
func checkClosed(t *testing.T, p *Pool) {
	t.Helper()
	p.freeing.Wait()
	if used, leaving := p.Used(); used != 0 || leaving != 0 {
		t.Errorf("%d bytes are in use, %d are leaving", used, leaving)
	}
	free, mapped := p.warmLen, len(p.regions)*regionBlocks
	for b := p.cold; b != nil; b = b.next {
		free++
	}
	if free != mapped {
		t.Errorf("%d blocks of %d were given back", free, mapped)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// all is what Take returns, in one slice; it gives the blocks back as a client does.
func all(t *testing.T, r *rand.Rand, b *Buffer, a *account) []byte {
	t.Helper()
	lead, rest, whole := b.Take()
	if !whole {
		t.Fatal("not whole")
	}
	if rest.Held() != a.held {
		t.Fatalf("%d bytes of blocks, %d in the account", rest.Held(), a.held)
	}
	out := append([]byte(nil), lead...)
	if rest.Len() != b.Len()-len(lead) {
		t.Fatalf("%d bytes in the chain, want %d", rest.Len(), b.Len()-len(lead))
	}
	for rest.Len() > 0 {
		var list [3][]byte
		sent := 0
		for _, p := range rest.Pieces(list[:0], 1+r.IntN(300_000)) {
			out = append(out, p...)
			sent += len(p)
		}
		if r.IntN(2) == 0 { // the kernel takes a part
			back := r.IntN(sent)
			sent, out = sent-back, out[:len(out)-back]
		}
		rest.Drop(sent)
	}
	if rest.Held() != 0 {
		t.Fatalf("%d bytes are still held", rest.Held())
	}
	a.held = 0
	return out
}

// TestBufferIsASlice: whatever is written, taken back and moved, a Buffer holds what a slice does,
// and its owner knows its blocks to the byte.
func TestBufferIsASlice(t *testing.T) {
	r := rand.New(rand.NewPCG(randtest.Seed(t), 0))
	pool := NewPool()
	text := make([]byte, 200_000)
	for i := range text {
		text[i] = byte(r.Uint32())
	}
	var b Buffer
	for range 300 {
		var model []byte
		a := &account{}
		b.Lend(make([]byte, 0, r.IntN(2)*r.IntN(70_000)), pool, a)
		for range r.IntN(60) {
			step(r, &b, &model, text)
			if b.Len() != len(model) {
				t.Fatalf("Len is %d, want %d", b.Len(), len(model))
			}
		}
		if !bytes.Equal(b.Bytes(), model) {
			t.Fatal("Bytes differs")
		}
		if got := all(t, r, &b, a); !bytes.Equal(got, model) {
			t.Fatalf("%d bytes differ from %d", len(got), len(model))
		}
	}
	checkClosed(t, pool)
}

// step does one thing to a Buffer and to its model.
func step(r *rand.Rand, b *Buffer, model *[]byte, text []byte) {
	p := text[:r.IntN(1<<r.IntN(18))]
	switch r.IntN(6) {
	case 0:
		p = p[:min(len(p), scratchSize)]
		b.Put(append(b.Room(len(p)), p...))
	case 1:
		b.WriteString(string(p))
	case 2:
		n := r.IntN(len(*model) + 1)
		b.Truncate(n)
		*model = (*model)[:n]
		return
	case 3:
		body := b.Len()
		b.Write(p)
		head := b.Len()
		h := text[100:][:r.IntN(mostMoved+1)]
		b.Write(h)
		b.MoveToFront(body, head)
		*model = append(append(*model, h...), p...)
		return
	default:
		b.Write(p)
	}
	*model = append(*model, p...)
}

// TestCounting: what may not be kept is counted, and Truncate forgets it.
func TestCounting(t *testing.T) {
	pool := NewPool()
	a := &account{}
	var b Buffer
	b.Lend(make([]byte, 0, 100), pool, a)
	b.Allow(func(n int) bool { return a.held+n <= 2*blockSize })
	b.Write(make([]byte, 50))
	b.Write(make([]byte, 3*blockSize))
	b.WriteString("abc")
	b.Put(append(b.Room(10), "defg"...))
	body := b.Len()
	b.Write(make([]byte, 1000))
	head := b.Len()
	b.Put(append(b.Room(10), "*1\r\n"...))
	b.MoveToFront(body, head)
	if want := 50 + 3*blockSize + 7 + 1004; b.Len() != want || !b.Counting() || b.Refused() {
		t.Errorf("Len is %d, want %d", b.Len(), want)
	}
	b.Truncate(50 + 3*blockSize)
	if b.Len() != 50+3*blockSize || !b.Counting() {
		t.Errorf("Len is %d after a Truncate of what was not kept", b.Len())
	}
	b.Truncate(50)
	b.WriteString("-OOM")
	if b.Counting() || b.Len() != 54 || a.held != 0 {
		t.Errorf("Len is %d, %d bytes are held after a Truncate of all", b.Len(), a.held)
	}
	b.Allow(nil)
	a.most = blockSize
	b.Write(make([]byte, 3*blockSize))
	b.Truncate(10)
	if _, rest, whole := b.Take(); whole || !b.Refused() {
		t.Error("the owner has refused a block")
	} else {
		rest.Free()
	}
	checkClosed(t, pool)
}

func TestChainWrite(t *testing.T) {
	r := rand.New(rand.NewPCG(randtest.Seed(t), 0))
	pool := NewPool()
	var c, other Chain
	var model []byte
	for range 500 {
		p := bytes.Repeat([]byte{byte(r.Uint32())}, r.IntN(100_000))
		switch r.IntN(3) {
		case 0:
			c.Write(pool, p)
			model = append(model, p...)
		case 1:
			other.Write(pool, p)
			c.Join(&other)
			model = append(model, p...)
		case 2:
			var list [4][]byte
			n := 0
			for _, got := range c.Pieces(list[:0], r.IntN(200_000)) {
				if !bytes.Equal(got, model[n:n+len(got)]) {
					t.Fatal("other bytes")
				}
				n += len(got)
			}
			c.Drop(n)
			model = model[n:]
		}
		if c.Len() != len(model) || c.Held() < c.Len() {
			t.Fatalf("%d bytes of %d in %d", c.Len(), len(model), c.Held())
		}
	}
	c.Free()
	checkClosed(t, pool)
}

func TestNoAllocations(t *testing.T) {
	pool := NewPool()
	defer checkClosed(t, pool)
	a := &account{}
	b := new(Buffer)
	room, value := make([]byte, 0, 1000), make([]byte, 300_000)
	if n := testing.AllocsPerRun(100, func() {
		b.Lend(room, pool, a)
		b.Write(value[:10])
		b.Write(value)
		b.MoveToFront(0, b.Len()-5)
		b.Truncate(200_000)
		_, rest, _ := b.Take()
		rest.Free()
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
