package storetest

import (
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/store"
)

// collectionTests are the rules for collections (S3) and how the tree is read.
var collectionTests = []clause{
	{"S3_CollectionsAreMade", testCollectionMade},
	{"S3_CollectionsHaveAForm", testCollectionForm},
	{"S3_NamesInACollectionStandOnce", testCollectionNames},
	{"S3_CollectionsMove", testCollectionMove},
	{"S3_CollectionsGoSoftly", testCollectionGone},
	{"S3_TheRootStays", testRoot},
	{"CollectionTotalsAndSeqs", testCollectionTotals},
	{"ChildFindsTheLiveOnly", testChild},
}

// collections returns those of the account.
func (k *kit) collections() (cs []holdfast.Collection) {
	k.Helper()
	k.read(func(s store.Snapshot) {
		var err error
		if cs, err = s.Collections(k.a.ID); err != nil {
			k.Fatalf("collections: %v", err)
		}
	})
	return cs
}

func testCollectionMade(k *kit) {
	e := k.m.Collection(k.m.ID(), k.a.Home, "work", holdfast.TypeCalendar)
	e.Body = holdfast.CollectionRecord{Parent: k.a.Home, Name: "work", Type: holdfast.TypeCalendar, Components: []string{"VEVENT", "VTODO"}}.Encode()
	e.Properties = holdfast.Properties{{Space: "DAV:", Local: "displayname", XML: []byte("<D:displayname xmlns:D='DAV:'>Work</D:displayname>")}}
	g := k.group(e)
	e = g.Entries[0]
	r := k.commit(g)
	want := holdfast.Collection{ID: e.Collection, Account: k.a.ID, Seq: 5, Chain: r.Hash, Epoch: 1, Made: e.At, Modified: e.At, Properties: e.Properties,
		CollectionRecord: holdfast.CollectionRecord{Parent: k.a.Home, Name: "work", Type: holdfast.TypeCalendar, Components: []string{"VEVENT", "VTODO"}}}
	if got := k.collection(e.Collection); textCollection(got) != textCollection(want) {
		k.Errorf("made:\n%s\nwant\n%s", textCollection(got), textCollection(want))
	}
	k.read(func(s store.Snapshot) {
		own, err := s.Resource(e.Collection, "", all)
		exp := holdfast.Resource{Account: k.a.ID, Collection: e.Collection, Kind: holdfast.KindCollection, ETag: e.ETag, Size: e.Size, Seq: 5, Item: 5, Made: e.At,
			Modified: e.At, PropsHash: e.PropsHash, Properties: e.Properties, Body: e.Body}
		if err != nil || textResource(&own, all, false) != textResource(&exp, all, false) {
			k.Errorf("its own entry: %v\n%s\nwant\n%s", err, textResource(&own, all, false), textResource(&exp, all, false))
		}
		_, err = s.Collection(k.m.ID())
		k.kind("an unknown collection", err, holdfast.NotFound)
		_, err = s.Collections(k.m.ID())
		k.kind("the collections of an unknown account", err, holdfast.NotFound)
	})
	// Written again: properties and components are those of the last entry, Made stays.
	u := k.m.Collection(e.Collection, k.a.Home, "work", holdfast.TypeCalendar)
	r = k.do(u)
	want.Seq, want.Chain, want.Modified, want.Properties, want.Components = 6, r.Hash, u.At, nil, nil
	if got := k.collection(e.Collection); textCollection(got) != textCollection(want) {
		k.Errorf("written again:\n%s\nwant\n%s", textCollection(got), textCollection(want))
	}
	var ids []holdfast.ID
	for _, c := range k.collections() {
		ids = append(ids, c.ID)
	}
	all := []holdfast.ID{k.a.ID, k.a.Home, k.a.Book, e.Collection}
	slices.SortFunc(all, holdfast.ID.Compare)
	if !slices.Equal(ids, all) {
		k.Errorf("collections %v, want %v by id", ids, all)
	}
}

