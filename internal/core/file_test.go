package core_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"holdfast"
	"holdfast/internal/blob"
	memblob "holdfast/internal/blob/memory"
	"holdfast/internal/core"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
)

// judgeFiles takes any octets.
func judgeFiles(*holdfast.Collection, string, string, []byte) (holdfast.Kind, holdfast.Index, error) {
	return holdfast.KindFile, holdfast.Index{}, nil
}

// cabinet is an account's home of files, and its address book.
type cabinet struct {
	shelf
	files holdfast.ID
}

func newCabinet(t *testing.T, o core.Options) cabinet {
	t.Helper()
	if o.Engine == nil {
		e := memory.New()
		t.Cleanup(func() { e.Close() })
		o.Engine = e
	}
	o.Judges = map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judgeLines, holdfast.TypeHome: judgeFiles, holdfast.TypeFolder: judgeFiles}
	h := cabinet{shelf: shelfOf(t, core.New(o))}
	at, err := h.s.Locate(t.Context(), h.p, h.p.Account, []string{"files"})
	if err != nil {
		t.Fatal(err)
	}
	h.files = at.Collection.ID
	return h
}

// eachCabinet runs a test where files are the bodies of their changes, and where all but the smallest are blobs.
func eachCabinet(t *testing.T, o core.Options, fn func(*testing.T, cabinet)) {
	t.Run("bodies", func(t *testing.T) { fn(t, newCabinet(t, o)) })
	t.Run("blobs", func(t *testing.T) {
		o.Blobs = blob.NewKeeper(memblob.New(nil))
		o.Limits.Inline, o.Limits.File = 3, o.Limits.Resource
		fn(t, newCabinet(t, o))
	})
}

func (h cabinet) at(name string) core.Place {
	return core.Place{Owner: h.p.Account, Collection: h.files, Name: name}
}

// request is a PUT of a file whose size is said.
func (h cabinet) request(name, octets string) core.FileRequest {
	return core.FileRequest{Place: h.at(name), ContentType: "text/plain", Octets: strings.NewReader(octets), Size: int64(len(octets))}
}

func (h cabinet) mustFile(t *testing.T, name, octets string) (holdfast.Receipt, holdfast.Hash) {
	t.Helper()
	r, etag, err := h.s.PutFile(t.Context(), h.p, h.request(name, octets))
	if err != nil {
		t.Fatal(err)
	}
	if etag != holdfast.HashOf([]byte(octets)) {
		t.Fatalf("%s has the ETag %s", name, etag)
	}
	return r, etag
}

// open opens a file, and hands over what the index says of it.
func (h cabinet) open(t *testing.T, name string) (o *core.Octets, x holdfast.Resource, err error) {
	t.Helper()
	err = h.s.Read(t.Context(), h.p, h.p.Account, func(r *core.Reader) error {
		if x, err = r.Resource(h.files, name, core.WithProps|core.WithType); err != nil {
			return err
		}
		o, err = r.Open(t.Context(), &x)
		return err
	})
	return o, x, err
}

