package core_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/core"
)

// life is a family that does things at random, and remembers how alice's account was after each.
type life struct {
	*family
	rnd    *rand.Rand
	states map[uint64]map[string]string // by the seq at which they were
}

func newLife(f *family, t *testing.T, seed uint64) *life {
	l := &life{f, rand.New(rand.NewPCG(seed, 2)), map[uint64]map[string]string{}}
	f.share(t, holdfast.RightWrite)
	l.remember(t)
	return l
}

// state is all that alice's devices see: collections with their ids, names and looks, items with their octets and properties. No seqs and no times.
func (l *life) state(t *testing.T) (state map[string]string, seq uint64) {
	t.Helper()
	state = map[string]string{}
	err := l.s.Inspect(t.Context(), l.p.Account, func(r *core.Reader) error {
		h, err := r.History().Head(l.p.Account)
		if err != nil {
			return err
		}
		seq = h.Seq
		cs, err := r.Collections()
		for _, c := range cs {
			state[c.ID.String()] = fmt.Sprintf("%s %s %s", c.Type, r.PathOf(c.ID), c.Properties.Encode())
			if err == nil {
				err = r.List(c.ID, "", 0, everyField, func(x *holdfast.Resource) error {
					state[c.ID.String()+"/"+x.Name] = fmt.Sprintf("%s %s %s %s", x.Body, x.UID, x.ContentType, x.Properties.Encode())
					return nil
				})
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return state, seq
}

const everyField = core.WithBody | core.WithProps | core.WithType

func (l *life) remember(t *testing.T) {
	t.Helper()
	state, seq := l.state(t)
	l.states[seq] = state
}

// places are alice's collections of a type, by the order of their ids.
func (l *life) places(t *testing.T, types ...holdfast.CollectionType) (out []holdfast.Collection) {
	t.Helper()
	err := l.s.Inspect(t.Context(), l.p.Account, func(r *core.Reader) error {
		cs, err := r.Collections()
		out = slices.DeleteFunc(cs, func(c holdfast.Collection) bool {
			return !slices.Contains(types, c.Type) || c.Type == holdfast.TypeHome && c.Name == "calendars"
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(out, func(a, b holdfast.Collection) int { return a.ID.Compare(b.ID) })
	return out
}

// one picks a collection; one that is not there where there is none.
func (l *life) one(list []holdfast.Collection) (c holdfast.Collection) {
	if len(list) > 0 {
		c = list[l.rnd.IntN(len(list))]
	}
	return c
}

func (l *life) name() string { return string("abcdef"[l.rnd.IntN(6)]) }

// act does one thing; what is refused is no matter.
func (l *life) act(t *testing.T) {
	t.Helper()
	who := l.p
	who.Device = holdfast.ID{byte(1 + l.rnd.IntN(2))}
	holders := l.places(t, holdfast.TypeAddressbook, holdfast.TypeFolder)
	tops := l.places(t, holdfast.TypeHome, holdfast.TypeFolder)
	in := l.one(holders)
	if in.ID == l.book && l.rnd.IntN(2) == 0 {
		who = l.bob
	}
	at := core.Place{Owner: l.p.Account, Collection: in.ID, Name: l.name()}
	var err error
	switch n := l.rnd.IntN(100); {
	case n < 50:
		body := fmt.Sprintf("u%s %d", l.name(), l.rnd.IntN(4))
		_, _, err = l.s.Put(t.Context(), who, core.PutRequest{Place: at, ContentType: []string{"", "text/vcard"}[l.rnd.IntN(2)], Body: []byte(body)})
	case n < 65:
		_, err = l.s.Delete(t.Context(), who, at, holdfast.Precondition{}, nil)
	case n < 73:
		to := core.Place{Owner: l.p.Account, Collection: l.one(holders).ID, Name: l.name()}
		_, err = l.s.Move(t.Context(), l.p, core.Transfer{From: at, To: to, Overwrite: l.rnd.IntN(2) == 0})
	case n < 79:
		_, err = l.s.SetProperties(t.Context(), who, at, nil, l.look)
	case n < 83:
		at.Name = ""
		_, err = l.s.SetProperties(t.Context(), l.p, at, nil, l.look)
	case n < 89:
		parent := l.one(tops)
		typ := holdfast.TypeFolder
		if parent.Name == "addressbooks" && parent.Type == holdfast.TypeHome {
			typ = holdfast.TypeAddressbook
		}
		_, _, err = l.s.MakeCollection(t.Context(), l.p, core.NewCollection{Owner: l.p.Account, Parent: parent.ID, Name: l.name(), Type: typ})
	case n < 93:
		at.Name = ""
		_, err = l.s.Delete(t.Context(), l.p, at, holdfast.Precondition{}, nil)
	case n < 98:
		at.Name = ""
		to := core.Place{Owner: l.p.Account, Collection: l.one(tops).ID, Name: l.name()}
		_, err = l.s.Move(t.Context(), l.p, core.Transfer{From: at, To: to, Overwrite: l.rnd.IntN(2) == 0})
	default:
		at.Name = ""
		to := core.Place{Owner: l.p.Account, Collection: l.one(tops).ID, Name: l.name()}
		_, err = l.s.Copy(t.Context(), l.p, core.Transfer{From: at, To: to, Overwrite: l.rnd.IntN(2) == 0})
	}
	if k := holdfast.KindOf(err); err != nil && (k == holdfast.Internal || k == holdfast.Corrupt || k == holdfast.Unavailable) {
		t.Fatal(err)
	}
	l.remember(t)
}

func (l *life) look(ps holdfast.Properties) (holdfast.Properties, error) {
	return ps.With("x:", l.name(), fmt.Appendf(nil, `<x xmlns="x:">%d</x>`, l.rnd.IntN(3))), nil
}

// differ says in what two states are not the same.
func differ(got, want map[string]string) string {
	var out []string
	for k, v := range want {
		if got[k] != v {
			out = append(out, fmt.Sprintf("%s is %q, should be %q", k, got[k], v))
		}
	}
	for k, v := range got {
		if _, ok := want[k]; !ok {
			out = append(out, fmt.Sprintf("%s is %q, should not be there", k, v))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func (l *life) past(t *testing.T) *core.Past {
	t.Helper()
	p, err := l.s.Past(t.Context(), l.p, l.p.Account)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// stepsOf are what was or would be done, sorted.
func stepsOf(r core.Reversed) string {
	var out []string
	for _, s := range r.Steps {
		out = append(out, fmt.Sprintf("%s %s %v", s.Does, s.Path, s.Kind))
	}
	for _, x := range r.Left {
		out = append(out, fmt.Sprintf("left %s %s", x.Path, x.Why))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// must checks a reversal that leaves nothing, and the state that it leads to; and that its preview had said the same.
func (l *life) must(t *testing.T, want map[string]string, preview, got core.Reversed, err error) {
	t.Helper()
	if err != nil || len(got.Left) > 0 {
		t.Fatalf("%v; left: %+v", err, got.Left)
	}
	if now, _ := l.state(t); differ(now, want) != "" {
		t.Fatal(differ(now, want))
	}
	if stepsOf(preview) != stepsOf(got) {
		t.Fatalf("the preview said\n%s\nand what was done is\n%s", stepsOf(preview), stepsOf(got))
	}
	if len(got.Steps) > 0 && !got.Record.Done {
		t.Error("it is not said to be done")
	}
	l.remember(t)
}

// TestReversalsGoWhereTheyAreAskedTo lives at random, rewinds to a random moment, undoes that, undoes the undo, and lives on.
func TestReversalsGoWhereTheyAreAskedTo(t *testing.T) {
	seeds := uint64(12)
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			onBoth(t, func(t *testing.T, f *family) {
				l := newLife(f, t, seed)
				for range 6 {
					for range 40 {
						l.act(t)
					}
					l.rewindAndBack(t)
				}
				if err := l.s.Check(t.Context(), true, func(x core.Finding) { t.Errorf("%+v", x) }); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func (l *life) rewindAndBack(t *testing.T) {
	t.Helper()
	past := l.past(t)
	before, head := l.state(t)
	moments := slices.Sorted(maps.Keys(l.states))
	to := moments[l.rnd.IntN(len(moments))]
	preview, err := past.Rewind(t.Context(), core.RewindRequest{Seq: to, DryRun: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, now := l.state(t); now != head || !preview.Record.ID.IsZero() {
		t.Fatal("the preview changed something")
	}
	r, err := past.Rewind(t.Context(), core.RewindRequest{Seq: to}, nil)
	t.Logf("from %d to %d: %d steps", head, to, len(r.Steps))
	l.must(t, l.states[to], preview, r, err)
	if len(r.Steps) == 0 {
		return
	}
	undo := core.UndoRequest{Reversal: r.Record.ID, DryRun: true}
	preview, err = past.Undo(t.Context(), undo, nil)
	if err != nil {
		t.Fatal(err)
	}
	undo.DryRun = false
	u, err := past.Undo(t.Context(), undo, nil)
	l.must(t, before, preview, u, err)
	if len(u.Steps) == 0 {
		t.Fatalf("undoing this did nothing:\n%s", stepsOf(r))
	}
	if l.rnd.IntN(2) == 0 { // live on from here
		return
	}
	undo = core.UndoRequest{Change: u.Record.Seq + 1, DryRun: true} // its record's change, right behind what it undid
	if preview, err = past.Undo(t.Context(), undo, nil); err != nil {
		t.Fatal(err)
	}
	undo.DryRun = false
	u, err = past.Undo(t.Context(), undo, nil)
	l.must(t, l.states[to], preview, u, err)
}
