package dav

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/refused"
)

// book remembers what it is given.
type keptBook struct {
	kept []refused.Put
	done []holdfast.Hash
}

func (b *keptBook) Keep(p refused.Put) { b.kept = append(b.kept, p) }

func (b *keptBook) Acknowledged(_ holdfast.Principal, h holdfast.Hash) { b.done = append(b.done, h) }

// take returns what came since.
func (b *keptBook) take() []string {
	var out []string
	for _, p := range b.kept {
		out = append(out, fmt.Sprint(p.Status, " ", p.Path, " ", len(p.Body)))
	}
	b.kept = nil
	return out
}

// TestWhatIsRefusedIsKept, where a device may drop its edit after the answer, and nowhere else.
func TestWhatIsRefusedIsKept(t *testing.T) {
	b := &keptBook{}
	g := newRig(t, func(c *core.Options, o *Options) { o.Refused = b; c.Limits.Quota = 32 << 10 })
	at := g.book() + "a.vcf"
	one := card("one")
	g.want(201, "PUT", at, one)
	if len(b.done) != 1 || b.done[0] != holdfast.HashOf([]byte(one)) {
		t.Errorf("acknowledged: %v", b.done)
	}
	stale := `If-Match: "stale"`
	for _, c := range []struct {
		status  int
		method  string
		href    string
		body    string
		kept    string
		headers []string
	}{
		{412, "PUT", at, one + "x", "412 addressbooks/default/a.vcf", []string{stale, "Content-Type: text/vcard"}},
		{412, "PUT", at, one + "y", "412 addressbooks/default/a.vcf", []string{"If-None-Match: *"}},
		{403, "PUT", g.book() + "b.vcf", one + "z", "403 addressbooks/default/b.vcf", nil}, // its UID is another's
		{403, "PUT", g.book() + "c.vcf", "no card", "403 addressbooks/default/c.vcf", nil},
		{404, "PUT", g.book() + "d.vcf", card("d"), "404 addressbooks/default/d.vcf", []string{stale}},
		{404, "PUT", g.home(holdfast.HomeAddressbooks, "none") + "e.vcf", card("e"), "404 addressbooks/none/e.vcf", []string{stale}},
		{404, "PUT", g.home(holdfast.HomeAddressbooks, "none") + "e.vcf", card("e"), "", nil}, // nothing says that it was there
		{404, "PUT", g.files() + "f.txt", "text", "404 files/f.txt", []string{"If-Match: *"}},
		{507, "PUT", g.files() + "g.txt", strings.Repeat("g", 60<<10), "507 files/g.txt", nil},
		{507, "PUT", g.files() + "g.txt", strings.Repeat("g", 300<<10), "", nil}, // a file is kept only if it is small
		{413, "PUT", g.files() + "h.txt", strings.Repeat("h", 11<<20), "", nil},  // nobody reads it
		{401, "PUT", at, one + "i", "", []string{"Authorization: ", stale}},
		{412, "DELETE", at, "", "", []string{stale}},
		{400, "PUT", at, "", "", []string{"Content-Range: bytes 0-1/2"}},
	} {
		g.want(c.status, c.method, c.href, c.body, c.headers...)
		want := []string(nil)
		if c.kept != "" {
			want = []string{fmt.Sprint(c.kept, " ", len(c.body))}
		}
		if got := b.take(); !slices.Equal(got, want) {
			t.Errorf("%s %s %d %v: kept is %q, want %q", c.method, c.href, c.status, c.headers, got, want)
		}
	}
	g.auth = &holdfast.Error{Op: "test", Kind: holdfast.Unavailable}
	g.want(503, "PUT", at, one+"j", stale)
	if got := b.take(); got != nil {
		t.Errorf("after 503 kept is %q", got)
	}
}

// TestWhatIsKeptSaysWhy, and whose it is.
func TestWhatIsKeptSaysWhy(t *testing.T) {
	b := &keptBook{}
	g := newRig(t, func(_ *core.Options, o *Options) { o.Refused = b })
	at := g.book() + "a.vcf"
	g.want(201, "PUT", at, card("one"))
	g.want(412, "PUT", at, card("one")+"x", `If-Match: "stale"`, "Content-Type: text/vcard; charset=utf-8")
	p := b.kept[0]
	if p.Account != g.alice.ID || p.Device != g.device.ID || p.ContentType != "text/vcard; charset=utf-8" || p.IfMatch != `"stale"` || p.Why == "" || string(p.Body) != card("one")+"x" {
		t.Errorf("kept is %+v", p)
	}
}

// TestWhatAGuestSendsIsTheGuests: a share that is for reading alone refuses before the body is read, and what was sent is kept all the same, for who sent it.
func TestWhatAGuestSendsIsTheGuests(t *testing.T) {
	b := &keptBook{}
	g := newRig(t, func(_ *core.Options, o *Options) { o.Refused = b })
	owner := holdfast.Principal{Account: g.bob.ID}
	at, err := g.core.Locate(t.Context(), owner, g.bob.ID, []string{"addressbooks", "default"})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.core.Share(t.Context(), holdfast.Actor{}, g.bob.ID, at.Collection.ID, g.alice.ID, holdfast.RightRead); err != nil {
		t.Fatal(err)
	}
	name := ""
	list := g.do("PROPFIND", g.home(holdfast.HomeAddressbooks), find("D:displayname"), "Depth: 1")
	for _, href := range strings.Split(list.body, "<D:href>")[1:] {
		href, _, _ = strings.Cut(href, "<")
		if href != g.home(holdfast.HomeAddressbooks) && href != g.book() {
			name = href
		}
	}
	g.want(403, "PUT", name+"x.vcf", card("x"))
	if len(b.kept) != 1 || b.kept[0].Account != g.alice.ID || string(b.kept[0].Body) != card("x") {
		t.Fatalf("kept is %+v", b.kept)
	}
	b.kept = nil
	g.want(403, "PUT", name+"y.vcf", strings.Repeat("y", unread+1))
	g.want(403, "PUT", name+"y.vcf", card("y"), "Expect: 100-continue")
	if len(b.kept) != 0 {
		t.Errorf("the answer waited for %+v", b.kept)
	}
}
