package storetest

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"holdfast"
	"holdfast/internal/store"
)

// readTests are about the current state: lists, changes in a collection (S6), look-ups.
var readTests = []clause{
	{"ListPagesByName", testList},
	{"S6_ChangesSinceMissesNothing", testChangesSince},
	{"S6_ChangesSincePages", testChangesPages},
	{"ReadsOfTheUnknownAreNotFound", testUnknown},
	{"ReadsGiveWhatIsAskedFor", testFields},
	{"CallbacksStopARead", testCallbacks},
	{"ByUIDFindsTheLive", testByUID},
}

// changed compares what ChangesSince tells of the book.
func (k *kit) changed(since uint64, want ...string) {
	k.Helper()
	k.read(func(s store.Snapshot) {
		var got []string
		more, err := s.ChangesSince(k.a.Book, since, 0, all, func(r *holdfast.Resource) error { got = append(got, textResource(r, all, false)); return nil })
		if err != nil || more || !slices.Equal(got, want) {
			k.Errorf("changes since %d: more %t, %v\n%s", since, more, err, difference(got, want))
		}
	})
}

func testList(k *kit) {
	var names []string
	var entries []holdfast.Entry
	for i := range 50 {
		name := fmt.Sprintf("%02d.vcf", (i*37)%50)
		names = append(names, name)
		entries = append(entries, k.put(name, "1"))
	}
	k.do(entries...)
	k.do(k.m.Delete(k.a.Book, "07.vcf"), k.m.Delete(k.a.Book, "49.vcf"), k.m.Collection(k.m.ID(), k.a.Book, "08", holdfast.TypeFolder))
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(n string) bool { return n == "07.vcf" || n == "49.vcf" })
	k.read(func(s store.Snapshot) {
		for _, limit := range []int{0, 1, 7, 48, 49} {
			var got []string
			for after := ""; ; {
				n := 0
				if err := s.List(k.a.Book, after, limit, 0, func(r *holdfast.Resource) error {
					n++
					got, after = append(got, r.Name), r.Name
					return nil
				}); err != nil {
					k.Fatal(err)
				}
				if limit == 0 || n == 0 {
					break
				}
				if n > limit {
					k.Errorf("a page of %d, want at most %d", n, limit)
				}
			}
			if !slices.Equal(got, names) {
				k.Errorf("in pages of %d: %q, want %q", limit, got, names)
			}
		}
		var got []string
		if err := s.List(k.a.Book, "06.vcf\x00", 2, 0, func(r *holdfast.Resource) error { got = append(got, r.Name); return nil }); err != nil || !slices.Equal(got, []string{"08.vcf", "09.vcf"}) {
			k.Errorf("above 06.vcf: %q, %v", got, err)
		}
	})
}

func testChangesSince(k *kit) {
	names := func(since uint64) (out []string) {
		k.Helper()
		k.read(func(s store.Snapshot) {
			var last uint64
			more, err := s.ChangesSince(k.a.Book, since, 0, 0, func(r *holdfast.Resource) error {
				if r.Seq <= last || r.Seq <= since {
					k.Errorf("seq %d comes after %d, since %d", r.Seq, last, since)
				}
				last = r.Seq
				out = append(out, fmt.Sprintf("%s:%d:%d", r.Name, r.Seq, r.State))
				return nil
			})
			if err != nil || more {
				k.Fatalf("changes since %d: more %t, %v", since, more, err)
			}
		})
		return out
	}
	check := func(since uint64, want ...string) {
		k.Helper()
		if got := names(since); !slices.Equal(got, want) {
			k.Errorf("since %d: %v, want %v", since, got, want)
		}
	}
	check(0)
	k.do(k.put("a", "1"), k.put("b", "1"), k.put("c", "1")) // 5 6 7
	k.do(k.m.Put(k.a.Home, "elsewhere", "", []byte("x")))   // 8
	k.do(k.put("a", "2"), k.m.Delete(k.a.Book, "b"))        // 9 10
	check(0, "c:7:0", "a:9:0", "b:10:1")
	check(4, "c:7:0", "a:9:0", "b:10:1")
	check(7, "a:9:0", "b:10:1")
	check(8, "a:9:0", "b:10:1")
	check(9, "b:10:1")
	check(10)
	check(1 << 40)
	k.do(k.put("b", "2"))                                                          // 11
	k.do(k.m.Collection(k.a.Book, k.a.Home, "contacts", holdfast.TypeAddressbook)) // 12: its own entry is left out
	k.do(k.m.Collection(k.m.ID(), k.a.Book, "sub", holdfast.TypeFolder))           // 13: another collection
	check(0, "c:7:0", "a:9:0", "b:11:0")
	check(10, "b:11:0")
	check(11)
	k.do(k.m.Delete(k.a.Book, "a"), k.put("a", "3"), k.m.Delete(k.a.Book, "a")) // 14 15 16: once, as it is now
	check(11, "a:16:1")
	k.do(k.m.DeleteCollection(k.a.Book))
	check(0, "c:7:0", "b:11:0", "a:16:1")
}

