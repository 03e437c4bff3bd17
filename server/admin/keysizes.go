package admin

import (
	"net/http"

	"github.com/larderkv/larder/store"
)

// view looks at the store as no client does: it uses no key.
func (a *Admin) view() *store.View {
	return &store.View{Store: a.kernel.Store, Now: a.kernel.Now().UnixMilli(), NoTouch: true}
}

// bigKey is one of the largest keys of its type.
type bigKey struct {
	DB int `json:"db"`
	label
	Bytes  int64 `json:"bytes"`
	Length int64 `json:"length"` // bytes of a string, elements of another value
}

// serveBigKeys tells the largest keys by type. "since" is when they were found.
func (a *Admin) serveBigKeys(w http.ResponseWriter, _ *http.Request) {
	v := a.view()
	z := v.Sizes()
	types := make(map[string][]bigKey)
	for typ, keys := range v.Big(z) {
		list := make([]bigKey, len(keys))
		for i := range keys {
			k := &keys[i]
			list[i] = bigKey{k.DB, labelOf([]byte(k.Name)), k.Bytes, k.Size}
		}
		types[store.Type(typ).String()] = list
	}
	answer := countedState(v, z)
	answer["types"] = types
	reply(w, answer)
}

// countedState is how old the counts are: null when there are none, and how far the first round is.
func countedState(v *store.View, z *store.Sizes) map[string]any {
	answer := map[string]any{"on": v.Store.CountsSizes(), "since": nil, "scanned": v.Store.SizeRound()}
	if z.Counted != 0 {
		answer["since"], answer["scanned"] = z.Counted, 1
	}
	return answer
}

// typeSizes is how many values of a type have which sizes.
type typeSizes struct {
	Type    string       `json:"type"`
	Unit    string       `json:"unit"`
	Buckets []sizeBucket `json:"buckets"`
}

type sizeBucket struct {
	From  int64 `json:"from"`
	To    int64 `json:"to"` // exclusive
	Count int64 `json:"count"`
}

// serveKeySizes tells how large the values of all databases are.
func (a *Admin) serveKeySizes(w http.ResponseWriter, _ *http.Request) {
	v := a.view()
	z := v.Sizes()
	types := []typeSizes{}
	sums := sumSizes(z)
	for typ := range sums {
		t := typeSizes{Type: store.Type(typ).String(), Unit: "elements", Buckets: []sizeBucket{}}
		if store.Type(typ) == store.TypeString {
			t.Unit = "bytes"
		}
		for i, n := range sums[typ] {
			if n > 0 {
				t.Buckets = append(t.Buckets, sizeBucket{store.LeastSize(i), store.LeastSize(i + 1), n})
			}
		}
		if len(t.Buckets) > 0 {
			types = append(types, t)
		}
	}
	answer := countedState(v, z)
	answer["types"] = types
	reply(w, answer)
}

// sumSizes is the counts of all databases together.
func sumSizes(z *store.Sizes) (sums [store.NumTypes]store.SizeCounts) {
	for _, types := range z.DBs {
		for typ := range types {
			for i, n := range types[typ] {
				sums[typ][i] += n
			}
		}
	}
	return sums
}
