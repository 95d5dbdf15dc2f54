package storetest

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/store"
)

// timeTests are about when resources take place.
var timeTests = []clause{
	{"S7_BetweenFindsWhatTakesPlace", testBetween},
	{"TimesAreKeptAsTheyAre", testTimesKept},
	{"TimesFollowTheNewestVersion", testTimesFollow},
	{"CheckComparesTheIndexWithTheOctets", testDerive},
}

const (
	ever   = math.MinInt64
	always = math.MaxInt64

	hour, day = 3600, 86400
)

// timed is an entry that takes place from first to last.
func (k *kit) timed(name string, first, last int64) holdfast.Entry {
	e := k.put(name, "")
	e.Kind, e.Index.Times = holdfast.KindEvent, holdfast.Times{Timed: true, First: first, Last: last}
	return e
}

// between returns the names of what takes place, in order; each must come once.
func (k *kit) between(s store.Snapshot, from, to int64) (names []string) {
	k.Helper()
	if err := s.Between(k.a.Book, from, to, 0, func(r *holdfast.Resource) error { names = append(names, r.Name); return nil }); err != nil {
		k.Fatalf("between %d and %d: %v", from, to, err)
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		k.Errorf("between %d and %d: %v has something twice", from, to, names)
	}
	return names
}

// testBetween asks for every window whose ends lie on, just before and just after each start and end, and compares the answer with what the contract says of
// each member alone.
func testBetween(k *kit) {
	const now = 1_800_000_000
	when := map[string][2]int64{
		"a moment": {now, now}, "an hour": {now - hour, now + hour}, "a day": {now, now + day}, "two days": {now - day, now + day}, "a long weekend": {now - 2*day, now + day + 1},
		"31 days": {now, now + 31*day}, "31 days and more": {now, now + 31*day + 1}, "a year": {now - 365*day, now + day}, "two years": {now - 730*day, now}, "a century": {now - 36525*day, now + day},
		"1601": {-11644473600, -11644473600 + hour}, "9999": {253402300000, 253402300799},
		"for ever": {now, always}, "since ever": {ever, now}, "always": {ever, always}, "at the very start": {ever, ever}, "at the very end": {always, always},
		"nearly always": {ever + 1, always - 1}, "late": {always - hour, always - 1}, "early": {ever, ever + hour},
	}
	var entries []holdfast.Entry
	var edges []int64
	for name, t := range when {
		entries = append(entries, k.timed(name, t[0], t[1]))
		for _, at := range t {
			for _, shift := range []int64{-1, 0, 1} {
				if shift < 0 && at == ever || shift > 0 && at == always {
					continue
				}
				edges = append(edges, at+shift)
			}
		}
	}
	none := k.put("a contact", "")
	untimed := k.timed("not timed", now, now+hour)
	untimed.Index.Times.Timed = false
	k.do(append(entries, none, untimed)...)
	k.do(k.timed("deleted", now, now+hour))
	k.do(k.m.Delete(k.a.Book, "deleted"))
	slices.Sort(edges)
	edges = slices.Compact(edges)
	k.read(func(s store.Snapshot) {
		for _, from := range edges {
			for _, to := range edges { // a window that ends before it starts holds little, and harms nobody
				var want []string
				for name, t := range when {
					if t[0] < to && t[1] >= from {
						want = append(want, name)
					}
				}
				slices.Sort(want)
				if got := k.between(s, from, to); !slices.Equal(got, want) {
					k.Errorf("between %d and %d: %q, want %q", from, to, got, want)
				}
			}
		}
		err := s.Between(k.m.ID(), 0, now, 0, nil)
		k.kind("between, in a collection that never was", err, holdfast.NotFound)
	})
}

// testTimesKept looks whether every read of a live item tells its times, and whether Between gives what is asked for.
func testTimesKept(k *kit) {
	for i, months := range [][]byte{nil, {}, {0}, {1, 0, 0, 255}, make([]byte, 64)} {
		name := fmt.Sprint(i)
		e := k.timed(name, int64(i), 100)
		e.Index.Times.Months = months
		want := holdfast.Times{Timed: true, First: int64(i), Last: 100, Months: slices.Clone(months)}
		k.do(e)
		for j := range months {
			months[j] = '#' // the engine has its own
		}
		if len(want.Months) == 0 {
			want.Months = nil
		}
		same := func(what string, r *holdfast.Resource) {
			k.Helper()
			if r.Name == name && (!r.Times.Equal(want) || len(want.Months) == 0 && r.Times.Months != nil) {
				k.Errorf("%s: times %v, want %v", what, r.Times, want)
			}
			if ix := r.Index(); ix.UID != r.UID || !ix.Times.Equal(r.Times) {
				k.Errorf("%s: index %v", what, ix)
			}
		}
		k.read(func(s store.Snapshot) {
			each := func(what string) func(*holdfast.Resource) error {
				return func(r *holdfast.Resource) error { same(what, r); return nil }
			}
			one, err := s.Resource(k.a.Book, name, all)
			k.kindless("resource", err)
			same("resource", &one)
			by, err := s.ByUID(k.a.Book, "uid-"+name)
			k.kindless("by UID", err)
			same("by UID", &by)
			k.kindless("list", s.List(k.a.Book, "", 0, 0, each("list")))
			k.kindless("changes", second(s.ChangesSince(k.a.Book, 0, 0, 0, each("changes"))))
			found := false
			k.kindless("between", s.Between(k.a.Book, 0, 100, all, func(r *holdfast.Resource) error {
				same("between", r)
				if r.Name == name {
					found = textResource(r, all, false) == textResource(&one, all, false)
				}
				return nil
			}))
			if !found {
				k.Errorf("between does not give %s as Resource does", name)
			}
		})
	}
}

