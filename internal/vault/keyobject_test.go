package vault

import (
	"encoding/json"
	"testing"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/place/memory"
	"holdfast/internal/seal"
)

// keyIn returns a key object of a place.
func keyIn(t testing.TB, p place.Place, name string) (k KeyObject) {
	t.Helper()
	fine(t, json.Unmarshal(must2(place.ReadAll(ctx, p, name, 1<<20)), &k))
	return k
}

// TestSwappedKeys exchanges what is sealed in two key objects, which somebody who holds the vault can do without a key: both are named as damaged, before anything is tried with them.
func TestSwappedKeys(t *testing.T) {
	r, m, p := smallVault(t)
	for what, pair := range map[string][2]string{
		"accounts": {AccountKeyName(m.accounts[0], 1), AccountKeyName(m.accounts[1], 1)},
		"segments": {SegmentKeyName(1, 2), SegmentKeyName(1, 3)},
	} {
		p := p.Clone()
		a, b := keyIn(t, p, pair[0]), keyIn(t, p, pair[1])
		a.Wrapped, b.Wrapped = b.Wrapped, a.Wrapped
		p.Overwrite(pair[0], must2(json.Marshal(a)))
		p.Overwrite(pair[1], must2(json.Marshal(b)))
		v := must2(Open(ctx, Options{Place: p, With: []*seal.Identity{r.recovery.Identity}}))
		for _, name := range pair {
			k := keyIn(t, p, name)
			if _, _, err := v.readKey(ctx, name, k.Of, k.Name); !holdfast.IsKind(err, holdfast.Corrupt) {
				t.Errorf("%s: %s opens: %v", what, name, err)
			}
		}
		named := map[string]bool{}
		for _, d := range must2(v.Survey(ctx)) {
			named[d.Object] = true
		}
		if !named[pair[0]] || !named[pair[1]] {
			t.Errorf("%s: what was swapped is not named: %v", what, named)
		}
		if s := look(t, what, r, m, p); s.alone == "" {
			t.Errorf("%s: a restore does not notice", what)
		}
	}
}

// TestAnOlderVersionInTheNewestsPlace puts the key of an account's version 1 where version 2 lay.
func TestAnOlderVersionInTheNewestsPlace(t *testing.T) {
	r, m, p := smallVault(t)
	one, two := AccountKeyName(m.accounts[0], 1), AccountKeyName(m.accounts[0], 2)
	k := keyIn(t, p, one)
	k.Version = 2
	p.Overwrite(two, must2(json.Marshal(k)))
	v := must2(Open(ctx, Options{Place: p, With: []*seal.Identity{r.recovery.Identity}}))
	if _, _, err := v.readKey(ctx, two, k.Of, k.Name); !holdfast.IsKind(err, holdfast.Corrupt) {
		t.Errorf("it opens: %v", err)
	}
}

// TestAKeyThatSaysNothing reads objects as they were written before keys said of what they are.
func TestAKeyThatSaysNothing(t *testing.T) {
	r, m, _ := smallVault(t)
	p := r.place.(*memory.Place)
	for _, name := range names(t, p) {
		x, ok := parseKeyName(name)
		if !ok {
			continue
		}
		k := keyIn(t, p, name)
		id, _, err := seal.Unwrap(k.Wrapped, r.recovery.Identity)
		fine(t, err)
		k.Wrapped = must2(seal.Wrap(id, "", r.ring.Recipients()...))
		p.Overwrite(name, must2(json.Marshal(k)))
		if _, _, err := r.v.readKey(ctx, name, x.of, x.name); err != nil {
			t.Error(err)
		}
	}
	if s := look(t, "old keys", r, m, p); s.alone != "" || s.missing != 0 {
		t.Fatalf("%+v", s)
	}
}