func testCollectionForm(k *kit) {
	id := k.m.ID()
	for _, name := range []string{".", "..", "a/b", "a\x7fb", strings.Repeat("x", holdfast.MaxName+1)} {
		k.refuses(holdfast.Invalid, "", k.m.Collection(id, k.a.Home, name, holdfast.TypeFolder))
	}
	k.refuses(holdfast.Invalid, "", k.m.Collection(id, k.a.Home, "", holdfast.TypeFolder))
	k.refuses(holdfast.Invalid, "", k.m.Collection(id, k.a.Home, "x", ""))
	k.refuses(holdfast.Invalid, "", k.m.Collection(id, k.a.Home, "", holdfast.TypeRoot))
	k.refuses(holdfast.Invalid, "", k.m.Collection(id, holdfast.ID{}, "", holdfast.TypeRoot))
	broken := k.m.Collection(id, k.a.Home, "x", holdfast.TypeFolder)
	broken.Body = []byte("{")
	k.refuses(holdfast.Invalid, "", broken)
	k.refuses(holdfast.NotFound, "", k.m.DeleteCollection(id))
	k.refuses(holdfast.NotFound, "", k.m.Collection(id, holdfast.ID{}, "x", holdfast.TypeFolder))
	k.refuses(holdfast.NotFound, "", k.m.Collection(id, k.m.ID(), "x", holdfast.TypeFolder))
	k.refuses(holdfast.NotFound, "", k.m.Collection(id, id, "x", holdfast.TypeFolder))
	b := NewAccount(k, k.m, k.h.Engine, "bob@example.org")
	k.refuses(holdfast.Invalid, "", k.m.Collection(b.Book, k.a.Home, "x", holdfast.TypeAddressbook))
	k.refuses(holdfast.Invalid, "", k.m.Collection(b.ID, k.a.Home, "x", holdfast.TypeAddressbook))
	k.refuses(holdfast.Invalid, "", k.m.DeleteCollection(b.Book))
	k.refuses(holdfast.Invalid, "", k.m.Collection(id, b.Home, "x", holdfast.TypeFolder))
	k.refuses(holdfast.Invalid, "", k.m.Collection(k.a.Book, k.a.Home, "contacts", holdfast.TypeCalendar))
	k.do(k.m.Collection(id, k.a.Home, "x", "later") /* an engine knows no formats */)
}

func testCollectionNames(k *kit) {
	x, y := k.m.ID(), k.m.ID()
	folder := func(id, parent holdfast.ID, name string) holdfast.Entry {
		return k.m.Collection(id, parent, name, holdfast.TypeFolder)
	}
	k.do(folder(x, k.a.Home, "x"))
	k.refuses(holdfast.Exists, "x", folder(y, k.a.Home, "x"))
	k.do(folder(y, k.a.ID, "x")) // another parent
	k.refuses(holdfast.Exists, "x", folder(y, k.a.Home, "x"))
	k.do(folder(y, k.a.Home, "X")) // octet for octet
	k.refuses(holdfast.Exists, "x", folder(y, k.a.Home, "x"))
	k.do(folder(x, k.a.Home, "x")) // its own
	k.refuses(holdfast.Exists, "x", folder(k.m.ID(), k.a.Home, "z"), folder(k.m.ID(), k.a.Home, "x"))
	k.do(folder(x, k.a.Home, "z"), folder(y, k.a.Home, "x")) // one goes, the other takes its place, in one group
	k.do(k.m.DeleteCollection(y))
	k.do(folder(x, k.a.Home, "x"))                            // who is gone holds no name
	k.refuses(holdfast.Exists, "x", folder(y, k.a.Home, "x")) // and comes back only to a free one
	k.do(folder(y, k.a.Home, "y"))

	// A resource and a collection do not share a name.
	k.refuses(holdfast.Exists, "x", k.m.Put(k.a.Home, "x", "", []byte("x")))
	k.do(k.m.Put(k.a.Home, "file", "", []byte("x")))
	k.refuses(holdfast.Exists, "file", folder(k.m.ID(), k.a.Home, "file"))
	k.refuses(holdfast.Exists, "file", folder(y, k.a.Home, "file"))
	k.do(k.m.Delete(k.a.Home, "file"), folder(y, k.a.Home, "file"))
	k.refuses(holdfast.Exists, "file", k.m.Put(k.a.Home, "file", "", []byte("x")))
	k.do(k.m.DeleteCollection(y), k.m.Put(k.a.Home, "file", "", []byte("x")))
	k.refuses(holdfast.Exists, "file", folder(y, k.a.Home, "file"))
	k.refuses(holdfast.Exists, holdfast.RecordAccount, folder(k.m.ID(), k.a.ID, holdfast.RecordAccount))
}

