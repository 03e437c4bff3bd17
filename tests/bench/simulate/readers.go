package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// blockBytes is the size of an object in traces that have none: they are traces of disks.
const blockBytes = 4096

// maxRequests bounds a trace: requests are numbered in 32 bits.
const maxRequests = never - 1

// readTrace reads a file in one of the formats below, at most limit requests unless that is 0.
func readTrace(path string, limit int) (t *trace, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return parseTrace(f, path, limit)
}

// parseTrace reads a trace. The first line that says something tells the format:
//
//	libCacheSim's csv   time,obj_id,obj_size[,next_access_vtime] after a header or not; times in seconds, sizes in bytes
//	ARC                 start count ignored number: a request for count blocks from start on
//	LIRS                a block per line; lines of * alone, and empty ones, say nothing
//
// Errors name the file and the line.
func parseTrace(r io.Reader, path string, limit int) (*trace, error) {
	p := &parser{
		trace: &trace{name: filepath.Base(path), about: "read from " + filepath.Base(path)},
		names: make(map[string]uint32), limit: limit,
	}
	if limit <= 0 {
		p.limit = maxRequests
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	number := 0
	for lines.Scan() && !p.full() {
		number++
		line := strings.TrimSpace(lines.Text())
		if line == "" || line == "*" {
			continue
		}
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", path, number+1, err)
	}
	if len(p.trace.ids) == 0 {
		return nil, fmt.Errorf("%s: no requests", path)
	}
	return p.trace, nil
}

type parser struct {
	trace  *trace
	format func(p *parser, line string) error
	names  map[string]uint32
	limit  int
}

func (p *parser) full() bool { return len(p.trace.ids) >= p.limit }

func (p *parser) line(line string) error {
	if p.format == nil {
		switch fields := len(strings.Fields(line)); {
		case strings.Contains(line, ","):
			p.format = (*parser).csv
			if strings.HasPrefix(line, "time,") {
				return nil
			}
		case fields == 4:
			p.format = (*parser).arc
		case fields == 1:
			p.format = (*parser).lirs
		default:
			return fmt.Errorf("%d fields; expected a line of csv, four numbers (ARC) or one (LIRS)", fields)
		}
	}
	return p.format(p, line)
}

func (p *parser) csv(line string) error {
	fields := strings.Split(line, ",")
	if len(fields) != 3 && len(fields) != 4 {
		return fmt.Errorf("%d columns; expected time,obj_id,obj_size[,next_access_vtime]", len(fields))
	}
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	at, err := strconv.ParseFloat(fields[0], 64)
	if err != nil || !(at >= 0 && at < 1<<40) {
		return fmt.Errorf("time %q is not a number of seconds", fields[0])
	}
	if fields[1] == "" {
		return errors.New("obj_id is empty")
	}
	size, err := strconv.ParseUint(fields[2], 10, 31)
	if err != nil {
		return fmt.Errorf("obj_size %q is not a number of bytes below 2^31", fields[2])
	}
	if len(fields) == 4 {
		if _, err := strconv.ParseInt(fields[3], 10, 64); err != nil {
			return fmt.Errorf("next_access_vtime %q is not an integer", fields[3])
		}
	}
	ms := int64(at * 1000)
	if n := len(p.trace.times); n > 0 && ms < p.trace.times[n-1] {
		return fmt.Errorf("time %s is before the line above", fields[0])
	}
	p.trace.times = append(p.trace.times, ms)
	p.request(fields[1], uint32(size))
	return nil
}

func (p *parser) arc(line string) error {
	fields := strings.Fields(line)
	if len(fields) != 4 {
		return fmt.Errorf("%d fields; expected start count ignored number", len(fields))
	}
	var values [4]uint64
	for i, f := range fields {
		v, err := strconv.ParseUint(f, 10, 63)
		if err != nil {
			return fmt.Errorf("%q is not an unsigned integer", f)
		}
		values[i] = v
	}
	start, count := values[0], values[1]
	if count > 1<<24 {
		return fmt.Errorf("%d blocks in one request", count)
	}
	for block := start; block < start+count && !p.full(); block++ {
		p.request(strconv.FormatUint(block, 10), blockBytes)
	}
	return nil
}

func (p *parser) lirs(line string) error {
	if _, err := strconv.ParseUint(line, 10, 64); err != nil {
		return fmt.Errorf("%q is not the number of a block", line)
	}
	p.request(line, blockBytes)
	return nil
}

// request adds a request and numbers its object.
func (p *parser) request(name string, bytes uint32) {
	id, known := p.names[name]
	if !known {
		id = uint32(len(p.names))
		p.names[strings.Clone(name)] = id
		p.trace.bytes = append(p.trace.bytes, bytes)
	}
	p.trace.ids = append(p.trace.ids, id)
}
