package storetest

import (
	"fmt"
	"slices"

	"holdfast"
	"holdfast/internal/store"
)

// historyTests are about what was.
var historyTests = []clause{
	{"ChangesArePaged", testChanges},
	{"VersionsAreNewestFirst", testVersions},
	{"TheStateAtEverySeq", testAt},
	{"S10_DigestsAtEverySeq", testDigestAt},
}

// changes returns an account's changes, without bodies.
func (k *kit) changes(id holdfast.ID) (cs []holdfast.Change) {
	k.Helper()
	k.read(func(s store.Snapshot) {
		if err := s.Changes(id, 0, 0, 0, func(c *holdfast.Change) error {
			e := *c
			e.Entry = cloneEntry(c.Entry)
			cs = append(cs, e)
			return nil
		}); err != nil {
			k.Fatalf("changes: %v", err)
		}
	})
	return cs
}

func testChanges(k *kit) {
	e := k.put("a.vcf", "1")
	e.Actor, e.Properties = holdfast.Actor{Account: k.a.ID, Device: k.m.ID()}, holdfast.Properties{{Space: "a", Local: "a", XML: []byte("<a/>")}}
	g := k.group(e, k.m.Delete(k.a.Book, "a.vcf"))
	r := k.commit(g)
	want := holdfast.Change{Entry: g.Entries[0], Account: k.a.ID, Epoch: 1, Seq: 5, Item: 5}
	k.read(func(s store.Snapshot) {
		prev, err := s.Chain(k.a.ID, 4)
		if err != nil {
			k.Fatal(err)
		}
		want.Chain = holdfast.ChainHash(k.a.ID, 1, 5, prev.Chain, want.Hash)
		if err := s.Changes(k.a.ID, 4, 1, all, func(c *holdfast.Change) error {
			if got, want := textChange(c, all), textChange(&want, all); got != want {
				k.Errorf("the change:\n%s\nwant\n%s", got, want)
			}
			if c.GroupEnd() != r.Seq {
				k.Errorf("its group ends at %d, want %d", c.GroupEnd(), r.Seq)
			}
			return nil
		}); err != nil {
			k.Fatal(err)
		}
		for _, limit := range []int{0, 1, 2, 4, 6, 7} {
			var got []uint64
			for after, n := uint64(0), 1; n > 0; {
				n = 0
				if err := s.Changes(k.a.ID, after, limit, 0, func(c *holdfast.Change) error {
					n++
					got, after = append(got, c.Seq), c.Seq
					return nil
				}); err != nil || limit > 0 && n > limit {
					k.Fatalf("a page of %d with limit %d, %v", n, limit, err)
				}
			}
			if !slices.Equal(got, []uint64{1, 2, 3, 4, 5, 6}) {
				k.Errorf("in pages of %d: %v", limit, got)
			}
		}
		if err := s.Changes(k.a.ID, 1<<40, 0, 0, func(c *holdfast.Change) error { return fmt.Errorf("seq %d", c.Seq) }); err != nil {
			k.Errorf("changes above the head: %v", err)
		}
	})
}

func testVersions(k *kit) {
	k.do(k.put("a.vcf", "1"), k.put("b.vcf", "1"))
	k.do(k.put("a.vcf", "2"))
	k.do(k.m.Delete(k.a.Book, "a.vcf"))
	k.do(k.put("a.vcf", "3"), k.m.Collection(k.a.Book, k.a.Home, "new", holdfast.TypeAddressbook))
	k.read(func(s store.Snapshot) {
		for name, want := range map[string][]uint64{"a.vcf": {9, 8, 7, 5}, "b.vcf": {6}, "": {10, 4}} {
			var got []uint64
			if err := s.Versions(k.a.Book, name, all, func(c *holdfast.Change) error {
				got = append(got, c.Seq)
				if c.Op == holdfast.OpPut && holdfast.HashOf(c.Body) != c.ETag {
					k.Errorf("version %d of %q has other octets", c.Seq, name)
				}
				return nil
			}); err != nil || !slices.Equal(got, want) {
				k.Errorf("versions of %q: %v, %v; want %v", name, got, err, want)
			}
		}
	})
}

// past is what the book was like after a commit.
type past struct {
	seq    uint64
	list   []string
	digest holdfast.Digest
}

