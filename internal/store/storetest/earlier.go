package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/store/asof"
)

// earlierTests are about a snapshot as of an earlier batch (package asof), over this engine.
var earlierTests = []clause{
	{"S7_AsOfAnEarlierBatchNothingLaterIsShown", testEarlier},
	{"S7_WhatMayHaveBeenSeenIsNotPassedOver", testNotPassedOver},
}

// stage is what a store was like after a batch.
type stage struct {
	batch uint64
	lines []string
}

// answers returns all that can be asked of the accounts, in more than one way each.
func (k *kit) answers(s store.Snapshot, ids ...holdfast.ID) (out []string) {
	k.Helper()
	put := func(what string, lines []string, err error) {
		out = append(out, what+" "+textError(err))
		if err == nil {
			out = append(out, lines...)
		}
	}
	lines, err := everything(s)
	put("everything", lines, err)
	for _, limit := range []int{1, 2, 3} {
		found, err := s.AccountsByLocalPart("alice", limit)
		for _, id := range found {
			out = append(out, id.String())
		}
		page, err2 := s.Accounts(holdfast.ID{}, limit)
		for _, a := range page {
			out = append(out, textAccount(a))
		}
		put("pages", nil, cmp.Or(err, err2))
	}
	for _, login := range []string{login, "alice@a.example", "alice@z.example", "bob@example.org"} {
		id, err := s.AccountByLogin(login)
		put("login "+login, []string{id.String()}, err)
	}
	for _, id := range ids {
		a := subject{account: id, login: login, uid: "u1", f: all, from: 0, to: 1000}
		for _, col := range append([]holdfast.ID{id}, k.colsEver...) {
			a.col = col
			for n, name := range []string{"", "a", "c", holdfast.RecordAccount, "sub", "moved"} { // each with another limit and seq
				a.name, a.limit, a.seq = name, n%4, uint64(n*3)
				for _, q := range slices.Concat(a.directory(), a.tree(), a.history()) {
					lines, err := q.ask(s)
					put(q.text, lines, err)
				}
			}
		}
	}
	return out
}

// lives makes accounts go through a little of everything and returns what the store was like on the way, and what the index said of each change.
func (k *kit) lives() (was []stage, index map[holdfast.ID]holdfast.Index, ids []holdfast.ID) {
	k.Helper()
	index = map[holdfast.ID]holdfast.Index{}
	b, founding := k.m.Founding("bob@example.org")
	ids = []holdfast.ID{k.a.ID, b.ID}
	sub := k.m.ID()
	k.colsEver = []holdfast.ID{k.a.Home, k.a.Book, sub, b.Book}
	commit := func(g *holdfast.Group) {
		k.Helper()
		k.commit(g)
		for _, e := range g.Entries {
			index[e.ID] = e.Index
		}
		k.read(func(s store.Snapshot) { was = append(was, stage{k.h.Engine.Position().Batch, k.answers(s, ids...)}) })
	}
	do := func(entries ...holdfast.Entry) { k.Helper(); commit(k.group(entries...)) }
	with := k.timed("c", 0, 10)
	with.Properties = holdfast.Properties{{Space: "a", Local: "a", XML: []byte("<a/>")}}
	ofUID := func(e holdfast.Entry, uid string) holdfast.Entry { e.Index.UID = uid; return e }

	do(ofUID(k.timed("a", 0, 10), "u1"), k.timed("b", 20, 30))
	do(ofUID(k.timed("a", 2000, 2001), "u2"), with)
	do(ofUID(k.put("b", "now it has the UID"), "u1"))
	do(k.m.Delete(k.a.Book, "b"))
	do(k.m.Record(k.a.ID, "alice@z.example"))
	do(k.m.Collection(sub, k.a.Home, "sub", holdfast.TypeAddressbook), k.m.Put(sub, "a", "u1", []byte("x")))
	do(k.put("d", "1"), k.m.Delete(k.a.Book, "d"), k.put("e", "1"))
	commit(founding)
	commit(k.m.Group(b.ID, k.m.Put(b.Book, "a", "u1", []byte("bob's"))))
	do(k.m.Record(k.a.ID, "alice@a.example"))
	do(k.m.Collection(sub, k.a.Home, "moved", holdfast.TypeAddressbook))
	do(k.put("a", "again"))
	do(k.m.DeleteCollection(sub))
	do(k.put("b", "there again"), k.m.Delete(k.a.Book, "a"))
	do(k.m.DeleteCollection(k.a.Book))
	do(k.m.Collection(k.a.Book, k.a.ID, "moved", holdfast.TypeAddressbook), k.put("c", "new"))
	return was, index, ids
}

// deriveFrom finds what the index said of a version by the id of its change.
func deriveFrom(s store.Snapshot, index map[holdfast.ID]holdfast.Index) store.Derive {
	return func(_ *holdfast.Collection, r *holdfast.Resource) (x holdfast.Index, ok bool) {
		err := s.Changes(r.Account, r.Seq-1, 1, 0, func(ch *holdfast.Change) error { x = index[ch.ID]; return nil })
		return x, err == nil
	}
}

