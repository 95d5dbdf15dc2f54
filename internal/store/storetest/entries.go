package storetest

import (
	"fmt"
	"slices"
	"strings"

	"holdfast"
)

// entryTests are the rules for groups and resources (S3).
var entryTests = []clause{
	{"S3_GroupsHaveAForm", testGroupForm},
	{"S3_EntriesHaveAForm", testEntryForm},
	{"S3_EntriesNeedALiveCollectionOfTheAccount", testEntryCollection},
	{"S3_PutMakesAndUpdates", testPut},
	{"S3_DeleteLeavesATombstone", testDelete},
	{"TheReceiptTellsOfACreation", testCreated},
	{"S3_ARetryMeetsItsOwnWrite", testReplay},
	{"S3_AUIDStandsOnce", testUID},
	{"S3_AMoveIsADeleteAndAPut", testMove},
	{"S3_AReversalGoesThroughStatesOfItsOwn", testReversal},
	{"S3_Quota", testQuota},
	{"S3_ItemNumbers", testItemNumbers},
}

func testGroupForm(k *kit) {
	k.refuse(holdfast.Invalid, "", &holdfast.Group{Account: k.a.ID})
	k.refuse(holdfast.Invalid, "", &holdfast.Group{Account: k.a.ID, Entries: []holdfast.Entry{k.put("a.vcf", "1")}})
	late := k.group(k.put("a.vcf", "1"))
	late.Entries = append(late.Entries, k.put("b.vcf", "1"))
	k.refuse(holdfast.Invalid, "", late)
	half := k.group(k.put("a.vcf", "1"), k.put("b.vcf", "1"))
	half.Entries = half.Entries[:1]
	k.refuse(holdfast.Invalid, "", half)

	var most []holdfast.Entry
	for i := range holdfast.MaxGroup + 1 {
		most = append(most, k.put(fmt.Sprintf("%04d.vcf", i), "1"))
	}
	k.refuses(holdfast.TooLarge, "", most...)
	if r := k.do(most[:holdfast.MaxGroup]...); r.Seq != 4+holdfast.MaxGroup {
		k.Errorf("the largest group ends at seq %d, want %d", r.Seq, 4+holdfast.MaxGroup)
	}
	if n := len(k.names()); n != holdfast.MaxGroup {
		k.Errorf("%d names, want %d", n, holdfast.MaxGroup)
	}
}

func testEntryForm(k *kit) {
	bad := func(what string, edit func(*holdfast.Entry)) {
		k.Helper()
		e := k.put("a.vcf", "1")
		edit(&e)
		k.Logf("form: %s", what)
		k.refuses(holdfast.Invalid, "", e)
	}
	bad("no operation", func(e *holdfast.Entry) { e.Op = 0 })
	bad("an unknown operation", func(e *holdfast.Entry) { e.Op = 3 })
	bad("no kind", func(e *holdfast.Entry) { e.Kind = 0 })
	bad("body and blob", func(e *holdfast.Entry) { e.Blob = &holdfast.Blob{Hash: holdfast.HashOf(nil), Size: 1} })
	bad("no name, but not a collection", func(e *holdfast.Entry) { e.Name = "" })
	bad("a collection's own entry with a name", func(e *holdfast.Entry) { e.Kind = holdfast.KindCollection })
	bad("an account's record elsewhere", func(e *holdfast.Entry) { e.Kind = holdfast.KindAccount })
	bad("another kind as the account's record", func(e *holdfast.Entry) { e.Collection, e.Name = k.a.ID, holdfast.RecordAccount })
	bad("a reversal's record elsewhere", func(e *holdfast.Entry) { e.Kind = holdfast.KindReversal })
	bad("another kind as a reversal's record", func(e *holdfast.Entry) { e.Collection, e.Name = k.a.ID, holdfast.ReversalName(k.m.ID()) })
	bad("properties out of order", func(e *holdfast.Entry) {
		e.Properties = holdfast.Properties{{Space: "b", Local: "b", XML: []byte("<b/>")}, {Space: "a", Local: "a", XML: []byte("<a/>")}}
	})
	for _, name := range []string{".", "..", "a/b", `a\b`, "a\x00b", "a\nb", "\xff", strings.Repeat("x", holdfast.MaxName+1)} {
		bad(fmt.Sprintf("the name %.10q", name), func(e *holdfast.Entry) { e.Name = name })
	}
	k.do(k.put("a.vcf", "1"))
	bad("a delete with octets", func(e *holdfast.Entry) { e.Op = holdfast.OpDelete })
	bad("a delete with properties", func(e *holdfast.Entry) {
		e.Op, e.Body, e.Properties = holdfast.OpDelete, nil, holdfast.Properties{{Space: "a", Local: "a", XML: []byte("<a/>")}}
	})

	// These are names.
	names := []string{"a b", "a.vcf", "A.vcf", "%2f", "é", "e\u0301", "名前", "'\"--;", strings.Repeat("x", holdfast.MaxName)}
	for i, name := range names {
		e := k.put(name, "1")
		e.Index.UID = fmt.Sprint(i)
		k.do(e)
	}
	slices.Sort(names)
	if got := k.names(); !slices.Equal(got, names) {
		k.Errorf("names %q, want %q: octet for octet, in octet order", got, names)
	}
}