func testCollectionMove(k *kit) {
	x, y, z := k.m.ID(), k.m.ID(), k.m.ID()
	folder := func(id, parent holdfast.ID, name string) holdfast.Entry {
		return k.m.Collection(id, parent, name, holdfast.TypeFolder)
	}
	k.do(folder(x, k.a.ID, "x"), folder(y, x, "y"), folder(z, y, "z"), k.m.Put(z, "f", "", []byte("x")))
	k.refuses(holdfast.Invalid, "", folder(x, x, "x"))
	k.refuses(holdfast.Invalid, "", folder(x, y, "x"))
	k.refuses(holdfast.Invalid, "", folder(x, z, "x"))
	k.refuses(holdfast.Invalid, "", folder(y, z, "y"))
	k.do(folder(z, k.a.ID, "z"))
	k.do(folder(x, z, "x2")) // z > x > y
	k.refuses(holdfast.Invalid, "", folder(z, y, "z"))
	k.refuses(holdfast.NotFound, "", folder(z, k.m.ID(), "z"))
	if c := k.collection(x); c.Parent != z || c.Name != "x2" {
		k.Errorf("moved: %s", textCollection(c))
	}
	k.read(func(s store.Snapshot) {
		if r, err := s.Resource(z, "f", 0); err != nil || r.Seq != 8 {
			k.Errorf("a member of a moved collection: %v, %v; want it untouched", r.Seq, err)
		}
		if c, err := s.Child(z, "x2"); err != nil || c.ID != x {
			k.Errorf("by its new path: %v, %v", c.ID, err)
		}
		_, err := s.Child(k.a.ID, "x")
		k.kind("by its old path", err, holdfast.NotFound)
	})
	// No way round over what is gone.
	k.do(k.m.DeleteCollection(x))
	k.refuses(holdfast.NotFound, "", folder(z, x, "z"))
	k.refuses(holdfast.Invalid, "", folder(x, y, "x")) // y lies in x, even while x is gone
	k.do(folder(y, k.a.ID, "y"), folder(x, y, "x"))
}

func testCollectionGone(k *kit) {
	k.do(k.put("b.vcf", "1"))
	sub := k.m.ID()
	named := k.m.Collection(k.a.Book, k.a.Home, "contacts", holdfast.TypeAddressbook)
	named.Properties = holdfast.Properties{{Space: "DAV:", Local: "displayname", XML: []byte("<D:displayname xmlns:D='DAV:'>Friends</D:displayname>")}}
	k.do(k.put("a.vcf", "1"), named)
	k.do(k.m.Collection(sub, k.a.Book, "sub", holdfast.TypeFolder), k.m.Put(sub, "f", "", []byte("x")))
	before := k.collection(k.a.Book)
	d := k.m.DeleteCollection(k.a.Book)
	r := k.do(d)
	want := before
	want.Gone, want.Seq, want.Chain, want.Modified = true, 10, r.Hash, d.At // who looks for what to bring back sees its name and properties
	if got := k.collection(k.a.Book); textCollection(got) != textCollection(want) {
		k.Errorf("gone:\n%s\nwant\n%s", textCollection(got), textCollection(want))
	}
	if k.collection(sub).Gone {
		k.Error("a collection within one that is gone is gone itself: its own state must stay")
	}
	k.refuses(holdfast.NotFound, "", k.put("c.vcf", "1"))
	k.refuses(holdfast.NotFound, "", k.m.Delete(k.a.Book, "a.vcf"))
	k.refuses(holdfast.NotFound, "", k.m.DeleteCollection(k.a.Book))
	k.refuses(holdfast.NotFound, "", k.m.Collection(k.m.ID(), k.a.Book, "new", holdfast.TypeFolder))
	k.refuses(holdfast.NotFound, "", k.m.Collection(sub, k.a.Book, "sub2", holdfast.TypeFolder))
	again := k.m.Collection(k.a.Book, k.a.Home, "contacts", holdfast.TypeAddressbook)
	again.If.Exists = holdfast.Present
	k.refuses(holdfast.NotFound, "", again)
	k.refuses(holdfast.NotFound, "", k.m.Put(sub, "g", "", []byte("x"))) // nobody could reach it
	k.do(k.m.Put(k.a.Home, "g", "", []byte("x")))
	k.read(func(s store.Snapshot) {
		_, err := s.Resource(k.a.Book, "", 0)
		k.kind("the own entry of one that is gone", err, holdfast.NotFound)
		_, err = s.Child(k.a.Home, "contacts")
		k.kind("the child that is gone", err, holdfast.NotFound)
		_, err = s.Child(k.a.Book, "sub")
		k.kind("a child of one that is gone", err, holdfast.NotFound)
		if v := newest(k, s, k.a.Book, ""); v.Op != holdfast.OpDelete || v.Prev != 7 || v.Item != 4 {
			k.Errorf("its newest version: %s", textChange(&v, 0))
		}
	})
	if got := k.names(); !slices.Equal(got, []string{"a.vcf", "b.vcf"}) {
		k.Errorf("its members: %q, want them kept", got)
	}
	k.refuses(holdfast.Invalid, "", k.m.Collection(k.a.Book, k.a.Home, "contacts", holdfast.TypeCalendar))
	b := NewAccount(k, k.m, k.h.Engine, "bob@example.org")
	k.refuse(holdfast.Invalid, "", k.m.Group(b.ID, k.m.Collection(k.a.Book, b.Home, "mine", holdfast.TypeAddressbook)))

	// Back, with all that was in it, under another name. Its own entry is a new item; it was made when it was first made.
	back := k.m.Collection(k.a.Book, k.a.ID, "back", holdfast.TypeAddressbook)
	back.If.Exists = holdfast.Absent
	r = k.do(back, k.put("c.vcf", "1"))
	want.Gone, want.Parent, want.Name, want.Seq, want.Chain, want.Modified = false, k.a.ID, "back", 13, r.Hash, back.At
	want.Properties = nil
	want.Items, want.Octets = 3, want.Octets+int64(len(k.resource("c.vcf").Body))
	if got := k.collection(k.a.Book); textCollection(got) != textCollection(want) {
		k.Errorf("back:\n%s\nwant\n%s", textCollection(got), textCollection(want))
	}
	k.read(func(s store.Snapshot) {
		own, err := s.Resource(k.a.Book, "", 0)
		if err != nil || own.Item != 10 || !own.Made.Equal(back.At) {
			k.Errorf("its own entry: %s, %v; want item 10, made at %s", textResource(&own, 0, false), err, stamp(back.At))
		}
	})
	k.refuses(holdfast.UIDConflict, "a.vcf", k.m.Put(k.a.Book, "d.vcf", "uid-a.vcf", []byte("x")))
}

