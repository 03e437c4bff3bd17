package clients

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/rueidis"

	"github.com/larderkv/larder/tests/harness"
)

// patientRueidis has rueidis wait for as long as tests do.
func patientRueidis(o rueidis.ClientOption) rueidis.ClientOption {
	o.Dialer.Timeout, o.ConnWriteTimeout = patience, patience
	return o
}

// TestRueidis: rueidis sends everything through automatic pipelines. Over RESP3 it connects with
// CLIENT TRACKING for its cache, which coherence_test.go uses.
func TestRueidis(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver)
		for _, resp2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("AlwaysRESP2 %v", resp2), func(t *testing.T) {
				c, err := rueidis.NewClient(patientRueidis(rueidis.ClientOption{InitAddress: []string{s.Addr}, DisableCache: resp2, AlwaysRESP2: resp2}))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				rueidisSmoke(t, c)
			})
		}
	})
}

func rueidisSmoke(t *testing.T, c rueidis.Client) {
	ctx := t.Context()
	b := c.B()
	ok := func(cmd rueidis.Completed) {
		t.Helper()
		if err := c.Do(ctx, cmd).Error(); err != nil {
			t.Error(err)
		}
	}
	ok(b.Flushall().Build())
	ok(b.Set().Key("k").Value("v").Ex(time.Minute).Build())
	if v, err := c.Do(ctx, b.Get().Key("k").Build()).ToString(); err != nil || v != "v" {
		t.Errorf("%q, %v", v, err)
	}
	if err := c.Do(ctx, b.Get().Key("none").Build()).Error(); !rueidis.IsRedisNil(err) {
		t.Errorf("%v, want nil", err)
	}
	ok(b.Hset().Key("h").FieldValue().FieldValue("f", "v").FieldValue("g", "w").Build())
	m, err := c.Do(ctx, b.Hgetall().Key("h").Build()).AsStrMap()
	if d := cmp.Diff(map[string]string{"f": "v", "g": "w"}, m); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	ok(b.Sadd().Key("s").Member("a", "b").Build())
	set, err := c.Do(ctx, b.Smembers().Key("s").Build()).AsStrSlice()
	if err != nil || len(set) != 2 {
		t.Errorf("%q, %v", set, err)
	}
	rueidisOrdered(t, c)
	scan, err := c.Do(ctx, b.Scan().Cursor(0).Match("*").Count(100).Build()).AsScanEntry()
	if err != nil || len(scan.Elements) != 3 || scan.Cursor != 0 {
		t.Errorf("%+v, %v", scan, err)
	}
	rueidisConcurrent(t, c)
	rueidisTransaction(t, c)
}

// rueidisOrdered leaves nothing behind.
func rueidisOrdered(t *testing.T, c rueidis.Client) {
	t.Helper()
	ctx, b := t.Context(), c.B()
	replies := c.DoMulti(ctx,
		b.Rpush().Key("l").Element("a", "b", "c").Build(), b.Lrange().Key("l").Start(0).Stop(-1).Build(),
		b.Zadd().Key("z").ScoreMember().ScoreMember(1, "one").ScoreMember(2.5, "two").Build(),
		b.Zrange().Key("z").Min("0").Max("-1").Withscores().Build(),
		b.Zscore().Key("z").Member("two").Build(),
	)
	elements, err := replies[1].AsStrSlice()
	if d := cmp.Diff([]string{"a", "b", "c"}, elements); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	members, err := replies[3].AsZScores()
	if d := cmp.Diff([]rueidis.ZScore{{Member: "one", Score: 1}, {Member: "two", Score: 2.5}}, members); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	if score, err := replies[4].AsFloat64(); err != nil || score != 2.5 {
		t.Errorf("%v, %v", score, err)
	}
	popped, err := c.Do(ctx, b.Blpop().Key("none", "l").Timeout(1).Build()).AsStrSlice()
	if d := cmp.Diff([]string{"l", "a"}, popped); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	if err := c.Do(ctx, b.Del().Key("l", "z").Build()).Error(); err != nil {
		t.Error(err)
	}
}

func rueidisConcurrent(t *testing.T, c rueidis.Client) {
	t.Helper()
	ctx := t.Context()
	var group sync.WaitGroup
	for id := range 20 {
		group.Go(func() {
			var cmds rueidis.Commands
			for i := range 100 {
				key := fmt.Sprintf("c:%d:%d", id, i)
				cmds = append(cmds, c.B().Set().Key(key).Value(strconv.Itoa(i)).Build(), c.B().Get().Key(key).Build())
			}
			for i, r := range c.DoMulti(ctx, cmds...) {
				v, err := r.ToString()
				if err != nil || i%2 == 1 && v != strconv.Itoa(i/2) {
					t.Errorf("%d: %q, %v", i, v, err)
					return
				}
			}
		})
	}
	group.Wait()
}

func rueidisTransaction(t *testing.T, c rueidis.Client) {
	t.Helper()
	err := c.Dedicated(func(d rueidis.DedicatedClient) error {
		ctx := context.WithoutCancel(t.Context())
		if err := d.Do(ctx, d.B().Watch().Key("n").Build()).Error(); err != nil {
			return err
		}
		replies := d.DoMulti(ctx, d.B().Multi().Build(), d.B().Incr().Key("n").Build(), d.B().Incr().Key("n").Build(), d.B().Exec().Build())
		exec, err := replies[3].ToArray()
		if err != nil {
			return err
		}
		if n, err := exec[1].ToInt64(); err != nil || n != 2 {
			return fmt.Errorf("%d, %w", n, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
