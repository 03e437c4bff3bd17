package netloop

import "testing"

func TestBuffers(t *testing.T) {
	var p buffers
	for _, n := range []int{1, 256, 257, 4096, 60000, 1 << 16, 1<<16 + 1, 1 << 20} {
		b := p.get(n)
		if len(b) != 0 || cap(b) < n || n > 1<<maxClass && cap(b) > n+n/4 {
			t.Errorf("get(%d) has length %d and room %d", n, len(b), cap(b))
		}
		b = append(b, make([]byte, n)...)
		p.put(b)
		if again := p.get(n); len(again) != 0 || cap(again) < n || n <= 1<<maxClass && &again[:1][0] != &b[0] {
			t.Errorf("get(%d) did not give the buffer back", n)
		}
	}
	p.put(nil)
	p.put(make([]byte, 100))
	p.put(make([]byte, 1000))
	for range 10000 {
		p.put(make([]byte, 256))
		p.put(make([]byte, 1<<maxClass))
	}
	for i, list := range p.free {
		if size := len(list) << (minClass + i); size > keptPerSize {
			t.Errorf("%d bytes are kept in buffers of %d", size, 1<<(minClass+i))
		}
	}
	if n := testing.AllocsPerRun(100, func() { p.put(p.get(5000)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
