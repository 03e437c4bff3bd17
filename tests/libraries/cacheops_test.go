package libraries

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// What cacheops, a cache of Django's queries that drops what a change of a row makes wrong, says of
// its design, as scripts. A cached query is noted under what it asks for, alternatives of
// conjunctions: conj:TABLE:field=value&… is the set of queries with this conjunction, and
// schemes:TABLE is the set of combinations of fields in use, by which a changed row finds the sets
// that it belongs to. No caller can name these keys.
var (
	// queryPut stores a query's result. KEYS: entry. ARGV: prefix, value, alternatives by table as
	// JSON, lifetime in seconds.
	queryPut = redis.NewScript(`
		local prefix, lifetime = ARGV[1], tonumber(ARGV[4])
		redis.call('SETEX', KEYS[1], lifetime, ARGV[2])
		for tbl, alternatives in pairs(cjson.decode(ARGV[3])) do
			for _, conj in ipairs(alternatives) do
				local fields = {}
				for field in pairs(conj) do table.insert(fields, field) end
				table.sort(fields)
				redis.call('SADD', prefix .. 'schemes:' .. tbl, table.concat(fields, ','))
				local parts = {}
				for i, field in ipairs(fields) do parts[i] = field .. '=' .. tostring(conj[field]) end
				local key = prefix .. 'conj:' .. tbl .. ':' .. table.concat(parts, '&')
				redis.call('SADD', key, KEYS[1])
				local left = redis.call('TTL', key)
				if left < lifetime * 2 then redis.call('EXPIRE', key, lifetime * 2 + 10) end
			end
		end`)

	// rowChanged drops the queries that a row, as it was or is, belongs to. ARGV: prefix, table,
	// the row as JSON. It has no key of its own.
	rowChanged = redis.NewScript(`
		local prefix, tbl, row = ARGV[1], ARGV[2], cjson.decode(ARGV[3])
		local conjs = {}
		for _, scheme in ipairs(redis.call('SMEMBERS', prefix .. 'schemes:' .. tbl)) do
			local parts = {}
			for field in string.gmatch(scheme, '[^,]+') do
				local value = row[field]
				if value == cjson.null then value = 'None' end
				parts[#parts + 1] = field .. '=' .. tostring(value)
			end
			conjs[#conjs + 1] = prefix .. 'conj:' .. tbl .. ':' .. table.concat(parts, '&')
		end
		if #conjs == 0 then return 0 end
		local entries = redis.call('SUNION', unpack(conjs))
		redis.call('UNLINK', unpack(conjs))
		local dropped = 0
		for i = 1, #entries, 500 do
			dropped = dropped + redis.call('UNLINK', unpack(entries, i, math.min(i + 499, #entries)))
		end
		return dropped`)
)

// query is a cached one: the alternatives by table, of which each is a conjunction of fields and
// values.
type query map[string][]map[string]any

func TestCacheops(t *testing.T) { eachThreads(t, cacheops) }

func cacheops(t *testing.T, s *harness.Server) {
	c := client(t, s, 3)
	t.Run("invalidation", func(t *testing.T) { cacheopsInvalidation(t, t.Context(), c) })
	t.Run("random", func(t *testing.T) { cacheopsRandom(t, t.Context(), c) })
	t.Run("concurrent", func(t *testing.T) { cacheopsConcurrent(t, t.Context(), c) })
	outlivesCrash(t, s)
}

func putQuery(t *testing.T, ctx context.Context, c *redis.Client, prefix, name string, q query) {
	t.Helper()
	text, err := json.Marshal(q)
	must(t, err)
	if err := queryPut.Run(ctx, c, []string{prefix + name}, prefix, "rows of "+name, string(text), 3600).Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("%s: %v", name, err)
	}
}

func changeRow(t *testing.T, ctx context.Context, c *redis.Client, prefix, table string, row map[string]any) int64 {
	t.Helper()
	text, err := json.Marshal(row)
	must(t, err)
	n, err := rowChanged.Run(ctx, c, nil, prefix, table, string(text)).Int64()
	must(t, err)
	return n
}