func testEntryCollection(k *kit) {
	b := NewAccount(k, k.m, k.h.Engine, "bob@example.org")
	k.commit(k.m.Group(b.ID, k.m.Put(b.Book, "b.vcf", "", []byte("x"))))
	k.refuses(holdfast.NotFound, "", k.m.Put(k.m.ID(), "a.vcf", "", []byte("x")))
	k.refuses(holdfast.NotFound, "", k.m.Delete(k.m.ID(), "a.vcf"))
	k.refuses(holdfast.Invalid, "", k.m.Put(b.Book, "a.vcf", "", []byte("x")))
	k.refuses(holdfast.Invalid, "", k.m.Delete(b.Book, "b.vcf"))
	k.refuse(holdfast.NotFound, "", k.m.Group(k.m.ID(), k.put("a.vcf", "1")))
	// A collection that an earlier entry made, or took, counts.
	sub := k.m.ID()
	k.refuses(holdfast.NotFound, "", k.m.Put(sub, "a.vcf", "", []byte("x")), k.m.Collection(sub, k.a.Home, "sub", holdfast.TypeAddressbook))
	k.do(k.m.Collection(sub, k.a.Home, "sub", holdfast.TypeAddressbook), k.m.Put(sub, "a.vcf", "", []byte("x")))
	k.refuses(holdfast.NotFound, "", k.m.DeleteCollection(sub), k.m.Put(sub, "b.vcf", "", []byte("x")))
	k.do(k.m.DeleteCollection(sub))
	k.refuses(holdfast.NotFound, "", k.m.Put(sub, "b.vcf", "", []byte("x")))
	k.refuses(holdfast.NotFound, "", k.m.Delete(sub, "a.vcf"))
}

func testPut(k *kit) {
	e := k.put("a.vcf", "1")
	e.Actor = holdfast.Actor{Account: k.a.ID, Device: k.m.ID()}
	e.Properties = holdfast.Properties{{Space: "urn:x", Local: "a", XML: []byte("<a xmlns='urn:x'>\x00\xff</a>")}}
	g := k.group(e)
	e = g.Entries[0]
	k.commit(g)
	want := holdfast.Resource{Account: k.a.ID, Collection: k.a.Book, Name: "a.vcf", Kind: holdfast.KindAddress, ContentType: e.ContentType, ETag: e.ETag,
		Size: e.Size, Seq: 5, Item: 5, Made: e.At, Modified: e.At, UID: "uid-a.vcf", Device: e.Actor.Device, PropsHash: e.PropsHash, Properties: e.Properties, Body: e.Body}
	k.same("made", "a.vcf", want)

	u := k.put("a.vcf", "2")
	u.Kind, u.ContentType, u.Index.UID = holdfast.KindFile, "", ""
	g = k.group(u)
	u = g.Entries[0]
	k.commit(g)
	want.Kind, want.ContentType, want.UID, want.ETag, want.Size, want.Body = u.Kind, "", "", u.ETag, u.Size, u.Body
	want.Seq, want.Modified, want.Device, want.PropsHash, want.Properties = 6, u.At, holdfast.ID{}, holdfast.Hash{}, nil
	k.same("updated: an entry says everything about its item", "a.vcf", want)

	b := k.put("a.vcf", "")
	b.Body, b.Blob = nil, &holdfast.Blob{Hash: holdfast.HashOf([]byte("large")), Size: 5 << 30}
	k.do(b)
	want.Kind, want.ContentType, want.UID, want.ETag, want.Size, want.Body, want.Blob = b.Kind, b.ContentType, b.Index.UID, b.Blob.Hash, b.Blob.Size, nil, b.Blob
	want.Seq, want.Modified = 7, b.At
	k.same("a blob", "a.vcf", want)

	n := k.put("a.vcf", "")
	n.Body = nil
	k.do(n)
	want.ETag, want.Size, want.Blob, want.Seq, want.Modified = holdfast.HashOf(nil), 0, nil, 8, n.At
	k.same("no octets at all", "a.vcf", want)
	if c := k.collection(k.a.Book); c.Items != 1 || c.Octets != 0 || c.Seq != 8 {
		k.Errorf("collection %s, want 1 item of 0 octets at seq 8", textCollection(c))
	}
}