func testChangesPages(k *kit) {
	for i := range 30 {
		k.do(k.put(fmt.Sprintf("%d", i%11), fmt.Sprint(i)), k.put(fmt.Sprintf("x%d", i), ""))
		if i%4 == 0 {
			k.do(k.m.Delete(k.a.Book, fmt.Sprintf("x%d", i)))
		}
	}
	var whole []string
	k.read(func(s store.Snapshot) {
		if _, err := s.ChangesSince(k.a.Book, 0, 0, all, func(r *holdfast.Resource) error { whole = append(whole, textResource(r, all, false)); return nil }); err != nil {
			k.Fatal(err)
		}
		for _, limit := range []int{1, 2, 5, len(whole) - 1, len(whole), len(whole) + 1} {
			var got []string
			seq, pages := uint64(0), 0
			for more := true; more; pages++ {
				n := 0
				var err error
				more, err = s.ChangesSince(k.a.Book, seq, limit, all, func(r *holdfast.Resource) error {
					n++
					got, seq = append(got, textResource(r, all, false)), r.Seq
					return nil
				})
				if err != nil || n > limit || more && n != limit {
					k.Fatalf("a page of %d with limit %d, more %t, %v", n, limit, more, err)
				}
			}
			if !slices.Equal(got, whole) {
				k.Errorf("in pages of %d:\n%s", limit, difference(got, whole))
			}
			if want := (len(whole) + limit - 1) / limit; pages != want {
				k.Errorf("%d pages of %d, want %d: more is said where nothing more is", pages, limit, want)
			}
		}
	})
	if len(whole) != 41 {
		k.Errorf("%d items changed, want 41", len(whole))
	}
	// What changes between two pages comes again, or later, never not at all.
	seen := map[string]uint64{}
	for seq, more, i := uint64(0), true, 0; more; i++ {
		k.read(func(s store.Snapshot) {
			var err error
			if more, err = s.ChangesSince(k.a.Book, seq, 6, 0, func(r *holdfast.Resource) error { seen[r.Name], seq = r.Seq, r.Seq; return nil }); err != nil {
				k.Fatal(err)
			}
		})
		if i < 5 {
			k.do(k.put(fmt.Sprint(i), fmt.Sprint("between ", i)), k.put(fmt.Sprintf("y%d", i), ""))
		}
	}
	k.read(func(s store.Snapshot) {
		if _, err := s.ChangesSince(k.a.Book, 0, 0, 0, func(r *holdfast.Resource) error {
			if seen[r.Name] != r.Seq {
				k.Errorf("%s changed at %d, the pages told of %d", r.Name, r.Seq, seen[r.Name])
			}
			return nil
		}); err != nil {
			k.Fatal(err)
		}
	})
}

func testUnknown(k *kit) {
	k.do(k.put("a.vcf", "1"))
	item := func(*holdfast.Resource) error { return nil }
	change := func(*holdfast.Change) error { return nil }
	k.read(func(s store.Snapshot) {
		// An unknown collection is never an empty one: an empty listing empties a phone.
		for what, id := range map[string]holdfast.ID{"an unknown collection": k.m.ID(), "no collection": {}} {
			_, err := s.Collection(id)
			k.kind("collection: "+what, err, holdfast.NotFound)
			_, err = s.Resource(id, "a.vcf", 0)
			k.kind("resource: "+what, err, holdfast.NotFound)
			_, err = s.Resource(id, "", 0)
			k.kind("own entry: "+what, err, holdfast.NotFound)
			_, err = s.ByUID(id, "uid-a.vcf")
			k.kind("by UID: "+what, err, holdfast.NotFound)
			k.kind("list: "+what, s.List(id, "", 0, 0, item), holdfast.NotFound)
			_, err = s.ChangesSince(id, 0, 0, 0, item)
			k.kind("changes since: "+what, err, holdfast.NotFound)
			k.kind("versions: "+what, s.Versions(id, "a.vcf", 0, change), holdfast.NotFound)
			_, err = s.ResourceAt(id, "a.vcf", 5, 0)
			k.kind("resource at: "+what, err, holdfast.NotFound)
			k.kind("list at: "+what, s.ListAt(id, 5, 0, item), holdfast.NotFound)
		}
		for what, id := range map[string]holdfast.ID{"an unknown account": k.m.ID(), "a collection's id": k.a.Book} {
			_, err := s.Account(id)
			k.kind("account: "+what, err, holdfast.NotFound)
			_, err = s.Head(id)
			k.kind("head: "+what, err, holdfast.NotFound)
			_, err = s.Chain(id, 1)
			k.kind("chain: "+what, err, holdfast.NotFound)
			k.kind("changes: "+what, s.Changes(id, 0, 0, 0, change), holdfast.NotFound)
			_, err = s.Digest(id, 0)
			k.kind("digest: "+what, err, holdfast.NotFound)
			_, err = s.Collections(id)
			k.kind("collections: "+what, err, holdfast.NotFound)
		}
		_, err := s.Resource(k.a.Book, "never", 0)
		k.kind("an item that never was", err, holdfast.NotFound)
		_, err = s.ResourceAt(k.a.Book, "never", 0, 0)
		k.kind("an item that never was, at its time", err, holdfast.NotFound)
		k.kind("versions of an item that never was", s.Versions(k.a.Book, "never", 0, change), holdfast.NotFound)
	})
}

