package sqlite

import (
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/store/storetest"
)

// TestHold: callers sleep until who holds them says so; who is refused is told at once; what is durable is no error when the engine is closed meanwhile.
func TestHold(t *testing.T) {
	e, err := Open(t.Context(), Options{Dir: t.TempDir(), Create: true, Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	m := storetest.NewMaker(1)
	a := storetest.NewAccount(t, m, e, "ann@example.org")
	type hand struct {
		batch uint64
		wake  func()
	}
	handed := make(chan hand, 1)
	e.Hold(func(batch uint64, wake func()) { handed <- hand{batch, wake} })
	type answer struct {
		holdfast.Receipt
		err error
	}
	answers := make(chan answer, 1)
	put := func(en holdfast.Entry) {
		r, err := e.Commit(t.Context(), storetest.Sealed(a.ID, en))
		answers <- answer{r, err}
	}
	go put(m.Put(a.Book, "1.vcf", "1", storetest.Card("1", "1", "")))
	h := <-handed
	select {
	case x := <-answers:
		t.Fatalf("%+v came before it was called", x)
	case <-time.After(50 * time.Millisecond):
	}
	h.wake()
	if x := <-answers; x.err != nil || x.Batch != h.batch || h.batch != e.Position().Batch {
		t.Fatalf("%+v, of batch %d", x, h.batch)
	}

	refused := m.Put(a.Book, "1.vcf", "1", storetest.Card("1", "other", ""))
	refused.If.Exists = holdfast.Absent
	go put(refused)
	if x := <-answers; x.err == nil {
		t.Fatal("a put of what is there was taken")
	}

	go put(m.Put(a.Book, "2.vcf", "2", storetest.Card("2", "2", "")))
	h = <-handed // and nobody calls wake
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if x := <-answers; x.err != nil || x.Batch != h.batch {
		t.Fatalf("what is durable was answered %v, %v when the engine was closed", x.Receipt, x.err)
	}
}