// same compares a resource of the book.
func (k *kit) same(what, name string, want holdfast.Resource) {
	k.Helper()
	got, exp := k.resource(name), want
	if g, w := textResource(&got, all, false), textResource(&exp, all, false); g != w {
		k.Errorf("%s:\n%s\nwant\n%s", what, g, w)
	}
}

func testDelete(k *kit) {
	k.refuses(holdfast.NotFound, "a.vcf", k.m.Delete(k.a.Book, "a.vcf"))
	e := k.put("a.vcf", "1")
	e.Properties = holdfast.Properties{{Space: "urn:x", Local: "a", XML: []byte("<a xmlns='urn:x'/>")}}
	k.do(e)
	d := k.m.Delete(k.a.Book, "a.vcf")
	d.Actor.Device = k.m.ID()
	k.do(d)
	want := holdfast.Resource{Account: k.a.ID, Collection: k.a.Book, Name: "a.vcf", Kind: holdfast.KindAddress, State: holdfast.Tombstone,
		Seq: 6, Item: 5, Made: e.At, Modified: d.At, Device: d.Actor.Device}
	k.changed(4, textResource(&want, all, false))
	if c := k.collection(k.a.Book); c.Items != 0 || c.Octets != 0 || c.Seq != 6 {
		k.Errorf("collection %s, want no items and seq 6", textCollection(c))
	}
	k.refuses(holdfast.NotFound, "a.vcf", k.m.Delete(k.a.Book, "a.vcf"))
	k.refuses(holdfast.NotFound, "a.vcf", k.put("a.vcf", "2"), k.m.Delete(k.a.Book, "a.vcf"), k.m.Delete(k.a.Book, "a.vcf"))
	again := k.put("a.vcf", "1")
	k.do(again)
	if r := k.resource("a.vcf"); r.Item != 6 || !r.Made.Equal(again.At) || r.UID != "uid-a.vcf" {
		k.Errorf("made again: %s, want a new item (6), made at %s", textResource(&r, all, false), stamp(again.At))
	}
}

func testCreated(k *kit) {
	check := func(want bool, entries ...holdfast.Entry) {
		k.Helper()
		if r := k.do(entries...); r.Created != want {
			k.Errorf("%s: created %t, want %t", about(k.group(entries...)), r.Created, want)
		}
	}
	check(true, k.put("a", "1"))
	check(false, k.put("a", "2"))
	check(false, k.m.Delete(k.a.Book, "a"))
	check(true, k.put("a", "3"))
	check(false, k.put("b", "1"), k.put("a", "4"))
	check(true, k.put("a", "5"), k.put("c", "1"))
	check(false, k.put("d", "1"), k.put("d", "2"))
	check(true, k.m.Delete(k.a.Book, "d"), k.put("d", "1"))
	id := k.m.ID()
	check(true, k.m.Collection(id, k.a.Home, "x", holdfast.TypeFolder))
	check(false, k.m.Collection(id, k.a.Home, "y", holdfast.TypeFolder))
	check(false, k.m.DeleteCollection(id))
	check(true, k.m.Collection(id, k.a.Home, "y", holdfast.TypeFolder))
}

