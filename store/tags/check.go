package tags

// check panics if a record contradicts itself. It is for builds with the tag invariants.
func (s *stripe) check(rec record) {
	live, stale, listed := rec.live(), rec.stale(), s.listed(rec)
	refs := int64(rec.references())
	var pending int64
	if rec.flag(flagJob) {
		j := s.job(Ref(get48(rec[listAt:])))
		pending = int64(j.get(jobPendingAt) + j.get(jobBatchAt))
		refs--
	}
	next := rec.serial() + 1
	switch {
	case stale > live:
		panic("BUG: tags: more keys are stale than there are")
	case uint64(live) >= next:
		panic("BUG: tags: more keys than there have been links")
	case refs < 0 || refs < live:
		panic("BUG: tags: fewer references than keys and jobs")
	case rec.hard() > next || rec.soft() > next:
		panic("BUG: tags: stamps are invalid that have not been given out")
	case live > listed+pending && !rec.flag(flagLost):
		panic("BUG: tags: a key is not listed")
	}
}
