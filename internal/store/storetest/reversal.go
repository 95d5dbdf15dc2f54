package storetest

import (
	"slices"

	"holdfast"
	"holdfast/internal/store"
)

// testReversal is a group as an undo or a rewind commits it: its record first, a collection that is called otherwise for a moment, and two resources that change UIDs, for which one of them is deleted for a moment.
func testReversal(k *kit) {
	one, two := k.m.ID(), k.m.ID()
	k.do(k.put("a.vcf", "1"), k.put("b.vcf", "1"), k.m.Collection(one, k.a.Home, "one", holdfast.TypeAddressbook), k.m.Collection(two, k.a.Home, "two", holdfast.TypeAddressbook))
	swap := func(name, uid string) holdfast.Entry {
		return k.m.Put(k.a.Book, name, uid, Card(uid, name, "2"))
	}
	id := k.m.ID()
	rec := k.m.Put(k.a.ID, holdfast.ReversalName(id), "", holdfast.ReversalRecord{ID: id, What: holdfast.Rewind}.Encode())
	rec.Kind, rec.Index = holdfast.KindReversal, holdfast.Index{}
	r := k.do(rec, k.m.Collection(two, k.a.Home, ".aside", holdfast.TypeAddressbook), k.m.Collection(one, k.a.Home, "two", holdfast.TypeAddressbook), k.m.Collection(two, k.a.Home, "one", holdfast.TypeAddressbook),
		k.m.Delete(k.a.Book, "a.vcf"), swap("b.vcf", "uid-a.vcf"), swap("a.vcf", "uid-b.vcf"))
	k.read(func(s store.Snapshot) {
		for name, want := range map[string]holdfast.ID{"one": two, "two": one} {
			if c, err := s.Child(k.a.Home, name); err != nil || c.ID != want {
				k.Errorf("%s is %v, want %v; %v", name, c.ID, want, err)
			}
		}
		for name, uid := range map[string]string{"a.vcf": "uid-b.vcf", "b.vcf": "uid-a.vcf"} {
			if x, err := s.ByUID(k.a.Book, uid); err != nil || x.Name != name {
				k.Errorf("%s is %q, want %q; %v", uid, x.Name, name, err)
			}
		}
		var seqs []uint64
		if err := s.Versions(k.a.Book, "a.vcf", 0, func(c *holdfast.Change) error {
			seqs = append(seqs, c.Seq, c.Prev)
			return nil
		}); err != nil || !slices.Equal(seqs, []uint64{r.Seq, r.Seq - 2, r.Seq - 2, 5, 5, 0}) {
			k.Errorf("the versions of a.vcf and those before them: %v, %v", seqs, err)
		}
		if x, err := s.Resource(k.a.ID, rec.Name, 0); err != nil || x.Kind != holdfast.KindReversal || x.Seq != r.Seq-6 {
			k.Errorf("the record: %+v, %v", x, err)
		}
		if _, err := s.ResourceAt(k.a.Book, "a.vcf", r.Seq-1, 0); !holdfast.IsKind(err, holdfast.NotFound) {
			k.Errorf("a.vcf within the group: %v", err)
		}
	})
}
