package clients

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/valkey-io/valkey-go"

	"github.com/larderkv/larder/tests/harness"
)

// TestGoRedisPubSub: go-redis' subscriptions, which it takes up again on a new connection when the
// old one is lost.
func TestGoRedisPubSub(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		for protocol := 2; protocol <= 3; protocol++ {
			t.Run(fmt.Sprintf("RESP%d", protocol), func(t *testing.T) {
				t.Parallel()
				s := harness.Start(t, "network-driver "+driver)
				c := goRedis(t, s, protocol)
				t.Run("channels", func(t *testing.T) { goRedisChannels(t, c) })
				t.Run("shard channels", func(t *testing.T) { goRedisShardChannels(t, c) })
				t.Run("reconnects", func(t *testing.T) { goRedisReconnects(t, c) })
				t.Run("keyspace notifications", func(t *testing.T) { goRedisNotifications(t, c) })
			})
		}
	})
}

// receives compares what a subscription gets next, confirmations included.
func receives(t *testing.T, p *redis.PubSub, want ...any) {
	t.Helper()
	for _, w := range want {
		got, err := p.ReceiveTimeout(t.Context(), patience)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(w, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

func goRedisChannels(t *testing.T, c *redis.Client) {
	ctx := t.Context()
	p := c.Subscribe(ctx, "a", "b")
	defer func() { _ = p.Close() }()
	receives(t, p, &redis.Subscription{Kind: "subscribe", Channel: "a", Count: 1}, &redis.Subscription{Kind: "subscribe", Channel: "b", Count: 2})
	if err := p.PSubscribe(ctx, "n[ae]ws:*"); err != nil {
		t.Fatal(err)
	}
	receives(t, p, &redis.Subscription{Kind: "psubscribe", Channel: "n[ae]ws:*", Count: 3})
	is(t, map[string]int64{"a": 1, "b": 1, "none": 0})(c.PubSubNumSub(ctx, "a", "b", "none").Result())
	is(t, int64(1))(c.PubSubNumPat(ctx).Result())
	is(t, int64(1))(c.Publish(ctx, "a", "one").Result())
	is(t, int64(0))(c.Publish(ctx, "none", "lost").Result())
	is(t, int64(1))(c.Publish(ctx, "news:x", "two").Result())
	receives(t, p, &redis.Message{Channel: "a", Payload: "one"}, &redis.Message{Channel: "news:x", Pattern: "n[ae]ws:*", Payload: "two"})
	if err := errors.Join(p.Ping(ctx, "here"), p.Unsubscribe(ctx, "a"), p.PUnsubscribe(ctx)); err != nil {
		t.Fatal(err)
	}
	receives(t, p, &redis.Pong{Payload: "here"}, &redis.Subscription{Kind: "unsubscribe", Channel: "a", Count: 2},
		&redis.Subscription{Kind: "punsubscribe", Channel: "n[ae]ws:*", Count: 1})
	is(t, []string{"b"})(c.PubSubChannels(ctx, "*").Result())
	const many = 1000
	pipe := c.Pipeline()
	for i := range many {
		pipe.Publish(ctx, "b", i)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range many {
		receives(t, p, &redis.Message{Channel: "b", Payload: strconv.Itoa(i)})
	}
}

func goRedisShardChannels(t *testing.T, c *redis.Client) {
	ctx := t.Context()
	p := c.SSubscribe(ctx, "s")
	defer func() { _ = p.Close() }()
	receives(t, p, &redis.Subscription{Kind: "ssubscribe", Channel: "s", Count: 1})
	is(t, int64(1))(c.SPublish(ctx, "s", "one").Result())
	is(t, int64(0))(c.Publish(ctx, "s", "another kind").Result())
	is(t, []string{"s"})(c.PubSubShardChannels(ctx, "*").Result())
	is(t, map[string]int64{"s": 1})(c.PubSubShardNumSub(ctx, "s").Result())
	receives(t, p, &redis.Message{Channel: "s", Payload: "one"})
	if err := p.SUnsubscribe(ctx, "s"); err != nil {
		t.Fatal(err)
	}
	receives(t, p, &redis.Subscription{Kind: "sunsubscribe", Channel: "s", Count: 0})
}

// goRedisReconnects kills the subscriber's connection: the channel it reads from goes on.
func goRedisReconnects(t *testing.T, c *redis.Client) {
	ctx := t.Context()
	p := c.Subscribe(ctx, "events")
	defer func() { _ = p.Close() }()
	receives(t, p, &redis.Subscription{Kind: "subscribe", Channel: "events", Count: 1})
	messages := p.Channel()
	for round := range 3 {
		is(t, int64(1))(c.ClientKillByFilter(ctx, "TYPE", "pubsub").Result())
		harness.Eventually(t, patience, "the subscriber is back", func() bool {
			return must[int64](t)(c.Publish(ctx, "events", round).Result()) == 1
		})
		select {
		case m := <-messages:
			if m.Payload != strconv.Itoa(round) {
				t.Errorf("%v", m)
			}
		case <-time.After(patience):
			t.Fatal("no message after the connection was lost")
		}
	}
}

func goRedisNotifications(t *testing.T, c *redis.Client) {
	ctx := t.Context()
	if err := c.ConfigSet(ctx, "notify-keyspace-events", "KEA").Err(); err != nil {
		t.Fatal(err)
	}
	p := c.PSubscribe(ctx, "__keyspace@0__:user:*", "__keyevent@*__:expired")
	defer func() { _ = p.Close() }()
	receives(t, p, &redis.Subscription{Kind: "psubscribe", Channel: "__keyspace@0__:user:*", Count: 1},
		&redis.Subscription{Kind: "psubscribe", Channel: "__keyevent@*__:expired", Count: 2})
	key := func(event string) any {
		return &redis.Message{Pattern: "__keyspace@0__:user:*", Channel: "__keyspace@0__:user:1", Payload: event}
	}
	_, err := c.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.HSet(ctx, "user:1", "name", "Ada")
		pipe.HDel(ctx, "user:1", "none")
		pipe.Del(ctx, "user:1")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	receives(t, p, key("hset"), key("del"))
	if err := c.Set(ctx, "user:1", "v", 30*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	receives(t, p, key("set"), key("expire"), key("expired"),
		&redis.Message{Pattern: "__keyevent@*__:expired", Channel: "__keyevent@0__:expired", Payload: "user:1"})
}

// subscriber is what rueidis and valkey-go, which comes from it, have in common.
type subscriber struct {
	receive func(ctx context.Context, command, to string, got func(channel, pattern, message string)) error
	publish func(ctx context.Context, command, channel, message string) (int64, error)
}

// TestRueidisPubSub: both libraries' subscriptions.
func TestRueidisPubSub(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver)
		for _, resp2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("rueidis, AlwaysRESP2 %v", resp2), func(t *testing.T) {
				t.Parallel()
				c, err := rueidis.NewClient(patientRueidis(rueidis.ClientOption{InitAddress: []string{s.Addr}, DisableCache: resp2, AlwaysRESP2: resp2}))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				listens(t, "r"+strconv.FormatBool(resp2), subscriber{
					func(ctx context.Context, command, to string, got func(channel, pattern, message string)) error {
						subscribe := map[string]rueidis.Completed{
							"SUBSCRIBE":  c.B().Subscribe().Channel(to).Build(),
							"PSUBSCRIBE": c.B().Psubscribe().Pattern(to).Build(),
							"SSUBSCRIBE": c.B().Ssubscribe().Channel(to).Build(),
						}
						return c.Receive(ctx, subscribe[command], func(m rueidis.PubSubMessage) { got(m.Channel, m.Pattern, m.Message) })
					},
					func(ctx context.Context, command, channel, message string) (int64, error) {
						return c.Do(ctx, c.B().Arbitrary(command).Args(channel, message).Build()).AsInt64()
					},
				})
			})
			t.Run(fmt.Sprintf("valkey-go, AlwaysRESP2 %v", resp2), func(t *testing.T) {
				t.Parallel()
				c, err := valkey.NewClient(valkey.ClientOption{InitAddress: []string{s.Addr}, DisableCache: resp2, AlwaysRESP2: resp2,
					Dialer: net.Dialer{Timeout: patience}, ConnWriteTimeout: patience})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				listens(t, "v"+strconv.FormatBool(resp2), subscriber{
					func(ctx context.Context, command, to string, got func(channel, pattern, message string)) error {
						subscribe := map[string]valkey.Completed{
							"SUBSCRIBE":  c.B().Subscribe().Channel(to).Build(),
							"PSUBSCRIBE": c.B().Psubscribe().Pattern(to).Build(),
							"SSUBSCRIBE": c.B().Ssubscribe().Channel(to).Build(),
						}
						return c.Receive(ctx, subscribe[command], func(m valkey.PubSubMessage) { got(m.Channel, m.Pattern, m.Message) })
					},
					func(ctx context.Context, command, channel, message string) (int64, error) {
						return c.Do(ctx, c.B().Arbitrary(command).Args(channel, message).Build()).AsInt64()
					},
				})
			})
		}
	})
}

