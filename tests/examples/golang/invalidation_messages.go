package main

import (
	"context"
	"errors"
	"io"

	"github.com/redis/go-redis/v9"
)

// listeningCache is one process of two levels: it drops its own copy of an entry as soon as somebody
// says on the channel that it has changed. Unlike a lifetime of the copies this leaves no time in
// which a process shows an old value, as long as it is connected.
type listeningCache struct {
	local   map[string]string
	shared  *redis.Client
	changes *redis.PubSub
}

const changedChannel = "changed"

func newListeningCache(ctx context.Context, shared *redis.Client) (*listeningCache, error) {
	c := &listeningCache{local: map[string]string{}, shared: shared, changes: shared.Subscribe(ctx, changedChannel)}
	_, err := c.changes.Receive(ctx) // the subscription stands
	return c, err
}

func (c *listeningCache) get(ctx context.Context, key string) (string, error) {
	if value, ok := c.local[key]; ok {
		return value, nil
	}
	value, err := c.shared.Get(ctx, key).Result()
	c.local[key] = value
	return value, err
}

func (c *listeningCache) set(ctx context.Context, key, value string) (told int64, err error) {
	if err := c.shared.Set(ctx, key, value, 0).Err(); err != nil {
		return 0, err
	}
	return c.shared.Publish(ctx, changedChannel, key).Result()
}

func (c *listeningCache) heed(ctx context.Context) (key string, err error) {
	message, err := c.changes.ReceiveMessage(ctx)
	if err != nil {
		return "", err
	}
	delete(c.local, message.Payload)
	return message.Payload, nil
}

func invalidationMessages(ctx context.Context, cache *redis.Client, out io.Writer) error {
	first, err := newListeningCache(ctx, cache)
	second, err2 := newListeningCache(ctx, cache)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	p := &printer{out: out}
	told, err := first.set(ctx, "page:1", "hello")
	p.line("told of page:1: %d", told)
	_, err2 = first.heed(ctx)
	_, err3 := second.heed(ctx)
	a, err4 := first.get(ctx, "page:1")
	b, err5 := second.get(ctx, "page:1")
	p.line("first: %s", a)
	p.line("second: %s", b)
	told, err6 := first.set(ctx, "page:1", "new")
	p.line("told of page:1: %d", told)
	key, err7 := second.heed(ctx)
	p.line("second drops: %s", key)
	b, err8 := second.get(ctx, "page:1")
	p.line("second: %s", b)
	return errors.Join(err, err2, err3, err4, err5, err6, err7, err8, first.changes.Close(), second.changes.Close(), p.err)
}
