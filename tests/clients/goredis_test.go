package clients

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/larderkv/larder/tests/harness"
)

// patient has go-redis wait for as long as tests do, and not for five seconds, after which it would
// send again what a busy machine has not answered yet.
func patient(o *redis.Options) *redis.Client {
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = patience, patience, patience
	return redis.NewClient(o)
}

// goRedis is a client with go-redis' defaults, but for the protocol and its patience.
func goRedis(t *testing.T, s *harness.Server, protocol int) *redis.Client {
	t.Helper()
	c := patient(&redis.Options{Addr: s.Addr, Protocol: protocol})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// must returns a call's value, which must come without an error.
func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestGoRedis(t *testing.T) {
	type family struct {
		name string
		run  func(*testing.T, context.Context, *redis.Client)
	}
	alone := []family{ // one connection speaks at a time: see harness.EachDriverAlone
		{"strings", goRedisStrings}, {"hashes", goRedisHashes}, {"sets", goRedisSets}, {"lists", goRedisLists},
		{"sorted sets", goRedisZsets}, {"sort", goRedisSort}, {"keys", goRedisKeys}, {"pipelines", goRedisPipelines},
		{"server", goRedisServer}, {"newer commands", goRedisNewer}, {"larder's own", goRedisOwn},
	}
	several := []family{{"blocking", goRedisBlocking}, {"transactions", goRedisTransactions}, {"pool", goRedisPool}}
	harness.EachDriver(t, func(t *testing.T, driver string) {
		families := several
		if driver != "io_uring" {
			families = slices.Concat(alone, several)
		}
		for protocol := 2; protocol <= 3; protocol++ {
			s := harness.Start(t, "network-driver "+driver)
			for _, f := range families {
				t.Run(fmt.Sprintf("RESP%d/%s", protocol, f.name), func(t *testing.T) {
					c := goRedis(t, s, protocol)
					ctx := t.Context()
					if err := c.FlushAll(ctx).Err(); err != nil {
						t.Fatal(err)
					}
					f.run(t, ctx, c)
				})
			}
		}
	})
}

// is compares a reply with what it must be; the error must be nil.
func is[T any](t *testing.T, want T) func(got T, err error) {
	t.Helper()
	return func(got T, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
			return
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

// isNil wants the reply that go-redis turns into redis.Nil.
func isNil(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, redis.Nil) {
		t.Errorf("%v, want redis.Nil", err)
	}
}

func goRedisStrings(t *testing.T, ctx context.Context, c *redis.Client) {
	is(t, "OK")(c.Set(ctx, "k", "v", time.Minute).Result())
	is(t, "v")(c.Get(ctx, "k").Result())
	isNil(t, c.Get(ctx, "none").Err())
	is(t, false)(c.SetNX(ctx, "k", "w", 0).Result())
	is(t, true)(c.SetXX(ctx, "k", "w", redis.KeepTTL).Result())
	if ttl := c.TTL(ctx, "k").Val(); ttl <= 50*time.Second || ttl > time.Minute {
		t.Errorf("TTL is %v", ttl)
	}
	is(t, "w")(c.SetArgs(ctx, "k", "x", redis.SetArgs{Get: true, TTL: time.Hour}).Result())
	is(t, "x")(c.GetEx(ctx, "k", 0).Result())
	is(t, time.Duration(-1))(c.TTL(ctx, "k").Result())
	//lint:ignore SA1019 programs in use still send GETSET
	is(t, "x")(c.GetSet(ctx, "k", "y").Result())
	is(t, "y")(c.GetDel(ctx, "k").Result())
	is(t, int64(5))(c.Append(ctx, "a", "hello").Result())
	is(t, "ell")(c.GetRange(ctx, "a", 1, 3).Result())
	is(t, int64(5))(c.SetRange(ctx, "a", 1, "ipp").Result())
	is(t, int64(5))(c.StrLen(ctx, "a").Result())
	is(t, "OK")(c.MSet(ctx, "m1", 1, "m2", 2).Result())
	is(t, []any{"1", nil, "2"})(c.MGet(ctx, "m1", "none", "m2").Result())
	is(t, false)(c.MSetNX(ctx, "m2", 1, "m3", 3).Result())
	is(t, int64(11))(c.IncrBy(ctx, "m1", 10).Result())
	is(t, int64(10))(c.Decr(ctx, "m1").Result())
	is(t, 10.5)(c.IncrByFloat(ctx, "m1", 0.5).Result())
	//lint:ignore SA1019 programs in use still send SETEX
	is(t, "OK")(c.SetEx(ctx, "e", "v", time.Minute).Result())
	is(t, "OK")(c.Set(ctx, "lcs", "zippz", 0).Result())
	is(t, &redis.LCSMatch{MatchString: "ipp"})(c.LCS(ctx, &redis.LCSQuery{Key1: "a", Key2: "lcs"}).Result())
}

func goRedisHashes(t *testing.T, ctx context.Context, c *redis.Client) {
	is(t, int64(2))(c.HSet(ctx, "h", "f", "v", "n", 1).Result())
	is(t, "v")(c.HGet(ctx, "h", "f").Result())
	isNil(t, c.HGet(ctx, "h", "none").Err())
	is(t, map[string]string{"f": "v", "n": "1"})(c.HGetAll(ctx, "h").Result())
	is(t, map[string]string{})(c.HGetAll(ctx, "none").Result())
	is(t, []any{"v", nil})(c.HMGet(ctx, "h", "f", "none").Result())
	is(t, false)(c.HSetNX(ctx, "h", "f", "w").Result())
	is(t, int64(3))(c.HIncrBy(ctx, "h", "n", 2).Result())
	is(t, 3.5)(c.HIncrByFloat(ctx, "h", "n", 0.5).Result())
	is(t, int64(2))(c.HLen(ctx, "h").Result())
	is(t, true)(c.HExists(ctx, "h", "f").Result())
	is(t, int64(1))(c.HStrLen(ctx, "h", "f").Result())
	is(t, int64(1))(c.HDel(ctx, "h", "n", "none").Result())
	is(t, []string{"f"})(c.HKeys(ctx, "h").Result())
	is(t, []string{"v"})(c.HVals(ctx, "h").Result())
	is(t, []string{"f"})(c.HRandField(ctx, "h", 5).Result())
	is(t, []redis.KeyValue{{Key: "f", Value: "v"}})(c.HRandFieldWithValues(ctx, "h", 1).Result())
	type row struct {
		Name string `redis:"name"`
		Age  int    `redis:"age"`
	}
	is(t, int64(2))(c.HSet(ctx, "struct", row{"Ada", 36}).Result())
	var got row
	if err := c.HGetAll(ctx, "struct").Scan(&got); err != nil || got != (row{"Ada", 36}) {
		t.Errorf("%v, %v", got, err)
	}
	for i := range 1000 {
		c.HSet(ctx, "big", "f"+strconv.Itoa(i), i)
	}
	seen := map[string]string{}
	iter := c.HScan(ctx, "big", 0, "f*", 50).Iterator()
	for iter.Next(ctx) {
		f := iter.Val()
		iter.Next(ctx)
		seen[f] = iter.Val()
	}
	if iter.Err() != nil || len(seen) != 1000 || seen["f77"] != "77" {
		t.Errorf("HSCAN found %d fields, %v", len(seen), iter.Err())
	}
}

func goRedisSets(t *testing.T, ctx context.Context, c *redis.Client) {
	is(t, int64(3))(c.SAdd(ctx, "s", "a", "b", "c").Result())
	is(t, true)(c.SIsMember(ctx, "s", "a").Result())
	is(t, []bool{true, false})(c.SMIsMember(ctx, "s", "a", "z").Result())
	is(t, map[string]struct{}{"a": {}, "b": {}, "c": {}})(c.SMembersMap(ctx, "s").Result())
	is(t, int64(1))(c.SRem(ctx, "s", "c", "z").Result())
	is(t, true)(c.SMove(ctx, "s", "s2", "b").Result())
	is(t, int64(1))(c.SCard(ctx, "s").Result())
	is(t, "a")(c.SRandMember(ctx, "s").Result())
	is(t, []string{"a"})(c.SPopN(ctx, "s", 5).Result())
	c.SAdd(ctx, "x", 1, 2, 3, 4)
	c.SAdd(ctx, "y", 3, 4, 5)
	is(t, []string{"3", "4"})(sorted(c.SInter(ctx, "x", "y")))
	is(t, []string{"1", "2", "3", "4", "5"})(sorted(c.SUnion(ctx, "x", "y")))
	is(t, []string{"1", "2"})(sorted(c.SDiff(ctx, "x", "y")))
	is(t, int64(2))(c.SInterStore(ctx, "d", "x", "y").Result())
	is(t, int64(5))(c.SUnionStore(ctx, "d", "x", "y").Result())
	is(t, int64(2))(c.SDiffStore(ctx, "d", "x", "y").Result())
	is(t, int64(1))(c.SInterCard(ctx, 1, "x", "y").Result())
}

func sorted(r *redis.StringSliceCmd) ([]string, error) {
	v, err := r.Result()
	slices.Sort(v)
	return v, err
}

func goRedisKeys(t *testing.T, ctx context.Context, c *redis.Client) {
	is(t, "OK")(c.MSet(ctx, "a", 1, "b", 2, "c", 3).Result())
	is(t, int64(2))(c.Exists(ctx, "a", "none", "b").Result())
	is(t, "string")(c.Type(ctx, "a").Result())
	is(t, true)(c.Expire(ctx, "a", time.Minute).Result())
	is(t, false)(c.ExpireNX(ctx, "a", time.Hour).Result())
	is(t, true)(c.ExpireGT(ctx, "a", time.Hour).Result())
	is(t, true)(c.PExpire(ctx, "a", 90*time.Second).Result())
	at := time.Unix(4_000_000_000, 0)
	is(t, true)(c.ExpireAt(ctx, "a", at).Result())
	is(t, time.Duration(at.Unix())*time.Second)(c.ExpireTime(ctx, "a").Result())
	is(t, true)(c.Persist(ctx, "a").Result())
	is(t, time.Duration(-2))(c.TTL(ctx, "none").Result())
	is(t, "OK")(c.Rename(ctx, "a", "a2").Result())
	is(t, false)(c.RenameNX(ctx, "a2", "b").Result())
	is(t, int64(1))(c.Copy(ctx, "a2", "a3", 0, false).Result())
	is(t, true)(c.Move(ctx, "a3", 1).Result())
	is(t, int64(2))(c.Touch(ctx, "a2", "b").Result())
	is(t, []string{"a2", "b", "c"})(sorted(c.Keys(ctx, "*")))
	is(t, "OK")(c.Set(ctx, "o", "text", 0).Result())
	is(t, "embstr")(c.ObjectEncoding(ctx, "o").Result())
	if n := c.MemoryUsage(ctx, "o").Val(); n < 10 || n > 1000 {
		t.Errorf("MEMORY USAGE %d", n)
	}
	is(t, int64(3))(c.Del(ctx, "a2", "b", "o", "none").Result())
	is(t, int64(1))(c.Unlink(ctx, "c").Result())
	for i := range 2000 {
		c.Set(ctx, "scan:"+strconv.Itoa(i), i, 0)
	}
	found := map[string]bool{}
	iter := c.Scan(ctx, 0, "scan:*", 100).Iterator()
	for iter.Next(ctx) {
		found[iter.Val()] = true
	}
	if iter.Err() != nil || len(found) != 2000 {
		t.Errorf("SCAN found %d keys, %v", len(found), iter.Err())
	}
	if k := c.RandomKey(ctx).Val(); !found[k] {
		t.Errorf("RANDOMKEY %q", k)
	}
}

func goRedisPipelines(t *testing.T, ctx context.Context, c *redis.Client) {
	const n = 5000
	cmds, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range n {
			p.Set(ctx, "p:"+strconv.Itoa(i), i, 0)
			p.Incr(ctx, "count")
		}
		return nil
	})
	if err != nil || len(cmds) != 2*n {
		t.Fatalf("%d replies, %v", len(cmds), err)
	}
	is(t, strconv.Itoa(n))(c.Get(ctx, "count").Result())
	is(t, int64(n+1))(c.DBSize(ctx).Result())
	_, err = c.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Get(ctx, "count")
		p.HGet(ctx, "count", "f")
		return nil
	})
	if err == nil || err.Error() != "WRONGTYPE Operation against a key holding the wrong kind of value" {
		t.Errorf("%v", err)
	}
}

