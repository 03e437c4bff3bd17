package protocol

import (
	"bytes"
	"strconv"
	"testing"
)

// request returns args as a RESP array of bulk strings.
func request(args ...string) []byte {
	b := append([]byte{'*'}, strconv.Itoa(len(args))...)
	b = append(b, '\r', '\n')
	for _, a := range args {
		b = append(b, '$')
		b = strconv.AppendInt(b, int64(len(a)), 10)
		b = append(b, '\r', '\n')
		b = append(b, a...)
		b = append(b, '\r', '\n')
	}
	return b
}

func BenchmarkParser(b *testing.B) {
	value := string(bytes.Repeat([]byte{'x'}, 64))
	many := append([]string{"MGET"}, make([]string, 100)...)
	for i := range many[1:] {
		many[i+1] = "key:000000000001"
	}
	for _, c := range []struct {
		name string
		data []byte
	}{
		{"GET", request("GET", "key:000000000001")},
		{"SET64", request("SET", "key:000000000001", value)},
		{"MGET100", request(many...)},
		{"Inline", []byte("GET key:000000000001\r\n")},
	} {
		batch := bytes.Repeat(c.data, 100)
		b.Run(c.name, func(b *testing.B) {
			var p Parser
			lim := &Limits{MaxBulk: DefaultMaxBulk, Authenticated: true}
			b.SetBytes(int64(len(c.data)))
			b.ReportAllocs()
			for i := 0; i < b.N; {
				rest := batch
				for {
					args, n, err := p.Next(rest, lim)
					if err != nil {
						b.Fatal(err)
					}
					if args == nil {
						break
					}
					rest = rest[n:]
					i++
				}
			}
		})
	}
}

// BenchmarkParserDribble feeds a value byte by byte: the cost per byte must not depend on the
// value's size.
func BenchmarkParserDribble(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 20} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			data := request("SET", "k", string(make([]byte, size)))
			var p Parser
			lim := &Limits{MaxBulk: DefaultMaxBulk, Authenticated: true}
			n := 1
			for b.Loop() {
				args, _, err := p.Next(data[:n], lim)
				if err != nil {
					b.Fatal(err)
				}
				if n++; args != nil {
					n = 1
				}
			}
		})
	}
}

func BenchmarkFormatDouble(b *testing.B) {
	var buf [maxDouble]byte
	for b.Loop() {
		FormatDouble(buf[:0], 3.14159)
	}
}
