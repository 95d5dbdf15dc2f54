package sqlite

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/vfs/crashfs"
	"holdfast/internal/vfs/crashfs/sqlitevfs"
)

var (
	cuts = flag.Int("cuts", 2000, "power cuts of TestPowerCuts")
	seed = flag.Uint64("seed", 1, "first seed of TestPowerCuts")
)

// cutsPerDisk is how many power cuts one disk lives through; each disk has a seed of its own, so that a failure is replayed by it alone.
const cutsPerDisk = 40

// TestPowerCuts pulls the plug on the real engine code, again and again, on a disk that keeps what a disk may keep: after each cut every acknowledged
// change must be there, its chain must be that of its receipt, and the engine's own check must find nothing. Replay a failure by
// -cuts 40 -seed N.
func TestPowerCuts(t *testing.T) {
	var all tally
	for s := *seed; all.cuts < *cuts; s++ {
		w := newWorld(t, s, crashfs.Options{GarbageSectors: s%4 == 3}, ncruces{})
		if lost := w.run(min(cutsPerDisk, *cuts-all.cuts)); lost != "" {
			t.Fatalf("seed %d: %s", s, lost)
		}
		all.add(w.tally)
	}
	t.Logf("%d power cuts, %d of them during recovery; %d groups acknowledged, 0 lost; %d unacknowledged ones survived whole", all.cuts, all.recovery, all.acked, all.survived)
	if all.acked < all.cuts || all.survived == 0 {
		t.Errorf("the simulation does too little: %+v", all)
	}
}

// TestPowerCutControls breaks the disk or the setting and demands that the same simulation sees the loss: it could not prove anything otherwise.
func TestPowerCutControls(t *testing.T) {
	for _, c := range []struct {
		name   string
		disk   crashfs.Options
		driver ncruces
	}{
		{"synchronous=NORMAL", crashfs.Options{}, ncruces{weak: true}},
		{"a disk that lies about sync", crashfs.Options{LyingSync: true}, ncruces{}},
		{"a directory that is never synced", crashfs.Options{NoDirSync: true}, ncruces{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for s := *seed; s < *seed+50; s++ {
				w := newWorld(t, s, c.disk, c.driver)
				if lost := w.run(cutsPerDisk); lost != "" {
					t.Logf("seen after %d cuts: %s", int(s-*seed)*cutsPerDisk+w.tally.cuts, lost)
					return
				}
			}
			t.Error("nothing was lost: the simulation would not notice a real loss either")
		})
	}
}

type tally struct{ cuts, recovery, acked, survived int }

func (a *tally) add(b tally) {
	a.cuts, a.recovery, a.acked, a.survived = a.cuts+b.cuts, a.recovery+b.recovery, a.acked+b.acked, a.survived+b.survived
}

// world is one disk, the engine on it, and what the engine promised.
type world struct {
	t      *testing.T
	disk   *crashfs.Disk
	sql    *sqlitevfs.FS
	driver ncruces
	rng    *rand.Rand
	people []*person
	next   int
	tally
}

// person is an account as its receipts promise it.
type person struct {
	id, book holdfast.ID
	receipt  holdfast.Receipt  // the newest promise
	cards    map[string][]byte // as acknowledged
	doubtful map[string]bool   // names in groups that were under way when the power went
}

func newWorld(t *testing.T, seed uint64, o crashfs.Options, d ncruces) *world {
	w := &world{t: t, disk: crashfs.New(o), driver: d, rng: rand.New(rand.NewPCG(seed, 2009))}
	sql, err := sqlitevfs.Register(w.disk)
	if err != nil {
		t.Fatal(err)
	}
	w.sql = sql
	t.Cleanup(func() { sql.Unregister() })
	return w
}

func (w *world) open() (*Engine, error) {
	return Open(context.Background(), Options{Path: w.sql.URI("/holdfast.db"), Driver: w.driver, Create: true, Readers: 1, CacheKiB: 256, Ballast: -1, WALPages: 8,
		fs: w.disk.FS(), log: "/holdfast.db-wal", inline: true})
}

// run lives through n power cuts and returns what was lost; "" if nothing.
func (w *world) run(n int) (lost string) {
	for w.cuts < n {
		w.disk.CutAfter(w.moment())
		if e, err := w.open(); err == nil {
			w.work(e)
			e.Close()
		} else if !w.disk.Off() {
			return fmt.Sprintf("the store does not open: %v", err)
		}
		w.disk.PowerCut(w.rng)
		w.cuts++
		w.cutRecovery()
		w.disk.CutAfter(0)
		e, err := w.open()
		if err != nil {
			return fmt.Sprintf("cut %d: the store does not open: %v", w.cuts, err)
		}
		lost := w.verify(e)
		e.Close()
		if lost != "" {
			return fmt.Sprintf("cut %d: %s", w.cuts, lost)
		}
	}
	return ""
}

func (w *world) moment() int {
	if w.rng.IntN(8) == 0 {
		return 1 + w.rng.IntN(10) // inside opening
	}
	return 1 + w.rng.IntN(160)
}

