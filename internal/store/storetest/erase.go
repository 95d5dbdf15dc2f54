package storetest

import (
	"slices"

	"holdfast"
	"holdfast/internal/store"
)

// eraseTests are of what is removed for good.
var eraseTests = []clause{
	{"S11_WhatIsErasedIsGone", testErase},
}

// testErase: an erased account is not found in anything, its login is given to nobody, others are as they were, and the stream goes on.
func testErase(k *kit) {
	b := NewAccount(k, k.m, k.h.Engine, "bob@example.org")
	k.do(k.put("a.vcf", "1"), k.put("b.vcf", "1"))
	k.commit(k.m.Group(b.ID, k.m.Put(b.Book, "secret.vcf", "", []byte("secret"))))
	k.do(k.m.Delete(k.a.Book, "a.vcf"))
	before := k.h.Engine.Info()
	var digest holdfast.Digest
	k.read(func(s store.Snapshot) { digest, _ = s.Digest(k.a.ID, 0) })
	k.kind("erase of a stranger", k.h.Engine.Erase(k.Context(), holdfast.ID{9}), holdfast.NotFound)
	for range 2 {
		if err := k.h.Engine.Erase(k.Context(), b.ID); err != nil {
			k.Fatal(err)
		}
	}
	if k.h.Reopen != nil {
		k.reopen()
	}
	k.unverified = true // the model cannot follow a stream that lacks some
	if now := k.h.Engine.Info(); now.Accounts != before.Accounts-1 || now.Position != before.Position {
		k.Errorf("info: %+v, before: %+v", now, before)
	}
	k.read(func(s store.Snapshot) {
		_, err := s.Account(b.ID)
		k.kind("the account", err, holdfast.NotFound)
		_, err = s.AccountByLogin("bob@example.org")
		k.kind("its login", err, holdfast.NotFound)
		_, err = s.Collection(b.Book)
		k.kind("its address book", err, holdfast.NotFound)
		for id, want := range map[holdfast.ID]bool{b.ID: true, k.a.ID: false} {
			if gone, err := s.Erased(id); err != nil || gone != want {
				k.Errorf("erased: %v, %v", gone, err)
			}
		}
		if d, err := s.Digest(k.a.ID, 0); err != nil || d != digest {
			k.Errorf("another account's digest is %+v, %v, was %+v", d, err, digest)
		}
	})
	batch, redacted, prev := uint64(0), 0, holdfast.Hash{}
	if err := k.h.Engine.After(k.Context(), 0, 0, func(x *holdfast.Batch) error {
		if batch++; x.Batch != batch || x.Prev != prev {
			k.Errorf("batch %d follows batch %d", x.Batch, batch-1)
		}
		prev = x.Hash
		if x.Redacted {
			redacted++
		}
		if slices.ContainsFunc(x.Changes, func(c holdfast.Change) bool { return c.Account == b.ID }) {
			k.Error("the stream still has the account's changes")
		}
		return nil
	}); err != nil || batch != before.Position.Batch || redacted != 2 {
		k.Errorf("the stream has %d batches, %d of them redacted, %v", batch, redacted, err)
	}
	if err := k.h.Engine.Check(k.Context(), true, nil, func(f store.Finding) { k.Errorf("check found: %+v", f) }); err != nil {
		k.Error(err)
	}
	k.refuse(holdfast.Exists, "bob@example.org", second(k.m.Founding("bob@example.org")))
	k.do(k.put("c.vcf", "1"))
	NewAccount(k, k.m, k.h.Engine, "carol@example.org")
}
