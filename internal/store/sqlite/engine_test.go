package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/store"
	"holdfast/internal/vfs/crashfs"
)

// simulated opens the engine on a simulated disk, with one account.
func simulated(t *testing.T, o crashfs.Options) (*world, *Engine, *person) {
	t.Helper()
	w := newWorld(t, 1, o, ncruces{})
	e, err := w.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	w.createPerson(e)
	return w, e, w.people[0]
}

func put(w *world, e *Engine, p *person, name string, size int) (holdfast.Receipt, error) {
	g := &holdfast.Group{Account: p.id, Entries: []holdfast.Entry{w.entry(holdfast.OpPut, holdfast.KindAddress, p.book, name, make([]byte, size))}}
	g.Seal()
	return e.Commit(context.Background(), g)
}

// TestAFailedSyncStopsTheEngine: after it nothing may be acknowledged, although later syncs would say yes.
func TestAFailedSyncStopsTheEngine(t *testing.T) {
	w, e, p := simulated(t, crashfs.Options{})
	if _, err := put(w, e, p, "before", 10); err != nil {
		t.Fatal(err)
	}
	w.disk.FailSync(1)
	for range 3 {
		_, err := put(w, e, p, "after", 10)
		if !holdfast.IsKind(err, holdfast.Unavailable) {
			t.Fatalf("got %v: a change was acknowledged, or refused as if nothing had happened", err)
		}
	}
	if e.Info().Failed == nil {
		t.Error("Info does not say that the engine failed")
	}
	if err := e.Observe(t.Context(), []holdfast.Sighting{{Account: p.id}}); err == nil {
		t.Error("it still writes")
	}
}