func goRedisTransactions(t *testing.T, ctx context.Context, c *redis.Client) {
	var incr *redis.IntCmd
	_, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		incr = p.Incr(ctx, "n")
		p.Expire(ctx, "n", time.Hour)
		return nil
	})
	if err != nil || incr.Val() != 1 {
		t.Errorf("%d, %v", incr.Val(), err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for done := 0; done < 25; {
				err := c.Watch(ctx, func(tx *redis.Tx) error {
					n, err := tx.Get(ctx, "n").Int()
					if err != nil {
						return err
					}
					_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
						p.Set(ctx, "n", n+1, 0)
						return nil
					})
					return err
				}, "n")
				switch {
				case err == nil:
					done++
				case !errors.Is(err, redis.TxFailedErr):
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	is(t, "101")(c.Get(ctx, "n").Result())
}

func goRedisServer(t *testing.T, ctx context.Context, c *redis.Client) {
	is(t, "PONG")(c.Ping(ctx).Result())
	is(t, "hi")(c.Echo(ctx, "hi").Result())
	info := must[map[string]map[string]string](t)(c.InfoMap(ctx, "server").Result())
	if v := info["Server"]["redis_version"]; v != "7.4.0" {
		t.Errorf("redis_version %q", v)
	}
	is(t, map[string]string{"hz": "10"})(c.ConfigGet(ctx, "hz").Result())
	is(t, "OK")(c.ConfigSet(ctx, "hz", "10").Result())
	all := must[map[string]*redis.CommandInfo](t)(c.Command(ctx).Result())
	if get := all["get"]; get == nil || get.Arity != 2 || !get.ReadOnly {
		t.Errorf("COMMAND says %+v of GET", get)
	}
	is(t, []string{"a", "b"})(c.CommandGetKeys(ctx, "mset", "a", 1, "b", 2).Result())
	if now := must[time.Time](t)(c.Time(ctx).Result()); time.Since(now).Abs() > time.Minute {
		t.Errorf("TIME %v", now)
	}
	if id := must[int64](t)(c.ClientID(ctx).Result()); id < 1 {
		t.Errorf("CLIENT ID %d", id)
	}
	if list := must[string](t)(c.ClientList(ctx).Result()); list == "" {
		t.Error("CLIENT LIST is empty")
	}
	me := must[*redis.ClientInfo](t)(c.ClientInfo(ctx).Result())
	if me.LibName == "" || me.LastCmd == "" || me.ID < 1 {
		t.Errorf("CLIENT INFO %+v", me)
	}
	is(t, "OK")(c.FlushDBAsync(ctx).Result())
	err := c.Do(ctx, "CLIENT", "MAINT_NOTIFICATIONS", "ON").Err()
	if err == nil || err.Error() != "ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP." {
		t.Errorf("%v", err)
	}
}

// goRedisPool has more goroutines than connections in the pool.
func goRedisPool(t *testing.T, ctx context.Context, c *redis.Client) {
	var group sync.WaitGroup
	for id := range 100 {
		group.Go(func() {
			key := "pool:" + strconv.Itoa(id)
			for i := range 30 {
				if err := c.Set(ctx, key, i, time.Minute).Err(); err != nil {
					t.Error(err)
					return
				}
				if n, err := c.Get(ctx, key).Int(); err != nil || n != i {
					t.Errorf("%s: %d, %v; want %d", key, n, err, i)
					return
				}
			}
		})
	}
	group.Wait()
}

// TestGoRedisOptions: a password, a user name, a database and a client name in the handshake, and a
// Unix socket.
func TestGoRedisOptions(t *testing.T) {
	socket := t.TempDir() + "/larder.sock"
	s := harness.Start(t, "requirepass secret", "unixsocket "+socket)
	ctx := t.Context()
	for _, o := range []*redis.Options{
		{Addr: s.Addr, Password: "secret", DB: 3, ClientName: "app"},
		{Addr: s.Addr, Username: "default", Password: "secret", DB: 3, ClientName: "app", Protocol: 2},
		{Network: "unix", Addr: socket, Password: "secret", DB: 3, ClientName: "app"},
	} {
		c := patient(o)
		is(t, "OK")(c.Set(ctx, "in3", "v", 0).Result())
		info := must[*redis.ClientInfo](t)(c.ClientInfo(ctx).Result())
		if info.DB != 3 || info.Name != "app" || info.User != "default" {
			t.Errorf("%+v", info)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	wrong := patient(&redis.Options{Addr: s.Addr, Password: "wrong"})
	if err := wrong.Ping(ctx).Err(); err == nil || err.Error() != "WRONGPASS invalid username-password pair or user is disabled." {
		t.Errorf("%v", err)
	}
	if err := wrong.Close(); err != nil {
		t.Error(err)
	}
}