func (k *kit) kindless(what string, err error) {
	k.Helper()
	if err != nil {
		k.Errorf("%s: %v", what, err)
	}
}

// testTimesFollow moves one thing through time, and out of it.
func testTimesFollow(k *kit) {
	at := func(want string) {
		k.Helper()
		k.read(func(s store.Snapshot) {
			got := ""
			for i := range int64(4) {
				if names := k.between(s, i*1000*day, i*1000*day+day); len(names) > 0 {
					got += fmt.Sprint(i)
				}
			}
			if got != want {
				k.Errorf("it takes place at %q, want %q", got, want)
			}
		})
	}
	step := func(first, last int64, want string) {
		k.Helper()
		k.do(k.timed("it", first, last))
		at(want)
	}
	at("")
	step(0, hour, "0")
	step(1000*day, 1000*day+hour, "1")
	step(1000*day, 2000*day, "12")
	step(ever, always, "0123")
	step(2000*day, 2000*day+hour, "2")
	step(2000*day, 2000*day+hour, "2") // a new version at the same time
	k.do(k.m.Delete(k.a.Book, "it"))
	at("")
	step(3000*day, 3000*day+hour, "3")
	k.do(k.put("it", "a contact now"))
	at("")
	step(3000*day, 3000*day+hour, "3")
	e := k.timed("it", 0, hour)
	e.Body = []byte("another")
	e.If.Exists = holdfast.Absent
	k.refuses(holdfast.PreconditionFailed, "it", e)
	at("3")
	if r := k.resource("it"); r.Times.First != 3000*day {
		k.Errorf("times %v", r.Times)
	}
	k.do(k.m.DeleteCollection(k.a.Book))
	at("3") // as List: what was in it can be read
}

// testDerive lets a check hear that the octets say something else than the index of some members, and looks what it tells.
func testDerive(k *kit) {
	blob := k.put("a blob", "")
	blob.Body, blob.Blob = nil, &holdfast.Blob{Hash: holdfast.HashOf([]byte("big")), Size: 1 << 30}
	k.do(k.put("right", "1"), k.put("unknown", "1"), k.timed("uid", 0, hour), k.timed("times", 0, hour), k.timed("dead", 0, hour), blob)
	k.do(k.put("right", "2"), k.m.Delete(k.a.Book, "dead"))
	asked := map[string]string{}
	derive := func(c *holdfast.Collection, r *holdfast.Resource) (holdfast.Index, bool) {
		if c.ID == k.a.ID {
			return holdfast.Index{}, true
		}
		asked[r.Name] = fmt.Sprintf("%s of %s: %s, %t", c.Name, c.Type, r.ContentType, strings.Contains(string(r.Body), "UID:uid-"+r.Name+"\r\n"))
		x := r.Index()
		switch r.Name {
		case "uid":
			x.UID = "another"
		case "times":
			x.Times.Last++
		case "unknown":
			return holdfast.Index{}, false
		}
		return x, true
	}
	var found []string
	check := func(octets bool, d store.Derive) {
		k.Helper()
		found = nil
		if err := k.h.Engine.Check(k.Context(), octets, d, func(f store.Finding) {
			if f.Account != k.a.ID || f.Collection != k.a.Book || f.Seq == 0 {
				k.Errorf("%+v", f)
			}
			found = append(found, f.Name+": "+f.What)
		}); err != nil {
			k.Fatal(err)
		}
		slices.Sort(found)
	}
	for _, c := range []struct {
		octets bool
		derive store.Derive
	}{{true, nil}, {false, nil}, {false, derive}} {
		if check(c.octets, c.derive); len(found) > 0 || len(asked) > 0 {
			k.Errorf("octets %t: found %q, asked of %v", c.octets, found, asked)
		}
	}
	check(true, derive)
	want := []string{
		"times: the index has the times 1970-01-01T00:00:00Z to 1970-01-01T01:00:00Z (), the octets have 1970-01-01T00:00:00Z to 1970-01-01T01:00:01Z ()",
		`uid: the index has the UID "uid-uid", the octets have "another"`}
	if !slices.Equal(found, want) {
		k.Errorf("found %q, want %q", found, want)
	}
	for _, name := range []string{"right", "unknown", "uid", "times"} {
		if got, want := asked[name], "contacts of addressbook: text/vcard; charset=utf-8, true"; got != want {
			k.Errorf("%s was shown as %q, want %q", name, got, want)
		}
	}
	if len(asked) != 4 {
		k.Errorf("asked of %v", asked)
	}
}

// times makes random ones: from a moment to for ever.
func (w *walk) times() (t holdfast.Times) {
	if w.chance(40) {
		return t
	}
	t.Timed = w.chance(95)
	t.First = w.moments()
	switch w.rng.IntN(6) {
	case 0:
		t.Last = always
	case 1:
		t.First, t.Last = ever, w.moments()
	default:
		t.Last = t.First + pick(w, []int64{0, hour, 2 * day, 2*day + 1, 31 * day, 31*day + 1, 366 * day, 1000 * day})
	}
	if w.chance(30) {
		t.Months = []byte{byte(w.rng.IntN(3)), 0, byte(w.rng.IntN(3))}
	}
	return t
}

// moments are few, so that starts, ends and windows meet.
func (w *walk) moments() int64 { return int64(w.rng.IntN(12)) * 20 * day }

// window makes a random one.
func (w *walk) window() (from, to int64) {
	from = w.moments()
	to = from + pick(w, []int64{1, day, 30 * day, 400 * day})
	switch {
	case w.chance(5):
		return ever, to
	case w.chance(5):
		return from, always
	}
	return from, to
}
