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
	h.put(h.photos, "a.jpg", exif(t, "2009:10:03 14:05:06", 1))
	h.settled()
	head := h.head()
	engine := Copy{Name: "this server", Domain: "here", Engine: true, Counts: true}
	vault := func(fn func(*Copy)) Copy {
		c := Copy{Name: "attic", Domain: "attic", Apart: true, Counts: true, Batch: head.Batch, Checks: []Check{{On: time.Now(), By: "reading", Batch: head.Batch}}}
		fn(&c)
		return c
	}
	some := func(is bool) func(holdfast.Hash) bool { return func(holdfast.Hash) bool { return is } }
	before := func(c *Copy) { c.Checks[0].Batch-- }
	for what, x := range map[string]struct {
		copies []Copy
		safe   bool
		why    string
	}{
		"alone":                            {nil, false, "no copy that would outlive"},
		"on the same disk":                 {[]Copy{vault(func(c *Copy) { c.Apart = false })}, false, "no copy that would outlive"},
		"read since":                       {[]Copy{vault(func(c *Copy) {})}, true, "2 copies in 2 failure domains; in attic it was last verified on"},
		"read before":                      {[]Copy{vault(before)}, false, "was not verified there since it was stored"},
		"never read":                       {[]Copy{vault(func(c *Copy) { c.Checks = nil })}, false, "was not verified there since it was stored"},
		"does not have it":                 {[]Copy{vault(func(c *Copy) { c.Batch-- })}, false, "attic does not have it yet"},
		"away":                             {[]Copy{vault(func(c *Copy) { c.Counts = false })}, false, "attic does not have it yet, or cannot be reached"},
		"damaged":                          {[]Copy{vault(func(c *Copy) { c.Damaged = true })}, false, "attic is damaged"},
		"drilled, this part":               {[]Copy{vault(func(c *Copy) { c.Checks[0].Covers = some(true) })}, true, "in attic"},
		"drilled, another part":            {[]Copy{vault(func(c *Copy) { c.Checks[0].Covers = some(false) })}, false, "was not verified there"},
		"this part is in an older drill":   {[]Copy{vault(func(c *Copy) { c.Checks = append(c.Checks, c.Checks[0]); c.Checks[0].Covers = some(false) })}, true, "in attic"},
		"one of two":                       {[]Copy{vault(before), vault(func(c *Copy) { c.Name = "cellar" })}, true, "3 copies in 2 failure domains; in cellar"},
		"read, and another is only nearby": {[]Copy{vault(func(c *Copy) { c.Apart = false }), vault(func(c *Copy) { c.Name = "cellar"; before(c) })}, false, "it is in cellar, and was not"},
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

// TestALivePhotoIsSafeWithItsFilm, and not before.
func TestALivePhotoIsSafeWithItsFilm(t *testing.T) {
	still := Photo{seq: 5, State: Ready, Motion: &Motion{seq: 9}}
	read := func(seq uint64) standing {
		return standing{known: true, copies: []reach{{Copy: Copy{Name: "attic", Apart: true, Counts: true, Checks: []Check{{On: time.Now(), By: "reading"}}}, has: 10, proven: []uint64{seq}}}}
	}
	for upTo, safe := range map[uint64]bool{4: false, 5: false, 8: false, 9: true} {
		st := read(upTo)
		if v := st.of(&still); v.Safe != safe {
			t.Errorf("read up to %d: %+v", upTo, v)
		}
	}
	still.State = Broken
	if st := read(10); st.of(&still).Safe {
		t.Error("what is damaged here is safe")
	}
}
