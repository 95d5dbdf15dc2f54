package dav

import (
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/core"
)

// TestADeviceSeesEditsOfAReversal: a sync token from before stays good, tells exactly what the rewind did, and the ETags are those of the octets that are back.
func TestADeviceSeesEditsOfAReversal(t *testing.T) {
	g := newRig(t)
	put := func(name, text string, status int) string {
		return g.want(status, "PUT", g.book()+name, text).Header.Get("ETag")
	}
	old := put("a.vcf", card("a"), 201)
	put("b.vcf", card("b"), 201)
	put("c.vcf", card("c"), 201)
	var before uint64
	if err := g.core.Inspect(t.Context(), g.alice.ID, func(r *core.Reader) error {
		h, err := r.History().Head(g.alice.ID)
		before = h.Seq
		return err
	}); err != nil {
		t.Fatal(err)
	}
	put("a.vcf", strings.Replace(card("a"), "FN:a", "FN:spoiled", 1), 204)
	g.want(204, "DELETE", g.book()+"b.vcf", "")
	put("d.vcf", card("d"), 201)
	token := tokenOf(t, g.want(207, "REPORT", g.book(), syncBody("", "")))
	past, err := g.core.Past(t.Context(), holdfast.Principal{Account: g.alice.ID}, g.alice.ID)
	if err != nil {
		t.Fatal(err)
	}
	r, err := past.Rewind(t.Context(), core.RewindRequest{Seq: before}, nil)
	if err != nil || len(r.Steps) != 3 {
		t.Fatal(r, err)
	}
	learned := g.want(207, "REPORT", g.book(), syncBody(token, ""))
	learned.has(t, g.book()+"a.vcf", old, g.book()+"b.vcf", g.book()+"d.vcf", "404").lacks(t, "c.vcf", "reversal")
	if n := strings.Count(learned.body, "<D:response>"); n != 3 {
		t.Errorf("%d items are told, 3 changed", n)
	}
	if got := g.want(200, "GET", g.book()+"a.vcf", ""); got.body != card("a") || got.Header.Get("ETag") != old {
		t.Error(got.body, got.Header)
	}
	g.want(207, "PROPFIND", HomeHref(g.alice.ID, holdfast.HomeAddressbooks), find("D:displayname"), "Depth: 1").lacks(t, "reversal")
	next := tokenOf(t, learned)
	if none := g.want(207, "REPORT", g.book(), syncBody(next, "")); strings.Contains(none.body, "<D:response>") {
		t.Error(none.body)
	}
	if _, err := past.Undo(t.Context(), core.UndoRequest{Reversal: r.Record.ID}, nil); err != nil {
		t.Fatal(err)
	}
	g.want(207, "REPORT", g.book(), syncBody(next, "")).has(t, "a.vcf", "b.vcf", "d.vcf").lacks(t, "c.vcf")
}

func tokenOf(t *testing.T, r reply) string {
	t.Helper()
	_, rest, ok := strings.Cut(r.body, "<D:sync-token>")
	token, _, _ := strings.Cut(rest, "</D:sync-token>")
	if !ok {
		t.Fatal(r.body)
	}
	return token
}
