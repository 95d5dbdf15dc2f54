package relay

import (
	"slices"
	"testing"
)

// TestWhatEndsTogether: two vaults of one label are one domain, and where one of them lies on the store's disk, so is the other, in whichever order they were added.
func TestWhatEndsTogether(t *testing.T) {
	for _, x := range []struct {
		what    string
		vaults  []VaultStatus
		apart   []string
		domains int
	}{
		{"alone", nil, nil, 1},
		{"on the store's disk", []VaultStatus{{Name: "local", SameDomain: []string{"engine"}}}, nil, 1},
		{"on another disk", []VaultStatus{{Name: "attic"}}, []string{"attic"}, 2},
		{"two of one label", []VaultStatus{{Name: "attic"}, {Name: "loft", SameDomain: []string{"attic"}}}, []string{"attic", "loft"}, 2},
		{"of two with one label the first lies with the store", []VaultStatus{{Name: "near", SameDomain: []string{"engine"}}, {Name: "far", SameDomain: []string{"near"}}}, nil, 1},
		{"or the second", []VaultStatus{{Name: "far"}, {Name: "near", SameDomain: []string{"engine", "far"}}}, nil, 1},
		{"by a chain", []VaultStatus{{Name: "a"}, {Name: "b", SameDomain: []string{"a"}}, {Name: "c"}, {Name: "d", SameDomain: []string{"b", "c"}}, {Name: "e"}}, []string{"a", "b", "c", "d", "e"}, 3},
		{"by a chain to the store", []VaultStatus{{Name: "a"}, {Name: "b", SameDomain: []string{"a"}}, {Name: "c", SameDomain: []string{"engine", "b"}}, {Name: "e"}}, []string{"e"}, 2},
	} {
		for i := range x.vaults {
			x.vaults[i].Counts = true
		}
		Group(x.vaults)
		var apart []string
		for i := range x.vaults {
			if v := &x.vaults[i]; v.Apart() {
				apart = append(apart, v.Name)
			}
		}
		if n := DomainsOf(x.vaults); !slices.Equal(apart, x.apart) || n != x.domains {
			t.Errorf("%s: %v are apart, in %d domains: %+v", x.what, apart, n, x.vaults)
		}
	}
	if (&VaultStatus{Name: "attic"}).Apart() {
		t.Error("a vault of which nobody said what it ends with is apart")
	}
}
