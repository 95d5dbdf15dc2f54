package relay

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"holdfast"
)

// Policy says where a change must be durable before it is acknowledged: in the engine, and in vaults.
type Policy struct {
	terms []need
}

// need is some of several vaults.
type need struct {
	of    int
	names []string
}

// ParsePolicy reads "engine", "engine+local", "engine+2of(local,attic,s3)" and the like. Errors: Invalid.
func ParsePolicy(text string) (Policy, error) {
	bad := func(why string) (Policy, error) {
		return Policy{}, &holdfast.Error{Op: "relay.ParsePolicy", Kind: holdfast.Invalid, Ref: text,
			Text: why + `; a policy is "engine", "engine+local" or "engine+2of(local,attic,cellar)"`}
	}
	parts := strings.Split(strings.ReplaceAll(text, " ", ""), "+")
	if parts[0] != "engine" {
		return bad(`a policy begins with "engine"`)
	}
	var p Policy
	seen := map[string]bool{}
	for _, part := range parts[1:] {
		n := need{of: 1, names: []string{part}}
		if head, rest, ok := strings.Cut(part, "of("); ok {
			list, closed := strings.CutSuffix(rest, ")")
			k, err := strconv.Atoi(head)
			if n.names = strings.Split(list, ","); !closed || err != nil || k < 1 || k > len(n.names) {
				return bad(fmt.Sprintf("%q does not say how many of which vaults", part))
			}
			n.of = k
		}
		for _, name := range n.names {
			if !ValidName(name) {
				return bad(fmt.Sprintf("%q is no vault's name", name))
			}
			if seen[name] {
				return bad(fmt.Sprintf("the vault %q stands there twice", name))
			}
			seen[name] = true
		}
		p.terms = append(p.terms, n)
	}
	return p, nil
}

// ValidName tells whether a vault can have the name: 1 to 40 of a-z, 0-9 and "-", not "engine".
func ValidName(name string) bool {
	if name == "" || len(name) > 40 || name == "engine" {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// String returns the policy as ParsePolicy reads it.
func (p Policy) String() string {
	out := []string{"engine"}
	for _, n := range p.terms {
		if len(n.names) == 1 {
			out = append(out, n.names[0])
		} else {
			out = append(out, fmt.Sprintf("%dof(%s)", n.of, strings.Join(n.names, ",")))
		}
	}
	return strings.Join(out, "+")
}

// Names returns the vaults that the policy names: they are synchronous.
func (p Policy) Names() (names []string) {
	for _, n := range p.terms {
		names = append(names, n.names...)
	}
	return names
}

// Has tells whether the policy names a vault.
func (p Policy) Has(name string) bool { return slices.Contains(p.Names(), name) }

// without returns the policy as it is while some vaults count for nothing: what the others can keep of it.
func (p Policy) without(out map[string]bool) (rest Policy) {
	for _, n := range p.terms {
		names := slices.DeleteFunc(slices.Clone(n.names), func(name string) bool { return out[name] })
		if len(names) > 0 {
			rest.terms = append(rest.terms, need{min(n.of, len(names)), names})
		}
	}
	return rest
}

// mark is how far one vault has come, as a policy sees it.
type mark struct {
	counts bool // it is whole
	batch  uint64
}

// acked returns the newest batch for which the policy holds, given how far the engine and each vault have come; ok is false where too few vaults count for it to hold for anything.
func (p Policy) acked(engine uint64, marks map[string]mark) (batch uint64, ok bool) {
	if len(p.terms) == 0 {
		return engine, true
	}
	batch = math.MaxUint64 // no vault has more than the engine: where its position seems to say so it was read before the last commit
	for _, n := range p.terms {
		var have []uint64
		for _, name := range n.names {
			if m := marks[name]; m.counts {
				have = append(have, m.batch)
			}
		}
		if len(have) < n.of {
			return 0, false
		}
		slices.Sort(have)
		batch = min(batch, have[len(have)-n.of])
	}
	return batch, true
}
