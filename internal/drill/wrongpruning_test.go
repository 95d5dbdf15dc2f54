package drill

import (
	"bytes"
	"encoding/json"
	"testing"

	"holdfast"
	"holdfast/internal/journal"
	"holdfast/internal/place"
	"holdfast/internal/seal"
	"holdfast/internal/vault"
)

// wronglyPruned puts a pack beside the vault's only one that lacks the octets of all versions, live ones too, as a mistake in the rule would; a head names it.
func (s *source) wronglyPruned() {
	s.t.Helper()
	packs, err := s.v.Packs(s.t.Context())
	fine(s.t, err)
	old := packs[len(packs)-1]
	read := func(name string) []byte {
		b, err := place.ReadAll(s.t.Context(), s.place, name, 1<<20)
		fine(s.t, err)
		return b
	}
	octets := read(old.Name + ".pack")
	var pack, index bytes.Buffer
	for lines := json.NewDecoder(bytes.NewReader(read(old.Name + ".index"))); lines.More(); {
		var m vault.Member
		fine(s.t, lines.Decode(&m))
		key, err := s.v.FindAccountKey(s.t.Context(), m.Account)
		fine(s.t, err)
		plain, err := seal.OpenAll(octets[m.Offset:m.Offset+m.Length], 1<<20, key)
		fine(s.t, err)
		var out []byte
		for _, line := range bytes.SplitAfter(plain, []byte("\n")) {
			if len(line) == 0 {
				continue
			}
			c, at, err := journal.ParseLine(line)
			fine(s.t, err)
			if c.Prunable() {
				c.Prune()
			}
			out = journal.AppendLine(out, &c, at)
		}
		sealed, err := seal.Encrypt(seal.PackTight(out), key.Recipient())
		fine(s.t, err)
		m.Offset, m.Length, m.SHA256 = int64(pack.Len()), int64(len(sealed)), holdfast.HashOf(sealed)
		pack.Write(sealed)
		b, err := json.Marshal(m)
		fine(s.t, err)
		index.Write(append(b, '\n'))
	}
	ref := old
	ref.Name, ref.Replaces, ref.Pruned = "pages/000000000099", []string{old.Name}, &vault.Pruning{Versions: 1, Octets: 1}
	ref.Size, ref.SHA256, ref.IndexSize, ref.IndexSHA256 = int64(pack.Len()), holdfast.HashOf(pack.Bytes()), int64(index.Len()), holdfast.HashOf(index.Bytes())
	fine(s.t, s.place.Put(s.t.Context(), ref.Name+".pack", &pack))
	fine(s.t, s.place.Put(s.t.Context(), ref.Name+".index", &index))
	fine(s.t, s.w.Head(s.t.Context(), vault.HeadInput{Packs: []vault.PackRef{ref}}))
}

// TestAWrongPruningDoesNotPass: a drill restores what there will be once the old pack is gone. What is live and was let go of by mistake is missing then, though a restore still finds it today.
func TestAWrongPruningDoesNotPass(t *testing.T) {
	s := newSource(t)
	s.seal()
	r, _ := Run(t.Context(), s.options(s.place))
	outcome(t, "before", r, Pass, "")
	s.wronglyPruned()
	r, proofs := Run(t.Context(), s.options(s.place))
	if r.Result != Fail || len(proofs) > 0 {
		t.Errorf("%s, %d proofs: %q", r.Result, len(proofs), r.Reasons)
	}
}
