package top

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/larderkv/larder/cmd/client"
)

// readTimeout bounds a reading: a server that takes longer counts as lost.
const readTimeout = 5 * time.Second

// source asks a server.
type source struct {
	client *redis.Client
	whole  bool // it takes one section of INFO at a time, as Redis before 7.0
}

// read asks for the figures of INFO and for the rows of a view, if it has a command of its own. What
// the server refuses of a view is part of the reading; an error is a server that cannot be read.
func (s *source) read(ctx context.Context, v *view) (*reading, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	sent := time.Now()
	text, err := s.info(ctx)
	if err != nil {
		return nil, err
	}
	r := &reading{at: time.Now(), info: client.ParseInfo(text)}
	r.trip = r.at.Sub(sent)
	if v == nil || v.ask == nil {
		return r, nil
	}
	r.view = v.key
	r.reply, r.refused = s.client.Do(ctx, v.ask...).Result()
	if r.refused != nil && !isReply(r.refused) {
		return nil, r.refused
	}
	return r, nil
}

func (s *source) info(ctx context.Context) (string, error) {
	if !s.whole {
		text, err := s.client.Info(ctx, "server", "clients", "memory", "stats",
			"replication", "commandstats", "latencystats", "keyspace").Result()
		if err == nil || !isReply(err) || !strings.Contains(err.Error(), "syntax error") {
			return text, err
		}
		s.whole = true
	}
	return s.client.Info(ctx, "all").Result()
}

// isReply reports whether an error is what the server said, and not a fault of the connection.
func isReply(err error) bool {
	var e redis.Error
	return errors.As(err, &e)
}

// unknown reports whether the server does not have the command.
func unknown(err error) bool {
	return strings.HasPrefix(err.Error(), "ERR unknown command") ||
		strings.HasPrefix(err.Error(), "ERR unknown subcommand")
}

// array is a reply that is a list, nil for any other.
func array(reply any) []any {
	a, _ := reply.([]any)
	return a
}
