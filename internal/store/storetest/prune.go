package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/store/asof"
	"holdfast/internal/store/memory"
)

// pruneTests are of octets that are let go of by retention.
var pruneTests = []clause{
	{"S13_WhatIsPrunedIsOctetsOfSupersededVersions", testPrune},
	{"S13_NothingElseIsPruned", testPruneRefuses},
	{"S13_WhatWasPrunedElsewhereIsTaken", testApplyPruned},
	{"S13_WhatIsThereWithoutOctetsIsNoEmptyItem", testHollow},
	{"S13_WhatNobodyHasIsCommittedAsAGhost", testLost},
}

// aged makes an account with versions of every sort, and returns the seqs whose octets may go.
func (k *kit) aged() (may []uint64) {
	k.Helper()
	long := bytes.Repeat([]byte("0123456789abcdef"), 2000) // beyond one page
	blob := k.put("film.mp4", "1")
	blob.Body, blob.Blob = nil, &holdfast.Blob{Hash: holdfast.HashOf([]byte("big")), Size: 1 << 30}
	with := k.put("a.vcf", "2")
	with.Properties = holdfast.Properties{{Space: "DAV:", Local: "displayname", XML: []byte("<D:displayname xmlns:D='DAV:'>A</D:displayname>")}}
	k.do(k.put("a.vcf", "1"), k.put("stays.vcf", "1"), k.m.Put(k.a.Book, "empty", "", []byte{}), blob)
	k.do(with, k.m.Put(k.a.Book, "long.vcf", "", long))
	k.do(k.m.Put(k.a.Book, "empty", "", []byte("some")), k.put("film.mp4", "2"), k.put("gone.vcf", "1"))
	k.do(k.put("a.vcf", "3"), k.m.Delete(k.a.Book, "gone.vcf"), k.m.Put(k.a.Book, "long.vcf", "", []byte("short")), k.m.Record(k.a.ID, login))
	newest := map[string]uint64{}
	all := k.changes(k.a.ID)
	for _, c := range all {
		newest[c.Collection.String()+c.Name] = c.Seq
	}
	for _, c := range all {
		if c.Op == holdfast.OpPut && c.Blob == nil && c.Size > 0 && c.Name != "" && c.Collection != c.Account && newest[c.Collection.String()+c.Name] > c.Seq {
			may = append(may, c.Seq)
		}
	}
	if len(may) < 4 {
		k.Fatalf("only %d versions may go; the test is wrong", len(may))
	}
	return may
}

// withoutOctets tells all of an account's journal but its octets, with the digest at each seq and the stream.
func (k *kit) withoutOctets() (lines []string) {
	k.Helper()
	for _, c := range k.changes(k.a.ID) {
		lines = append(lines, textChange(&c, store.WithProps))
		k.read(func(s store.Snapshot) {
			d, err := s.Digest(k.a.ID, c.Seq)
			lines = append(lines, textDigest(d)+textError(err))
		})
	}
	k.read(func(s store.Snapshot) {
		if err := s.List(k.a.Book, "", 0, all, func(r *holdfast.Resource) error { lines = append(lines, textResource(r, all, false)); return nil }); err != nil {
			k.Fatal(err)
		}
		for _, c := range k.collections() {
			lines = append(lines, textCollection(c))
		}
	})
	if err := k.h.Engine.After(k.Context(), 0, 0, func(b *holdfast.Batch) error {
		lines = append(lines, fmt.Sprintf("%v after %v: %d", b.Position, b.Prev, len(b.Changes)))
		return nil
	}); err != nil {
		k.Fatal(err)
	}
	return lines
}

// pruned returns the seqs that the journal calls pruned, and fails where octets are told of one, or none of another.
func (k *kit) pruned(s store.Snapshot) (out []uint64) {
	k.Helper()
	for _, f := range []store.Fields{0, store.WithBody} {
		out = nil
		if err := s.Changes(k.a.ID, 0, 0, f, func(c *holdfast.Change) error {
			if c.Pruned {
				out = append(out, c.Seq)
			}
			if f != 0 && c.Op == holdfast.OpPut && c.Blob == nil && (c.Pruned && c.Body != nil || !c.Pruned && holdfast.HashOf(c.Body) != c.ETag) {
				k.Errorf("change %d: pruned %v, with %d octets", c.Seq, c.Pruned, len(c.Body))
			}
			return nil
		}); err != nil {
			k.Fatal(err)
		}
	}
	return out
}

