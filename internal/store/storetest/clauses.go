package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// clauseTests are S1 to S10, as far as one goroutine can see them, without rules (S3), the outbox (S5) and changes in a collection (S6).
var clauseTests = []clause{
	{"S1_AGroupIsAllOrNothing", testAllOrNothing},
	{"S1_TheCallerMayReuseItsGroup", testNoReference},
	{"S2_AReopenedStoreHasEverything", testReopen},
	{"S4_SeqsAreGaplessAndChained", testSeqs},
	{"S7_ASnapshotIsOneMoment", testSnapshot},
	{"S8_ASecondWriterIsKeptOut", testSecond},
	{"S9_AfterCloseItIsUnavailable", testClosed},
	{"S9_ACancelledCommitChangesNothing", testCancelled},
	{"S10_DigestsFollowFromWhatIsRead", testDigest},
	{"S10_TheChainFollowsFromTheEntries", testChain},
}

func testAllOrNothing(k *kit) {
	k.do(k.put("a.vcf", "1"))
	sub, taken := k.m.ID(), k.put("c.vcf", "1")
	taken.Index.UID = "uid-a.vcf"
	k.refuses(holdfast.UIDConflict, "a.vcf",
		k.put("b.vcf", "1"), k.put("a.vcf", "2"), k.m.Delete(k.a.Book, "b.vcf"), k.m.Collection(sub, k.a.Home, "second", holdfast.TypeAddressbook),
		k.m.Put(sub, "x.vcf", "x", Card("x", "X", "")), k.m.Record(k.a.ID, "other@example.org"), taken)
	// Whatever the group had taken is free again: names, UIDs, logins, collection ids, numbers.
	b := NewAccount(k, k.m, k.h.Engine, "other@example.org")
	k.commit(k.m.Group(b.ID, k.m.Collection(sub, b.Home, "second", holdfast.TypeAddressbook)))
	k.do(k.put("b.vcf", "3"))
	if r := k.resource("b.vcf"); r.Item != 6 || r.Seq != 6 {
		k.Errorf("b.vcf is item %d of seq %d, want 6 and 6: a refused group uses up no number", r.Item, r.Seq)
	}
}

func testNoReference(k *kit) {
	e := k.put("a.vcf", "1")
	e.Properties = holdfast.Properties{{Space: "DAV:", Local: "displayname", XML: []byte("<D:displayname xmlns:D='DAV:'>A</D:displayname>")}}
	g := k.group(e)
	k.commit(g)
	want := textResource(new(k.resource("a.vcf")), all, false)
	for _, b := range [][]byte{g.Entries[0].Body, g.Entries[0].PropsRaw, g.Entries[0].Properties[0].XML} {
		for i := range b {
			b[i] = '#'
		}
	}
	if got := textResource(new(k.resource("a.vcf")), all, false); got != want {
		k.Errorf("after the caller wrote over its group:\n%s\nwant\n%s", got, want)
	}
}

func testReopen(k *kit) {
	if k.h.Reopen == nil {
		k.Logf("%s does not persist: nothing to see", k.h.Name)
		return
	}
	ctx := k.Context()
	k.do(k.put("a.vcf", "1"), k.put("b.vcf", "1"))
	k.do(k.put("a.vcf", "2"), k.m.Delete(k.a.Book, "b.vcf"))
	position := k.h.Engine.Info().Position
	seen := holdfast.Sighting{Account: k.a.ID, Collection: k.a.Book, Device: k.m.ID(), Epoch: 1, Seq: 6, At: k.m.Now().Truncate(time.Second)}
	if err := k.h.Engine.Observe(ctx, []holdfast.Sighting{seen}); err != nil {
		k.Fatalf("observe: %v", err)
	}
	before, info := k.everything(), k.h.Engine.Info()
	for range 2 {
		k.reopen()
		if now := k.everything(); !slices.Equal(now, before) {
			k.Fatalf("after it was opened again:\n%s", difference(now, before))
		}
		if now := k.h.Engine.Info(); now.Store != info.Store || now.Position != info.Position || now.Accounts != info.Accounts {
			k.Errorf("info after it was opened again: %+v, before: %+v", now, info)
		}
		if n := len(k.after(position.Batch, 0)); n != 0 {
			k.Errorf("%d changes come after the last", n)
		}
		if got := k.sightings(); !slices.Equal(got, []string{textSighting(seen)}) {
			k.Errorf("sightings: %v, want %v", got, textSighting(seen))
		}
	}
	if r := k.do(k.put("c.vcf", "1")); r.Seq != 9 {
		k.Errorf("the next change has seq %d, want 9", r.Seq)
	}
	k.refuse(holdfast.Exists, login, second(k.m.Founding(login)))
}

