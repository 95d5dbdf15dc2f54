package seal

import (
	"bytes"
	"testing"

	"filippo.io/age"

	"holdfast"
)

// counting counts how often a key is unwrapped.
type counting struct {
	age.Identity
	n int
}

func (c *counting) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	c.n++
	return c.Identity.Unwrap(stanzas)
}

// TestAnIdentityRemembersWhatItOpened: the header of one sealer does not open another's pieces, and damage is noticed as if nothing were remembered.
func TestAnIdentityRemembersWhatItOpened(t *testing.T) {
	id := must(NewIdentity(false))(t)
	plain := prose(7, 300)
	asked := &counting{Identity: id.age}
	id.age = asked
	var pieces [][]byte
	for range 3 {
		s := must(NewSealer(id.Recipient()))(t)
		pieces = append(pieces, must(s.Append(nil, Pack(plain)))(t), must(s.Append(nil, Pack(plain)))(t))
	}
	for i := range 4 * len(pieces) {
		if got, err := OpenAll(pieces[i*5%len(pieces)], 1<<20, id); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("piece %d: %v", i, err)
		}
	}
	was := asked.n
	for i := range 10 {
		if _, err := OpenAll(pieces[i%2], 1<<20, id); err != nil || asked.n > was+1 {
			t.Fatalf("the key of one header was unwrapped %d times: %v", asked.n-was, err)
		}
	}
	sealed := pieces[1]
	for i := range sealed {
		if _, err := OpenAll(sealed, 1<<20, id); err != nil {
			t.Fatal(err)
		}
		bad := bytes.Clone(sealed)
		bad[i] ^= 4
		if _, err := OpenAll(bad, 1<<20, id); !holdfast.IsKind(err, holdfast.Corrupt) && !holdfast.IsKind(err, holdfast.Unauthorized) {
			t.Fatalf("octet %d changed: %v", i, err)
		}
		if _, err := OpenAll(sealed[:i], 1<<20, id); !holdfast.IsKind(err, holdfast.Corrupt) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}