// testPrune: what may go goes, for good, and nothing else is different; who reads meanwhile sees either.
func testPrune(k *kit) {
	may := k.aged()
	before, at := k.withoutOctets(), k.h.Engine.Info().Position
	bodies := map[uint64][]byte{}
	octets := int64(0)
	k.read(func(s store.Snapshot) {
		if err := s.Changes(k.a.ID, 0, 0, store.WithBody, func(c *holdfast.Change) error {
			if slices.Contains(may, c.Seq) {
				bodies[c.Seq] = bytes.Clone(c.Body)
				octets += c.Size
			}
			return nil
		}); err != nil {
			k.Fatal(err)
		}
	})
	open, err := k.h.Engine.Snapshot(k.Context())
	if err != nil {
		k.Fatal(err)
	}
	versions, freed, err := k.h.Engine.Prune(k.Context(), k.a.ID, append(slices.Clone(may), may[0])) // one twice
	if err != nil || versions != len(may) || freed != octets {
		k.Fatalf("%d versions of %d octets, %v; want %d of %d", versions, freed, err, len(may), octets)
	}
	if n := len(k.pruned(open)); n != 0 && n != len(may) {
		k.Errorf("a snapshot from before sees %d of %d", n, len(may))
	}
	open.Close()
	for _, again := range []bool{false, true} {
		if again && !k.reopen() {
			break
		}
		k.read(func(s store.Snapshot) {
			if got := k.pruned(s); !slices.Equal(got, may) {
				k.Errorf("pruned are %v, want %v", got, may)
			}
			k.history(s, may)
		})
		if now := k.withoutOctets(); !slices.Equal(now, before) {
			k.Errorf("the store is another:\n%s", difference(now, before))
		}
		if n := k.found(); n != 0 {
			k.Errorf("the check finds %d things", n)
		}
		if v, o, err := k.h.Engine.Prune(k.Context(), k.a.ID, may); v != 0 || o != 0 || err != nil {
			k.Errorf("once more: %d, %d, %v", v, o, err)
		}
	}
	for seq, body := range bodies {
		k.kind("mending what was let go of", k.h.Engine.Mend(k.Context(), k.a.ID, seq, body), holdfast.Invalid)
	}
	if now := k.h.Engine.Info().Position; now != at {
		k.Errorf("the stream moved on from %v to %v", at, now)
	}
	k.do(k.put("a.vcf", "4"))
}

// history looks at each seq: what was live then is there, and says whether its octets are.
func (k *kit) history(s store.Snapshot, gone []uint64) {
	k.Helper()
	for seq := uint64(3); seq <= k.head(); seq++ {
		look := func(r *holdfast.Resource) error {
			if r.Blob == nil && (r.Pruned != slices.Contains(gone, r.Seq) || r.Pruned && r.Body != nil || !r.Pruned && holdfast.HashOf(r.Body) != r.ETag) {
				k.Errorf("as of %d: %s of seq %d says pruned %v, with %d octets", seq, r.Name, r.Seq, r.Pruned, len(r.Body))
			}
			one, err := s.ResourceAt(k.a.Book, r.Name, seq, all)
			if err != nil || one.Pruned != r.Pruned || !bytes.Equal(one.Body, r.Body) || one.ETag != r.ETag {
				k.Errorf("as of %d: %s alone: %+v, %v", seq, r.Name, one, err)
			}
			return nil
		}
		if err := s.ListAt(k.a.Book, seq, all, look); err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			k.Error(err)
		}
	}
	n := 0
	if err := s.Versions(k.a.Book, "a.vcf", store.WithBody, func(c *holdfast.Change) error {
		if n++; c.Pruned != (n > 1) {
			k.Errorf("version %d of a.vcf: pruned %v", c.Seq, c.Pruned)
		}
		return nil
	}); err != nil {
		k.Error(err)
	}
}