// cutRecovery pulls the plug again while the store recovers.
func (w *world) cutRecovery() {
	for w.rng.IntN(3) == 0 {
		w.disk.CutAfter(1 + w.rng.IntN(30))
		if e, err := w.open(); err == nil {
			e.checkpoint()
			e.Close()
		}
		w.disk.PowerCut(w.rng)
		w.recovery++
	}
}

// work commits batches, and now and then does what else an engine does, until the power is gone.
func (w *world) work(e *Engine) {
	for i := 0; !w.disk.Off() && i < 200; i++ {
		switch {
		case len(w.people) < 3:
			w.createPerson(e)
		case w.rng.IntN(12) == 0:
			e.checkpointStep()
		case w.rng.IntN(20) == 0:
			p := w.people[0]
			e.Observe(context.Background(), []holdfast.Sighting{{Account: p.id, Collection: p.book, Device: p.id, Seq: 1, At: fromMicro(1)}})
		default:
			w.commitSome(e)
		}
	}
}

func (w *world) id() (id holdfast.ID) {
	for i := range id {
		id[i] = byte(w.rng.Uint32())
	}
	return id
}

func (w *world) entry(op holdfast.Op, kind holdfast.Kind, coll holdfast.ID, name string, body []byte) holdfast.Entry {
	w.next++
	e := holdfast.Entry{ID: w.id(), Op: op, Kind: kind, Collection: coll, Name: name, Body: body, At: fromMicro(int64(w.next))}
	e.Index, _ = deriveBySize(nil, &holdfast.Resource{Kind: kind, Body: body})
	return e
}

// deriveBySize gives half of the resources a time that follows from their octets, of every class.
func deriveBySize(_ *holdfast.Collection, r *holdfast.Resource) (x holdfast.Index, ok bool) {
	if n := int64(len(r.Body)); r.Kind == holdfast.KindAddress && n%2 == 0 {
		x.Times = holdfast.Times{Timed: true, First: n, Last: n + n%5*50*day}
	}
	return x, true
}

func (w *world) createPerson(e *Engine) {
	p := &person{id: w.id(), book: w.id(), cards: map[string][]byte{}, doubtful: map[string]bool{}}
	login := fmt.Sprintf("p%d@example.org", w.next)
	g := &holdfast.Group{Account: p.id, Entries: []holdfast.Entry{
		w.entry(holdfast.OpPut, holdfast.KindCollection, p.id, "", holdfast.CollectionRecord{Type: holdfast.TypeRoot}.Encode()),
		w.entry(holdfast.OpPut, holdfast.KindAccount, p.id, holdfast.RecordAccount, holdfast.AccountRecord{Email: login, State: holdfast.Active}.Encode()),
		w.entry(holdfast.OpPut, holdfast.KindCollection, p.book, "", holdfast.CollectionRecord{Parent: p.id, Name: "book", Type: holdfast.TypeAddressbook}.Encode()),
	}}
	g.Seal()
	r, err := e.Commit(context.Background(), g)
	if err == nil {
		p.receipt = r
		w.people = append(w.people, p)
		w.acked++
	}
}

// commitSome commits a batch of groups: puts, deletes, moves.
func (w *world) commitSome(e *Engine) {
	var batch []*waiting
	var owners []*person
	for range 1 + w.rng.IntN(6) {
		p := w.people[w.rng.IntN(len(w.people))]
		g := w.group(p)
		for i := range g.Entries {
			p.doubtful[g.Entries[i].Name] = true
		}
		batch, owners = append(batch, &waiting{g: g}), append(owners, p)
	}
	e.commitBatch(batch)
	for i, b := range batch {
		if b.err != nil && !store.IsJudgement(b.err) {
			w.t.Fatalf("commit: %v", b.err)
		}
		if b.err != nil && holdfast.IsKind(b.err, holdfast.Unavailable) {
			continue // not known: it stays doubtful
		}
		if b.err == nil {
			w.acked++
			owners[i].promise(b.g, b.receipt)
		}
		for k := range b.g.Entries {
			delete(owners[i].doubtful, b.g.Entries[k].Name)
		}
	}
	for i, b := range batch { // a name in a later group that is not known stays doubtful
		if b.err != nil && holdfast.IsKind(b.err, holdfast.Unavailable) {
			for k := range b.g.Entries {
				owners[i].doubtful[b.g.Entries[k].Name] = true
			}
		}
	}
}

func (p *person) promise(g *holdfast.Group, r holdfast.Receipt) {
	if r.Seq > p.receipt.Seq {
		p.receipt = r
	}
	for i := range g.Entries {
		if e := &g.Entries[i]; e.Op == holdfast.OpDelete {
			delete(p.cards, e.Name)
		} else {
			p.cards[e.Name] = e.Body
		}
	}
}