func cacheopsInvalidation(t *testing.T, ctx context.Context, c *redis.Client) {
	put := func(name string, q query) { putQuery(t, ctx, c, "a:", name, q) }
	put("all", query{"post": {{}}})
	put("by author", query{"post": {{"author": 7}}})
	put("drafts of", query{"post": {{"author": 7, "draft": true}}})
	put("either", query{"post": {{"author": 8}, {"draft": false, "lang": "de"}}})
	put("joined", query{"post": {{"author": 9}}, "user": {{"id": 9}}})
	put("no author", query{"post": {{"author": "None"}}})
	is(t, int64(0))(changeRow(t, ctx, c, "a:", "tag", map[string]any{"id": 1}), nil)
	row := func(author any, draft bool, lang string) map[string]any {
		return map[string]any{"id": 1, "author": author, "draft": draft, "lang": lang}
	}
	is(t, int64(3))(changeRow(t, ctx, c, "a:", "post", row(7, true, "en")), nil) // all, by author, drafts of
	is(t, int64(3))(c.Exists(ctx, "a:either", "a:joined", "a:no author").Result())
	is(t, int64(1))(changeRow(t, ctx, c, "a:", "post", row(1, false, "de")), nil) // either
	is(t, int64(1))(changeRow(t, ctx, c, "a:", "user", map[string]any{"id": 9}), nil)
	is(t, int64(1))(changeRow(t, ctx, c, "a:", "post", row(nil, false, "en")), nil)
	is(t, int64(0))(changeRow(t, ctx, c, "a:", "post", row(7, true, "en")), nil)
}

// cacheopsRandom compares with a model that holds every query and looks at all of them.
func cacheopsRandom(t *testing.T, ctx context.Context, c *redis.Client) {
	r := randtest.New(t)
	fields := []string{"a", "b", "c"}
	model := map[string][]map[string]any{}
	for step := range 600 {
		if r.IntN(4) > 0 {
			name := fmt.Sprintf("q%d", step)
			alternatives := make([]map[string]any, 1+r.IntN(2))
			for i := range alternatives {
				alternatives[i] = conjunction(r, fields)
			}
			putQuery(t, ctx, c, "r:", name, query{"t": alternatives})
			model[name] = alternatives
			continue
		}
		row := map[string]any{}
		for _, f := range fields {
			row[f] = r.IntN(4)
		}
		want := int64(0)
		for name, alternatives := range model {
			for _, conj := range alternatives {
				if covers(conj, row) {
					delete(model, name)
					want++
					break
				}
			}
		}
		if got := changeRow(t, ctx, c, "r:", "t", row); got != want {
			t.Fatalf("step %d: %v drops %d queries, want %d", step, row, got, want)
		}
	}
	for name := range model {
		is(t, "rows of "+name)(c.Get(ctx, "r:"+name).Result())
	}
}

func conjunction(r *rand.Rand, fields []string) map[string]any {
	conj := map[string]any{}
	for _, f := range fields {
		if r.IntN(2) == 0 {
			conj[f] = r.IntN(4)
		}
	}
	return conj
}

func covers(conj, row map[string]any) bool {
	for f, v := range conj {
		if row[f] != v {
			return false
		}
	}
	return true
}

// cacheopsConcurrent: scripts that touch keys which they have not declared run side by side,
// neither losing an entry nor waiting for each other for ever.
func cacheopsConcurrent(t *testing.T, ctx context.Context, c *redis.Client) {
	const workers, rounds = 4, 100
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := range rounds {
				name := fmt.Sprintf("w%d:%d", w, i)
				putQuery(t, ctx, c, "c:", name, query{"t": {{"w": w}, {"i": i}}})
				if n := changeRow(t, ctx, c, "c:", "t", map[string]any{"w": w, "i": -1}); n != 1 {
					t.Errorf("%s: %d dropped", name, n)
				}
			}
		})
	}
	group.Wait()
	is(t, int64(0))(c.Exists(ctx, "c:w0:0", "c:w3:99").Result())
}
