package core_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/store/memory"
)

// judgeLines takes octets "UID anything" and refuses those without a UID.
func judgeLines(_ *holdfast.Collection, name, _ string, body []byte) (holdfast.Kind, holdfast.Index, error) {
	uid, _, _ := bytes.Cut(body, []byte(" "))
	if len(uid) == 0 {
		return 0, holdfast.Index{}, &holdfast.Error{Op: "judge", Kind: holdfast.Invalid, Ref: name, Rule: "valid-address-data", Text: "no UID"}
	}
	return holdfast.KindAddress, holdfast.Index{UID: string(uid)}, nil
}

type shelf struct {
	s    *core.Service
	p    holdfast.Principal
	book holdfast.ID
}

func newShelf(t *testing.T, limits core.Limits) shelf {
	t.Helper()
	e := memory.New()
	t.Cleanup(func() { e.Close() })
	return shelfOf(t, core.New(core.Options{Engine: e, Limits: limits, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judgeLines}}))
}

func shelfOf(t *testing.T, s *core.Service) shelf {
	t.Helper()
	a, _, err := s.CreateAccount(t.Context(), holdfast.Actor{}, "alice@example.org", "")
	if err != nil {
		t.Fatal(err)
	}
	p := holdfast.Principal{Account: a.ID}
	at, err := s.Locate(t.Context(), p, a.ID, []string{"addressbooks", "default"})
	if err != nil || len(at.Rest) != 0 {
		t.Fatal(at, err)
	}
	return shelf{s, p, at.Collection.ID}
}

// put returns the outcomes in short: c created, s same, r replaced, and the rule or kind of what was refused.
func (h shelf) put(t *testing.T, q core.PutManyRequest, bodies ...string) string {
	t.Helper()
	q.Owner, q.Collection = h.p.Account, h.book
	for _, b := range bodies {
		uid, _, _ := strings.Cut(b, " ")
		q.Items = append(q.Items, core.Item{Name: uid + ".vcf", Other: uid + "-2.vcf", Body: []byte(b)})
	}
	results, err := h.s.PutMany(t.Context(), h.p, q)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range results {
		if r.Outcome != core.Refused {
			out = append(out, [...]string{"", "c", "s", "r"}[r.Outcome])
			continue
		}
		out = append(out, holdfast.KindOf(r.Err).String())
	}
	return strings.Join(out, ",")
}

func TestPutManyMeetsWhatIsThere(t *testing.T) {
	h := newShelf(t, core.Limits{})
	before := h.s.Stats().Acknowledged
	for _, step := range []struct {
		q      core.PutManyRequest
		bodies []string
		want   string
	}{
		{core.PutManyRequest{DryRun: true}, []string{"a 1", "b 1"}, "c,c"},
		{core.PutManyRequest{}, []string{"a 1", "b 1", " ", "c 1"}, "c,c,invalid,c"},
		{core.PutManyRequest{}, []string{"a 1", "b 2", "d 1", "d 1", "d 2"}, "s,UID conflict,c,s,UID conflict"},
		{core.PutManyRequest{DryRun: true, Replace: true}, []string{"b 2"}, "r"},
		{core.PutManyRequest{}, []string{"b 1"}, "s"},
		{core.PutManyRequest{Replace: true}, []string{"b 2", "a 1"}, "r,s"},
		{core.PutManyRequest{}, []string{"b 2"}, "s"},
	} {
		if got := h.put(t, step.q, step.bodies...); got != step.want {
			t.Errorf("%v: %s, want %s", step.bodies, got, step.want)
		}
	}
	if n := h.s.Stats().Acknowledged - before; n != 3 {
		t.Errorf("%d groups were committed, want 3", n)
	}
}

func TestPutManyFindsAFreeName(t *testing.T) {
	h := newShelf(t, core.Limits{})
	_, _, err := h.s.Put(t.Context(), h.p, core.PutRequest{Place: core.Place{Owner: h.p.Account, Collection: h.book, Name: "a.vcf"}, Body: []byte("other 1")})
	if err != nil {
		t.Fatal(err)
	}
	q := core.PutManyRequest{Owner: h.p.Account, Collection: h.book, Items: []core.Item{{Name: "a.vcf", Other: "a-2.vcf", Body: []byte("a 1")}}}
	r, err := h.s.PutMany(t.Context(), h.p, q)
	if err != nil || r[0].Outcome != core.Created || r[0].Name != "a-2.vcf" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestPutManyKeepsWhatFits holds that one item over the allowance does not keep back those that fit.
func TestPutManyKeepsWhatFits(t *testing.T) {
	h := newShelf(t, core.Limits{})
	var used int64
	err := h.s.Inspect(t.Context(), h.p.Account, func(r *core.Reader) (err error) { used, err = usageOf(r); return err })
	if err != nil {
		t.Fatal(err)
	}
	h = newShelf(t, core.Limits{Quota: used + 10_000})
	got := h.put(t, core.PutManyRequest{}, "a 12345", "b "+strings.Repeat("x", 20_000), "c 12345")
	if got != "c,quota exceeded,c" {
		t.Error(got)
	}
}

func TestPutManyIsAll(t *testing.T) {
	h := newShelf(t, core.Limits{})
	var bodies []string
	for i := range 256 {
		bodies = append(bodies, fmt.Sprintf("u%d 1", i))
	}
	h.put(t, core.PutManyRequest{}, bodies...)
	n, path := 0, ""
	err := h.s.Inspect(context.Background(), h.p.Account, func(r *core.Reader) error {
		path = r.PathOf(h.book)
		return r.List(h.book, "", 0, 0, func(*holdfast.Resource) error { n++; return nil })
	})
	if err != nil || n != 256 || path != "addressbooks/default" {
		t.Errorf("%d items in %q, %v", n, path, err)
	}
	if s := h.s.Stats(); s.Acknowledged != 2 {
		t.Errorf("%d commits, want one for the account and one for all items", s.Acknowledged)
	}
}