func testReplay(k *kit) {
	ctx, dev := k.Context(), holdfast.Actor{Account: k.a.ID, Device: k.m.ID()}
	made := k.put("a.vcf", "1")
	made.Actor, made.If.Exists = dev, holdfast.Absent
	first := k.commit(k.group(made))
	meets := func(what string, want holdfast.Receipt, e holdfast.Entry) {
		k.Helper()
		before := k.everything()
		want.Replay, want.Created = true, false
		got, err := k.h.Engine.Commit(ctx, k.group(e))
		if outcome(got, err) != outcome(want, nil) {
			k.Errorf("%s: %s, %v; want the replay %s", what, outcome(got, err), err, outcome(want, nil))
		}
		if now := k.everything(); !slices.Equal(now, before) {
			k.Errorf("%s: a replay added something:\n%s", what, difference(now, before))
		}
	}
	edit := func(e holdfast.Entry, fn func(*holdfast.Entry)) holdfast.Entry {
		e.ID, e.At = k.m.ID(), k.m.Now()
		fn(&e)
		return e
	}
	meets("the same creation again", first, edit(made, func(*holdfast.Entry) {}))
	other := edit(made, func(e *holdfast.Entry) { e.Actor.Device = k.m.ID() })
	k.refuses(holdfast.PreconditionFailed, "a.vcf", other)
	k.refuses(holdfast.PreconditionFailed, "a.vcf", edit(made, func(e *holdfast.Entry) { e.Body = []byte("other") }))
	k.refuses(holdfast.PreconditionFailed, "a.vcf", edit(made, func(e *holdfast.Entry) {
		e.Properties = holdfast.Properties{{Space: "a", Local: "a", XML: []byte("<a/>")}}
	}))
	k.refuses(holdfast.PreconditionFailed, "a.vcf", edit(made, func(*holdfast.Entry) {}), k.put("b.vcf", "1"))
	unmet := k.group(edit(made, func(e *holdfast.Entry) { e.If = holdfast.Precondition{} }))
	unmet.If = [][]holdfast.Condition{{{Const: true}}}
	k.refuse(holdfast.PreconditionFailed, "", unmet)

	// An update whose If-Match names what its own first try replaced. It went in with another entry: the receipt names the group's end.
	update := edit(made, func(e *holdfast.Entry) {
		e.Body, e.If = []byte("two"), holdfast.Precondition{Match: []holdfast.Hash{holdfast.HashOf(made.Body)}}
	})
	second := k.do(update, k.put("b.vcf", "1"))
	k.do(k.put("c.vcf", "1"))
	meets("the same update again", second, edit(update, func(*holdfast.Entry) {}))
	k.refuses(holdfast.PreconditionFailed, "a.vcf", edit(made, func(*holdfast.Entry) {}))

	// Where the precondition holds, the same octets are a change like any other.
	same := k.do(edit(update, func(e *holdfast.Entry) { e.If = holdfast.Precondition{Exists: holdfast.Present} }))
	if same.Seq != second.Seq+2 {
		k.Errorf("the same octets without a failing precondition: seq %d, want %d", same.Seq, second.Seq+2)
	}
	// What was deleted since is not met.
	k.do(k.m.Delete(k.a.Book, "a.vcf"))
	k.refuses(holdfast.NotFound, "a.vcf", edit(update, func(*holdfast.Entry) {}))
	gone := k.m.Delete(k.a.Book, "a.vcf")
	gone.If.Exists = holdfast.Present
	k.refuses(holdfast.NotFound, "a.vcf", gone)

	// No octets are like any other no octets: who demands to make them is refused, who has emptied one version meets himself.
	empty := edit(made, func(e *holdfast.Entry) { e.Name, e.Body = "empty", nil })
	k.do(empty)
	k.refuses(holdfast.PreconditionFailed, "empty", edit(empty, func(*holdfast.Entry) {}))
	k.do(edit(empty, func(e *holdfast.Entry) { e.Body, e.If = []byte("full"), holdfast.Precondition{} }))
	emptied := edit(empty, func(e *holdfast.Entry) {
		e.If = holdfast.Precondition{Match: []holdfast.Hash{holdfast.HashOf([]byte("full"))}}
	})
	meets("emptied again", k.do(emptied), edit(emptied, func(*holdfast.Entry) {}))
}