func testRoot(k *kit) {
	k.refuses(holdfast.Invalid, "", k.m.DeleteCollection(k.a.ID))
	k.refuses(holdfast.Invalid, "", k.m.Collection(k.a.ID, k.a.Home, "root", holdfast.TypeRoot))
	k.refuses(holdfast.Invalid, "", k.m.Collection(k.a.ID, k.a.Home, "root", holdfast.TypeHome))
	k.refuses(holdfast.Invalid, "", k.m.Collection(k.a.ID, k.a.Home, "", holdfast.TypeRoot))
	k.refuses(holdfast.Invalid, "", k.m.Collection(k.a.ID, holdfast.ID{}, "x", holdfast.TypeHome))
	e := k.m.Collection(k.a.ID, holdfast.ID{}, "", holdfast.TypeRoot)
	e.Properties = holdfast.Properties{{Space: "a", Local: "a", XML: []byte("<a/>")}}
	k.do(e)
	if c := k.collection(k.a.ID); len(c.Properties) != 1 || c.Seq != 5 {
		k.Errorf("the root, written again: %s", textCollection(c))
	}
}

func testCollectionTotals(k *kit) {
	sub := k.m.ID()
	k.do(k.m.Collection(sub, k.a.Book, "sub", holdfast.TypeFolder))
	check := func(id holdfast.ID, seq uint64, items, octets int64) {
		k.Helper()
		c := k.collection(id)
		k.read(func(s store.Snapshot) {
			h, err := s.Chain(k.a.ID, seq)
			if err != nil || c.Seq != seq || c.Chain != h.Chain || c.Epoch != h.Epoch || c.Items != items || c.Octets != octets {
				k.Errorf("%s; want seq %d (chain %v, %v), %d items, %d octets", textCollection(c), seq, h.Chain, err, items, octets)
			}
		})
	}
	put := func(id holdfast.ID, name string, n int) holdfast.Entry { return k.m.Put(id, name, "", make([]byte, n)) }
	check(k.a.Book, 4, 0, 0) // a collection within it is not a change in it
	k.do(put(k.a.Book, "a", 10), put(sub, "x", 1), put(k.a.Book, "b", 20), put(sub, "y", 2))
	check(k.a.Book, 8, 2, 30)
	check(sub, 9, 2, 3)
	check(k.a.Home, 3, 0, 0)
	k.do(put(k.a.Book, "a", 5), k.m.Delete(k.a.Book, "b"), put(k.a.Book, "c", 0))
	check(k.a.Book, 12, 2, 5)
	check(sub, 9, 2, 3)
	k.do(k.m.DeleteCollection(sub))
	check(sub, 13, 2, 3)
	check(k.a.Book, 12, 2, 5)
}

func testChild(k *kit) {
	k.do(k.put("a.vcf", "1"))
	k.read(func(s store.Snapshot) {
		if c, err := s.Child(k.a.ID, holdfast.HomeAddressbooks); err != nil || c.ID != k.a.Home {
			k.Errorf("the home: %v, %v", c.ID, err)
		}
		if c, err := s.Child(k.a.Home, "contacts"); err != nil || textCollection(c) != textCollection(k.collection(k.a.Book)) {
			k.Errorf("the book: %s, %v", textCollection(c), err)
		}
		for _, miss := range []struct {
			parent holdfast.ID
			name   string
		}{{k.a.ID, "contacts"}, {k.a.Home, "Contacts"}, {k.a.Home, ""}, {k.a.Book, "a.vcf"}, {k.m.ID(), "contacts"}, {holdfast.ID{}, ""}} {
			_, err := s.Child(miss.parent, miss.name)
			k.kind("the child "+miss.name, err, holdfast.NotFound)
		}
	})
}
