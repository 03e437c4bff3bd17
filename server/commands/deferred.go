package commands

import "github.com/larderkv/larder/protocol"

// moveToFront moves what was written from head on before what was written from
// body on. It serves replies whose number of elements is known only when they
// have been written: elements first, then the header, then this. The header is
// short; the elements are copied once within the buffer.
func moveToFront(w *protocol.Writer, body, head int) {
	var header [64]byte
	b := w.Bytes()[body:]
	n := copy(header[:], b[head-body:])
	copy(b[n:], b[:head-body])
	copy(b, header[:n])
}