// testPruneRefuses: of whatever may not go nothing goes, and nothing of what it was asked for with.
func testPruneRefuses(k *kit) {
	may := k.aged()
	before := k.everything()
	refused := func(what string, want holdfast.ErrorKind, account holdfast.ID, seqs ...uint64) {
		k.Helper()
		v, o, err := k.h.Engine.Prune(k.Context(), account, seqs)
		if !holdfast.IsKind(err, want) || v != 0 || o != 0 {
			k.Errorf("%s: %d versions, %d octets, %v; want %v", what, v, o, err, want)
		}
	}
	n := 0
	for _, c := range k.changes(k.a.ID) {
		if !slices.Contains(may, c.Seq) {
			n++
			refused(textChange(&c, 0), holdfast.Invalid, k.a.ID, may[0], may[1], c.Seq)
		}
	}
	if n < 8 {
		k.Errorf("only %d changes may not go; the test is wrong", n)
	}
	refused("seq 0", holdfast.NotFound, k.a.ID, may[0], 0)
	refused("a seq above", holdfast.NotFound, k.a.ID, may[0], k.head()+1)
	refused("a stranger", holdfast.NotFound, holdfast.ID{9}, may[0])
	refused("too many", holdfast.TooLarge, k.a.ID, slices.Repeat(may[:1], store.MaxPrune+1)...)
	if now := k.everything(); !slices.Equal(now, before) {
		k.Errorf("refused, and the store changed:\n%s", difference(now, before))
	}
	k.read(func(s store.Snapshot) {
		if got := k.pruned(s); len(got) != 0 {
			k.Errorf("refused, and let go of: %v", got)
		}
	})
	if v, o, err := k.h.Engine.Prune(k.Context(), k.a.ID, nil); v != 0 || o != 0 || err != nil {
		k.Errorf("nothing: %d, %d, %v", v, o, err)
	}
}

// elsewhere returns the batches of another store in which a new account has a version without octets, and what is there in its place.
func (k *kit) elsewhere() (a Account, batches []*holdfast.Batch) {
	k.Helper()
	m := memory.New()
	a = NewAccount(k, k.m, m, "bob@example.org")
	for _, note := range []string{"1", "2"} {
		if _, err := m.Commit(k.Context(), k.m.Group(a.ID, k.m.Put(a.Book, "x.vcf", "x", Card("x", "X", note)))); err != nil {
			k.Fatal(err)
		}
	}
	if err := m.After(k.Context(), 0, 0, func(b *holdfast.Batch) error {
		b.Position, b.Prev = holdfast.Position{}, holdfast.Hash{}
		batches = append(batches, b)
		return nil
	}); err != nil {
		k.Fatal(err)
	}
	return a, batches
}

// testApplyPruned: a restore brings versions without octets; they follow as any, and only where octets may be missing.
func testApplyPruned(k *kit) {
	a, batches := k.elsewhere()
	first := &batches[len(batches)-2].Changes[0]
	first.Prune()
	for _, b := range batches {
		if err := k.h.Engine.Apply(k.Context(), b); err != nil {
			k.Fatal(err)
		}
	}
	k.reopen()
	k.read(func(s store.Snapshot) {
		r, err := s.ResourceAt(a.Book, "x.vcf", first.Seq, all)
		if err != nil || !r.Pruned || r.Body != nil || r.ETag != first.ETag {
			k.Errorf("as of then: %+v, %v", r, err)
		}
		if r, err = s.Resource(a.Book, "x.vcf", all); err != nil || r.Pruned || holdfast.HashOf(r.Body) != r.ETag {
			k.Errorf("now: %+v, %v", r, err)
		}
	})
	k.read(func(s store.Snapshot) { // shown as of a moment at which that version was what is there
		at, err := s.Chain(a.ID, first.Seq)
		if err != nil {
			k.Fatal(err)
		}
		v := asof.New(s, asof.Options{Batch: at.Batch})
		_, err = v.Resource(a.Book, "x.vcf", store.WithBody)
		k.kind("as of its batch", err, holdfast.Unavailable)
		if err := v.List(a.Book, "", 0, store.WithBody, func(r *holdfast.Resource) error {
			if r.State != holdfast.Ghost || r.Body != nil {
				k.Errorf("as of its batch, listed: %+v", r)
			}
			return nil
		}); err != nil {
			k.Error(err)
		}
		if r, err := v.Resource(a.Book, "x.vcf", 0); err != nil || r.ETag != first.ETag || r.Pruned || r.State != holdfast.Ghost {
			k.Errorf("as of its batch, without octets: %+v, %v", r, err)
		}
	})
	last := batches[len(batches)-1].Changes[0]
	for what, bad := range map[string]func(c *holdfast.Change){
		"a record": func(c *holdfast.Change) { c.Collection, c.Kind, c.Name = a.ID, holdfast.KindDevice, "device" },
		"octets":   func(c *holdfast.Change) { c.Body = []byte("x") },
		"nothing":  func(c *holdfast.Change) { c.Size, c.ETag = 0, holdfast.HashOf(nil) },
	} {
		c := last
		c.Seq, c.Prev, c.ID, c.Chain, c.Body, c.Pruned = last.Seq+1, last.Seq, k.m.ID(), holdfast.Hash{}, nil, true
		bad(&c)
		c.Hash = c.Entry.CanonicalHash(c.Collection)
		k.kind(what, k.h.Engine.Apply(k.Context(), &holdfast.Batch{Changes: []holdfast.Change{c}}), holdfast.Invalid)
	}
}

