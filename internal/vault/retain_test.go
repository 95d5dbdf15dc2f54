package vault

import (
	"slices"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/place/memory"
)

// TestWhatIsOldIsCounted: versions that were superseded before an age are counted, by the time along the heads, which a clock that jumps ahead does not make older; what was live then, and what was superseded later, is not.
func TestWhatIsOldIsCounted(t *testing.T) {
	r, m := newRig(t, nil), newMaker(7, 3)
	day := func() {
		r.clock.Advance(24 * time.Hour)
		b := m.batch(2)
		r.ship(b)
		fine(t, r.w.Head(ctx, HeadInput{}))
	}
	for range 30 {
		day()
	}
	old := len(m.batches) // ten days of heads follow
	r.clock.Set(r.clock.Now().Add(tenYears))
	for range 10 {
		day()
	}
	wantVersions, wantOctets := map[holdfast.ID]int64{}, map[holdfast.ID]int64{}
	live, superseded := map[string]*holdfast.Change{}, map[holdfast.ID]map[uint64]bool{}
	for _, b := range m.batches[:old] {
		for i := range b.Changes {
			c := &b.Changes[i]
			key := c.Collection.String() + c.Name
			if superseded[c.Account] == nil {
				superseded[c.Account] = map[uint64]bool{}
			}
			if was := live[key]; was != nil {
				wantVersions[c.Account]++
				wantOctets[c.Account] += was.Size
				superseded[c.Account][was.Seq] = true
			}
			if delete(live, key); c.Op == holdfast.OpPut {
				live[key] = c
			}
		}
	}
	aged, err := r.v.AgedHeads(ctx, 10*24*time.Hour, "local")
	fine(t, err)
	if aged.Counted > 40*24*time.Hour || aged.Drill != nil {
		t.Errorf("%+v", aged)
	}
	rd, err := NewReader(ctx, []*Vault{r.v}, ReadOptions{Spool: t.TempDir()})
	fine(t, err)
	defer rd.Close()
	seen := 0
	fine(t, rd.Accounts(ctx, func(h *History) error {
		named := aged.Accounts[h.Account]
		was, ok, err := h.Superseded(ctx, named)
		if seen++; err != nil || !ok || int64(len(was.Seqs)) != wantVersions[h.Account] || was.Octets != wantOctets[h.Account] || len(was.Seqs) == 0 || was.Pruned != 0 || !slices.IsSorted(was.Seqs) {
			t.Errorf("%d versions of %d octets, %v, %v; want %d of %d", len(was.Seqs), was.Octets, ok, err, wantVersions[h.Account], wantOctets[h.Account])
		}
		for _, seq := range was.Seqs {
			if !superseded[h.Account][seq] {
				t.Errorf("version %d was live", seq)
			}
		}
		named.Chain[0] ^= 1
		if was, ok, err := h.Superseded(ctx, named); err != nil || ok || len(was.Seqs) != 0 {
			t.Errorf("of another history %d versions are counted, %v, %v", len(was.Seqs), ok, err)
		}
		return nil
	}))
	if seen != 3 {
		t.Errorf("%d accounts", seen)
	}
	if none, err := r.v.AgedHeads(ctx, 365*24*time.Hour, "local"); err != nil || len(none.Accounts) > 0 {
		t.Errorf("nothing is a year old: %+v, %v", none, err)
	}
}

// TestAHeadThatWasReleasedHidesNothing: a damaged head that a repair has released is no error when old versions are counted; what it alone had said is not old.
func TestAHeadThatWasReleasedHidesNothing(t *testing.T) {
	r, m := newRig(t, nil), newMaker(8, 2)
	for range 20 {
		r.clock.Advance(24 * time.Hour)
		r.ship(m.batch(2))
		fine(t, r.w.Head(ctx, HeadInput{}))
	}
	p := r.place.(*memory.Place)
	p.Overwrite(HeadName(4), []byte("rot"))
	r.open()
	if _, err := r.v.AgedHeads(ctx, 10*24*time.Hour, "local"); err == nil {
		t.Fatal("nobody knows what a damaged head says, and it was passed over")
	}
	fine(t, r.w.Head(ctx, HeadInput{Released: []string{HeadName(4)}}))
	r.open()
	aged, err := r.v.AgedHeads(ctx, 10*24*time.Hour, "local")
	if err != nil || len(aged.Accounts) != 2 {
		t.Fatalf("%+v, %v", aged, err)
	}
}
