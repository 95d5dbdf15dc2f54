package relay

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	memplace "holdfast/internal/place/memory"
	"holdfast/internal/seal"
	"holdfast/internal/vault"
)

// ledger makes a ledger, and returns how it is attached.
func (g *rig) ledger(name string) Attached {
	g.t.Helper()
	s := &sick{Place: memplace.New(clock.System)}
	o := vault.Options{Place: s, Ring: g.ring, SegmentOctets: 8 << 10}
	_, err := vault.Create(g.t.Context(), o, vault.Meta{Vault: holdfast.NewID(nil), Store: storeID, Name: name, Kind: vault.KindLedger, Created: time.Unix(1, 0)})
	fine(g.t, err)
	return Attached{Name: name, Domain: "d-" + name, Kind: vault.KindLedger, Open: func(ctx context.Context) (*vault.Vault, error) { return vault.Open(ctx, o) }}
}

// lines returns what a vault's history of an account says, as a reader with the server's key has it.
func lines(t *testing.T, a Attached, account holdfast.ID, with *seal.Ring) (out []vault.Loaded) {
	t.Helper()
	v, err := a.Open(t.Context())
	fine(t, err)
	defer v.Close()
	r, err := vault.NewReader(t.Context(), []*vault.Vault{v}, vault.ReadOptions{Spool: t.TempDir(), Account: account})
	fine(t, err)
	defer r.Close()
	fine(t, r.Accounts(t.Context(), func(h *vault.History) error {
		return h.Changes(t.Context(), func(list []vault.Loaded) error { out = append(out, list...); return nil })
	}))
	return out
}

// TestALedgerHasNames: a ledger follows the changes with every entry and hash, has the octets of records and of no item, and is no copy of anything.
func TestALedgerHasNames(t *testing.T) {
	g := newRig(t, "engine+one", false, "one")
	g.put(g.a, "before.vcf")
	l := g.ledger("names")
	fine(t, g.r.Attach(l))
	state := func() *VaultStatus {
		s := g.r.Status()
		i := slices.IndexFunc(s.Vaults, func(v VaultStatus) bool { return v.Name == "names" })
		return &s.Vaults[i]
	}
	g.until("filled", func() bool { return state().State == Whole })
	last := g.put(g.a, "after.vcf")
	g.until("there", func() bool { s := state(); return s.State == Whole && s.LagChanges == 0 })

	got := lines(t, l, g.a.ID, g.ring)
	if len(got) == 0 || got[len(got)-1].Seq != last.Seq || got[len(got)-1].Chain != last.Hash {
		t.Fatalf("%d changes came, up to another one than %d", len(got), last.Seq)
	}
	for _, c := range got {
		if record := c.Name == "" || c.Collection == c.Account; record == c.Pruned || c.Pruned && (c.Body != nil || c.ETag.IsZero() || c.Size == 0) {
			t.Errorf("%q of %s: pruned %v, %d octets, of %d", c.Name, c.Kind, c.Pruned, len(c.Body), c.Size)
		}
	}
	s := g.r.Status()
	if state().Counts || s.Copies != 2 || s.Domains != 2 || s.Verdict != VerdictOK {
		t.Errorf("the engine, a vault and a ledger are %d copies in %d domains: %s", s.Copies, s.Domains, s.Verdict)
	}
	if who := g.put(g.a, "third.vcf"); slices.Contains(who.Copies, "names") {
		t.Errorf("the receipt says %v", who.Copies)
	}
	if got := g.r.copies(last.Batch); slices.Contains(got, "names") {
		t.Errorf("it is said of a batch that %v have it", got)
	}
}

// TestNobodyWaitsForALedger: a policy that names one is refused, whatever else it says.
func TestNobodyWaitsForALedger(t *testing.T) {
	g := newRig(t, "engine+one", false, "one")
	o := g.options("engine+1of(one,names)", false)
	o.Vaults = append(o.Vaults, g.ledger("names"))
	if _, err := New(o); !holdfast.IsKind(err, holdfast.Invalid) || !strings.Contains(text(err), "is a ledger") {
		t.Fatalf("got %v", err)
	}
}

// TestALedgerTakesNoOctets: what was packed for a vault does not go into a ledger, nor the other way round.
func TestALedgerTakesNoOctets(t *testing.T) {
	g := newRig(t, "engine+one", false, "one")
	v, err := g.ledger("names").Open(t.Context())
	fine(t, err)
	term, err := v.Adopt(t.Context(), storeID, holdfast.Position{}, vault.FromNothing)
	fine(t, err)
	w, err := v.Writer(t.Context(), term, holdfast.Position{})
	fine(t, err)
	defer w.Close()
	var first *holdfast.Batch
	fine(t, g.engine.After(t.Context(), 0, 1, func(b *holdfast.Batch) error { first = b; return nil }))
	if err := w.Append(t.Context(), vault.PackBatches([]*holdfast.Batch{first}, time.Unix(2, 0))); !holdfast.IsKind(err, holdfast.Invalid) {
		t.Fatalf("got %v", err)
	}
	p := &vault.Packed{}
	w.Pack(p, []*holdfast.Batch{first}, time.Unix(2, 0))
	fine(t, w.Append(t.Context(), p))
}

// TestAStoreBehindItsLedger: what a ledger alone knows is not applied, since its octets are nowhere; what a vault has is, whichever of the two has come further.
func TestAStoreBehindItsLedger(t *testing.T) {
	g := newRig(t, "engine", false, "one")
	l := g.ledger("names")
	fine(t, g.r.Attach(l))
	g.put(g.a, "x.vcf")
	vaultsEnd := g.engine.Position().Batch
	caught := func(batch uint64) func() bool {
		return func() bool {
			return !slices.ContainsFunc(g.r.Status().Vaults, func(v VaultStatus) bool { return v.Batch < batch || v.State != Whole })
		}
	}
	g.until("shipped", caught(vaultsEnd))
	early := g.places["one"].Clone()
	last := g.put(g.a, "y.vcf")
	g.until("shipped", caught(last.Batch))
	g.stop()
	g.places["one"].Place = early
	g.engine = g.rebuilt(vaultsEnd - 1)
	o := g.options("engine", false)
	o.Vaults = append([]Attached{l}, o.Vaults...)
	r, err := New(o)
	fine(t, err)
	fine(t, r.Reconcile(t.Context()))
	if at := g.engine.Position().Batch; at != vaultsEnd {
		t.Errorf("the store is at batch %d, the vault at %d", at, vaultsEnd)
	}
	v, err := l.Open(t.Context())
	fine(t, err)
	defer v.Close()
	if err := r.compare(t.Context(), "names", v); !holdfast.IsKind(err, holdfast.NotFound) || !strings.Contains(text(err), "--from") {
		t.Errorf("got %v", err)
	}
}
