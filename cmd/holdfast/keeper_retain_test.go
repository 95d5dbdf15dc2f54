package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/control"
	"holdfast/internal/core"
	"holdfast/internal/registry"
	"holdfast/internal/relay"
	"holdfast/internal/store"
)

// TestWhoIsAskedBeforeTheStoreLetsGo: every vault of the policy, and one that does not end together with the store; where there is none, nothing goes.
func TestWhoIsAskedBeforeTheStoreLetsGo(t *testing.T) {
	list := []registry.Entry{{Name: "local", Kind: kindDir}, {Name: "friend", Kind: kindRemote}, {Name: "attic", Kind: kindDir}, {Name: "shed", Kind: kindDir}, {Name: "book", Kind: kindLedger}}
	local := relay.VaultStatus{Name: "local", SameDomain: []string{"engine"}}
	friend, attic := relay.VaultStatus{Name: "friend"}, relay.VaultStatus{Name: "attic"}
	shed := relay.VaultStatus{Name: "shed", SameDomain: []string{"local"}} // it has the label of one that lies on the store's disk
	for _, x := range []struct {
		what   string
		policy []string
		status []relay.VaultStatus
		want   string
	}{
		{"the one on another disk too", []string{"local"}, []relay.VaultStatus{local, friend, attic}, "local attic"},
		{"rather none over the network", []string{"local"}, []relay.VaultStatus{local, friend}, "local friend"},
		{"the policy has one", []string{"local", "friend"}, []relay.VaultStatus{local, friend, attic}, "local friend"},
		{"without a vault in the policy", nil, []relay.VaultStatus{local, attic}, "attic"},
		{"none on another disk", []string{"local"}, []relay.VaultStatus{local, shed}, ""},
		{"in whichever order", []string{"local"}, []relay.VaultStatus{shed, local}, ""},
		{"a ledger, which has no octets", []string{"local"}, []relay.VaultStatus{local, {Name: "book"}}, ""},
		{"no vault", nil, nil, ""},
	} {
		relay.Group(x.status)
		names, held := chooseRetained(x.policy, list, x.status)
		if got := strings.Join(names, " "); got != x.want || (len(held) > 0) != (x.want == "") || len(held) > 0 && !strings.Contains(held[0], "another failure domain") {
			t.Errorf("%s: %q, %v", x.what, got, held)
		}
	}
	joined := []relay.VaultStatus{local, shed, {Name: "yard", SameDomain: []string{"shed"}}, attic}
	if relay.Group(joined); !slices.Equal(apartOf(joined), []string{"attic"}) {
		t.Errorf("apart are %v", apartOf(joined))
	}
	if got := apartOf([]relay.VaultStatus{attic}); len(got) > 0 { // nobody said of it what it ends with
		t.Errorf("apart are %v", got)
	}
}

// TestTheStoreLetsGo: a store with its own vault and one that ends otherwise lets the octets go of what was replaced before retention, once drills of both have proven what was old by then. Without the other vault, or where it is not to, nothing goes.
func TestTheStoreLetsGo(t *testing.T) {
	c := testConfig(t, "HOLDFAST_VAULT_RETENTION=1s", "HOLDFAST_VAULT_KEEP=100ms", "HOLDFAST_VAULT_HEAD=30ms", "HOLDFAST_VAULT_PRUNE=50ms")
	o := opening(t, c)
	defer o.close()
	a, _, err := o.core.CreateAccount(t.Context(), holdfast.Actor{}, "alice@example.org", "")
	must(t, err)
	p := holdfast.Principal{Account: a.ID}
	put := func(name, text string) {
		at, err := o.core.Locate(t.Context(), p, a.ID, []string{"addressbooks", "default", name})
		must(t, err)
		_, _, err = o.core.Put(t.Context(), p, core.PutRequest{Place: at.Place(), ContentType: "text/vcard", Body: []byte("BEGIN:VCARD\r\nVERSION:4.0\r\nUID:" + name + "\r\nFN:" + text + "\r\nEND:VCARD\r\n")})
		must(t, err)
	}
	for _, text := range []string{"one", "two", "three"} {
		put("a.vcf", text)
	}
	k := o.keeper
	rep, err := k.retain(t.Context())
	if err != nil || rep.Versions != 0 || !slices.ContainsFunc(rep.Held, func(s string) bool { return strings.Contains(s, "another failure domain") }) {
		t.Fatalf("with the first vault alone: %+v, %v", rep, err)
	}

	e := registry.Entry{Name: "attic", Kind: kindDir, Location: filepath.Join(t.TempDir(), "attic"), Domain: "attic", Mode: registry.Async, Vault: holdfast.NewID(nil), Added: time.Now(), Making: true}
	must(t, k.change(func(r *registry.Registry) error { return r.Add(e) }))
	must(t, k.finish(t.Context(), e))
	attached := k.attached(e)
	attached.SameDisk, attached.WhySame = false, "" // as on another disk
	must(t, k.relay.Attach(attached))

	must(t, k.scrubs.put("attic", reading{At: time.Now(), Findings: 1}))
	if rep, err := k.retain(t.Context()); err != nil || !slices.ContainsFunc(rep.Held, func(s string) bool { return strings.Contains(s, "attic held something damaged") }) {
		t.Errorf("with a vault that is damaged: %+v, %v", rep, err)
	}
	must(t, k.scrubs.put("attic", reading{At: time.Now()}))
	k.c.Vault.Engine = false
	k.retainEngine(t.Context()) // it does nothing, and ends
	k.c.Vault.Engine = true
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); k.retainEngine(ctx) }()
	defer func() { cancel(); <-done }()
	began := time.Now()
	for n := 0; len(prunedOf(t, o.engine, a.ID)) < 2; n++ {
		if time.Since(began) > patience {
			rep, err := k.retain(t.Context())
			t.Fatalf("nothing goes: %+v, %v", rep, err)
		}
		put("b.vcf", fmt.Sprint(n)) // so that there are heads
		time.Sleep(50 * time.Millisecond)
		if n%10 == 9 {
			for _, name := range []string{firstVaultName, "attic"} {
				if _, err := o.drills.RunDrill(t.Context(), control.DrillRequest{Vault: name}, func(control.DrillProgress) {}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	gone := prunedOf(t, o.engine, a.ID)
	snap, err := o.engine.Snapshot(t.Context())
	must(t, err)
	defer snap.Close()
	at, err := o.core.Locate(t.Context(), p, a.ID, []string{"addressbooks", "default", "a.vcf"})
	must(t, err)
	r, err := snap.Resource(at.Collection.ID, "a.vcf", store.WithBody)
	if err != nil || !strings.Contains(string(r.Body), "three") || slices.Contains(gone, r.Seq) {
		t.Errorf("what is there: %q, %v", r.Body, err)
	}
	must(t, o.engine.Check(t.Context(), true, core.DeriveBy(judges(c)), func(f store.Finding) { t.Errorf("the check finds %+v", f) }))
}

// prunedOf returns the seqs of an account whose octets were let go of.
func prunedOf(t *testing.T, e store.Engine, id holdfast.ID) (out []uint64) {
	snap, err := e.Snapshot(t.Context())
	must(t, err)
	defer snap.Close()
	must(t, snap.Changes(id, 0, 0, 0, func(c *holdfast.Change) error {
		if c.Pruned {
			out = append(out, c.Seq)
		}
		return nil
	}))
	return out
}
