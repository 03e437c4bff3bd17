package netloop

// lentRead is the most that one read appends to a buffer of the session's: what a round's other
// connections may have to wait for, copying and page faults, some 100 us.
const lentRead = 256 << 10

// wanted is what the session says of the request that it has not got all of.
func wanted(s Session) (n int, exact bool) {
	if w, ok := s.(Wanter); ok {
		return w.Want()
	}
	return 0, false
}

// growth is how many bytes the query buffer is to grow by, beside the input that has arrived.
func growth(s Session, arrived, least int) int {
	grow := arrived
	if want, exact := wanted(s); exact {
		grow = min(grow, want)
	}
	return max(grow, least)
}

// lend asks the session for memory to go on in, and copies there what has arrived. It returns nil
// if there is none.
func lend(s Session, arrived []byte) []byte {
	lender, ok := s.(Lender)
	if !ok {
		return nil
	}
	room := lender.Lend(arrived)
	if room == nil {
		return nil
	}
	return append(room[:0], arrived...)
}

// lentRoom is where the next read goes behind the input in a lent buffer that has room. It ends
// with the request at the latest, since what follows may not be in this memory when the request is
// executed.
func lentRoom(s Session, query []byte) []byte {
	want, _ := wanted(s)
	room := query[len(query):cap(query)]
	return room[:min(len(room), lentRead, max(1, want))]
}

// memoryOf is what a query buffer takes. Lent memory is only there where something has been
// received.
func memoryOf(query []byte, lent bool) int {
	if lent {
		return (len(query) + 4095) &^ 4095
	}
	return cap(query)
}
