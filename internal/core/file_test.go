package core_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"holdfast"
	"holdfast/internal/core"
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
	h := newCabinet(t, core.Options{})
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
	h := newCabinet(t, core.Options{})
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
	unread := iotest.ErrReader(errors.New("the octets were asked for"))
	h := newCabinet(t, core.Options{Limits: core.Limits{Quota: 1000, Resource: 2000}})
	_, etag := h.mustFile(t, "a", "here")
	room := h.room(t)
	for what, c := range map[string]struct {
		kind holdfast.ErrorKind
		q    core.FileRequest
	}{
		"too large":            {holdfast.TooLarge, core.FileRequest{Place: h.at("b"), Size: 2001}},
		"over the allowance":   {holdfast.Quota, core.FileRequest{Place: h.at("b"), Size: room + 1}},
		"it is there already":  {holdfast.PreconditionFailed, core.FileRequest{Place: h.at("a"), Size: 5, If: holdfast.Precondition{Exists: holdfast.Absent}}},
		"it is not there":      {holdfast.PreconditionFailed, core.FileRequest{Place: h.at("b"), Size: 4, If: holdfast.Precondition{Match: []holdfast.Hash{etag}}}},
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

func TestAFileThatBreaksOffIsNotStored(t *testing.T) {
	h := newCabinet(t, core.Options{})
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
	h := newCabinet(t, core.Options{})
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
	h := newCabinet(t, core.Options{})
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
}
