package vault

import (
	"testing"
	"time"

	"holdfast"
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
	live := map[string]int64{}
	for _, b := range m.batches[:old] {
		for i := range b.Changes {
			c := &b.Changes[i]
			key := c.Collection.String() + c.Name
			if size, was := live[key]; was {
				wantVersions[c.Account]++
				wantOctets[c.Account] += size
			}
			if delete(live, key); c.Op == holdfast.OpPut {
				live[key] = c.Size
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
		versions, octets, ok, err := h.Superseded(ctx, named)
		if seen++; err != nil || !ok || versions != wantVersions[h.Account] || octets != wantOctets[h.Account] || versions == 0 {
			t.Errorf("%d versions of %d octets, %v, %v; want %d of %d", versions, octets, ok, err, wantVersions[h.Account], wantOctets[h.Account])
		}
		named.Chain[0] ^= 1
		if n, _, ok, err := h.Superseded(ctx, named); err != nil || ok || n != 0 {
			t.Errorf("of another history %d versions are counted, %v, %v", n, ok, err)
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
