package salvage

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/dav/caldav"
	"holdfast/internal/dav/carddav"
	"holdfast/internal/store/memory"
)

// house is a store with one account.
type house struct {
	s    *core.Service
	p    holdfast.Principal
	book holdfast.ID
	cal  holdfast.ID
	e    *memory.Engine
}

func newHouse(t testing.TB) *house {
	t.Helper()
	e := memory.New()
	t.Cleanup(func() { e.Close() })
	s := core.New(core.Options{Engine: e, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: carddav.Judge(carddav.Options{}), holdfast.TypeCalendar: caldav.Judge(caldav.Options{})}})
	a, _, err := s.CreateAccount(t.Context(), holdfast.Actor{}, "alice@example.org", "")
	if err != nil {
		t.Fatal(err)
	}
	h := &house{s: s, p: holdfast.Principal{Account: a.ID}, e: e}
	for path, id := range map[string]*holdfast.ID{"addressbooks/default": &h.book, "calendars/default": &h.cal} {
		at, err := s.Locate(t.Context(), h.p, a.ID, strings.Split(path, "/"))
		if err != nil {
			t.Fatal(err)
		}
		*id = at.Collection.ID
	}
	return h
}

func (h *house) put(t testing.TB, c holdfast.ID, name, body string) {
	t.Helper()
	kind := "text/vcard"
	if c == h.cal {
		kind = "text/calendar"
	}
	if _, _, err := h.s.Put(t.Context(), h.p, core.PutRequest{Place: core.Place{Owner: h.p.Account, Collection: c, Name: name}, ContentType: kind, Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
}

func (h *house) remove(t testing.TB, c holdfast.ID, name string) {
	t.Helper()
	if _, err := h.s.Delete(t.Context(), h.p, core.Place{Owner: h.p.Account, Collection: c, Name: name}, holdfast.Precondition{}, nil); err != nil {
		t.Fatal(err)
	}
}

// live returns the ETag of everything that is there, by path.
func (h *house) live(t testing.TB) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := h.s.Inspect(t.Context(), h.p.Account, func(r *core.Reader) error {
		for _, c := range []holdfast.ID{h.book, h.cal} {
			err := r.List(c, "", 0, core.WithBody, func(x *holdfast.Resource) error {
				out[r.PathOf(c)+"/"+x.Name] = string(x.Body)
				return nil
			})
			if err != nil && !holdfast.IsKind(err, holdfast.NotFound) { // it was deleted
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (h *house) salvage(t testing.TB, q Request, file, text string) (Counts, []Item) {
	t.Helper()
	var items []Item
	q.Account = h.p.Account
	r, err := New(t.Context(), h.s, q, func(e Event) error {
		if e.Item != nil {
			items = append(items, *e.Item)
		}
		return nil
	})
	if err == nil {
		err = r.File(t.Context(), file, strings.NewReader(text))
	}
	if err != nil {
		t.Fatal(err)
	}
	n, err := r.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n, items
}

func card(uid, name string, lines ...string) string {
	if uid != "" {
		lines = append(lines, "UID:"+uid)
	}
	return "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:" + name + "\r\nN:" + name + ";;;;\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VCARD\r\n"
}

func event(uid, summary string, lines ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:" + uid + "\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260301T100000Z\r\nSUMMARY:" + summary + "\r\n" +
		strings.Join(append(lines, "END:VEVENT"), "\r\n") + "\r\nEND:VCALENDAR\r\n"
}

// TestWhatAnItemIs shows each result, and that the same again changes nothing.
func TestWhatAnItemIs(t *testing.T) {
	android := "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=B6rg;;;\r\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=B6rg M=C3=BCller\r\nTEL;CELL:+49 170 123-456\r\nEND:VCARD\r\n"
	ios := "BEGIN:VCARD\r\nVERSION:3.0\r\nPRODID:-//Apple Inc.//iPhone OS 17//EN\r\nN:Müller;Jörg;;;\r\nFN:Jörg Müller\r\nTEL;type=CELL;type=VOICE;type=pref:+49170123456\r\nREV:2026-01-01T00:00:00Z\r\nEND:VCARD\r\n"
	full := "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:j\r\nFN:Jörg Müller\r\nN:Müller;Jörg;;;\r\nTEL;TYPE=cell:+49170123456\r\nNOTE:from school\r\nEND:VCARD\r\n"
	four := "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:j\r\nFN:Jörg Müller\r\nN:Müller;Jörg;;;\r\nTEL;VALUE=uri;TYPE=cell:tel:+49170123456\r\nEND:VCARD\r\n"
	for name, x := range map[string]struct {
		before func(*house)
		file   string
		want   Result
	}{
		"unknown":                  {nil, card("a", "Ann"), Restored},
		"the same octets":          {func(h *house) { h.put(t, h.book, "1.vcf", full) }, full, Already},
		"in another order, folded": {func(h *house) { h.put(t, h.book, "1.vcf", card("a", "Ann", "TEL:1", "NOTE:long text")) }, card("a", "Ann", "NOTE:lo\r\n ng text", "TEL:1", "REV:2026"), Already},
		"as Android 2.1 has it":    {func(h *house) { h.put(t, h.book, "1.vcf", full) }, android, Already},
		"as iOS has it":            {func(h *house) { h.put(t, h.book, "1.vcf", full) }, ios, Already},
		"from version 4.0":         {func(h *house) { h.put(t, h.book, "1.vcf", four) }, android, Already},
		"an earlier version": {func(h *house) {
			h.put(t, h.book, "1.vcf", card("a", "Ann", "TEL:1"))
			h.put(t, h.book, "1.vcf", card("a", "Ann", "TEL:2"))
		}, card("a", "Ann", "TEL:1"), Older},
		"changed on both sides":            {func(h *house) { h.put(t, h.book, "1.vcf", card("a", "Ann", "TEL:1")) }, card("a", "Ann", "TEL:2"), Conflict},
		"changed, without its UID":         {func(h *house) { h.put(t, h.book, "1.vcf", card("a", "Ann", "TEL:1")) }, card("", "Ann", "TEL:1", "NOTE:x"), Conflict},
		"another of the same name":         {func(h *house) { h.put(t, h.book, "1.vcf", card("a", "Ann", "TEL:1")) }, card("", "Ann", "TEL:2"), Restored},
		"a picture that was not there":     {func(h *house) { h.put(t, h.book, "1.vcf", card("a", "Ann")) }, card("a", "Ann", "PHOTO;ENCODING=b;TYPE=JPEG:AAAA"), Conflict},
		"a picture that the phone scaled":  {func(h *house) { h.put(t, h.book, "1.vcf", card("a", "Ann", "PHOTO;ENCODING=b;TYPE=JPEG:AAAAAAAA")) }, card("a", "Ann", "PHOTO;ENCODING=b;TYPE=JPEG:AAAA"), Already},
		"deleted":                          {func(h *house) { h.put(t, h.book, "1.vcf", card("a", "Ann")); h.remove(t, h.book, "1.vcf") }, card("a", "Ann"), Offered},
		"deleted, and has another UID":     {func(h *house) { h.put(t, h.book, "1.vcf", full); h.remove(t, h.book, "1.vcf") }, android, Offered},
		"deleted, and changed on a device": {func(h *house) { h.put(t, h.book, "1.vcf", card("a", "Ann")); h.remove(t, h.book, "1.vcf") }, card("a", "Ann", "TEL:7"), Restored},
		"deleted with its address book":    {func(h *house) { h.put(t, h.cal, "1.ics", event("a", "x")); h.remove(t, h.cal, "") }, event("a", "x"), Offered},
		"deleted, and its name has another": {func(h *house) {
			h.put(t, h.book, "1.vcf", card("a", "Ann"))
			h.remove(t, h.book, "1.vcf")
			h.put(t, h.book, "1.vcf", card("b", "Bea"))
		}, card("a", "Ann"), Offered},
		"stored again under another name": {func(h *house) {
			h.put(t, h.book, "1.vcf", card("a", "Ann"))
			h.remove(t, h.book, "1.vcf")
			h.put(t, h.book, "2.vcf", card("a", "Ann"))
		}, card("a", "Ann"), Already},
		"no contact":                 {nil, "BEGIN:VCARD\r\nVERSION:9.0\r\nFN:x\r\nEND:VCARD\r\n", Refused},
		"an event with newer stamps": {func(h *house) { h.put(t, h.cal, "1.ics", event("a", "x", "STATUS:CONFIRMED")) }, event("a", "x", "LAST-MODIFIED:20260301T000000Z", "SEQUENCE:2"), Already},
		"an event that was moved":    {func(h *house) { h.put(t, h.cal, "1.ics", event("a", "x")) }, strings.Replace(event("a", "x"), "DTSTART:20260301T10", "DTSTART:20260301T11", 1), Conflict},
		"an event without its UID":   {func(h *house) { h.put(t, h.cal, "1.ics", event("a", "x")) }, strings.Replace(event("a", "x"), "UID:a\r\n", "", 1), Already},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			if x.before != nil {
				x.before(h)
			}
			before := h.live(t)
			if n, items := h.salvage(t, Request{DryRun: true}, "f", x.file); len(items) != 1 || items[0].Result != x.want || !maps.Equal(before, h.live(t)) {
				t.Fatalf("a dry run found %v %+v", n, items)
			}
			if _, items := h.salvage(t, Request{From: "phone"}, "f", x.file); len(items) != 1 || items[0].Result != x.want {
				t.Fatalf("found %+v, want %s", items, x.want)
			}
			after := h.live(t)
			if grew := len(after) - len(before); grew != map[Result]int{Restored: 1, Conflict: 1}[x.want] {
				t.Errorf("%d items came", grew)
			}
			unharmed(t, before, after)
			h.salvage(t, Request{From: "phone"}, "f", x.file)
			if !maps.Equal(after, h.live(t)) {
				t.Errorf("the same again changed something: %v", h.live(t))
			}
			if x.want == Offered && !strings.HasPrefix(name, "deleted with") {
				if _, items := h.salvage(t, Request{WithDeleted: true}, "f", x.file); items[0].Result != Restored || len(h.live(t)) != len(after)+1 {
					t.Errorf("what was deleted did not come back: %+v", items)
				}
			}
		})
	}
}

func unharmed(t testing.TB, before, after map[string]string) {
	t.Helper()
	for path, body := range before {
		if after[path] != body {
			t.Fatalf("%s was\n%s\nand is\n%s", path, body, after[path])
		}
	}
}

// TestConflictCopies shows that a copy says in its name that it is one, keeps all else, and is not made again.
func TestConflictCopies(t *testing.T) {
	h := newHouse(t)
	h.put(t, h.book, "1.vcf", card("a", "Ann", "TEL:1"))
	h.put(t, h.cal, "1.ics", event("a", "Lunch"))
	for path, text := range map[string]string{"f.vcf": card("a", "Ann", "TEL:2", "X-ODD:kept"), "f.ics": event("a", "Lunch", "LOCATION:there", "X-ODD:kept")} {
		n, items := h.salvage(t, Request{From: "Ann's phone"}, path, text)
		if n.Conflict != 1 || items[0].Of == "" || items[0].Path == items[0].Of {
			t.Fatalf("%+v", items)
		}
		body := strings.ReplaceAll(h.live(t)[items[0].Path], "\r\n ", "")
		if !strings.Contains(body, `(conflict copy\, from Ann's phone\, `) || !strings.Contains(body, "X-ODD:kept") || !strings.Contains(body, "UID:"+items[0].UID) {
			t.Errorf("the copy is\n%s", body)
		}
		if path == "f.vcf" && (!strings.Contains(body, "\r\nFN:Ann (conflict") || !strings.Contains(body, "\r\nN:Ann;;;;(conflict")) {
			t.Errorf("the copy's names are\n%s", body)
		}
	}
}

// TestNothingIsLost salvages edited, cut and doubled exports into accounts with a past of their own: what was live is as it was, all that a file says is there, offered or known to history, and the same again adds nothing.
func TestNothingIsLost(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		h := newHouse(t)
		some := func() string {
			uid := ""
			if rnd.IntN(3) > 0 {
				uid = fmt.Sprint("u", rnd.IntN(8))
			}
			return card(uid, fmt.Sprint("P", rnd.IntN(4)), fmt.Sprint("TEL:", rnd.IntN(3)), fmt.Sprint("NOTE:", rnd.IntN(3)))
		}
		names := map[string]bool{}
		for range 30 {
			name := fmt.Sprint(rnd.IntN(8), ".vcf")
			if names[name] && rnd.IntN(3) == 0 {
				h.remove(t, h.book, name)
				delete(names, name)
				continue
			}
			h.put(t, h.book, name, card("u"+name, fmt.Sprint("P", rnd.IntN(4)), fmt.Sprint("TEL:", rnd.IntN(3)), fmt.Sprint("NOTE:", rnd.IntN(3))))
			names[name] = true
		}
		var file strings.Builder
		for range 20 {
			file.WriteString(some())
		}
		before := h.live(t)
		q := Request{WithDeleted: rnd.IntN(2) == 0}
		dry := q
		dry.DryRun = true
		foreseen, _ := h.salvage(t, dry, "f.vcf", file.String())
		n, items := h.salvage(t, q, "f.vcf", file.String())
		after := h.live(t)
		unharmed(t, before, after)
		if n != foreseen || n.Refused > 0 || len(items) != 20 || len(after) != len(before)+n.Restored+n.Conflict {
			t.Fatalf("seed %d: %+v, foreseen %+v, %d items before and %d after: %+v", seed, n, foreseen, len(before), len(after), items)
		}
		again, told := h.salvage(t, q, "f.vcf", file.String())
		if !maps.Equal(after, h.live(t)) || again.Restored+again.Conflict > 0 {
			t.Fatalf("seed %d: the same again did %+v, first %+v then %+v", seed, again, items, told)
		}
	}
}

// TestCorpus salvages what real programs exported: twice is once.
func TestCorpus(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "corpus")
	files, _ := filepath.Glob(filepath.Join(dir, "contacts", "*.vcf"))
	more, _ := filepath.Glob(filepath.Join(dir, "calendars", "*", "*.ics"))
	if len(files) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the corpus is not at %s", dir)
		}
		t.Skipf("what real programs export is not tried: corpus not found at %s", dir)
	}
	for _, name := range append(files, more...) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		h := newHouse(t)
		h.salvage(t, Request{}, filepath.Base(name), string(b))
		after := h.live(t)
		again, items := h.salvage(t, Request{}, filepath.Base(name), string(b))
		if again.Restored+again.Conflict > 0 || !maps.Equal(after, h.live(t)) {
			t.Errorf("%s: the same again did %+v: %+v", name, again, items)
		}
	}
}