func (w *world) group(p *person) *holdfast.Group {
	name := func() string { return fmt.Sprintf("%d.vcf", w.rng.IntN(12)) }
	body := []byte(strings.Repeat(fmt.Sprintf("card %d\r\n", w.next), 1+w.rng.IntN(100)))
	g := &holdfast.Group{Account: p.id}
	switch w.rng.IntN(10) {
	case 0:
		g.Entries = []holdfast.Entry{w.entry(holdfast.OpDelete, holdfast.KindAddress, p.book, name(), nil)}
	case 1:
		g.Entries = []holdfast.Entry{
			w.entry(holdfast.OpDelete, holdfast.KindAddress, p.book, name(), nil),
			w.entry(holdfast.OpPut, holdfast.KindAddress, p.book, name(), body)}
	default:
		g.Entries = []holdfast.Entry{w.entry(holdfast.OpPut, holdfast.KindAddress, p.book, name(), body)}
	}
	g.Seal()
	return g
}

// verify compares what is there with what was promised, and takes over what survived besides.
func (w *world) verify(e *Engine) (lost string) {
	ctx := context.Background()
	if err := e.Check(ctx, true, deriveBySize, func(f store.Finding) { lost = fmt.Sprintf("damaged: %+v", f) }); err != nil || lost != "" {
		return fmt.Sprint(lost, err)
	}
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return err.Error()
	}
	defer snap.Close()
	for i, p := range w.people {
		if lost := w.verifyPerson(snap, p); lost != "" {
			return fmt.Sprintf("account %d: %s", i, lost)
		}
	}
	return ""
}

func (w *world) verifyPerson(snap store.Snapshot, p *person) string {
	at, err := snap.Chain(p.id, p.receipt.Seq)
	if err != nil || at.Chain != p.receipt.Hash {
		return fmt.Sprintf("the receipt for seq %d is broken: %v", p.receipt.Seq, err)
	}
	there := map[string][]byte{}
	if err := snap.List(p.book, "", 0, store.WithBody, func(r *holdfast.Resource) error {
		there[r.Name] = bytes.Clone(r.Body)
		return nil
	}); err != nil {
		return err.Error()
	}
	for name, body := range p.cards {
		if !p.doubtful[name] && !bytes.Equal(there[name], body) {
			return fmt.Sprintf("%s was acknowledged and is not there as it was", name)
		}
	}
	for name := range there {
		if _, known := p.cards[name]; !known && !p.doubtful[name] {
			return fmt.Sprintf("%s is there and should not be", name)
		}
	}
	head, err := snap.Head(p.id)
	if err != nil {
		return err.Error()
	}
	if head.Seq > p.receipt.Seq {
		w.survived++
	}
	p.receipt.Seq, p.receipt.Hash, p.cards = head.Seq, head.Chain, there
	clear(p.doubtful)
	return ""
}

// TestARetryAfterAFailedSyncIsDurable: a process dies after a failed fsync, and the next one finds in the cache what the disk does not have. A retry meets its own
// write; what it is told must survive the power cut that comes then.
func TestARetryAfterAFailedSyncIsDurable(t *testing.T) {
	replays := 0
	for seed := uint64(1); seed <= 40; seed++ {
		w := newWorld(t, seed, crashfs.Options{}, ncruces{})
		e, err := w.open()
		if err != nil {
			t.Fatal(err)
		}
		w.createPerson(e)
		p := w.people[0]
		edit := func() *holdfast.Group {
			x := w.entry(holdfast.OpPut, holdfast.KindAddress, p.book, "x.vcf", []byte("the edit"))
			x.If.Exists = holdfast.Absent
			g := &holdfast.Group{Account: p.id, Entries: []holdfast.Entry{x}}
			g.Seal()
			return g
		}
		if _, err := put(w, e, p, "earlier.vcf", 100); err != nil { // the log was started anew by this one
			t.Fatal(err)
		}
		w.disk.FailSync(1)
		if _, err := e.Commit(context.Background(), edit()); err == nil {
			t.Fatal("a change whose fsync failed was acknowledged")
		}
		next, err := sqlitevfs.Register(w.disk) // another process: it has neither the locks nor the memory of the first
		if err != nil {
			t.Fatal(err)
		}
		defer next.Unregister()
		w.sql = next
		e2, err := w.open()
		if err != nil {
			t.Fatal(err)
		}
		r, err := e2.Commit(context.Background(), edit())
		if err != nil {
			t.Fatal(err)
		}
		if r.Replay {
			replays++
		}
		w.disk.CutAfter(1)
		e2.Close()
		w.disk.PowerCut(w.rng)
		w.disk.CutAfter(0)
		e3, err := w.open()
		if err != nil {
			t.Fatal(err)
		}
		snap, err := e3.Snapshot(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := snap.Resource(p.book, "x.vcf", 0); err != nil {
			t.Errorf("seed %d: acknowledged (replay %v) and lost: %v", seed, r.Replay, err)
		}
		snap.Close()
		e3.Close()
	}
	if replays == 0 {
		t.Error("no retry met its own write: the test shows nothing")
	}
}
