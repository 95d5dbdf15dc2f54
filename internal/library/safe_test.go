package library

import (
	"context"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/store"
)

// TestSafeToFreeUp: a photo is safe where a copy that does not end with the store was verified since it was stored, and nowhere else.
func TestSafeToFreeUp(t *testing.T) {
	var copies []Copy
	h := newHouse(t, func(_ *core.Options, o *Options) {
		o.Copies = func(context.Context, holdfast.ID) ([]Copy, error) { return copies, nil }
	})
	before := time.Now().Add(-time.Hour)
	h.put(h.photos, "a.jpg", exif(t, "2009:10:03 14:05:06", 1))
	h.settled()
	head := h.head()
	engine := Copy{Name: "this server", Domain: "here", Engine: true, Counts: true}
	vault := func(fn func(*Copy)) Copy {
		c := Copy{Name: "attic", Domain: "attic", Apart: true, Counts: true, Batch: head.Batch, Read: time.Now().Add(time.Hour)}
		fn(&c)
		return c
	}
	for what, x := range map[string]struct {
		copies []Copy
		safe   bool
		why    string
	}{
		"alone":                            {nil, false, "no copy that would outlive"},
		"on the same disk":                 {[]Copy{vault(func(c *Copy) { c.Apart = false })}, false, "no copy that would outlive"},
		"read since":                       {[]Copy{vault(func(c *Copy) {})}, true, "it is in 2 places; in attic it was last verified on"},
		"read before":                      {[]Copy{vault(func(c *Copy) { c.Read = before })}, false, "was not verified there since it was stored"},
		"never read":                       {[]Copy{vault(func(c *Copy) { c.Read = time.Time{} })}, false, "was not verified there since it was stored"},
		"does not have it":                 {[]Copy{vault(func(c *Copy) { c.Batch-- })}, false, "attic does not have it yet"},
		"away":                             {[]Copy{vault(func(c *Copy) { c.Counts = false })}, false, "attic does not have it yet, or cannot be reached"},
		"damaged":                          {[]Copy{vault(func(c *Copy) { c.Damaged = true })}, false, "attic is damaged"},
		"proven":                           {[]Copy{vault(func(c *Copy) { c.Read, c.Proven, c.ProvenAt, c.ProvenOn = before, head.Chain, head.Seq, time.Now() })}, true, "in attic"},
		"proven as far as before it":       {[]Copy{vault(func(c *Copy) { c.Read, c.Proven, c.ProvenAt = before, h.chain(head.Seq-1), head.Seq-1 })}, false, "was not verified there"},
		"proven, of another history":       {[]Copy{vault(func(c *Copy) { c.Read, c.Proven, c.ProvenAt = before, holdfast.Hash{1}, head.Seq })}, false, "was not verified there"},
		"proven beyond what there is":      {[]Copy{vault(func(c *Copy) { c.Read, c.Proven, c.ProvenAt = before, head.Chain, head.Seq+1 })}, false, "was not verified there"},
		"one of two":                       {[]Copy{vault(func(c *Copy) { c.Read = before }), vault(func(c *Copy) { c.Name = "cellar" })}, true, "it is in 3 places; in cellar"},
		"read, and another is only nearby": {[]Copy{vault(func(c *Copy) { c.Apart = false }), vault(func(c *Copy) { c.Name, c.Read = "cellar", before })}, false, "it is in cellar, and was not"},
	} {
		copies = append([]Copy{engine}, x.copies...)
		s, err := h.lib.Safety(t.Context(), h.alice, h.alice.Account, Query{})
		if err != nil || len(s.Photos) != 1 {
			t.Fatalf("%s: %+v, %v", what, s, err)
		}
		v := s.Photos[0].Verdict
		if v.Safe != x.safe || !strings.Contains(v.Why, x.why) || len(v.Copies) != len(copies) {
			t.Errorf("%s: %+v", what, v)
		}
		if s.Safe.Photos+s.Not.Photos != 1 || (s.Safe.Photos == 1) != x.safe || !x.safe && s.Why[v.Why].Photos != 1 {
			t.Errorf("%s: %+v", what, s)
		}
		if d, err := h.lib.Detail(t.Context(), h.alice, h.alice.Account, s.Photos[0].ID); err != nil || d.Verdict.Safe != x.safe {
			t.Errorf("%s: %+v, %v", what, d, err)
		}
	}

	copies = []Copy{engine, vault(func(*Copy) {})}
	if _, err := h.core.SetFavorite(t.Context(), h.alice, h.place(h.photos, "a.jpg"), true); err != nil { // its octets are the same
		t.Fatal(err)
	}
	if d, err := h.lib.Detail(t.Context(), h.alice, h.alice.Account, h.list(Query{}).Photos[0].ID); err != nil || !d.Verdict.Safe {
		t.Errorf("a favourite: %+v, %v", d.Verdict, err)
	}
	h.put(h.photos, "a.jpg", exif(t, "2009:10:03 14:05:06", 2))
	h.settled()
	if d, err := h.lib.Detail(t.Context(), h.alice, h.alice.Account, h.list(Query{}).Photos[0].ID); err != nil || d.Verdict.Safe {
		t.Errorf("a new version: %+v, %v", d.Verdict, err)
	}
}

func (h *house) head() (at store.Head) {
	h.t.Helper()
	if err := h.core.Inspect(h.t.Context(), h.alice.Account, func(r *core.Reader) (err error) { at, err = r.Head(); return err }); err != nil {
		h.t.Fatal(err)
	}
	return at
}

func (h *house) chain(seq uint64) (chain holdfast.Hash) {
	h.t.Helper()
	if err := h.core.Inspect(h.t.Context(), h.alice.Account, func(r *core.Reader) error {
		at, err := r.ChainAt(seq)
		chain = at.Chain
		return err
	}); err != nil {
		h.t.Fatal(err)
	}
	return chain
}

// TestALivePhotoIsSafeWithItsFilm, and not before.
func TestALivePhotoIsSafeWithItsFilm(t *testing.T) {
	still := Photo{seq: 5, State: Ready, Stored: time.Unix(1000, 0), Motion: &Motion{seq: 9, stored: time.Unix(2000, 0)}}
	for read, safe := range map[int64]bool{900: false, 1500: false, 2500: true} {
		st := standing{known: true, copies: []reach{{Copy: Copy{Name: "attic", Apart: true, Counts: true, Read: time.Unix(read, 0)}, has: 10}}}
		if v := st.of(&still); v.Safe != safe {
			t.Errorf("read at %d: %+v", read, v)
		}
	}
	st := standing{known: true, copies: []reach{{Copy: Copy{Name: "attic", Apart: true, Counts: true, Read: time.Unix(9000, 0)}, has: 10}}}
	still.State = Broken
	if v := st.of(&still); v.Safe {
		t.Errorf("what is damaged here: %+v", v)
	}
}
