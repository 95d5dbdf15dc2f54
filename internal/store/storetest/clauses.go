package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// clauseTests are S1 to S10, as far as one goroutine can see them.
var clauseTests = []clause{
	{"S1_AGroupIsAllOrNothing", testAllOrNothing},
	{"S1_TheCallerMayReuseItsGroup", testNoReference},
	{"S2_AReopenedStoreHasEverything", testReopen},
	{"S4_SeqsAreGaplessAndChained", testSeqs},
	{"S5_TheOutboxHoldsEveryChange", testOutbox},
	{"S5_TheOutboxPassesWholeBatches", testOutboxPages},
	{"S5_MarksNeverGoBack", testMarks},
	{"S5_AStrangePointIsNoMark", testStrangeMark},
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
	k.confirm("attic", position)
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
		if n := len(k.pending("attic", 0)); n != 0 {
			k.Errorf("the vault's mark is lost: %d changes are pending", n)
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
			if h, err := s.Head(a.ID); err != nil || h != (store.Head{Epoch: r.Epoch, Seq: r.Seq, Chain: r.Hash}) {
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

// pending returns what is pending for a vault, in lines.
func (k *kit) pending(vault string, limit int) (lines []string) {
	k.Helper()
	if err := k.h.Engine.Pending(k.Context(), vault, limit, func(_ store.Position, c *holdfast.Change) error {
		lines = append(lines, textChange(c, all))
		return nil
	}); err != nil {
		k.Fatalf("pending: %v", err)
	}
	return lines
}

func (k *kit) confirm(vault string, p store.Position) {
	k.Helper()
	if err := k.h.Engine.Confirm(k.Context(), vault, p); err != nil {
		k.Fatalf("confirm %+v: %v", p, err)
	}
}

func testOutbox(k *kit) {
	b := NewAccount(k, k.m, k.h.Engine, "bob@example.org")
	k.do(k.put("a.vcf", "1"), k.put("b.vcf", "1"))
	k.commit(k.m.Group(b.ID, k.m.Put(b.Book, "a.vcf", "", []byte("x"))))
	k.do(k.m.Delete(k.a.Book, "a.vcf"))
	var want []string
	k.read(func(s store.Snapshot) {
		add := func(id holdfast.ID, after uint64, n int) {
			if err := s.Changes(id, after, n, all, func(c *holdfast.Change) error { want = append(want, textChange(c, all)); return nil }); err != nil {
				k.Fatal(err)
			}
		}
		add(k.a.ID, 0, 4)
		add(b.ID, 0, 4)
		add(k.a.ID, 4, 2)
		add(b.ID, 4, 1)
		add(k.a.ID, 6, 1)
	})
	if got := k.pending("attic", 0); !slices.Equal(got, want) {
		k.Errorf("the outbox differs from the journals in order of their commits:\n%s", difference(got, want))
	}
	k.confirm("attic", k.h.Engine.Info().Position)
	if got := k.pending("attic", 0); len(got) != 0 {
		k.Errorf("%d changes are pending though all is confirmed", len(got))
	}
	if got := k.pending("cellar", 0); !slices.Equal(got, want) {
		k.Errorf("another vault has %d changes pending, want all %d", len(got), len(want))
	}
	k.do(k.put("c.vcf", "1"))
	if got := k.pending("attic", 0); len(got) != 1 {
		k.Errorf("%d changes are pending after one more, want 1", len(got))
	}
	stop := errors.New("the vault is full")
	calls := 0
	err := k.h.Engine.Pending(k.Context(), "cellar", 0, func(store.Position, *holdfast.Change) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		k.Errorf("pending: %v after %d calls, want the callback's error after 1", err, calls)
	}
}

func testOutboxPages(k *kit) {
	for i := range 12 {
		var entries []holdfast.Entry
		for j := range i%4 + 1 {
			entries = append(entries, k.put(fmt.Sprintf("%d-%d.vcf", i, j), "1"))
		}
		k.do(entries...)
	}
	whole := k.pending("control", 0)
	var got []string
	var last store.Position
	for page := 0; ; page++ {
		from := len(got)
		p, err := readPage(k.Context(), k.h.Engine, "attic", 3, last, &got)
		if err != nil {
			k.Fatal(err)
		}
		if len(got) == from {
			break
		}
		if page > len(whole) {
			k.Fatal("the pages never end")
		}
		last = p
		k.confirm("attic", last)
	}
	if !slices.Equal(got, whole) {
		k.Errorf("read in pages, the outbox is:\n%s", difference(got, whole))
	}
	if info := k.h.Engine.Info(); last != info.Position {
		k.Errorf("the outbox ends at %+v, the store is at %+v", last, info.Position)
	}
}

// readPage appends one page of the outbox to lines. It checks that the page consists of whole batches that follow from after, by their hashes, and that it stops
// at the limit. It returns the point that the page ends at.
func readPage(ctx context.Context, e store.Engine, vault string, limit int, after store.Position, lines *[]string) (store.Position, error) {
	at, h, n, before := after, sha256.New(), 0, 0 // before: changes passed when the batch began
	var open bool
	closeBatch := func() error {
		if sum := holdfast.Hash(h.Sum(nil)); at.Batch > after.Batch && sum != at.Hash {
			return fmt.Errorf("batch %d has hash %v, its groups give %v", at.Batch, at.Hash, sum)
		}
		return nil
	}
	err := e.Pending(ctx, vault, limit, func(p store.Position, c *holdfast.Change) error {
		if p != at {
			if err := closeBatch(); err != nil {
				return err
			}
			if p.Batch != at.Batch+1 || open {
				return fmt.Errorf("batch %d follows batch %d, within a group: %t", p.Batch, at.Batch, open)
			}
			h = sha256.New()
			h.Write([]byte("holdfast batch 1\n"))
			h.Write(at.Hash[:])
			at, before = p, n
		}
		if open = c.More > 0; !open {
			h.Write(c.Account[:])
			h.Write(c.Chain[:])
		}
		n++
		*lines = append(*lines, textChange(c, all))
		return nil
	})
	if err == nil {
		err = closeBatch()
	}
	switch {
	case err != nil:
		return at, err
	case open:
		return at, errors.New("the page ends within a group")
	case limit > 0 && before >= limit:
		return at, fmt.Errorf("batch %d was passed although %d changes were, the limit being %d", at.Batch, before, limit)
	}
	return at, nil
}

func testMarks(k *kit) {
	early := k.h.Engine.Info().Position
	k.do(k.put("a.vcf", "1"))
	late := k.h.Engine.Info().Position
	k.confirm("attic", late)
	k.confirm("attic", early)
	k.confirm("attic", store.Position{})
	if got := k.pending("attic", 0); len(got) != 0 {
		k.Errorf("%d changes are pending again after an earlier point was confirmed", len(got))
	}
}

// testStrangeMark: a vault that holds more than this store ever wrote tells of a lost tail. To take its point for a mark would hide the changes to come.
func testStrangeMark(k *kit) {
	p := k.h.Engine.Info().Position
	for _, strange := range []store.Position{{Batch: p.Batch + 5, Hash: p.Hash}, {Batch: p.Batch, Hash: holdfast.HashOf([]byte("other"))}} {
		k.kind("confirm of a point that is not in the stream", k.h.Engine.Confirm(k.Context(), "attic", strange), holdfast.Invalid)
	}
	k.do(k.put("a.vcf", "1"))
	if got := k.pending("attic", 0); len(got) != 5 {
		k.Errorf("%d changes are pending, want all 5", len(got))
	}
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
		k.m.Collection(sub, k.a.Home, "second", holdfast.TypeAddressbook), k.m.Record(k.a.ID, "new@example.org"))
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
			if h, err := s.Chain(k.a.ID, c.Seq); err != nil || h != (store.Head{Epoch: 1, Seq: c.Seq, Chain: chain}) {
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