// listens subscribes in each of the three ways, with names that begin with prefix, and compares
// what comes of some hundred messages.
func listens(t *testing.T, prefix string, s subscriber) {
	t.Helper()
	const many = 300
	for _, way := range []struct{ subscribe, publish, channel, to, pattern string }{
		{"SUBSCRIBE", "PUBLISH", prefix + "a", prefix + "a", ""},
		{"PSUBSCRIBE", "PUBLISH", prefix + "bc", prefix + "b*", prefix + "b*"},
		{"SSUBSCRIBE", "SPUBLISH", prefix + "d", prefix + "d", ""},
	} {
		ctx, stop := context.WithCancel(t.Context())
		got := make(chan string, many+1)
		ended := make(chan error, 1)
		go func() {
			ended <- s.receive(ctx, way.subscribe, way.to, func(channel, pattern, message string) {
				got <- channel + " " + pattern + " " + message
			})
		}()
		for i := range many {
			harness.Eventually(t, patience, "somebody listens", func() bool {
				return must[int64](t)(s.publish(ctx, way.publish, way.channel, strconv.Itoa(i))) == 1
			})
		}
		for i := range many {
			select {
			case message := <-got:
				if want := fmt.Sprintf("%s %s %d", way.channel, way.pattern, i); message != want {
					t.Errorf("%s: %q, want %q", way.subscribe, message, want)
				}
			case <-time.After(patience):
				t.Fatalf("%s: message %d has not come", way.subscribe, i)
			}
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s ends with %v", way.subscribe, err)
		}
	}
}
