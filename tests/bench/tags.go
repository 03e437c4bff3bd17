//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tidwall/redcon"
)

// Tags: larder's own beside the sets of keys that applications keep on Redis.

const (
	tagMembers = 100_000
	tagName    = "tag:all"
	delAtOnce  = 1000 // names in a DEL of who empties a tag by hand
	// lookEvery is the time between two questions whether the keys are gone. Each costs the server some
	// 50 us, as much as a hundred keys: at one a millisecond they were a fifth of what was measured.
	lookEvery = 10 * time.Millisecond
)

func (b *bench) tagFigures() []figure {
	n := b.size(tagMembers, tagMembers/10)
	return []figure{{
		name: "tag-invalidate",
		note: fmt.Sprintf("of %d keys; on Redis SMEMBERS, and DEL of %d at a time. Until the last key is gone", n, delAtOnce),
		measures: []measure{
			{what: "CPU of invalidating a tag", unit: "ms", bars: []bar{ratio(0.3)}},
			{what: "reply to it", unit: "ms", bars: []bar{atMost(1)}, worst: true},
			{what: "until all its keys are gone", unit: "ms"},
		},
		trial: func(s *server) ([]float64, error) {
			if err := s.once("FLUSHALL"); err != nil {
				return nil, err
			}
			if err := s.fillKeys(n, fillPages); err != nil {
				return nil, err
			}
			if err := s.fill(n, tagPages(s.side)); err != nil {
				return nil, err
			}
			return s.invalidate()
		},
	}, b.tagSetFigure(b.size(500_000, 50_000)), b.tagStallFigure(b.size(10_000_000, 50_000))}
}

// tagSetFigure sets n new keys with a time to live and three tags each.
func (b *bench) tagSetFigure(n int) figure {
	return figure{
		name: "tag-set", fresh: true,
		note: "CACHE.SET with EX and TAGS; on Redis SET, three SADD and EXPIRE of the key, in a pipeline",
		measures: []measure{
			{what: "CPU per SET of a key with three tags", unit: "us", bars: []bar{ratio(0.35)}},
			{what: "RSS above empty per key with three tags", unit: "B", bars: []bar{ratio(0.5)}},
		},
		trial: func(s *server) ([]float64, error) {
			empty, err := s.rss()
			if err != nil {
				return nil, err
			}
			cpu, err := s.cpuOf(func() error {
				if s.side == redisSide {
					return s.fill(5*n, tagByHand)
				}
				return s.fill(n, setTagged)
			})
			if err != nil {
				return nil, err
			}
			full, err := s.settledRSS()
			return []float64{cpu.Seconds() * 1e6 / float64(n), perKey(full-empty, n)}, err
		},
	}
}

// tagsOf are three tags of a key: one of few keys, one of many, and one of all.
func tagsOf(i int) [3]string {
	return [...]string{"product:" + strconv.Itoa(i/10), "brand:" + strconv.Itoa(i%500), "pages"}
}

func setTagged(b []byte, i int) []byte {
	b = appendNamed(redcon.AppendBulkString(redcon.AppendArray(b, 10), "CACHE.SET"), "page:", i)
	b = redcon.AppendBulk(b, value[:64])
	for _, word := range []string{"EX", "600", "TAGS", "3"} {
		b = redcon.AppendBulkString(b, word)
	}
	for _, tag := range tagsOf(i) {
		b = redcon.AppendBulkString(b, tag)
	}
	return b
}

// tagByHand is the same in five requests.
func tagByHand(b []byte, i int) []byte {
	i, step := i/5, i%5
	switch step {
	case 0:
		return fillPages(b, i)
	case 4:
		b = appendNamed(redcon.AppendBulkString(redcon.AppendArray(b, 3), "EXPIRE"), "page:", i)
		return redcon.AppendBulkString(b, "600")
	}
	b = redcon.AppendBulkString(redcon.AppendBulkString(redcon.AppendArray(b, 3), "SADD"), "tag:"+tagsOf(i)[step-1])
	return appendNamed(b, "page:", i)
}

// fillPages makes what is to be tagged.
func fillPages(b []byte, i int) []byte {
	b = appendNamed(append(b, "*3\r\n$3\r\nSET\r\n"...), "page:", i)
	return redcon.AppendBulk(b, value[:64])
}

// tagPages gives it a tag.
func tagPages(at side) request {
	return func(b []byte, i int) []byte {
		b = redcon.AppendArray(b, 3)
		if at == redisSide {
			b = redcon.AppendBulkString(redcon.AppendBulkString(b, "SADD"), tagName)
			return appendNamed(b, "page:", i)
		}
		b = appendNamed(redcon.AppendBulkString(b, "CACHE.TAG"), "page:", i)
		return redcon.AppendBulkString(b, tagName)
	}
}

// invalidate takes all keys of the tag: processor time of the server, time of the reply, time in all.
func (s *server) invalidate() ([]float64, error) {
	ctx := context.Background()
	c := redis.NewClient(&redis.Options{Addr: s.addr, ReadTimeout: replyWithin})
	defer c.Close()
	if err := c.Ping(ctx).Err(); err != nil {
		return nil, err
	}
	reply, began := time.Duration(notMeasured), time.Now()
	cpu, err := s.cpuOf(func() (err error) {
		began = time.Now()
		if s.side == redisSide {
			return emptyByHand(ctx, c)
		}
		err = c.Do(ctx, "CACHE.INVALIDATE", tagName).Err()
		reply = time.Since(began)
		for err == nil {
			var left int64
			if left, err = c.DBSize(ctx).Result(); left == 0 {
				break
			}
			time.Sleep(lookEvery)
		}
		return err
	})
	ms := func(d time.Duration) float64 { return d.Seconds() * 1000 }
	if s.side == redisSide {
		return []float64{ms(cpu), notMeasured, ms(time.Since(began))}, err
	}
	return []float64{ms(cpu), ms(reply), ms(time.Since(began))}, err
}

func emptyByHand(ctx context.Context, c *redis.Client) error {
	keys, err := c.SMembers(ctx, tagName).Result()
	if err != nil {
		return err
	}
	p := c.Pipeline()
	for names := range slices.Chunk(keys, delAtOnce) {
		p.Del(ctx, names...)
	}
	p.Del(ctx, tagName)
	_, err = p.Exec(ctx)
	return err
}