// testHollow: where the newest version came without octets it is a ghost, in all that lists, with its old ETag and in the same digest; no read says that it is empty, the check names it, and octets of its hash mend it.
func testHollow(k *kit) {
	a, batches := k.elsewhere()
	m := memory.New()
	for _, b := range batches {
		if err := m.Apply(k.Context(), b); err != nil {
			k.Fatal(err)
		}
	}
	snap, err := m.Snapshot(k.Context())
	if err != nil {
		k.Fatal(err)
	}
	want, err := snap.Digest(a.ID, 0)
	if snap.Close(); err != nil {
		k.Fatal(err)
	}
	last := &batches[len(batches)-1].Changes[0]
	body := last.Body
	last.Prune()
	for _, b := range batches {
		if err := k.h.Engine.Apply(k.Context(), b); err != nil {
			k.Fatal(err)
		}
	}
	k.read(func(s store.Snapshot) {
		_, err := s.Resource(a.Book, "x.vcf", store.WithBody)
		k.kind("Resource", err, holdfast.Unavailable)
		if r, err := s.Resource(a.Book, "x.vcf", store.WithType); err != nil || r.ETag != last.ETag || r.State != holdfast.Ghost || r.Pruned {
			k.Errorf("without its octets: %+v, %v", r, err)
		}
		for _, f := range []store.Fields{0, all} {
			seen := 0
			is := func(r *holdfast.Resource) error {
				if r.Name != "x.vcf" {
					return nil
				}
				if seen++; r.State != holdfast.Ghost || r.ETag != last.ETag || r.Size != last.Size || r.Body != nil || r.Blob != nil || r.Pruned {
					k.Errorf("listed, fields %b: %+v", f, r)
				}
				return nil
			}
			_, err := s.ChangesSince(a.Book, 0, 0, f, is)
			if err := errors.Join(err, s.List(a.Book, "", 0, f, is), s.Between(a.Book, 0, 1, f, is), s.Between(a.Book, 1<<40, 1<<41, f, is)); err != nil || seen != 4 {
				k.Errorf("listed %d times, %v", seen, err)
			}
		}
		k.ghosts(s, a.ID, 1)
		_, err = s.ByUID(a.Book, "x")
		k.kind("by its UID", err, holdfast.NotFound)
		d, err := s.Digest(a.ID, 0)
		if err != nil || d != want {
			k.Errorf("its digest is %+v, want %+v, %v", d, want, err)
		}
		c, err := s.Collection(a.Book)
		if err != nil || c.Items == 0 {
			k.Errorf("the collection: %+v, %v", c, err)
		}
	})
	found := 0
	if err := k.h.Engine.Check(k.Context(), true, nil, func(f store.Finding) {
		if found++; f.Seq != last.Seq || !f.Lost || f.What != store.GhostFound {
			k.Errorf("found: %+v", f)
		}
	}); err != nil || found != 1 {
		k.Errorf("the check finds %d, %v", found, err)
	}
	again := last.Entry // as a device sends it once more, which had no answer
	again.Body, again.If = body, holdfast.Precondition{Exists: holdfast.Absent}
	g := &holdfast.Group{Account: a.ID, Entries: []holdfast.Entry{again}}
	g.Seal()
	r, err := k.h.Engine.Commit(k.Context(), g)
	if k.kind("a retry", err, holdfast.PreconditionFailed); r.Replay {
		k.Error("a retry is told that its octets are there")
	}
	k.kind("other octets", k.h.Engine.Mend(context.Background(), a.ID, last.Seq, []byte("x")), holdfast.Invalid)
	if err := k.h.Engine.Mend(k.Context(), a.ID, last.Seq, body); err != nil {
		k.Fatal(err)
	}
	k.read(func(s store.Snapshot) {
		if r, err := s.Resource(a.Book, "x.vcf", store.WithBody); err != nil || !bytes.Equal(r.Body, body) || r.State != holdfast.Live {
			k.Errorf("mended: %+v, %v", r, err)
		}
		k.ghosts(s, a.ID, 0)
		if d, err := s.Digest(a.ID, 0); err != nil || d != want {
			k.Errorf("mended, its digest is %+v, want %+v, %v", d, want, err)
		}
	})
}

