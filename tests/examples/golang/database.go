package main

import (
	"fmt"
	"io"
)

// database stands in for the slow database behind the cache: a map that counts how often it is
// asked.
type database[T any] struct {
	rows          map[string]T
	reads, writes int
}

func (d *database[T]) read(key string) (row T, ok bool) {
	d.reads++
	row, ok = d.rows[key]
	return row, ok
}

func (d *database[T]) write(key string, row T) {
	d.writes++
	d.rows[key] = row
}

// printer prints lines until one fails, and remembers why.
type printer struct {
	out io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format+"\n", args...)
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