func second[A, B any](_ A, b B) B { return b }

func testSeqs(k *kit) {
	b := NewAccount(k, k.m, k.h.Engine, "bob@example.org")
	want := map[holdfast.ID]uint64{k.a.ID: 4, b.ID: 4}
	for i := range 20 {
		a := []Account{k.a, b}[i%2]
		var entries []holdfast.Entry
		for j := range i%3 + 1 {
			entries = append(entries, k.m.Put(a.Book, fmt.Sprintf("%d-%d.vcf", i, j), "", Card("x", "X", "")))
		}
		r := k.commit(k.m.Group(a.ID, entries...))
		want[a.ID] += uint64(len(entries))
		if r.Account != a.ID || r.Epoch != 1 || r.Seq != want[a.ID] {
			k.Errorf("receipt %+v, want account %v, epoch 1, seq %d", r, a.ID, want[a.ID])
		}
		k.read(func(s store.Snapshot) {
			if h, err := s.Head(a.ID); err != nil || h != (store.Head{Epoch: r.Epoch, Seq: r.Seq, Chain: r.Hash, Batch: r.Batch}) || r.Batch == 0 {
				k.Errorf("head %+v, %v; the receipt says %+v", h, err, r)
			}
		})
	}
	k.read(func(s store.Snapshot) {
		for id, n := range want {
			var seq uint64
			if err := s.Changes(id, 0, 0, 0, func(c *holdfast.Change) error {
				if seq++; c.Seq != seq {
					k.Errorf("change %d has seq %d", seq, c.Seq)
				}
				return nil
			}); err != nil || seq != n {
				k.Errorf("%d changes, %v; want %d", seq, err, n)
			}
		}
	})
}

func testSnapshot(k *kit) {
	k.do(k.put("a.vcf", "1"), k.put("b.vcf", "1"))
	s, err := k.h.Engine.Snapshot(k.Context())
	if err != nil {
		k.Fatal(err)
	}
	defer s.Close()
	before := dump(k, s)
	sub := k.m.ID()
	k.do(k.put("a.vcf", "2"), k.m.Delete(k.a.Book, "b.vcf"), k.put("c.vcf", "1"),
		k.m.Collection(sub, k.a.Home, "second", holdfast.TypeAddressbook), k.m.Record(k.a.ID, "new@example.org"), k.m.Record(k.a.ID, login))
	b := NewAccount(k, k.m, k.h.Engine, "bob@example.org")
	if now := dump(k, s); !slices.Equal(now, before) {
		k.Errorf("a snapshot changed under its reader:\n%s", difference(now, before))
	}
	_, err = s.Collection(sub)
	k.kind("a collection of later", err, holdfast.NotFound)
	_, err = s.Child(k.a.Home, "second")
	k.kind("a child of later", err, holdfast.NotFound)
	_, err = s.ByUID(k.a.Book, "uid-c.vcf")
	k.kind("a UID of later", err, holdfast.NotFound)
	_, err = s.AccountByLogin("new@example.org")
	k.kind("a login of later", err, holdfast.NotFound)
	_, err = s.AccountByLogin("bob@example.org")
	k.kind("an account's login of later", err, holdfast.NotFound)
	_, err = s.Account(b.ID)
	k.kind("an account of later", err, holdfast.NotFound)
	_, err = s.Chain(k.a.ID, 7)
	k.kind("a seq of later", err, holdfast.NotFound)
	if id, err := s.AccountByLogin(login); err != nil || id != k.a.ID {
		k.Errorf("a login that was taken once more later: %v, %v", id, err)
	}
	if r, err := s.ByUID(k.a.Book, "uid-b.vcf"); err != nil || r.Name != "b.vcf" {
		k.Errorf("by UID in the snapshot: %v, %v; want b.vcf, which was deleted later", r.Name, err)
	}
	if now := k.everything(); slices.Equal(now, before) {
		k.Error("a new snapshot shows nothing new")
	}
}

