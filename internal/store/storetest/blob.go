package storetest

import (
	"holdfast"
	"holdfast/internal/store"
)

// blobTests are of large octets that lie beside the engine.
var blobTests = []clause{
	{"S14_WhatAnyChangeNamesIsKnown", testNamesBlob},
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