// TestInterrupted shows that what was stored before an interruption is met again.
func TestInterrupted(t *testing.T) {
	h := newHouse(t)
	var file strings.Builder
	for i := range 600 {
		file.WriteString(card(fmt.Sprint("u", i), fmt.Sprint("P", i)))
	}
	ctx, stop := context.WithCancel(t.Context())
	r, err := New(ctx, h.s, Request{Account: h.p.Account}, func(Event) error { stop(); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := r.File(ctx, "f", strings.NewReader(file.String())); err == nil {
		t.Fatal("it was not interrupted")
	}
	some := len(h.live(t))
	if n, _ := h.salvage(t, Request{}, "f", file.String()); some == 0 || some == 600 || n.Restored != 600-some || n.Already != some {
		t.Errorf("%d were there, then %+v", some, n)
	}
}

// TestPruned shows that a version whose octets retention let go of is known by their hash.
func TestPruned(t *testing.T) {
	for _, deleted := range []bool{false, true} {
		h := newHouse(t)
		first := card("a", "Ann", "TEL:1")
		h.put(t, h.book, "1.vcf", first)
		want := Offered
		if deleted {
			h.remove(t, h.book, "1.vcf")
		} else {
			h.put(t, h.book, "1.vcf", card("a", "Ann", "TEL:2"))
			want = Older
		}
		past, err := h.s.PastOf(t.Context(), h.p.Account)
		if err != nil {
			t.Fatal(err)
		}
		var seqs []uint64
		if err := past.Traces(t.Context(), func(x core.Trace) error {
			if x.ETag == holdfast.HashOf([]byte(first)) {
				seqs = append(seqs, x.Seq)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if n, _, err := h.e.Prune(t.Context(), h.p.Account, seqs); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if _, items := h.salvage(t, Request{}, "f", first); items[0].Result != want {
			t.Errorf("deleted %v: %+v", deleted, items)
		}
		if !deleted {
			continue
		}
		if _, items := h.salvage(t, Request{WithDeleted: true}, "f", first); items[0].Result != Restored || len(h.live(t)) != 1 {
			t.Errorf("what was deleted did not come back: %+v", items)
		}
	}
}
