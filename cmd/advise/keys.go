package advise

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// sampledKey is what is known of a key that SCAN has named.
type sampledKey struct {
	name  string
	kind  string // TYPE
	ttl   int64  // ms, -1 for none
	bytes int64  // MEMORY USAGE

	raw, packed int64 // bytes of the value that were compressed, and what came out; 0 if not tried
}

const (
	scanStep = 500

	// big is from how many bytes on a string is worth compressing: below it the work and the header
	// weigh more than what is saved.
	big = 1 << 10

	tried      = 64 << 10 // bytes of a value that are compressed, at most
	triedOfAll = 500      // values, at most
)

// sampleKeys looks at up to n keys in the order of SCAN, which is that of hashes, and hence one of
// chance as far as names, ages and sizes go. It asks on one connection that does not count as use
// (CLIENT NO-TOUCH), where the server knows that; its reads are in keyspace_hits all the same.
func sampleKeys(ctx context.Context, c *redis.Client, n int) ([]sampledKey, error) {
	conn := c.Conn()
	defer func() { _ = conn.Close() }()                // back to the pool
	_ = conn.Do(ctx, "CLIENT", "NO-TOUCH", "ON").Err() // unknown before Redis 7.2
	var all []sampledKey
	for cursor, values := uint64(0), 0; ; {
		names, next, err := conn.Scan(ctx, cursor, "", scanStep).Result()
		if err != nil {
			return nil, err
		}
		found, err := lookAt(ctx, conn, names[:min(len(names), n-len(all))], &values)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
		if cursor = next; cursor == 0 || len(all) >= n {
			return all, nil
		}
	}
}

// lookAt asks for type, time to live and size of keys, and compresses some of the big strings. Keys
// that have gone meanwhile are left out.
func lookAt(ctx context.Context, conn *redis.Conn, names []string, values *int) ([]sampledKey, error) {
	if len(names) == 0 {
		return nil, nil
	}
	pipe := conn.Pipeline()
	types := make([]*redis.StatusCmd, len(names))
	ttls := make([]*redis.Cmd, len(names))
	sizes := make([]*redis.IntCmd, len(names))
	for i, name := range names {
		types[i], ttls[i], sizes[i] = pipe.Type(ctx, name), pipe.Do(ctx, "PTTL", name), pipe.MemoryUsage(ctx, name)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	var all []sampledKey
	for i, name := range names {
		ttl, err := ttls[i].Int64()
		if err != nil || ttl == -2 || sizes[i].Err() != nil {
			continue
		}
		k := sampledKey{name: name, kind: types[i].Val(), ttl: ttl, bytes: sizes[i].Val()}
		if k.kind == "string" && k.bytes >= big && *values < triedOfAll {
			*values++
			value, err := conn.GetRange(ctx, name, 0, tried-1).Bytes()
			if err != nil {
				return nil, err
			}
			if k.packed, err = compressed(value); err != nil {
				return nil, err
			}
			k.raw = int64(len(value))
		}
		all = append(all, k)
	}
	return all, nil
}

// compressed is how many bytes a value takes after DEFLATE at its fastest level, which LZ4, Snappy
// and zstd come close to or surpass.
func compressed(value []byte) (int64, error) {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	if err != nil {
		return 0, err
	}
	if _, err := w.Write(value); err != nil {
		return 0, err
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	return int64(out.Len()), nil
}