func TestAFullDiskMakesTheStoreReadOnlyUntilThereIsRoom(t *testing.T) {
	w := newWorld(t, 1, crashfs.Options{}, ncruces{})
	now := clock.NewFake(time.Unix(1e9, 0))
	e, err := Open(t.Context(), Options{Path: w.sql.URI("/holdfast.db"), Driver: ncruces{}, Create: true, Readers: 1, CacheKiB: 256, Ballast: -1,
		fs: w.disk.FS(), log: "/holdfast.db-wal", inline: true, Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	w.createPerson(e)
	p := w.people[0]
	w.disk.SetCapacity(400 << 10)
	stored := 0
	for ; stored < 100; stored++ {
		if _, err = put(w, e, p, fmt.Sprint(stored), 8<<10); err != nil {
			break
		}
	}
	if !holdfast.IsKind(err, holdfast.Full) || !e.Info().ReadOnly || e.Info().Failed != nil {
		t.Fatalf("after %d puts: %v, %+v", stored, err, e.Info())
	}
	if _, err := put(w, e, p, "small", 1); !holdfast.IsKind(err, holdfast.Full) {
		t.Errorf("read-only means read-only: %v", err)
	}
	snap, err := e.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := snap.List(p.book, "", 0, store.WithBody, func(*holdfast.Resource) error { n++; return nil }); err != nil || n != stored {
		t.Errorf("%d of %d can be read: %v", n, stored, err)
	}
	snap.Close()
	w.disk.SetCapacity(0)
	now.Advance(recheck)
	if _, err := put(w, e, p, "again", 1); err != nil {
		t.Errorf("there is room again: %v", err)
	}
}

func TestOpenRefusesWhatIsNotItsOwn(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(t.Context(), Options{Dir: dir}); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Errorf("a database that is missing must not be made anew: %v", err)
	}
	e, err := Open(t.Context(), Options{Dir: dir, Create: true, Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	e.Close()
	if _, err := Open(t.Context(), Options{Dir: dir, Store: holdfast.NewID(nil), Ballast: -1}); !holdfast.IsKind(err, holdfast.Forbidden) {
		t.Errorf("another store's database: %v", err)
	}
	alter := func(sql string) {
		t.Helper()
		c, err := openConn(Zombiezen{}, filepath.Join(dir, FileName), 100)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	alter("PRAGMA user_version=999")
	if _, err := Open(t.Context(), Options{Dir: dir, Ballast: -1}); !holdfast.IsKind(err, holdfast.Invalid) {
		t.Errorf("a newer schema: %v", err)
	}
	alter("PRAGMA user_version=2")
	alter("PRAGMA application_id=1")
	if _, err := Open(t.Context(), Options{Dir: dir, Ballast: -1}); !holdfast.IsKind(err, holdfast.Invalid) {
		t.Errorf("another program's database: %v", err)
	}
}

// TestAnEmptiedDatabaseIsNoNewStore: whoever lost what was in the file must not be offered to begin anew, with phones that are told 401.
func TestAnEmptiedDatabaseIsNoNewStore(t *testing.T) {
	dir := t.TempDir()
	e, err := Open(t.Context(), Options{Dir: dir, Create: true, Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, 1, crashfs.Options{}, ncruces{})
	w.createPerson(e)
	young, err := os.ReadFile(filepath.Join(dir, FileName)) // while the log was not yet closed
	if err != nil {
		t.Fatal(err)
	}
	e.Close()
	put := func(octets []byte) {
		t.Helper()
		os.Remove(filepath.Join(dir, FileName+"-wal"))
		if err := os.WriteFile(filepath.Join(dir, FileName), octets, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(nil)
	if _, err := Open(t.Context(), Options{Dir: dir, Ballast: -1}); !holdfast.IsKind(err, holdfast.Invalid) {
		t.Errorf("an empty file: %v", err)
	}
	put(young)
	e, err = Open(t.Context(), Options{Dir: dir, Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if e.Info().Accounts != 1 {
		t.Error("a young store that loses its log looks as if nobody had ever been there")
	}
}

// TestReadersWithoutAGapLetTheLogStartAnew: snapshots that overlap for ever would keep it growing.
func TestReadersWithoutAGapLetTheLogStartAnew(t *testing.T) {
	dir := t.TempDir()
	e, err := Open(t.Context(), Options{Dir: dir, Create: true, Ballast: -1, WALPages: 200})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	w := newWorld(t, 1, crashfs.Options{}, ncruces{})
	w.createPerson(e)
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for i := range 3 {
		readers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				s, err := e.Snapshot(ctx)
				if err != nil {
					return
				}
				time.Sleep(time.Duration(20+7*i) * time.Millisecond)
				s.Close()
			}
		})
	}
	for i := range 6000 {
		if _, err := put(w, e, w.people[0], fmt.Sprint(i), 2000); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	readers.Wait()
	fi, err := os.Stat(filepath.Join(dir, FileName+"-wal"))
	if err != nil {
		t.Fatal(err)
	}
	if fi.Size() > 30<<20 { // over 100 MiB went through it
		t.Errorf("the log grew to %d octets", fi.Size())
	}
}

// TestTheLogIsResetUnderLoad: a writer that never rests must not make the write-ahead log grow for ever.
func TestTheLogIsResetUnderLoad(t *testing.T) {
	dir := t.TempDir()
	e, err := Open(t.Context(), Options{Dir: dir, Create: true, Ballast: -1, WALPages: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	w := newWorld(t, 1, crashfs.Options{}, ncruces{})
	w.createPerson(e)
	largest := int64(0)
	for i := range 3000 {
		if _, err := put(w, e, w.people[0], fmt.Sprint(i%50), 4000); err != nil {
			t.Fatal(err)
		}
		fi, err := os.Stat(filepath.Join(dir, FileName+"-wal"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if err == nil {
			largest = max(largest, fi.Size())
		}
	}
	if largest > 20<<20 { // all that was written is over 60 MiB
		t.Errorf("the log grew to %d octets", largest)
	}
}

// TestPlans reads the plan of every query, by either driver: none may read a whole table, whose cost would grow with what everybody stores.
func TestPlans(t *testing.T) {
	e, err := Open(t.Context(), Options{Dir: t.TempDir(), Create: true, Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	plans(t, e)
	_, simulation, _ := simulated(t, crashfs.Options{})
	plans(t, simulation)
}

func plans(t *testing.T, e *Engine) {
	t.Helper()
	allowed := []query{qCountAccounts, qCountLogins, qLastBatch, qGhosts} // once, at start or in a check; the last but one reads one row, the last an index of ghosts alone
	for q := qStore; q < qCheckpoint; q++ {
		s, err := e.w.Prepare("EXPLAIN QUERY PLAN " + queries[q])
		if err != nil {
			t.Fatalf("%s: %v", queries[q], err)
		}
		for {
			row, err := s.Step()
			if err != nil {
				t.Fatal(err)
			}
			if !row {
				break
			}
			plan := s.Text(3)
			bad := strings.HasPrefix(plan, "SCAN") && !strings.Contains(plan, "CONSTANT") && !strings.Contains(plan, "subquery") || strings.Contains(plan, "TEMP B-TREE")
			if bad && !slices.Contains(allowed, q) {
				t.Errorf("%s\n\t%s", queries[q], plan)
			}
			if want := "SEARCH l USING PRIMARY KEY (login>? AND login<?)"; q == qAccountsByLocalPart && strings.Contains(plan, " l ") && plan != want {
				t.Errorf("%s\n\t%s, want %s", queries[q], plan, want)
			}
			if want := "SEARCH r USING INDEX res_time (coll=? AND span=? AND t0>? AND t0<?)"; q == qBetween && plan != want {
				t.Errorf("%s\n\t%s, want %s", queries[q], plan, want)
			}
		}
		s.Close()
	}
}

func TestCheckFindsWhatWasTamperedWith(t *testing.T) {
	for name, sql := range map[string]string{
		"an octet":          `UPDATE changes SET body=x'00' WHERE name='1'`,
		"a name":            `UPDATE changes SET name='9' WHERE name='1'`,
		"a time":            `UPDATE changes SET at=at+1 WHERE name='1'`,
		"a chain":           `UPDATE changes SET chain=zeroblob(32) WHERE name='1'`,
		"a missing change":  `DELETE FROM changes WHERE name='1'`,
		"a missing item":    `DELETE FROM resources WHERE name='1'`,
		"an item too many":  `INSERT INTO resources SELECT coll,'x',seq+1000,lsn,state,item,kind,etag,phash,size,at,made,NULL,t0,t1,months,span FROM resources WHERE name='1'`,
		"an ETag":           `UPDATE resources SET etag=zeroblob(32) WHERE name='1'`,
		"a hidden deletion": `UPDATE resources SET state=1 WHERE name='1'`,
		"a count":           `UPDATE collections SET items=items+1`,
		"a sum":             `UPDATE collections SET dsum=zeroblob(32)`,
		"a version's link":  `UPDATE changes SET prev=1 WHERE name='2'`,
		"whose octets":      `UPDATE resources SET lsn=(SELECT lsn FROM changes WHERE name='2') WHERE name='1'`,
		"an item's number":  `UPDATE resources SET item=item+1 WHERE name='1'`,
		"an item's kind":    `UPDATE resources SET kind=17 WHERE name='1'`,
		"a creation":        `UPDATE resources SET made=made+1 WHERE name='1'`,
		"a hidden book":     `UPDATE collections SET gone=1 WHERE name='book'`,
		"a book's name":     `UPDATE collections SET name='other' WHERE name='book'`,
		"a book's type":     `UPDATE collections SET type='calendar' WHERE name='book'`,
		"a book's place":    `UPDATE collections SET parent=coll WHERE name='book'`,
		"a book's CTag":     `UPDATE collections SET seq=seq-1 WHERE name='book'`,
		"a book's creation": `UPDATE collections SET made=made+1 WHERE name='book'`,
		"a lost login":      `DELETE FROM logins`,
		"an extra login":    `INSERT INTO logins VALUES('eve@example.org', 1)`,
		"a lost account":    `DELETE FROM accounts`,
		"a lost epoch":      `DELETE FROM epochs`,
		"a lost batch":      `DELETE FROM batches WHERE batch=(SELECT max(batch) FROM batches)`,
		"a batch's hash":    `UPDATE batches SET hash=zeroblob(32) WHERE batch=2`,
		"a batch's end":     `UPDATE batches SET lsn=lsn+1 WHERE batch=2`,
		"a change's batch":  `UPDATE changes SET batch=batch+1 WHERE name='1'`,
		"a count of items":  `UPDATE changes SET items=items+1 WHERE name='2'`,
		"a UID":             `UPDATE resources SET uid='other' WHERE name='e'`,
		"a lost UID":        `UPDATE resources SET uid=NULL WHERE name='e'`,
		"an extra UID":      `UPDATE resources SET uid='1' WHERE name='1'`,
		"a start":           `UPDATE resources SET t0=t0+1 WHERE name='e'`,
		"an end":            `UPDATE resources SET t1=t1+1 WHERE name='e'`,
		"months":            `UPDATE resources SET months=x'00' WHERE name='e'`,
		"no months":         `UPDATE resources SET months=NULL WHERE name='e'`,
		"no time":           `UPDATE resources SET t0=NULL, t1=NULL, months=NULL, span=NULL WHERE name='e'`,
		"an extra time":     `UPDATE resources SET t0=1, t1=2, span=0 WHERE name='1'`,
		"a hidden time":     `UPDATE resources SET span=NULL WHERE name='e'`,
		"a wrong class":     `UPDATE resources SET span=span+1 WHERE name='e'`,
		"a dead one's UID":  `UPDATE resources SET uid='3' WHERE name='dead'`,
		"a dead one's time": `UPDATE resources SET t0=1, t1=2, span=0 WHERE name='dead'`,
	} {
		t.Run(name, func(t *testing.T) {
			e, err := Open(t.Context(), Options{Dir: t.TempDir(), Create: true, Ballast: -1})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			w := newWorld(t, 1, crashfs.Options{}, ncruces{})
			w.createPerson(e)
			for i := range 3 {
				if _, err := put(w, e, w.people[0], fmt.Sprint(i), 100); err != nil {
					t.Fatal(err)
				}
			}
			event := w.entry(holdfast.OpPut, holdfast.KindEvent, w.people[0].book, "e", []byte("e"))
			event.Index = eventIndex
			dead := w.entry(holdfast.OpPut, holdfast.KindAddress, w.people[0].book, "dead", []byte("dead"))
			g := &holdfast.Group{Account: w.people[0].id, Entries: []holdfast.Entry{event, dead, w.entry(holdfast.OpDelete, holdfast.KindAddress, w.people[0].book, "dead", nil)}}
			g.Seal()
			if _, err := e.Commit(t.Context(), g); err != nil {
				t.Fatal(err)
			}
			findings := 0
			look := func() {
				t.Helper()
				if err := e.Check(t.Context(), true, deriveEvent, func(f store.Finding) { findings++ }); err != nil {
					t.Fatal(err)
				}
			}
			if look(); findings != 0 {
				t.Fatal("findings before anything was done")
			}
			if err := e.w.Exec(sql); err != nil {
				t.Fatal(err)
			}
			if look(); findings == 0 {
				t.Error("it was not noticed")
			}
		})
	}
}

var eventIndex = holdfast.Index{UID: "uid", Times: holdfast.Times{Timed: true, First: 100, Last: 200, Months: []byte{7}}}

// deriveEvent is what the octets say in TestCheckFindsWhatWasTamperedWith: of the event, its index; of all else, what a simulated disk is given.
func deriveEvent(c *holdfast.Collection, r *holdfast.Resource) (holdfast.Index, bool) {
	if string(r.Body) == "e" && c.Name == "book" {
		return eventIndex, true
	}
	return deriveBySize(c, r)
}

// TestOneBadGroupTakesNoOtherDown puts a group whose statement fails into a batch with good ones.
func TestOneBadGroupTakesNoOtherDown(t *testing.T) {
	w, e, p := simulated(t, crashfs.Options{})
	if err := e.w.Exec("CREATE TRIGGER t BEFORE INSERT ON changes WHEN NEW.name='bad' BEGIN SELECT RAISE(ABORT, 'no'); END"); err != nil {
		t.Fatal(err)
	}
	var batch []*waiting
	for _, name := range []string{"a", "bad", "b"} {
		g := &holdfast.Group{Account: p.id, Entries: []holdfast.Entry{w.entry(holdfast.OpPut, holdfast.KindAddress, p.book, name, []byte(name))}}
		g.Seal()
		batch = append(batch, &waiting{g: g})
	}
	e.commitBatch(batch)
	if batch[0].err != nil || batch[2].err != nil || !holdfast.IsKind(batch[1].err, holdfast.Internal) {
		t.Errorf("%v, %v, %v", batch[0].err, batch[1].err, batch[2].err)
	}
	if e.Info().Failed != nil {
		t.Error("the engine stopped for a statement")
	}
	if err := e.Check(t.Context(), true, nil, func(f store.Finding) { t.Errorf("%+v", f) }); err != nil {
		t.Error(err)
	}
}