// lived makes the account go through a little of everything and returns what it was like on the way.
func (k *kit) lived() (was []past) {
	k.Helper()
	look := func() {
		k.Helper()
		k.read(func(s store.Snapshot) {
			var p past
			err := s.List(k.a.Book, "", 0, all, func(r *holdfast.Resource) error { p.list = append(p.list, textResource(r, all, true)); return nil })
			if err != nil {
				k.Fatal(err)
			}
			if p.digest, err = s.Digest(k.a.ID, 0); err != nil {
				k.Fatal(err)
			}
			p.seq = p.digest.Seq
			was = append(was, p)
		})
	}
	do := func(entries ...holdfast.Entry) {
		k.Helper()
		k.do(entries...)
		look()
	}
	sub := k.m.ID()
	with := k.put("a.vcf", "props")
	with.Properties = holdfast.Properties{{Space: "a", Local: "a", XML: []byte("<a/>")}}
	look()
	do(k.put("a.vcf", "1"), k.put("b.vcf", "1"))
	do(with)
	do(k.m.Delete(k.a.Book, "b.vcf"), k.put("c.vcf", "1"))
	do(k.m.Collection(sub, k.a.Book, "sub", holdfast.TypeFolder), k.m.Put(sub, "f", "", []byte("x")))
	do(k.put("b.vcf", "2"))
	do(k.m.DeleteCollection(sub))
	do(k.m.Record(k.a.ID, "new@example.org"))
	do(k.m.DeleteCollection(k.a.Book))
	do(k.m.Collection(sub, k.a.ID, "back", holdfast.TypeFolder), k.m.Delete(sub, "f"))
	do(k.m.Collection(k.a.Book, sub, "in", holdfast.TypeAddressbook), k.m.Delete(k.a.Book, "a.vcf"))
	do(k.put("a.vcf", "4"), k.m.Delete(k.a.Book, "a.vcf"), k.put("a.vcf", "5"))
	return was
}

func testAt(k *kit) {
	was := k.lived()
	check := func() {
		k.Helper()
		k.read(func(s store.Snapshot) {
			for _, p := range append(was, past{seq: 0, list: was[len(was)-1].list}) {
				var got []string
				if err := s.ListAt(k.a.Book, p.seq, all, func(r *holdfast.Resource) error {
					got = append(got, textResource(r, all, true))
					one, err := s.ResourceAt(k.a.Book, r.Name, p.seq, all)
					if line := textResource(&one, all, true); err != nil || line != got[len(got)-1] {
						k.Errorf("%s at %d, alone:\n%s, %v\nlisted:\n%s", r.Name, p.seq, line, err, got[len(got)-1])
					}
					return nil
				}); err != nil || !slices.Equal(got, p.list) {
					k.Errorf("the book at %d: %v\n%s", p.seq, err, difference(got, p.list))
				}
			}
		})
	}
	check()
	if k.reopen() {
		check()
	}
	k.read(func(s store.Snapshot) {
		head := k.head()
		item := func(*holdfast.Resource) error { return nil }
		for _, c := range []struct {
			what string
			name string
			seq  uint64
		}{{"before the item was", "c.vcf", 7}, {"before the collection was", "a.vcf", 3}, {"deleted", "b.vcf", 8}, {"above the head", "a.vcf", head + 1}} {
			_, err := s.ResourceAt(k.a.Book, c.name, c.seq, 0)
			k.kind(c.what, err, holdfast.NotFound)
		}
		k.kind("the list before the collection was", s.ListAt(k.a.Book, 3, 0, item), holdfast.NotFound)
		k.kind("the list above the head", s.ListAt(k.a.Book, head+1, 0, item), holdfast.NotFound)
		own, err := s.ResourceAt(k.a.Book, "", 4, all)
		if err != nil || own.Seq != 4 || own.Kind != holdfast.KindCollection {
			k.Errorf("the collection's own entry at 4: %s, %v", textResource(&own, all, true), err)
		}
		if r, err := s.ResourceAt(k.a.Book, "a.vcf", 6, all); err != nil || r.Seq != 5 {
			k.Errorf("a.vcf at 6: seq %d, %v; want 5", r.Seq, err)
		}
		// Within a group, too: a seq is a moment.
		if r, err := s.ResourceAt(k.a.Book, "a.vcf", head-2, all); err != nil || r.Seq != head-2 {
			k.Errorf("a.vcf at %d: seq %d, %v", head-2, r.Seq, err)
		}
		_, err = s.ResourceAt(k.a.Book, "a.vcf", head-1, all)
		k.kind("a.vcf, deleted within the group", err, holdfast.NotFound)
	})
}

func testDigestAt(k *kit) {
	was := k.lived()
	check := func() {
		k.Helper()
		k.read(func(s store.Snapshot) {
			for _, p := range was {
				if d, err := s.Digest(k.a.ID, p.seq); err != nil || d != p.digest {
					k.Errorf("at %d: %s, %v; then it was %s", p.seq, textDigest(d), err, textDigest(p.digest))
				}
			}
			_, err := s.Digest(k.a.ID, k.head()+1)
			k.kind("the digest above the head", err, holdfast.NotFound)
		})
	}
	check()
	model := Rebuild(k, k.h.Engine)
	m, err := model.Snapshot(k.Context())
	if err != nil {
		k.Fatal(err)
	}
	k.read(func(s store.Snapshot) {
		for seq := uint64(1); seq <= k.head(); seq++ {
			got, err1 := s.Digest(k.a.ID, seq)
			want, err2 := m.Digest(k.a.ID, seq)
			if got != want || err1 != nil || err2 != nil {
				k.Errorf("at %d: %s, %v; the model says %s, %v", seq, textDigest(got), err1, textDigest(want), err2)
			}
		}
	})
	if k.reopen() {
		check()
	}
}