// ghosts wants so many ghosts in an account, and in all.
func (k *kit) ghosts(s store.Snapshot, account holdfast.ID, want int64) {
	k.Helper()
	for _, id := range []holdfast.ID{account, {}} {
		if n, err := s.Ghosts(id); err != nil || n != want {
			k.Errorf("there are %d ghosts, want %d, %v", n, want, err)
		}
	}
	_, err := s.Ghosts(holdfast.NewID(nil))
	k.kind("ghosts of nobody", err, holdfast.NotFound)
}

// testLost: an entry of which nobody has the octets is a ghost as soon as it is committed, its change is one without octets, and what makes it whole is an ordinary one. What a face could send by mistake is refused.
func testLost(k *kit) {
	a := k.a
	whole := k.put("x.vcf", "somewhere")
	body, lost := whole.Body, whole
	lost.Body, lost.Index = nil, holdfast.Index{}
	lost.Lost, lost.ETag, lost.Size = true, holdfast.HashOf(body), int64(len(body))
	for what, spoil := range map[string]func(*holdfast.Entry){
		"octets":     func(e *holdfast.Entry) { e.Body = body },
		"no hash":    func(e *holdfast.Entry) { e.ETag = holdfast.Hash{} },
		"no size":    func(e *holdfast.Entry) { e.Size = 0 },
		"a UID":      func(e *holdfast.Entry) { e.Index.UID = "x" },
		"a record":   func(e *holdfast.Entry) { e.Collection = a.ID },
		"a deletion": func(e *holdfast.Entry) { e.Op = holdfast.OpDelete },
	} {
		e := lost
		spoil(&e)
		if _, err := k.h.Engine.Commit(k.Context(), k.group(e)); !holdfast.IsKind(err, holdfast.Invalid) {
			k.Errorf("with %s: %v", what, err)
		}
	}
	k.do(lost)
	k.read(func(s store.Snapshot) {
		k.ghosts(s, a.ID, 1)
		_, err := s.Resource(a.Book, "x.vcf", store.WithBody)
		k.kind("its octets", err, holdfast.Unavailable)
		if r, err := s.Resource(a.Book, "x.vcf", 0); err != nil || r.State != holdfast.Ghost || r.ETag != lost.ETag || r.Size != lost.Size {
			k.Errorf("it is %+v, %v", r, err)
		}
		if err := s.Versions(a.Book, "x.vcf", store.WithBody, func(c *holdfast.Change) error {
			if !c.Pruned || c.Body != nil || c.Lost {
				k.Errorf("its change is %+v", c)
			}
			return nil
		}); err != nil {
			k.Error(err)
		}
	})
	k.verify()
	k.do(k.put("x.vcf", "again"))
	k.read(func(s store.Snapshot) { k.ghosts(s, a.ID, 0) })
}
