package advise

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// prefixRule is how keys' names have prefixes: by larder's parameters prefix-delimiter and prefix-depth,
// so that what is seen here and what the server counts go together. The zero value is their default,
// which is taken for other servers, too.
type prefixRule struct {
	delimiter byte // 0: a colon
	depth     int  // 0: 1
}

// longestPrefix is the longest that larder counts by (store/prefixes.go).
const longestPrefix = 255

// askPrefixRule reads the parameters.
func askPrefixRule(ctx context.Context, c *redis.Client) (prefixRule, error) {
	values, err := c.ConfigGet(ctx, "prefix-*").Result()
	if err != nil {
		return prefixRule{}, err
	}
	delimiter, text := values["prefix-delimiter"], values["prefix-depth"]
	depth, err := strconv.Atoi(text)
	if err != nil || depth < 1 || len(delimiter) != 1 {
		return prefixRule{}, fmt.Errorf("prefix-delimiter %q and prefix-depth %q are none", delimiter, text)
	}
	return prefixRule{delimiter[0], depth}, nil
}

// of is a name's prefix.
func (r prefixRule) of(name string) string {
	delimiter := r.delimiter
	if delimiter == 0 {
		delimiter = ':'
	}
	within, n := name[:min(len(name), longestPrefix+1)], 0
	for level, at := 0, 0; level < max(r.depth, 1); level++ {
		i := strings.IndexByte(within[at:], delimiter)
		if i < 0 {
			break
		}
		n = at + i
		at = n + 1
	}
	return name[:n]
}