func testSecond(k *kit) {
	if k.h.Second == nil {
		k.Logf("%s cannot be opened a second time: nothing to see", k.h.Name)
		return
	}
	k.kind("a second writer", k.h.Second(k.T), holdfast.Busy)
	k.do(k.put("a.vcf", "1"))
}

func testClosed(k *kit) {
	before := k.everything()
	if err := k.h.Engine.Close(); err != nil {
		k.Fatalf("close: %v", err)
	}
	answers := make(chan error, 2)
	go func() {
		_, err := k.h.Engine.Commit(k.Context(), k.group(k.put("a.vcf", "1")))
		answers <- err
		_, err = k.h.Engine.Snapshot(k.Context())
		answers <- err
	}()
	for _, what := range []string{"commit after close", "snapshot after close"} {
		select {
		case err := <-answers:
			k.kind(what, err, holdfast.Unavailable)
		case <-time.After(20 * time.Second):
			k.Fatalf("%s: it hangs", what)
		}
	}
	if !k.reopen() {
		k.unverified = true // there is nothing left to ask
		return
	}
	if now := k.everything(); !slices.Equal(now, before) {
		k.Errorf("after it was opened again:\n%s", difference(now, before))
	}
}

func testCancelled(k *kit) {
	ctx, cancel := context.WithCancel(k.Context())
	cancel()
	before := k.everything()
	if _, err := k.h.Engine.Commit(ctx, k.group(k.put("a.vcf", "1"))); err == nil {
		k.Error("a commit whose caller is gone: success")
	}
	if now := k.everything(); !slices.Equal(now, before) {
		k.Errorf("a commit whose caller was gone before it began changed the store:\n%s", difference(now, before))
	}
}

func testDigest(k *kit) {
	check := func() {
		k.Helper()
		k.read(func(s store.Snapshot) {
			got, err := s.Digest(k.a.ID, 0)
			if err != nil {
				k.Fatal(err)
			}
			if want := recompute(k, s, k.a.ID); got != want {
				k.Errorf("digest %+v, from what is read follows %+v", got, want)
			}
		})
	}
	check()
	e := k.put("a.vcf", "1")
	e.Properties = holdfast.Properties{{Space: "urn:x", Local: "a", XML: []byte("<a xmlns='urn:x'/>")}}
	k.do(e, k.put("b.vcf", "1"))
	check()
	k.do(k.m.Delete(k.a.Book, "b.vcf"), k.put("a.vcf", "2"))
	check()
	blob := k.put("big", "")
	blob.Body, blob.Blob = nil, &holdfast.Blob{Hash: holdfast.HashOf([]byte("big")), Size: 1 << 30}
	k.do(blob)
	check()
	k.do(k.m.DeleteCollection(k.a.Book))
	check()
	k.do(k.m.Collection(k.a.Book, k.a.ID, "moved", holdfast.TypeAddressbook))
	check()
}

