package vaultd_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/seal"
	"holdfast/internal/vault"
)

const day = 24 * time.Hour

// pruned makes a vault one of whose packs was pruned, and returns the names of the old and the new one.
func (r *rig) pruned() (old, made string) {
	r.t.Helper()
	r.write(60)
	fine(r.t, r.w.Head(r.t.Context(), vault.HeadInput{}))
	r.w.Roll()
	fine(r.t, r.v.Upkeep(r.t.Context(), r.w))
	r.days(15)
	fine(r.t, r.guard.Prune(r.t.Context(), false, func(string, int64) {})) // the segments
	rep, err := r.v.Prune(r.t.Context(), r.w, vault.PruneOptions{Age: 10 * day, Spool: r.t.TempDir()})
	fine(r.t, err)
	if len(rep.Packs) != 1 {
		r.t.Fatalf("%+v", rep)
	}
	return rep.Packs[0].Old + ".pack", rep.Packs[0].New + ".pack"
}

func (r *rig) days(n int) {
	r.t.Helper()
	for range n {
		r.clock.Advance(day)
		r.write(1)
		fine(r.t, r.w.Head(r.t.Context(), vault.HeadInput{}))
	}
}

// drilled has the next head name a drill that passed and began now.
func (r *rig) drilled(change func(*vault.DrillRef)) {
	r.t.Helper()
	h, err := r.v.LastHead(r.t.Context())
	fine(r.t, err)
	d := vault.DrillRef{Drill: "d", Result: "pass", Of: h.Vault, Head: h.Number}
	for _, p := range r.people {
		d.Accounts = append(d.Accounts, p.ID)
	}
	change(&d)
	fine(r.t, r.w.Head(r.t.Context(), vault.HeadInput{Drills: []vault.DrillRef{d}}))
}

func asItIs(*vault.DrillRef) {}

// goes tells whether the server lets an object go now.
func (r *rig) goes(name string) (due bool) {
	r.t.Helper()
	fine(r.t, r.guard.Prune(r.t.Context(), true, func(n string, _ int64) { due = due || n == name }))
	return due
}

// TestTheServerWaitsForAProof: what was pruned goes after its time, by the server's clock, and once a drill has proven every account; not before, and not by a clock that jumps.
func TestTheServerWaitsForAProof(t *testing.T) {
	r := newRig(t)
	old, made := r.pruned()
	if r.days(31); r.goes(old) {
		t.Fatal("it goes without a drill")
	}
	for what, change := range map[string]func(*vault.DrillRef){
		"that failed":                   func(d *vault.DrillRef) { d.Result = "fail" },
		"of another vault":              func(d *vault.DrillRef) { d.Of = holdfast.ID{2} },
		"of some accounts":              func(d *vault.DrillRef) { d.Accounts = d.Accounts[:2] },
		"that began before the pruning": func(d *vault.DrillRef) { d.Head = 2 },
		"that begins later":             func(d *vault.DrillRef) { d.Head += 1000 },
	} {
		if r.drilled(change); r.goes(old) {
			t.Fatalf("it goes after a drill %s", what)
		}
	}
	r.drilled(asItIs)
	r.restart() // it knows nothing that is not in the vault
	r.again()
	if !r.goes(old) || r.goes(made) {
		t.Fatal("it does not go")
	}
	fine(t, r.guard.Remove(t.Context(), old))
	fine(t, r.guard.Prune(t.Context(), false, func(string, int64) {}))
	if _, err := r.disk.Stat(t.Context(), old); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Error(err)
	}
}

// again opens the vault for the store over the guard as it is now.
func (r *rig) again() {
	r.t.Helper()
	fine(r.t, r.w.Close())
	r.opt.Place = r.guard
	var err error
	r.v, err = vault.Open(r.t.Context(), r.opt)
	fine(r.t, err)
	end, term, err := r.v.End(r.t.Context())
	fine(r.t, err)
	r.w, err = r.v.Writer(r.t.Context(), term, end)
	fine(r.t, err)
}