// testEarlier asks, as of each batch, all that could be asked then. What is not known of it is a digest's or a chain's, which say all the rest.
func testEarlier(k *kit) {
	was, index, ids := k.lives()
	check := func() {
		k.Helper()
		for _, w := range was {
			k.read(func(s store.Snapshot) {
				v := asof.New(s, asof.Options{Batch: w.batch, Derive: deriveFrom(s, index)})
				if got := k.answers(v, ids...); !slices.Equal(got, w.lines) {
					k.Errorf("as of batch %d:\n%s", w.batch, difference(got, w.lines))
				}
				hides, err := v.Hides(k.a.ID)
				if want := w.batch != was[len(was)-1].batch; err != nil || hides != want {
					k.Errorf("as of batch %d something is passed over: %t, %v", w.batch, hides, err)
				}
			})
		}
	}
	check()
	if k.reopen() {
		check()
	}
	k.read(func(s store.Snapshot) {
		v := asof.New(s, asof.Options{})
		if lines, err := everything(v); err != nil || len(lines) != 0 {
			k.Errorf("before the first batch: %v, %v", lines, err)
		}
		_, err := v.AccountByLogin(login)
		k.kind("a login before the first batch", err, holdfast.NotFound)
		// What cannot be derived is found rather too often.
		v = asof.New(s, asof.Options{Batch: was[0].batch, Derive: func(*holdfast.Collection, *holdfast.Resource) (x holdfast.Index, ok bool) { return x, false }})
		if got := strings.Join(k.between(v, 500, 600), " "); got != "a b" {
			k.Errorf("between two moments, nothing known of times: %q", got)
		}
	})
}

// testNotPassedOver is about the two cases in which an account is not shown at all.
func testNotPassedOver(k *kit) {
	b := NewAccount(k, k.m, k.h.Engine, "bob@example.org")
	before := k.h.Engine.Position().Batch
	k.do(k.put("a", "1"))
	seen := k.h.Engine.Position().Batch
	k.do(k.put("a", "2"))
	ask := func(o asof.Options, id holdfast.ID, want holdfast.ErrorKind) {
		k.Helper()
		k.read(func(s store.Snapshot) {
			v := asof.New(s, o)
			for range 2 {
				if _, err := v.Head(id); holdfast.KindOf(err) != want || want == 0 && err != nil {
					k.Errorf("head as of %+v: %v, want %v", o, err, want)
				}
			}
		})
	}
	ask(asof.Options{Batch: before}, k.a.ID, 0)
	ask(asof.Options{Batch: before, Since: seen}, k.a.ID, holdfast.Unavailable)
	ask(asof.Options{Batch: before, Since: seen}, b.ID, 0)
	ask(asof.Options{Batch: seen, Since: seen}, k.a.ID, 0)

	now := k.h.Engine.Position().Batch
	for n := 0; n <= asof.Limit; n += holdfast.MaxGroup {
		var entries []holdfast.Entry
		for i := range min(holdfast.MaxGroup, asof.Limit-n) {
			entries = append(entries, k.put(fmt.Sprint(n+i), ""))
		}
		k.do(entries...)
	}
	ask(asof.Options{Batch: now}, k.a.ID, 0)
	k.do(k.put("one more", ""))
	ask(asof.Options{Batch: now}, k.a.ID, holdfast.Unavailable)
	ask(asof.Options{Batch: now}, b.ID, 0)
}

// earlier is the model after a batch of the engine's.
type earlier struct {
	batch uint64
	model store.Snapshot
}

// note keeps what the model is like now, for a while.
func (w *walk) note() {
	m, err := w.model.Snapshot(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	if w.earlier = append(w.earlier, earlier{w.h.Engine.Position().Batch, m}); len(w.earlier) > 40 {
		w.earlier = w.earlier[1:]
	}
}

// askEarlier puts a question to the engine of now as of an earlier batch, and to the model as it was then.
func (w *walk) askEarlier(q question, now moment) {
	w.Helper()
	if len(w.earlier) == 0 {
		return
	}
	then := pick(w, w.earlier)
	v := asof.New(now.engine, asof.Options{Batch: then.batch, Derive: func(c *holdfast.Collection, r *holdfast.Resource) (holdfast.Index, bool) {
		had, err := then.model.Resource(c.ID, r.Name, 0)
		if err = cmp.Or(err, errIf(had.Seq != r.Seq)); err != nil {
			w.Errorf("operation %d: %q at %d is asked for, the model has it at %d: %v", w.op, r.Name, r.Seq, had.Seq, err)
		}
		return had.Index(), true
	}})
	q.text += fmt.Sprintf(", as of batch %d", then.batch)
	w.compareAnswers(q, moment{op: w.op, engine: v, model: then.model})
	w.counts["question about an earlier batch"]++
}

func errIf(wrong bool) error {
	if wrong {
		return errors.New("another version")
	}
	return nil
}