func testUID(k *kit) {
	k.do(k.put("a.vcf", "1"))
	uid := func(name, uid string) holdfast.Entry { return k.m.Put(k.a.Book, name, uid, Card(uid, name, "")) }
	k.refuses(holdfast.UIDConflict, "a.vcf", uid("b.vcf", "uid-a.vcf"))
	k.do(uid("a.vcf", "uid-a.vcf"))          // its own
	k.do(uid("b.vcf", ""), uid("c.vcf", "")) // none
	k.do(uid("b.vcf", "UID-A.vcf"))          // octet for octet
	k.do(uid("a.vcf", "new"))                // it lets go of the old one
	k.do(uid("c.vcf", "uid-a.vcf"))          // which another takes
	k.refuses(holdfast.UIDConflict, "c.vcf", uid("a.vcf", "uid-a.vcf"))
	k.refuses(holdfast.UIDConflict, "x.vcf", uid("x.vcf", "twice"), uid("y.vcf", "twice"))
	k.do(k.m.Delete(k.a.Book, "c.vcf"))
	k.do(uid("d.vcf", "uid-a.vcf")) // a tombstone holds none
	sub := k.m.ID()
	k.do(k.m.Collection(sub, k.a.Home, "other", holdfast.TypeAddressbook), k.m.Put(sub, "a.vcf", "uid-a.vcf", []byte("x"))) // another collection, another space
	same := func(name, id string) holdfast.Entry { e := uid(name, id); e.If.SameUID = true; return e }
	k.refuses(holdfast.UIDConflict, "d.vcf", same("d.vcf", "other"))
	k.refuses(holdfast.UIDConflict, "b.vcf", same("b.vcf", "uid-a.vcf")) // before it is asked who else has it
	k.do(same("d.vcf", "uid-a.vcf"), same("e.vcf", "new-e"), k.m.Delete(k.a.Book, "e.vcf"), same("e.vcf", "newer-e"), same("c.vcf", ""), same("c.vcf", "at last"))
	// Swapping two is possible only over a third: each step is judged.
	k.refuses(holdfast.UIDConflict, "d.vcf", uid("b.vcf", "uid-a.vcf"), uid("d.vcf", "UID-A.vcf"))
	k.do(uid("b.vcf", "tmp"), uid("d.vcf", "UID-A.vcf"), uid("b.vcf", "uid-a.vcf"))
}

func testMove(k *kit) {
	k.do(k.put("old.vcf", "1"))
	sub := k.m.ID()
	k.do(k.m.Collection(sub, k.a.Home, "other", holdfast.TypeAddressbook))
	body := Card("uid-old.vcf", "old.vcf", "1")
	k.refuses(holdfast.UIDConflict, "old.vcf", k.m.Put(k.a.Book, "new.vcf", "uid-old.vcf", body), k.m.Delete(k.a.Book, "old.vcf"))
	k.do(k.m.Delete(k.a.Book, "old.vcf"), k.m.Put(k.a.Book, "new.vcf", "uid-old.vcf", body))
	k.do(k.m.Delete(k.a.Book, "new.vcf"), k.m.Put(sub, "new.vcf", "uid-old.vcf", body))
	if got := k.names(); len(got) != 0 {
		k.Errorf("names %q are left behind", got)
	}
	// Over a live target, and there and back again within one group.
	k.do(k.put("x.vcf", "1"), k.put("y.vcf", "1"))
	k.do(k.m.Delete(k.a.Book, "x.vcf"), k.m.Put(k.a.Book, "y.vcf", "uid-x.vcf", []byte("x")))
	k.do(k.m.Delete(k.a.Book, "y.vcf"), k.m.Put(k.a.Book, "x.vcf", "uid-x.vcf", []byte("x")), k.m.Delete(k.a.Book, "x.vcf"), k.m.Put(k.a.Book, "y.vcf", "uid-x.vcf", []byte("x")))
	if got := k.names(); !slices.Equal(got, []string{"y.vcf"}) {
		k.Errorf("names %q, want y.vcf", got)
	}
}