// TestAThiefPrunesNothing tries to have octets go with a stolen append credential: heads that name a pruning or a proof are taken from the store alone, and the server's clock cannot be hurried.
func TestAThiefPrunesNothing(t *testing.T) {
	r := newRig(t)
	old, made := r.pruned()
	stranger, err := seal.NewRing(false)
	fine(t, err)
	last, err := r.v.LastHead(t.Context())
	fine(t, err)
	next := vault.HeadName(last.Number + 1)
	rubbish := []byte("age-encryption.org/v1\nrubbish")
	var top vault.PackRef
	fine(t, r.v.Heads(t.Context(), 0, func(_ string, h vault.Head, _ holdfast.Hash, err error) error {
		for _, p := range h.Packs {
			if p.Name+".pack" == made {
				top = p
			}
		}
		return err
	}))
	head := func(by *seal.Signer, change func(*vault.Head)) []byte {
		b := octets(t, r.disk, vault.HeadName(last.Number))
		h := last
		h.Number, h.Previous, h.Packs = last.Number+1, holdfast.HashOf(b), nil
		change(&h)
		b, err := seal.SignLine(by, h)
		fine(t, err)
		return b
	}
	proof := func(h *vault.Head) {
		d := vault.DrillRef{Drill: "d", Result: "pass", Of: h.Vault, Head: last.Number}
		for _, p := range r.people {
			d.Accounts = append(d.Accounts, p.ID)
		}
		h.Drills = []vault.DrillRef{d}
	}
	edited := head(r.ring.Signer, asBefore)
	var changed map[string]any
	line, sig, err := seal.SplitLine(edited)
	fine(t, err)
	fine(t, json.Unmarshal(line, &changed))
	changed["drills"] = []any{map[string]any{"drill": "d", "result": "pass", "of": last.Vault, "head": last.Number}}
	line, err = json.Marshal(changed)
	fine(t, err)
	before := snapshot(t, r.disk)
	for what, b := range map[string][]byte{
		"a proof that a stranger signed":                        head(stranger.Signer, proof),
		"a pruning that a stranger signed":                      head(stranger.Signer, func(h *vault.Head) { top.Replaces = []string{top.Name}; h.Packs = []vault.PackRef{top} }),
		"a head that was changed":                               append(append(line, '\n'), sig...),
		"a head of another vault of the store, which is signed": head(r.ring.Signer, func(h *vault.Head) { proof(h); h.Vault = holdfast.ID{2} }),
		"a head that is older":                                  octets(t, r.disk, vault.HeadName(last.Number-1)),
		"a head of a month later":                               head(r.ring.Signer, func(h *vault.Head) { proof(h); h.PlaceAt = h.PlaceAt.Add(30 * day) }),
		"a pack that is not there":                              head(r.ring.Signer, func(h *vault.Head) { top.SHA256[0] ^= 1; h.Packs = []vault.PackRef{top} }),
	} {
		if err := put(r.guard, next, b); !holdfast.IsKind(err, holdfast.Invalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if snapshot(t, r.disk) != before {
		t.Error("something was changed all the same")
	}
	if err := put(r.guard, made, rubbish); err == nil {
		t.Error("a pack was written over")
	}
	if err := r.guard.Remove(t.Context(), old); !holdfast.IsKind(err, holdfast.Forbidden) {
		t.Errorf("the old pack is removed: %v", err)
	}
	r.drilled(asItIs)
	r.clock.Advance(10 * 365 * day)
	fine(t, r.w.Head(t.Context(), vault.HeadInput{Whole: true}))
	if err := r.guard.Remove(t.Context(), old); !holdfast.IsKind(err, holdfast.Forbidden) {
		t.Errorf("ten years that did not go by let the old pack go: %v", err)
	}
}

func asBefore(*vault.Head) {}

// TestAStoreThatWasTakenOverWaitsAsWell: who has the store's signer too calls a pack pruned which lacks what the old one holds, and proven. The old one stays, whatever time goes by.
func TestAStoreThatWasTakenOverWaitsAsWell(t *testing.T) {
	r := newRig(t)
	old, _ := r.pruned()
	index := octets(t, r.disk, old[:len(old)-len(".pack")]+".index")
	refs := map[string]vault.PackRef{}
	fine(t, r.v.Heads(t.Context(), 0, func(_ string, h vault.Head, _ holdfast.Hash, err error) error {
		for _, p := range h.Packs {
			refs[p.Name+".pack"] = p
		}
		return err
	}))
	var first vault.Member // alone
	fine(t, json.NewDecoder(bytes.NewReader(index)).Decode(&first))
	pack := octets(t, r.disk, old)[:first.Length]
	line, err := json.Marshal(first)
	fine(t, err)
	line = append(line, '\n')
	name := "pages/000000000003"
	fine(t, put(r.guard, name+".pack", pack))
	fine(t, put(r.guard, name+".index", line))
	var replaced []string
	for _, p := range refs {
		replaced = append(replaced, p.Name)
	}
	fine(t, r.w.Head(t.Context(), vault.HeadInput{Packs: []vault.PackRef{{Name: name, Size: int64(len(pack)), SHA256: holdfast.HashOf(pack), IndexSize: int64(len(line)), IndexSHA256: holdfast.HashOf(line), Replaces: replaced, Pruned: &vault.Pruning{Versions: 1, Octets: 1}}}}))
	r.drilled(asItIs)
	r.days(60)
	if r.goes(old) {
		t.Error("what no other pack has would go")
	}
	if _, err := place.ReadAll(t.Context(), r.disk, old, 1<<20); err != nil {
		t.Error(err)
	}
}
