package commands

import (
	"fmt"
	"strconv"
	"time"

	"github.com/larderkv/larder/store"
)

// INFO's section Keysizes has the form of Redis 8, which is in front of how old the counts are:
// larder counts in the background (store/sizes.go).

// keysizeFields are the names of fields by type, behind "db0_".
var keysizeFields = [store.NumTypes]string{
	store.TypeString: "distrib_strings_sizes",
	store.TypeList:   "distrib_lists_items",
	store.TypeSet:    "distrib_sets_items",
	store.TypeZset:   "distrib_zsets_items",
	store.TypeHash:   "distrib_hashes_items",
}

func (w *infoWriter) keysizes() {
	z := w.c.Sizes()
	age := int64(-1)
	if z.Counted != 0 {
		age = max(0, w.now.UnixMilli()-z.Counted) / time.Second.Milliseconds()
	}
	w.put("keysizes_age_seconds", age)
	for db := range w.c.Store.Databases() {
		if z.DBs[db] == nil {
			continue
		}
		for _, typ := range [...]store.Type{store.TypeString,
			store.TypeList, store.TypeSet, store.TypeZset, store.TypeHash} {
			if text := sizesText(&z.DBs[db][typ]); text != "" {
				w.put(fmt.Sprintf("db%d_%s", db, keysizeFields[typ]), text)
			}
		}
	}
}

// sizesText is counts as Redis writes them, "1=5,2=3,4K=1", of those that are not 0.
func sizesText(counts *store.SizeCounts) string {
	var b []byte
	for i, n := range counts {
		if n == 0 {
			continue
		}
		if len(b) > 0 {
			b = append(b, ',')
		}
		size, unit := store.LeastSize(i), 0
		for size >= 1<<10 && unit < len("KMGTPE") {
			size, unit = size>>10, unit+1
		}
		b = strconv.AppendInt(b, size, 10)
		if unit > 0 {
			b = append(b, "KMGTPE"[unit-1])
		}
		b = append(b, '=')
		b = strconv.AppendInt(b, n, 10)
	}
	return string(b)
}