// recompute makes an account's digest from what a snapshot shows item by item.
func recompute(k *kit, s store.Snapshot, id holdfast.ID) holdfast.Digest {
	k.Helper()
	cs, err := s.Collections(id)
	if err != nil {
		k.Fatalf("collections: %v", err)
	}
	var sums []holdfast.CollectionSum
	for _, c := range cs {
		line := holdfast.CollectionSum{ID: c.ID, Parent: c.Parent, Gone: c.Gone}
		if _, err := s.ChangesSince(c.ID, 0, 0, 0, func(r *holdfast.Resource) error {
			line.Sum = line.Sum.Add(holdfast.ItemHash(c.ID, r.Name, r.Seq, r.State, r.Modified, r.ETag, r.PropsHash))
			if r.State == holdfast.Live {
				line.Items, line.Octets = line.Items+1, line.Octets+r.Size
			}
			return nil
		}); err != nil {
			k.Fatalf("changes since 0: %v", err)
		}
		own := newest(k, s, c.ID, "")
		state := holdfast.Live
		if own.Op == holdfast.OpDelete {
			state = holdfast.Tombstone
		}
		line.Sum = line.Sum.Add(holdfast.ItemHash(c.ID, "", own.Seq, state, own.At, own.ETag, own.PropsHash))
		if line.Items != c.Items || line.Octets != c.Octets {
			k.Errorf("collection %q says it has %d items of %d octets, its members are %d of %d", c.Name, c.Items, c.Octets, line.Items, line.Octets)
		}
		sums = append(sums, line)
	}
	h, err := s.Head(id)
	if err != nil {
		k.Fatalf("head: %v", err)
	}
	return holdfast.Digest{Epoch: h.Epoch, Seq: h.Seq, Chain: h.Chain, State: holdfast.StateHash(id, sums)}
}

var errStop = errors.New("enough")

// newest returns the newest version of an item.
func newest(k *kit, s store.Snapshot, c holdfast.ID, name string) (v holdfast.Change) {
	k.Helper()
	if err := s.Versions(c, name, 0, func(c *holdfast.Change) error { v = *c; return errStop }); !errors.Is(err, errStop) {
		k.Fatalf("versions of %q: %v, want the callback's error", name, err)
	}
	return v
}

func testChain(k *kit) {
	e := k.put("a.vcf", "1")
	e.Actor = holdfast.Actor{Account: k.a.ID, Device: k.m.ID()}
	e.Properties = holdfast.Properties{{Space: "urn:x", Local: "a", XML: []byte("<a xmlns='urn:x'/>")}}
	g := k.group(e, k.m.Delete(k.a.Book, "a.vcf"), k.put("a.vcf", "2"))
	k.commit(g)
	k.read(func(s store.Snapshot) {
		var chain holdfast.Hash
		var again holdfast.Group
		if err := s.Changes(k.a.ID, 0, 0, all, func(c *holdfast.Change) error {
			chain = holdfast.ChainHash(k.a.ID, c.Epoch, c.Seq, chain, c.Hash)
			if c.Chain != chain {
				k.Errorf("chain(%d) is %v, want %v", c.Seq, c.Chain, chain)
			}
			if h, err := s.Chain(k.a.ID, c.Seq); err != nil || h.Epoch != 1 || h.Seq != c.Seq || h.Chain != chain || h.Batch == 0 {
				k.Errorf("the chain at %d: %+v, %v; want %v", c.Seq, h, err, chain)
			}
			if c.Seq > 4 {
				again.Entries = append(again.Entries, cloneEntry(c.Entry))
			}
			return nil
		}); err != nil {
			k.Fatal(err)
		}
		again.Seal()
		for i := range g.Entries {
			if again.Entries[i].Hash != g.Entries[i].Hash {
				k.Errorf("entry %d, read and sealed again, has another hash: something of it was not kept", i)
			}
		}
		for _, seq := range []uint64{0, 8} {
			_, err := s.Chain(k.a.ID, seq)
			k.kind(fmt.Sprintf("the chain at %d", seq), err, holdfast.NotFound)
		}
	})
}
