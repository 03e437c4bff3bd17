package codec

import "github.com/larderkv/larder/server/lua"

// buffer is a result under way. It begins with the memory of the last one.
type buffer struct {
	thread *lua.Thread
	libs   *Libraries
	bytes  []byte
}

func (b *buffer) len() int { return len(b.bytes) }

// room makes room for n more bytes. What follows may append as many without a look.
func (b *buffer) room(n int) error {
	if cap(b.bytes)-len(b.bytes) >= n {
		return nil
	}
	size := max(len(b.bytes)+n, cap(b.bytes)+cap(b.bytes)/2, 256)
	// Twice: the string that is made of the buffer in the end is a copy.
	if err := b.thread.Reserve(2 * size); err != nil {
		return err
	}
	grown := make([]byte, len(b.bytes), size)
	copy(grown, b.bytes)
	b.bytes = grown
	b.keep()
	return nil
}

// keep hands the memory over to the next result, unless it is too large for that.
func (b *buffer) keep() {
	if cap(b.bytes) <= keptBuffer {
		b.libs.buf = b.bytes[:0]
	}
}

// zeros appends n zero bytes.
func (b *buffer) zeros(n int) {
	for range n {
		b.bytes = append(b.bytes, 0)
	}
}

// push pushes the bytes as a string: what a native ends with.
func (b *buffer) push() (int, error) {
	s, err := b.thread.MakeString(string(b.bytes))
	if err != nil {
		return 0, err
	}
	return b.thread.Return(s.Value())
}