func testFields(k *kit) {
	e := k.put("a.vcf", "1")
	e.Actor.Device = k.m.ID()
	e.Properties = holdfast.Properties{{Space: "urn:x", Local: "a", XML: []byte("<a xmlns='urn:x'/>")}}
	k.do(e)
	whole := k.resource("a.vcf")
	k.read(func(s store.Snapshot) {
		for f := store.Fields(0); f <= all; f++ {
			want := textResource(&whole, f, false)
			check := func(what string, r *holdfast.Resource, past bool) {
				k.Helper()
				want := want
				if past {
					want = textResource(&whole, f, true)
				}
				if got := textResource(r, f, past); got != want {
					k.Errorf("%s with fields %b:\n%s\nwant\n%s", what, f, got, want)
				}
				if f&store.WithBody == 0 && r.Body != nil {
					k.Errorf("%s with fields %b reads a body that nobody asked for", what, f)
				}
			}
			r, err := s.Resource(k.a.Book, "a.vcf", f)
			if err != nil {
				k.Fatal(err)
			}
			check("resource", &r, false)
			if r, err = s.ResourceAt(k.a.Book, "a.vcf", 0, f); err != nil {
				k.Fatal(err)
			}
			check("resource at", &r, true)
			if err := errors.Join(
				s.List(k.a.Book, "", 0, f, func(r *holdfast.Resource) error { check("list", r, false); return nil }),
				s.ListAt(k.a.Book, 0, f, func(r *holdfast.Resource) error { check("list at", r, true); return nil }),
				second(s.ChangesSince(k.a.Book, 0, 0, f, func(r *holdfast.Resource) error { check("changes since", r, false); return nil })),
				s.Changes(k.a.ID, 4, 0, f, func(c *holdfast.Change) error {
					if f&store.WithBody == 0 && c.Body != nil {
						k.Errorf("changes with fields %b reads a body that nobody asked for", f)
					}
					if f&store.WithBody != 0 && string(c.Body) != string(e.Body) {
						k.Errorf("changes with fields %b: body %q", f, c.Body)
					}
					return nil
				})); err != nil {
				k.Fatal(err)
			}
		}
	})
}

func testCallbacks(k *kit) {
	k.do(k.timed("a", 0, always), k.timed("b", 0, hour), k.timed("a", 0, hour))
	k.read(func(s store.Snapshot) {
		calls := 0
		item := func(*holdfast.Resource) error { calls++; return errStop }
		change := func(*holdfast.Change) error { calls++; return errStop }
		for what, read := range map[string]func() error{
			"list":          func() error { return s.List(k.a.Book, "", 0, 0, item) },
			"between":       func() error { return s.Between(k.a.Book, math.MinInt64, math.MaxInt64, 0, item) },
			"list at":       func() error { return s.ListAt(k.a.Book, 6, 0, item) },
			"changes since": func() error { return second(s.ChangesSince(k.a.Book, 0, 0, 0, item)) },
			"changes":       func() error { return s.Changes(k.a.ID, 0, 0, 0, change) },
			"versions":      func() error { return s.Versions(k.a.Book, "a", 0, change) },
		} {
			calls = 0
			if err := read(); !errors.Is(err, errStop) || calls != 1 {
				k.Errorf("%s: %v after %d calls, want the callback's error after 1", what, err, calls)
			}
		}
		// A read from within a callback, in the same snapshot.
		if err := s.List(k.a.Book, "", 0, 0, func(r *holdfast.Resource) error {
			_, err := s.Resource(k.a.Book, r.Name, all)
			return err
		}); err != nil {
			k.Errorf("a read within a read: %v", err)
		}
	})
}

func testByUID(k *kit) {
	k.do(k.put("a.vcf", "1"), k.m.Put(k.a.Book, "none.vcf", "", []byte("x")))
	find := func(uid, want string) {
		k.Helper()
		k.read(func(s store.Snapshot) {
			r, err := s.ByUID(k.a.Book, uid)
			if want == "" {
				k.kind("by UID "+uid, err, holdfast.NotFound)
			} else if err != nil || r.Name != want || r.UID != uid {
				k.Errorf("by UID %s: %q, %v; want %q", uid, r.Name, err, want)
			}
		})
	}
	find("uid-a.vcf", "a.vcf")
	find("", "")
	find("never", "")
	k.do(k.m.Put(k.a.Book, "a.vcf", "new", []byte("x")))
	find("uid-a.vcf", "")
	find("new", "a.vcf")
	k.do(k.m.Delete(k.a.Book, "a.vcf"))
	find("new", "")
	k.do(k.m.Put(k.a.Book, "b.vcf", "new", []byte("x")))
	find("new", "b.vcf")
}
