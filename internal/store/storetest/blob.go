package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"holdfast"
	"holdfast/internal/store"
)

// blobTests are of large octets that lie beside the engine.
var blobTests = []clause{
	{"S14_WhatAnyChangeNamesIsKnown", testNamesBlob}, {"S14_WhatIsNamedIsListed", testBlobs},
}

// blob is a put whose octets lie beside the engine.
func (k *kit) blob(name, octets string) holdfast.Entry {
	e := k.put(name, "")
	e.Body, e.Blob = nil, &holdfast.Blob{Hash: holdfast.HashOf([]byte(octets)), Size: int64(len(octets))}
	return e
}

// blobs wants to be told whether an account names the blobs.
func (k *kit) blobs(account holdfast.ID, named bool, octets ...string) {
	k.Helper()
	k.read(func(s store.Snapshot) {
		for _, x := range octets {
			if got, err := s.NamesBlob(account, holdfast.HashOf([]byte(x))); err != nil || got != named {
				k.Errorf("the blob %q is named: %v, want %v, %v", x, got, named, err)
			}
		}
	})
}

func testNamesBlob(k *kit) {
	other := NewAccount(k, k.m, k.h.Engine, "carol@example.org")
	k.blobs(k.a.ID, false, "film", "photo", "song")
	k.do(k.blob("film.mp4", "film"), k.blob("photo.jpg", "photo"), k.blob("copy.jpg", "photo"), k.m.Put(k.a.Book, "text", "", []byte("song")))
	k.blobs(k.a.ID, true, "film", "photo")
	k.blobs(k.a.ID, false, "song") // these octets are a body
	k.do(k.blob("film.mp4", "song"), k.m.Delete(k.a.Book, "photo.jpg"), k.m.Delete(k.a.Book, "copy.jpg"))
	k.do(k.put("film.mp4", "now it is small"))
	k.read(func(s store.Snapshot) {
		k.do(k.blob("late", "late"))
		if named, err := s.NamesBlob(k.a.ID, holdfast.HashOf([]byte("late"))); err != nil || named {
			k.Errorf("a snapshot from before names what came later: %v, %v", named, err)
		}
	})
	k.reopen()
	k.blobs(k.a.ID, true, "film", "photo", "song", "late")
	k.blobs(other.ID, false, "film", "photo", "song", "late")
	k.read(func(s store.Snapshot) {
		_, err := s.NamesBlob(holdfast.NewID(nil), holdfast.HashOf([]byte("film")))
		k.kind("of nobody", err, holdfast.NotFound)
	})
}

func testBlobs(k *kit) {
	NewAccount(k, k.m, k.h.Engine, "carol@example.org")
	var want []holdfast.Blob
	name := func(item, octets string) {
		e := k.blob(item, octets)
		want = append(want, *e.Blob)
		k.do(e)
	}
	for i := range 40 {
		name(fmt.Sprint(i), fmt.Sprint("octets ", i*i*i))
	}
	k.do(k.blob("twice", "octets 0"), k.m.Put(k.a.Book, "text", "", []byte("a body")))
	k.do(k.blob("0", "another version"), k.m.Delete(k.a.Book, "1"))
	want = append(want, holdfast.Blob{Hash: holdfast.HashOf([]byte("another version")), Size: 15})
	slices.SortFunc(want, func(a, b holdfast.Blob) int { return bytes.Compare(a.Hash[:], b.Hash[:]) })
	list := func(s store.Snapshot, from holdfast.Hash, limit int) (got []holdfast.Blob) {
		if err := s.Blobs(k.a.ID, from, limit, func(b holdfast.Blob) error { got = append(got, b); return nil }); err != nil {
			k.Error(err)
		}
		return got
	}
	k.reopen()
	k.read(func(s store.Snapshot) {
		k.do(k.blob("late", "late"))
		above := want[20].Hash
		above[31]++
		for _, x := range []struct {
			from  holdfast.Hash
			limit int
			want  []holdfast.Blob
		}{{holdfast.Hash{}, 0, want}, {holdfast.Hash{}, 7, want[:7]}, {want[7].Hash, 7, want[7:14]}, {above, 2, want[21:23]}, {want[40].Hash, 9, want[40:]}, {holdfast.Hash(bytes.Repeat([]byte{255}, 32)), 0, nil}} {
			if got := list(s, x.from, x.limit); !slices.Equal(got, x.want) {
				k.Errorf("%d from %v on are %v, want %v", x.limit, x.from, got, x.want)
			}
		}
		enough := errors.New("enough")
		if err := s.Blobs(k.a.ID, holdfast.Hash{}, 0, func(holdfast.Blob) error { return enough }); !errors.Is(err, enough) {
			k.Error(err)
		}
		k.kind("of nobody", s.Blobs(holdfast.NewID(nil), holdfast.Hash{}, 0, func(holdfast.Blob) error { return nil }), holdfast.NotFound)
	})
	k.do(k.put("late", "gone")) // what was named stays so
	var many []holdfast.Entry
	for i := range 1000 { // more than one page of EachBlob
		e := k.blob(fmt.Sprint("m", i), fmt.Sprint("many ", i))
		many, want = append(many, e), append(want, *e.Blob)
	}
	k.do(many...)
	want = append(want, holdfast.Blob{Hash: holdfast.HashOf([]byte("late")), Size: 4})
	slices.SortFunc(want, func(a, b holdfast.Blob) int { return bytes.Compare(a.Hash[:], b.Hash[:]) })
	var got []holdfast.Blob
	if err := store.EachBlob(k.Context(), k.h.Engine, k.a.ID, want[3].Hash, func(b holdfast.Blob) error { got = append(got, b); return nil }); err != nil || !slices.Equal(got, want[3:]) {
		k.Errorf("%d of %d: %v", len(got), len(want)-3, err)
	}
	if b, ok, err := store.BlobOf(k.Context(), k.h.Engine, k.a.ID, want[9].Hash); err != nil || !ok || b != want[9] {
		k.Error(b, ok, err)
	}
	if _, ok, err := store.BlobOf(k.Context(), k.h.Engine, k.a.ID, holdfast.HashOf([]byte("a body"))); err != nil || ok {
		k.Error("a body is a blob:", ok, err)
	}
}