// read returns the octets of a file.
func (h cabinet) read(t *testing.T, name string) string {
	t.Helper()
	o, _, err := h.open(t, name)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	b, err := io.ReadAll(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// room returns how many octets the account may still have, as a commit says it: it takes what fits, and nothing else.
func (h cabinet) room(t *testing.T) (n int64) {
	t.Helper()
	for size := h.s.Limits().Quota; size > 0; size-- {
		q := h.request("probe", strings.Repeat("x", int(size)))
		q.Size = -1
		if _, _, err := h.s.PutFile(t.Context(), h.p, q); err == nil {
			if _, err := h.s.Delete(t.Context(), h.p, h.at("probe"), holdfast.Precondition{}, nil); err != nil {
				t.Fatal(err)
			}
			return size
		}
	}
	return 0
}

func TestAFileIsReadAsItWasPut(t *testing.T) {
	eachCabinet(t, core.Options{}, readAsPut)
}

func readAsPut(t *testing.T, h cabinet) {
	for _, size := range []int{0, 1, 64 << 10, 64<<10 + 1, 3 << 20} {
		octets := strings.Repeat("holdfast ", size/9+1)[:size]
		h.mustFile(t, "a", octets)
		if got := h.read(t, "a"); got != octets {
			t.Fatalf("%d octets came back as %d", size, len(got))
		}
		o, x, err := h.open(t, "a")
		if err != nil || x.Size != int64(size) || o.Size() != int64(size) || x.ContentType != "text/plain" {
			t.Fatal(x, err)
		}
		if err := iotest.TestReader(o, []byte(octets)); err != nil && size < 1<<20 {
			t.Errorf("%d octets: %v", size, err)
		}
		o.Close()
	}
	if _, _, err := h.open(t, "nothing"); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestOctetsAreThoseOfTheVersionThatWasShown(t *testing.T) {
	eachCabinet(t, core.Options{}, versionShown)
}

func versionShown(t *testing.T, h cabinet) {
	h.mustFile(t, "a", "first")
	o, x, err := h.open(t, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	h.mustFile(t, "a", "second")
	if b, err := io.ReadAll(o); string(b) != "first" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	err = h.s.Read(t.Context(), h.p, h.p.Account, func(r *core.Reader) error { _, err := r.Open(t.Context(), &x); return err })
	wantKind(t, err, holdfast.NotFound)
}

func TestWhatCanBeRefusedWithoutTheOctetsIs(t *testing.T) {
	eachCabinet(t, core.Options{Limits: core.Limits{Quota: 1000, Resource: 2000}}, refusedUnread)
}

func refusedUnread(t *testing.T, h cabinet) {
	unread := iotest.ErrReader(errors.New("the octets were asked for"))
	_, etag := h.mustFile(t, "a", "here")
	room := h.room(t)
	for what, c := range map[string]struct {
		kind holdfast.ErrorKind
		q    core.FileRequest
	}{
		"too large":            {holdfast.TooLarge, core.FileRequest{Place: h.at("b"), Size: 2001}},
		"over the allowance":   {holdfast.Quota, core.FileRequest{Place: h.at("b"), Size: room + 1}},
		"it is there already":  {holdfast.PreconditionFailed, core.FileRequest{Place: h.at("a"), Size: 5, If: holdfast.Precondition{Exists: holdfast.Absent}}},
		"it is not there":      {holdfast.NotFound, core.FileRequest{Place: h.at("b"), Size: 4, If: holdfast.Precondition{Match: []holdfast.Hash{etag}}}},
		"a name that is none":  {holdfast.Invalid, core.FileRequest{Place: h.at("a/b"), Size: 4}},
		"no such folder":       {holdfast.NotFound, core.FileRequest{Place: core.Place{Owner: h.p.Account, Collection: holdfast.NewID(nil), Name: "a"}, Size: 4}},
		"an address book":      {holdfast.Forbidden, core.FileRequest{Place: h.place("a.vcf"), Size: 4}},
		"of an unknown person": {holdfast.Forbidden, core.FileRequest{Place: core.Place{Owner: holdfast.NewID(nil), Collection: h.files, Name: "a"}, Size: 4}},
	} {
		c.q.Octets = unread
		_, _, err := h.s.PutFile(t.Context(), h.p, c.q)
		if !holdfast.IsKind(err, c.kind) {
			t.Errorf("%s: %v", what, err)
		}
	}
	q := h.request("b", strings.Repeat("x", int(room)+1))
	q.Size = -1 // it was not said: the commit judges it
	_, _, err := h.s.PutFile(t.Context(), h.p, q)
	wantKind(t, err, holdfast.Quota)
	h.mustFile(t, "b", strings.Repeat("x", int(room)))
}

// atEnd does something once all of the octets were read.
type atEnd struct {
	io.Reader
	do func()
}

func (r *atEnd) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err == io.EOF && r.do != nil {
		r.do()
		r.do = nil
	}
	return n, err
}

// TestWhatIsRefusedAfterItsOctetsCameLeavesNone: while a large file comes another one takes its name, or the allowance.
func TestWhatIsRefusedAfterItsOctetsCameLeavesNone(t *testing.T) {
	const size = 2000
	ours := strings.Repeat("o", size)
	for what, x := range map[string]struct {
		kind      holdfast.ErrorKind
		pre       holdfast.Precondition
		name      string // of what comes meanwhile
		meanwhile int
	}{
		"one of the same size takes the name": {holdfast.PreconditionFailed, holdfast.Precondition{Exists: holdfast.Absent}, "a", size},
		"the allowance is used up":            {holdfast.Quota, holdfast.Precondition{}, "b", 4000},
	} {
		for _, said := range []bool{true, false} {
			h, store, _ := newShelves(t, core.Options{Limits: core.Limits{Quota: 6000, Inline: 3, File: 10_000}})
			q := h.request("a", ours)
			if q.If = x.pre; !said {
				q.Size = -1
			}
			q.Octets = &atEnd{q.Octets, func() { h.mustFile(t, x.name, strings.Repeat("t", x.meanwhile)) }}
			_, _, err := h.s.PutFile(t.Context(), h.p, q)
			wantKind(t, err, x.kind)
			if _, err := store.Stat(t.Context(), h.p.Account, holdfast.HashOf([]byte(ours))); !holdfast.IsKind(err, holdfast.NotFound) {
				t.Errorf("%s, size said %v: its octets stay: %v", what, said, err)
			}
		}
	}
}

func TestAFileThatBreaksOffIsNotStored(t *testing.T) {
	eachCabinet(t, core.Options{}, breaksOff)
}

func breaksOff(t *testing.T, h cabinet) {
	h.mustFile(t, "a", "whole")
	for what, q := range map[string]core.FileRequest{
		"too few":    {Octets: strings.NewReader("who"), Size: 5},
		"too many":   {Octets: strings.NewReader("whole and more"), Size: 5},
		"none":       {Octets: strings.NewReader(""), Size: 5},
		"broken off": {Octets: io.MultiReader(strings.NewReader("who"), iotest.ErrReader(io.ErrUnexpectedEOF)), Size: -1},
	} {
		q.Place = h.at("a")
		if _, _, err := h.s.PutFile(t.Context(), h.p, q); err == nil {
			t.Errorf("%s was taken", what)
		}
	}
	if got := h.read(t, "a"); got != "whole" {
		t.Errorf("it is %q", got)
	}
}

func TestAFileKeepsItsPropertiesAndGetsThoseThatAreSet(t *testing.T) {
	eachCabinet(t, core.Options{}, keepsProperties)
}

func keepsProperties(t *testing.T, h cabinet) {
	h.mustFile(t, "a", "1")
	if _, err := h.s.SetProperties(t.Context(), h.p, h.at("a"), nil, func(ps holdfast.Properties) (holdfast.Properties, error) {
		return ps.With("x:", "own", []byte("<own/>")).With("x:", "time", []byte("<time>1</time>")), nil
	}); err != nil {
		t.Fatal(err)
	}
	q := h.request("a", "2")
	q.Set = holdfast.Properties{{Space: "x:", Local: "time", XML: []byte("<time>2</time>")}}
	if _, _, err := h.s.PutFile(t.Context(), h.p, q); err != nil {
		t.Fatal(err)
	}
	_, x, err := h.open(t, "a")
	if err != nil || !bytes.Equal(x.Properties.Get("x:", "own"), []byte("<own/>")) || !bytes.Equal(x.Properties.Get("x:", "time"), []byte("<time>2</time>")) {
		t.Errorf("%v %v", x.Properties, err)
	}
}

func TestAFileSentAgainMeetsItself(t *testing.T) {
	eachCabinet(t, core.Options{}, meetsItself)
}

func meetsItself(t *testing.T, h cabinet) {
	for _, octets := range []string{"first", strings.Repeat("x", 100<<10)} {
		q := h.request("a"+octets[:1], octets)
		q.If.Exists = holdfast.Absent
		first, _, err := h.s.PutFile(t.Context(), h.p, q)
		if err != nil || !first.Created {
			t.Fatal(first, err)
		}
		q.Octets = strings.NewReader(octets)
		again, _, err := h.s.PutFile(t.Context(), h.p, q)
		if err != nil || !again.Replay || again.Seq != first.Seq {
			t.Errorf("%v %v", again, err)
		}
	}
	q := h.request("empty", "") // who makes one of those is the first, or is told that he is not
	q.If.Exists = holdfast.Absent
	if _, _, err := h.s.PutFile(t.Context(), h.p, q); err != nil {
		t.Fatal(err)
	}
	_, _, err := h.s.PutFile(t.Context(), h.p, q)
	wantKind(t, err, holdfast.PreconditionFailed)
}

// newShelves makes a cabinet whose large files lie in a store that a test can reach into.
func newShelves(t *testing.T, o core.Options) (cabinet, *memblob.Store, *blob.Keeper) {
	t.Helper()
	store := memblob.New(nil)
	keep := blob.NewKeeper(store)
	o.Blobs = keep
	return newCabinet(t, o), store, keep
}

func TestALargeFileIsABlobAndASmallOneABody(t *testing.T) {
	h, store, _ := newShelves(t, core.Options{})
	for size, large := range map[int]bool{0: false, 100: false, core.MaxInline: false, core.MaxInline + 1: true, 1 << 20: true} {
		for _, said := range []bool{true, false} {
			q := h.request("a", strings.Repeat("x", size))
			if !said {
				q.Size = -1
			}
			_, etag, err := h.s.PutFile(t.Context(), h.p, q)
			if err != nil {
				t.Fatal(err)
			}
			_, err = store.Stat(t.Context(), h.p.Account, etag)
			if (err == nil) != large {
				t.Errorf("%d octets: %v", size, err)
			}
			if got := h.read(t, "a"); len(got) != size {
				t.Errorf("%d octets came back as %d", size, len(got))
			}
		}
	}
}

func TestAnUploadOfUnknownSizeEndsWhereTheAllowanceDoes(t *testing.T) {
	h, _, _ := newShelves(t, core.Options{Limits: core.Limits{Quota: 1 << 20}})
	read := 0
	endless := io.LimitReader(readerFunc(func(p []byte) (int, error) { read += len(p); return len(p), nil }), 100<<20)
	_, _, err := h.s.PutFile(t.Context(), h.p, core.FileRequest{Place: h.at("a"), Octets: endless, Size: -1})
	wantKind(t, err, holdfast.Quota)
	if read > 2<<20 {
		t.Errorf("%d octets were read", read)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestAFileWhoseOctetsAreMissingIsNotSaidToBeGone(t *testing.T) {
	h, store, _ := newShelves(t, core.Options{})
	octets := strings.Repeat("x", 100_000)
	_, etag := h.mustFile(t, "a", octets)
	if err := store.Remove(t.Context(), h.p.Account, etag); err != nil {
		t.Fatal(err)
	}
	_, _, err := h.open(t, "a")
	wantKind(t, err, holdfast.Corrupt)
	h.mustFile(t, "a", octets) // whoever has it puts it back
	if got := h.read(t, "a"); got != octets {
		t.Errorf("%d octets", len(got))
	}
}

func TestOctetsThatNoChangeNamesAreFreeAndOthersAreNot(t *testing.T) {
	h, store, keep := newShelves(t, core.Options{})
	letGo := func(account holdfast.ID, h holdfast.Hash, names func(holdfast.ID, holdfast.Hash) (bool, error)) bool {
		t.Helper()
		gone, err := keep.LetGo(t.Context(), account, h, func() (bool, error) { named, err := names(account, h); return !named, err })
		if err != nil {
			t.Fatal(err)
		}
		return gone
	}
	names := func(account holdfast.ID, x holdfast.Hash) (bool, error) {
		return h.s.NamesBlob(t.Context(), account, x)
	}
	_, first := h.mustFile(t, "a", strings.Repeat("1", 100_000))
	h.mustFile(t, "a", strings.Repeat("2", 100_000))
	if _, err := h.s.Delete(t.Context(), h.p, h.at("a"), holdfast.Precondition{}, nil); err != nil {
		t.Fatal(err)
	}
	h.mustFile(t, "b", "small")
	q := h.request("b", strings.Repeat("3", 100_000))
	q.If.Exists = holdfast.Absent
	q.Size = -1 // otherwise it is refused before
	_, _, err := h.s.PutFile(t.Context(), h.p, q)
	wantKind(t, err, holdfast.PreconditionFailed)
	refused := holdfast.HashOf([]byte(strings.Repeat("3", 100_000)))
	wantKind(t, store.Verify(t.Context(), h.p.Account, refused), holdfast.NotFound)
	pin, err := keep.Put(t.Context(), h.p.Account, strings.NewReader(strings.Repeat("3", 100_000)), 1<<20) // as one that only the commit refuses
	if err != nil {
		t.Fatal(err)
	}
	pin.Release()
	if letGo(h.p.Account, first, names) {
		t.Error("an earlier version of what was deleted was let go of")
	}
	if !letGo(h.p.Account, refused, names) {
		t.Error("what was refused is held")
	}
	if _, err := names(holdfast.ID{9}, first); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Errorf("of an account that is not known: %v", err)
	}
	if _, err := h.s.BeginErase(t.Context(), holdfast.Actor{}, h.p.Account); err != nil {
		t.Fatal(err)
	}
	if letGo(h.p.Account, first, names) {
		t.Error("octets of an account that waits for its erasure were let go of")
	}
	if err := h.s.Erase(t.Context(), h.p.Account); err != nil {
		t.Fatal(err)
	}
	if !letGo(h.p.Account, first, names) {
		t.Error("octets of an account that was erased are held")
	}
}

func TestAPutHoldsItsOctetsUntilAChangeNamesThem(t *testing.T) {
	e := memory.New()
	t.Cleanup(func() { e.Close() })
	asked := 0
	var h cabinet
	var keep *blob.Keeper
	octets := strings.Repeat("x", 100_000)
	h, _, keep = newShelves(t, core.Options{Engine: slowEngine{e, func() {
		gone, err := keep.LetGo(t.Context(), h.p.Account, holdfast.HashOf([]byte(octets)), func() (bool, error) { return true, nil })
		if asked++; gone || err != nil {
			t.Errorf("before its commit it was let go of: %v", err)
		}
	}}})
	asked = 0
	h.mustFile(t, "a", octets)
	if asked != 1 || h.read(t, "a") != octets {
		t.Errorf("asked %d times", asked)
	}
}

// slowEngine lets something happen before each commit.
type slowEngine struct {
	store.Engine
	before func()
}

func (e slowEngine) Commit(ctx context.Context, g *holdfast.Group) (holdfast.Receipt, error) {
	if g.Entries[0].Kind == holdfast.KindFile {
		e.before()
	}
	return e.Engine.Commit(ctx, g)
}

// blobCopies has octets of large files too, or does not get them.
type blobCopies struct {
	core.Copies
	got  map[holdfast.Hash]string
	fail error
}

var _ core.BlobCopies = (*blobCopies)(nil)

func (c *blobCopies) PutBlob(ctx context.Context, _ holdfast.ID, b holdfast.Blob, open blob.Opener) error {
	if c.fail != nil {
		return c.fail
	}
	f, err := open(ctx)
	if err != nil {
		return err
	}
	defer f.Close()
	octets, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	c.got[b.Hash] = string(octets)
	return err
}

// acked is a policy that is met by the engine alone.
type acked struct{ e *memory.Engine }

func (acked) Ready() error { return nil }
func (acked) Wait(context.Context, uint64) ([]string, string, error) {
	return []string{"engine"}, "engine", nil
}
func (a acked) Acked() uint64                          { return a.e.Position().Batch }
func (acked) AwaitAcked(context.Context, uint64) error { return nil }

func TestACopyHasTheOctetsBeforeItsChangeIsCommitted(t *testing.T) {
	e := memory.New()
	t.Cleanup(func() { e.Close() })
	c := &blobCopies{Copies: acked{e}, got: map[holdfast.Hash]string{}}
	octets := strings.Repeat("x", 100_000)
	h, _, _ := newShelves(t, core.Options{Copies: c, Engine: slowEngine{e, func() {
		if c.got[holdfast.HashOf([]byte(octets))] != octets {
			t.Error("a change is committed whose octets the copy has not got")
		}
	}}})
	h.mustFile(t, "a", octets)
	c.fail = &holdfast.Error{Op: "relay.PutBlob", Kind: holdfast.Unavailable}
	_, _, err := h.s.PutFile(t.Context(), h.p, h.request("b", octets+"y"))
	wantKind(t, err, holdfast.Unavailable)
	if _, _, err := h.open(t, "b"); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Errorf("it is there: %v", err)
	}
}

func TestWhereCopiesTakeNoBlobsFilesAreBodies(t *testing.T) {
	e := memory.New()
	t.Cleanup(func() { e.Close() })
	h, store, _ := newShelves(t, core.Options{Copies: acked{e}, Engine: e, Limits: core.Limits{Resource: 200_000}})
	_, etag := h.mustFile(t, "a", strings.Repeat("x", 100_000))
	_, err := store.Stat(t.Context(), h.p.Account, etag)
	wantKind(t, err, holdfast.NotFound)
	_, _, err = h.s.PutFile(t.Context(), h.p, h.request("b", strings.Repeat("x", 200_001)))
	wantKind(t, err, holdfast.TooLarge)
}

// TestAVersionThatIsABlobIsCopiedMovedAndBroughtBack: wherever a change says that its octets are a blob, so does the next one made of it.
func TestAVersionThatIsABlobIsCopiedMovedAndBroughtBack(t *testing.T) {
	h, _, _ := newShelves(t, core.Options{})
	first, second := strings.Repeat("1", 100_000), strings.Repeat("2", 100_000)
	h.mustFile(t, "a", first)
	if _, err := h.s.Copy(t.Context(), h.p, core.Transfer{From: h.at("a"), To: h.at("b")}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.s.Move(t.Context(), h.p, core.Transfer{From: h.at("b"), To: h.at("c")}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.s.SetProperties(t.Context(), h.p, h.at("c"), nil, func(ps holdfast.Properties) (holdfast.Properties, error) {
		return ps.With("x:", "y", []byte("<y/>")), nil
	}); err != nil {
		t.Fatal(err)
	}
	r, _ := h.mustFile(t, "a", second)
	if h.read(t, "a") != second || h.read(t, "c") != first {
		t.Error("they are mixed up")
	}
	past, err := h.s.PastOf(t.Context(), h.p.Account)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := past.Undo(t.Context(), core.UndoRequest{Change: r.Seq}, nil); err != nil {
		t.Fatal(err)
	}
	if h.read(t, "a") != first {
		t.Error("the version before did not come back")
	}
}