func testQuota(k *kit) {
	used := k.octets()
	sized := func(name string, n int) holdfast.Entry { return k.m.Put(k.a.Book, name, "", make([]byte, n)) }
	limited := func(max int64, entries ...holdfast.Entry) *holdfast.Group {
		g := k.group(entries...)
		g.MaxOctets = max
		return g
	}
	k.refuse(holdfast.Quota, "", limited(used+99, sized("a", 100)))
	k.commit(limited(used+100, sized("a", 100)))
	k.refuse(holdfast.Quota, "", limited(used+100, sized("b", 1)))
	k.commit(limited(used+100, sized("b", 0)))                                             // nothing more
	k.commit(limited(used+100, k.m.Delete(k.a.Book, "a"), sized("b", 100)))                // the sum after the group counts
	k.commit(limited(used+100, sized("c", 50), k.m.Delete(k.a.Book, "b"), sized("b", 50))) // in whatever order it comes about
	k.refuse(holdfast.Quota, "", limited(used+100, sized("b", 51)))
	k.commit(limited(10, sized("b", 49))) // over it, but smaller than before
	k.commit(limited(10, sized("b", 49))) // or as large
	k.refuse(holdfast.Quota, "", limited(10, sized("b", 50)))
	k.do(sized("big", 1000)) // no allowance, no limit
	k.commit(limited(used, k.m.Delete(k.a.Book, "big")))
	// Other collections count, large octets count; those of a collection that is gone are kept, but do not count until it is back.
	sub := k.m.ID()
	k.do(k.m.Collection(sub, k.a.Home, "other", holdfast.TypeFolder), k.m.Put(sub, "f", "", make([]byte, 500)))
	blob := k.m.Put(sub, "g", "", nil)
	blob.Blob = &holdfast.Blob{Hash: holdfast.HashOf([]byte("g")), Size: 1 << 40}
	k.refuse(holdfast.Quota, "", limited(1<<40, blob))
	now := k.octets()
	if now != used+99+500 {
		k.Errorf("%d octets, want %d", now, used+99+500)
	}
	k.do(k.m.DeleteCollection(sub))
	k.refuse(holdfast.Quota, "", limited(now-500, sized("n", 1)))
	k.commit(limited(now-499, sized("n", 1)))
	k.refuse(holdfast.Quota, "", limited(now, k.m.Collection(sub, k.a.Home, "other", holdfast.TypeFolder)))
	k.commit(limited(now+1, k.m.Collection(sub, k.a.Home, "other", holdfast.TypeFolder)))
	// A collection's own entry is not counted, and so never refused.
	k.commit(limited(1, k.m.Collection(k.a.Book, k.a.Home, "a longer name than before", holdfast.TypeAddressbook)))
}

// octets returns what the account's allowance is measured by: the live octets of all collections.
func (k *kit) octets() (n int64) {
	k.Helper()
	for _, c := range k.collections() {
		n += c.Octets
	}
	return n
}

func testItemNumbers(k *kit) {
	k.do(k.put("a.vcf", "1"), k.put("b.vcf", "1"), k.put("a.vcf", "2"))
	k.do(k.m.Delete(k.a.Book, "b.vcf"), k.put("b.vcf", "2"), k.put("c.vcf", "1"))
	want := map[string]uint64{"a.vcf": 5, "b.vcf": 7, "c.vcf": 8}
	for name, n := range want {
		if r := k.resource(name); r.Item != n {
			k.Errorf("%s is item %d, want %d", name, r.Item, n)
		}
	}
	var got []uint64
	for _, c := range k.changes(k.a.ID) {
		got = append(got, c.Item)
	}
	// The collections' own entries and the record are items 1 to 4; a delete keeps the number of what it deletes.
	if want := []uint64{1, 2, 3, 4, 5, 6, 5, 6, 7, 8}; !slices.Equal(got, want) {
		k.Errorf("items of the changes: %v, want %v", got, want)
	}
	var prev []uint64
	for _, c := range k.changes(k.a.ID) {
		prev = append(prev, c.Prev)
	}
	if want := []uint64{0, 0, 0, 0, 0, 0, 5, 6, 8, 0}; !slices.Equal(prev, want) {
		k.Errorf("the versions before: %v, want %v", prev, want)
	}
	b := NewAccount(k, k.m, k.h.Engine, "bob@example.org")
	if c := k.changes(b.ID); c[0].Item != 1 || c[3].Item != 4 {
		k.Errorf("another account's items begin at %d, want 1: each account counts its own", c[0].Item)
	}
}
