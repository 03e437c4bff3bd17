package rdb

// The grammar of values, as far as it takes to find their ends.

// skipValue passes over a value of the given shape. It returns the number of
// elements where the format tells it without a look inside, else 0.
func (w *window) skipValue(typ byte, s shape) (elements uint64, ok bool) {
	switch s {
	case shapeString:
		return 0, w.skipString()
	case shapeTTLPack:
		return 0, w.skip(8) && w.skipString()
	case shapeStream:
		return w.skipStream(typ)
	case shapeModule:
		return 0, w.skipModuleID() && w.skipModule()
	}
	l := &layouts[s]
	if l.skip == nil {
		return 0, w.fail(w.offset(), "unknown type of a value")
	}
	if !w.skip(uint64(l.lead)) {
		return 0, false
	}
	return w.skipElements(l.size, func() bool { return l.skip(w) })
}

// skipElements passes over a count and as many elements, each of at least size
// bytes.
func (w *window) skipElements(size uint64, skip func() bool) (n uint64, ok bool) {
	n, ok = w.count(size)
	for i := uint64(0); ok && i < n; i++ {
		ok = skip()
	}
	return n, ok
}

func (w *window) skipNumber() bool {
	_, ok := w.number()
	return ok
}

func (w *window) skipNumbers(n int) bool {
	for ; n > 0; n-- {
		if !w.skipNumber() {
			return false
		}
	}
	return true
}

func (w *window) skipStrings(n int) bool {
	for ; n > 0; n-- {
		if !w.skipString() {
			return false
		}
	}
	return true
}

func (w *window) skipPair() bool { return w.skipStrings(2) }

func (w *window) skipTTLField() bool { return w.skipNumber() && w.skipStrings(2) }

// skipScore passes over a number in text: its length, or 253 to 255 for nan and
// the infinities.
func (w *window) skipScore() bool {
	n, ok := w.byte()
	return ok && (n >= 253 || w.skip(uint64(n)))
}

func (w *window) skipModuleID() (ok bool) {
	w.module, ok = w.number()
	return ok
}

// moduleName is the type's name that a module ID holds: nine characters of six
// bits in front of ten bits of version.
func moduleName(id uint64) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var name [9]byte
	for i := range name {
		name[i] = alphabet[id>>(58-6*i)&0x3F]
	}
	return string(name[:])
}

// Parts of module values.
const (
	moduleEOF = iota
	moduleSigned
	moduleUnsigned
	moduleFloat
	moduleDouble
	moduleString
)

// skipModule passes over the parts of a module's value up to its end mark.
func (w *window) skipModule() bool {
	for {
		op, ok := w.number()
		if !ok {
			return false
		}
		switch op {
		case moduleEOF:
			return true
		case moduleSigned, moduleUnsigned:
			ok = w.skipNumber()
		case moduleFloat:
			ok = w.skip(4)
		case moduleDouble:
			ok = w.skip(8)
		case moduleString:
			ok = w.skipString()
		default:
			ok = w.fail(w.offset()-1, "unknown part of a module's value")
		}
		if !ok {
			return false
		}
	}
}

// Sizes in streams.
const (
	streamID   = 16
	streamTime = 8
)

// skipStream passes over a stream: listpacks by their first ID, the number of
// entries, the last ID, since version 2 three numbers more about IDs and one of
// entries, and consumer groups.
func (w *window) skipStream(typ byte) (elements uint64, ok bool) {
	if _, ok = w.skipElements(2, func() bool { return w.skipStrings(2) }); !ok {
		return 0, false
	}
	if elements, ok = w.number(); !ok {
		return 0, false
	}
	numbers := 2 // the last ID
	if typ != typeStream {
		numbers += 2 + 2 + 1 // first ID, highest deleted ID, entries ever added
	}
	if !w.skipNumbers(numbers) {
		return 0, false
	}
	_, ok = w.skipElements(5, func() bool { return w.skipGroup(typ) })
	return elements, ok
}

// skipGroup passes over a consumer group: name, last ID, since version 2 the
// number of entries read, pending entries, consumers.
func (w *window) skipGroup(typ byte) bool {
	numbers := 2
	if typ != typeStream {
		numbers++
	}
	if !w.skipString() || !w.skipNumbers(numbers) {
		return false
	}
	_, ok := w.skipElements(streamID+streamTime+1, func() bool { return w.skip(streamID+streamTime) && w.skipNumber() })
	if !ok {
		return false
	}
	_, ok = w.skipElements(1+streamTime+1, func() bool { return w.skipConsumer(typ) })
	return ok
}

// skipConsumer passes over a consumer: name, when it was seen, since version 3
// when it was active, and the IDs it has pending.
func (w *window) skipConsumer(typ byte) bool {
	times := uint64(streamTime)
	if typ == typeStream3 {
		times += streamTime
	}
	if !w.skipString() || !w.skip(times) {
		return false
	}
	_, ok := w.skipElements(streamID, func() bool { return w.skip(streamID) })
	return ok
}
