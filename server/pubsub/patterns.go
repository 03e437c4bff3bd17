// The index of patterns.
//
// Ten thousand patterns must not cost a publisher ten thousand matches. Most patterns begin or end
// with literal bytes ("user:17:*", "*.created", "room:*:typing"): a channel that does not begin and
// end with them does not match. The lengths of both, up to longestKey each, are the pattern's shape,
// and the bytes themselves its key. Per shape there is a map from keys to patterns. So a channel is
// looked up once per shape, by the bytes that it has in the places of the key, and compared with the
// patterns that it finds there alone.
//
// There are few shapes: patterns are made by programs. At worst there are as many as patterns, or
// (longestKey+1)^2, and a look-up costs about as much as a match. Patterns that begin and end with
// wildcards share the empty key and are all compared. A radix tree would find all prefixes in one
// walk, but not the suffixes.

package pubsub

import "github.com/larderkv/larder/store/lex"

// longestKey is how many bytes at the beginning and at the end of a pattern are in its key.
const longestKey = 32

// index finds the patterns that match a channel. It is for one goroutine while it is changed.
type index struct {
	shapes  []*shape
	entries []entry // by topic
}

// shape is the patterns with so many literal bytes at the beginning and the end.
type shape struct {
	prefix, suffix int
	patterns       map[string][]uint32 // topics by key
}

// entry is where a pattern stands.
type entry struct {
	pattern *lex.Pattern
	shape   *shape
	at      int // in the list of its key
}

// key appends the bytes that a pattern or channel has in the places of the shape's key.
func (s *shape) key(buf, prefix, suffix []byte) []byte {
	return append(append(buf, prefix[:s.prefix]...), suffix[len(suffix)-s.suffix:]...)
}

// add enters a topic's pattern.
func (x *index) add(topic uint32, p *lex.Pattern) {
	prefix, suffix := p.Prefix(), p.Suffix()
	s := x.shape(min(len(prefix), longestKey), min(len(suffix), longestKey))
	key := string(s.key(nil, prefix, suffix))
	for int(topic) >= len(x.entries) {
		x.entries = append(x.entries, entry{})
	}
	x.entries[topic] = entry{p, s, len(s.patterns[key])}
	s.patterns[key] = append(s.patterns[key], topic)
}

// shape finds a shape, or makes it.
func (x *index) shape(prefix, suffix int) *shape {
	for _, s := range x.shapes {
		if s.prefix == prefix && s.suffix == suffix {
			return s
		}
	}
	s := &shape{prefix, suffix, make(map[string][]uint32)}
	x.shapes = append(x.shapes, s)
	return s
}

// remove takes a topic's pattern out.
func (x *index) remove(topic uint32) {
	e := x.entries[topic]
	x.entries[topic] = entry{}
	s := e.shape
	var buf [2 * longestKey]byte
	key := string(s.key(buf[:0], e.pattern.Prefix(), e.pattern.Suffix()))
	list := s.patterns[key]
	last := list[len(list)-1]
	list = list[:len(list)-1]
	if last != topic {
		list[e.at] = last
		x.entries[last].at = e.at
	}
	if len(list) > 0 {
		s.patterns[key] = list
		return
	}
	if delete(s.patterns, key); len(s.patterns) > 0 {
		return
	}
	for i := range x.shapes {
		if x.shapes[i] == s {
			x.shapes[i] = x.shapes[len(x.shapes)-1]
			x.shapes[len(x.shapes)-1] = nil
			x.shapes = x.shapes[:len(x.shapes)-1]
			break
		}
	}
	if len(x.shapes) == 0 {
		*x = index{}
	}
}

// match calls each with the topics whose patterns match a channel.
func (x *index) match(channel []byte, each func(topic uint32)) {
	var buf [2 * longestKey]byte
	for _, s := range x.shapes {
		if len(channel) < s.prefix+s.suffix {
			continue
		}
		for _, topic := range s.patterns[string(s.key(buf[:0], channel, channel))] {
			if x.entries[topic].pattern.Match(channel) {
				each(topic)
			}
		}
	}
}
