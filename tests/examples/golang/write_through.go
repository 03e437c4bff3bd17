package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/redis/go-redis/v9"
)

// writeThrough: each write goes to the database and the cache together, so that a read always finds
// the latest value. For profiles and settings, where a stale answer right after saving would be
// noticed.
func writeThrough(ctx context.Context, cache *redis.Client, out io.Writer) error {
	const key = "profile:7"
	type profile struct{ Name, City string }
	db := &database[profile]{rows: map[string]profile{key: {"Ada", "London"}}}
	keep := func(p profile) error {
		text, err := json.Marshal(p)
		if err != nil {
			return err
		}
		return cache.Set(ctx, key, text, time.Hour).Err()
	}
	load := func() (p profile, err error) {
		cached, err := cache.Get(ctx, key).Bytes()
		if errors.Is(err, redis.Nil) {
			p, _ = db.read(key)
			return p, keep(p)
		}
		if err != nil {
			return p, err
		}
		err = json.Unmarshal(cached, &p)
		return p, err
	}
	save := func(change func(*profile)) error {
		p, err := load()
		if err != nil {
			return err
		}
		change(&p)
		db.write(key, p)
		return keep(p)
	}
	if err := save(func(p *profile) { p.City = "Paris" }); err != nil {
		return err
	}
	if err := save(func(p *profile) { p.Name = "Ada L." }); err != nil {
		return err
	}
	row, err := load()
	p := &printer{out: out}
	p.line("read: %s, %s", row.Name, row.City)
	p.line("same in the database: %s", yesNo(db.rows[key] == row))
	p.line("database reads: %d", db.reads)
	p.line("database writes: %d", db.writes)
	return errors.Join(err, p.err)
}
