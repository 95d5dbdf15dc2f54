package core_test

import (
	"fmt"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/core"
)

// said is a page of history in short: "+name", "~name" or "-name", by whom.
func said(lines []core.Version) string {
	var out []string
	for _, v := range lines {
		sign := "+"
		switch {
		case v.Op == holdfast.OpDelete:
			sign = "-"
		case v.Was != nil && v.Was.Op == holdfast.OpPut:
			sign = "~"
		}
		out = append(out, sign+v.Path[strings.LastIndexByte(v.Path, '/')+1:]+" "+strings.TrimSuffix(v.By, "@example.org")+" "+v.Device)
	}
	return strings.Join(out, ", ")
}

func TestHistorySaysWhoDidWhat(t *testing.T) {
	onBoth(t, func(t *testing.T, f *family) {
		f.share(t, holdfast.RightWrite)
		f.mustPut(t, "a.vcf", "a 1")
		if _, _, err := f.s.Put(t.Context(), f.bob, core.PutRequest{Place: f.place("a.vcf"), Body: []byte("a 2")}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.s.Delete(t.Context(), f.p, f.place("a.vcf"), holdfast.Precondition{}, nil); err != nil {
			t.Fatal(err)
		}
		past, err := f.s.Past(t.Context(), f.p, f.p.Account)
		if err != nil {
			t.Fatal(err)
		}
		phone := holdfast.ID{1}.String() // it has no record: it is told by its id
		want := fmt.Sprintf("-a.vcf alice %s, ~a.vcf bob phone, +a.vcf alice %s", phone, phone)
		lines, more, err := past.History(t.Context(), core.HistoryQuery{Limit: 3})
		if err != nil || !more || said(lines) != want {
			t.Fatal(said(lines), more, err)
		}
		if string(lines[0].Text) != "a 2" || string(lines[1].Text) != "a 2" || string(lines[2].Text) != "a 1" {
			t.Error("the octets that name the item are others")
		}
		if lines, more, err = past.History(t.Context(), core.HistoryQuery{Path: "addressbooks/default/a.vcf"}); err != nil || more || said(lines) != want {
			t.Error(said(lines), more, err)
		}
		if lines, _, err = past.History(t.Context(), core.HistoryQuery{Path: "addressbooks/default/a.vcf", Limit: 1, Before: lines[0].Seq}); err != nil || said(lines) != "~a.vcf bob phone" {
			t.Error(said(lines), err)
		}
		if lines, _, err = past.History(t.Context(), core.HistoryQuery{Path: "/addressbooks"}); err != nil || len(lines) != 5 {
			t.Error(said(lines), err)
		}
		_, _, err = past.History(t.Context(), core.HistoryQuery{Path: "addressbooks/default/none.vcf"})
		wantKind(t, err, holdfast.NotFound)
		_, err = f.s.Past(t.Context(), f.bob, f.p.Account)
		wantKind(t, err, holdfast.Forbidden)
	})
}

// TestHistoryIsPaged reads a long history in pieces, and must meet each change once.
func TestHistoryIsPaged(t *testing.T) {
	h := newShelf(t, core.Limits{})
	var items []core.Item
	for i := range 1000 {
		items = append(items, core.Item{Name: fmt.Sprintf("%d.vcf", i), Body: fmt.Appendf(nil, "u%d x", i)})
	}
	for range 3 {
		for i := range items {
			items[i].Body = append(items[i].Body, 'x')
		}
		if _, err := h.s.PutMany(t.Context(), h.p, core.PutManyRequest{Owner: h.p.Account, Collection: h.book, Items: items, Replace: true}); err != nil {
			t.Fatal(err)
		}
	}
	past, err := h.s.PastOf(t.Context(), h.p.Account)
	if err != nil {
		t.Fatal(err)
	}
	seqs, before := map[uint64]bool{}, uint64(0)
	for more := true; more; {
		var lines []core.Version
		if lines, more, err = past.History(t.Context(), core.HistoryQuery{Path: "addressbooks/default", Before: before, Limit: 700}); err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			seqs[l.Seq], before = true, l.Seq
		}
	}
	if len(seqs) != 3001 {
		t.Errorf("there are 3001 changes, history has %d", len(seqs))
	}
}
