package restore

import (
	"fmt"
	"testing"

	"holdfast"
	"holdfast/internal/core"
)

// TestOneThatIsRefusedKeepsNoOtherBack puts items in one group, some of which somebody made meanwhile.
func TestOneThatIsRefusedKeepsNoOtherBack(t *testing.T) {
	s := newSource(t)
	a := s.account("ann@example.org")
	s.put(a, "3.vcf", "made meanwhile")
	s.put(a, "8.vcf", "made meanwhile")
	at, err := s.core.Locate(t.Context(), holdfast.Principal{Account: a}, a, []string{"addressbooks", "default", "x.vcf"})
	fine(t, err)
	refused := map[string]bool{}
	m := &mending{told: map[itemKey]bool{}, rep: &RepairReport{}, id: a, o: &RepairOptions{Core: core.New(core.Options{Engine: s.engine, Judges: judges, Clock: s.clock}), Found: func(x Mended) {
		if !x.Done {
			refused[x.Name] = true
		}
	}}}
	for i := range 10 {
		e := holdfast.Entry{Op: holdfast.OpPut, Kind: holdfast.KindAddress, Collection: at.Collection.ID, Name: fmt.Sprint(i, ".vcf"), ContentType: "text/vcard", Body: fmt.Append(nil, "text ", i)}
		fine(t, m.mend(t.Context(), &e, wanted{what: "missing"}))
	}
	if got := s.texts(s.engine, a); len(got) != 2 {
		t.Fatalf("something was put before its group was full: %v", got)
	}
	fine(t, m.flush(t.Context()))
	got := s.texts(s.engine, a)
	if m.rep.Mended != 8 || m.rep.Left != 2 || len(refused) != 2 || !refused["3.vcf"] || !refused["8.vcf"] || len(got) != 10 || got["3.vcf"] != "made meanwhile" || got["4.vcf"] != "text 4" {
		t.Fatalf("%+v, refused %v, there are %v", m.rep, refused, got)
	}
}
