package heavy

// Part is what a Summary has found of a part of a stream, without the Summary: its Items and Bound.
type Part struct {
	Items []Item
	Bound uint64
	Total uint64
}

// Part is what the Summary has found.
func (s *Summary) Part() Part { return Part{s.Items(), s.Bound(), s.Total()} }

// Merge puts parts of one stream together and keeps at most so many names, those with the largest
// counts. A name that a part does not have may have come there as often as the part's Bound says,
// which adds to its count and to its error. A name that is in no list has had at most the result's
// Bound.
func Merge(parts []Part, most int) Part {
	var sum Part
	at := make(map[string]int)
	var missing []uint64 // by item, the bounds of parts that have it
	for i := range parts {
		p := &parts[i]
		sum.Bound += p.Bound
		sum.Total += p.Total
		for _, it := range p.Items {
			j, ok := at[it.Name]
			if !ok {
				j = len(sum.Items)
				at[it.Name] = j
				sum.Items, missing = append(sum.Items, Item{Name: it.Name}), append(missing, 0)
			}
			sum.Items[j].Count += it.Count
			sum.Items[j].Error += it.Error
			missing[j] += p.Bound
		}
	}
	for j := range sum.Items {
		sum.Items[j].Count += sum.Bound - missing[j]
		sum.Items[j].Error += sum.Bound - missing[j]
	}
	sortItems(sum.Items)
	if len(sum.Items) > most {
		sum.Bound = max(sum.Bound, sum.Items[most].Count)
		sum.Items = sum.Items[:most]
	}
	return sum
}
