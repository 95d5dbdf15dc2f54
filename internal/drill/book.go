package drill

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"holdfast"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Book keeps the results of drills, and when each account was last proven. It is an SQLite file, so that memory does not grow with accounts. What it holds can be lost: then nothing is proven until it is proven again.
type Book struct {
	mu   sync.Mutex
	conn *sqlite.Conn
	keep int
}

const bookSchema = `
CREATE TABLE IF NOT EXISTS drill (id TEXT PRIMARY KEY, started INTEGER NOT NULL, vault TEXT NOT NULL, result TEXT NOT NULL, sha256 BLOB NOT NULL, json BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS drill_started ON drill (started);
CREATE TABLE IF NOT EXISTS proof (account BLOB NOT NULL, vault TEXT NOT NULL, at INTEGER NOT NULL, drill TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, chain BLOB NOT NULL, state BLOB NOT NULL, PRIMARY KEY (account, vault)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tried (account BLOB NOT NULL, vault TEXT NOT NULL, at INTEGER NOT NULL, suspect INTEGER NOT NULL, PRIMARY KEY (account, vault)) WITHOUT ROWID;
`

// asked is the account that a drill's result says was asked for; NULL: none was. Such drills are what people ask for, as often as they may: they take no place of the vaults' own.
const asked = "json_extract(CAST(json AS TEXT), '$.account')"

// OpenBook opens the book in a file; makes it where it is not there or cannot be read, and says so. keep is how many results it holds, those of the newest drills. What was running when its process ended is inconclusive.
func OpenBook(file string, keep int, now time.Time) (b *Book, lost bool, err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, false, fmt.Errorf("drill.OpenBook: %w", err)
	}
	c, err := openBook(file)
	if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultNotADB || sqlite.ErrCode(err).ToPrimary() == sqlite.ResultCorrupt {
		lost = true
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(file + suffix); err != nil && !os.IsNotExist(err) {
				return nil, lost, fmt.Errorf("drill.OpenBook: %w", err)
			}
		}
		c, err = openBook(file)
	}
	if err != nil {
		return nil, lost, fmt.Errorf("drill.OpenBook: %w", err)
	}
	b = &Book{conn: c, keep: keep}
	if err := b.settle(now); err != nil {
		c.Close()
		return nil, lost, err
	}
	return b, lost, nil
}

// LastPass returns the newest result that passed, of a vault that no drill has found wanting since, out of a book that another process may have open; ok is false where there is none, or no book. What somebody asked for of his own account proves
// nothing of the others. has tells which vaults there are still, and since when: one of the same name that was there before is another one.
func LastPass(file string, now time.Time, has func(vault string) (since time.Time, ok bool)) (r Result, ok bool, err error) {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	c, err := openBook(file)
	if err != nil {
		return r, false, fmt.Errorf("drill.LastPass: %w", err)
	}
	defer c.Close()
	b := &Book{conn: c}
	var vaults []string
	if err := b.exec("SELECT DISTINCT vault FROM drill", func(s *sqlite.Stmt) error { vaults = append(vaults, s.ColumnText(0)); return nil }); err != nil {
		return r, false, err
	}
	for _, name := range vaults {
		since, there := has(name)
		if !there {
			continue
		}
		x, err := b.Standing(name, since, now)
		if err != nil {
			return r, false, err
		}
		if p := x.Passed; p.ID != "" && x.Failed.ID == "" && x.Unsure.ID == "" && (!ok || p.Started.After(r.Started)) {
			r, ok = p, true
		}
	}
	return r, ok, nil
}

func openBook(file string) (*sqlite.Conn, error) {
	c, err := sqlite.OpenConn(file, sqlite.OpenReadWrite|sqlite.OpenCreate|sqlite.OpenWAL)
	if err != nil {
		return nil, err
	}
	for _, sql := range []string{"PRAGMA synchronous=FULL", "PRAGMA cache_size=-2048", "PRAGMA trusted_schema=OFF", "PRAGMA temp_store=MEMORY"} {
		if err := sqlitex.ExecuteTransient(c, sql, nil); err != nil {
			c.Close()
			return nil, err
		}
	}
	if err := sqlitex.ExecuteScript(c, bookSchema, nil); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close closes the file.
func (b *Book) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.conn.Close()
}

func (b *Book) exec(sql string, result func(*sqlite.Stmt) error, args ...any) error {
	if err := sqlitex.Execute(b.conn, sql, &sqlitex.ExecOptions{Args: args, ResultFunc: result}); err != nil {
		kind := holdfast.Unavailable
		if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultFull {
			kind = holdfast.Full
		}
		return fail("Book", kind, "", "the book of drills cannot be used", err)
	}
	return nil
}

// settle ends what a process that is gone left running.
func (b *Book) settle(now time.Time) error {
	var left []Result
	err := b.exec("SELECT json FROM drill WHERE result = ?", func(s *sqlite.Stmt) error {
		r, err := decode(s, 0)
		left = append(left, r)
		return err
	}, string(Running))
	for i := range left {
		r := &left[i]
		r.unsure("the process that ran it ended before it did")
		r.Ended = now.UTC().Truncate(time.Second)
		if err == nil {
			err = b.write(r)
		}
	}
	return err
}

func decode(s *sqlite.Stmt, col int) (r Result, err error) {
	text := make([]byte, s.ColumnLen(col))
	s.ColumnBytes(col, text)
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fail("Book", holdfast.Corrupt, "", "a result in the book of drills cannot be read", err)
	}
	return r, nil
}

// Begin notes a drill that is about to run.
func (b *Book) Begin(r Result) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.Result = Running
	return b.write(&r)
}

func (b *Book) write(r *Result) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("drill.Book: %w", err)
	}
	sum := holdfast.HashOf(text)
	return b.exec("INSERT OR REPLACE INTO drill (id, started, vault, result, sha256, json) VALUES (?, ?, ?, ?, ?, ?)", nil, r.ID, r.Started.Unix(), r.Vault, string(r.Result), sum[:], text)
}

// End notes what came of a drill, what it proved, and lets the oldest results go. It is all or nothing. It returns the SHA-256 of the result as it is kept.
func (b *Book) End(r *Result, proofs []Proof) (sum holdfast.Hash, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	done := sqlitex.Save(b.conn)
	defer done(&err)
	if err := b.write(r); err != nil {
		return sum, err
	}
	for i := range proofs {
		p := &proofs[i]
		if err := b.exec("INSERT OR REPLACE INTO proof (account, vault, at, drill, epoch, seq, chain, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", nil, p.Account[:], r.Vault, r.Ended.Unix(), r.ID, int64(p.Epoch), int64(p.Seq), p.Chain[:], p.State[:]); err != nil {
			return sum, err
		}
	}
	if err := b.noteTried(r); err != nil {
		return sum, err
	}
	// The last pass of each vault is kept however old it is, and so is the last that failed. What was asked for is counted for itself. What is dated later than this one was begun while a clock was wrong, and takes nobody's place.
	for _, own := range []string{" IS NULL", " IS NOT NULL"} {
		if err := b.exec("DELETE FROM drill WHERE "+asked+own+" AND id NOT IN (SELECT id FROM drill WHERE "+asked+own+" ORDER BY started > ?2, started DESC, id DESC LIMIT ?1) AND id NOT IN (SELECT id FROM (SELECT id, max(started) FROM drill WHERE result = 'pass' AND started <= ?2 AND "+asked+" IS NULL GROUP BY vault)) AND id NOT IN (SELECT id FROM (SELECT id, max(started) FROM drill WHERE result = 'fail' AND started <= ?2 AND "+asked+own+" GROUP BY vault))",
			nil, b.keep, latest(r.Ended)); err != nil {
			return sum, err
		}
	}
	text, err := json.Marshal(r)
	return holdfast.HashOf(text), err
}

// noteTried notes which accounts a drill of some tried, and which it found wanting: those stay suspect until a drill that tried them has passed.
func (b *Book) noteTried(r *Result) error {
	if r.Result == Pass && r.only == nil {
		return b.exec("DELETE FROM tried WHERE vault = ?", nil, r.Vault)
	}
	note := func(id holdfast.ID, suspect bool) error {
		return b.exec("INSERT INTO tried (account, vault, at, suspect) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET at = excluded.at, suspect = excluded.suspect OR suspect AND ?5", nil, id[:], r.Vault, r.Ended.Unix(), suspect, r.Result != Pass)
	}
	for id := range r.only {
		if err := note(id, false); err != nil {
			return err
		}
	}
	suspect := r.suspect
	if r.nameless && len(suspect) == 0 { // one of those that were tried, or all: which, is not known
		known := false
		if err := b.exec("SELECT 1 FROM tried WHERE vault = ? AND suspect LIMIT 1", func(*sqlite.Stmt) error { known = true; return nil }, r.Vault); err != nil {
			return err
		}
		if !known {
			suspect = r.only
		}
	}
	for id := range suspect {
		if err := note(id, true); err != nil {
			return err
		}
	}
	return nil
}

// Tried returns when an account was last tried by a drill of some of a vault's accounts, and whether the last one found it wanting, or something that may be its; a zero time where none did.
func (b *Book) Tried(vault string, account holdfast.ID) (at time.Time, suspect bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	err = b.exec("SELECT at, suspect FROM tried WHERE account = ? AND vault = ?", func(s *sqlite.Stmt) error {
		at, suspect = time.Unix(s.ColumnInt64(0), 0).UTC(), s.ColumnBool(1)
		return nil
	}, account[:], vault)
	return at, suspect, err
}

// List returns up to limit results, newest first.
func (b *Book) List(limit int) (out []Result, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	err = b.exec("SELECT json FROM drill ORDER BY started DESC, id DESC LIMIT ?", func(s *sqlite.Stmt) error {
		r, err := decode(s, 0)
		out = append(out, r)
		return err
	}, limit)
	return out, err
}

// Show returns one result. Errors: NotFound.
func (b *Book) Show(id string) (r Result, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := false
	err = b.exec("SELECT json FROM drill WHERE id = ?", func(s *sqlite.Stmt) (err error) { r, err = decode(s, 0); found = true; return err }, id)
	if err == nil && !found {
		err = fail("Show", holdfast.NotFound, id, "there is no drill of this id; `holdfast drill list` shows which are", nil)
	}
	return r, err
}

// About returns up to limit results that say something of an account, newest first: those of all accounts or of a sample of them, and those that were asked for it.
func (b *Book) About(account holdfast.ID, limit int) (out []Result, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	err = b.exec("SELECT json FROM drill WHERE coalesce("+asked+", ?1) = ?1 ORDER BY started DESC, id DESC LIMIT ?2", func(s *sqlite.Stmt) error {
		r, err := decode(s, 0)
		out = append(out, r)
		return err
	}, account.String(), limit)
	return out, err
}

// Asked returns when a drill was last begun that was asked for an account; zero: none was.
func (b *Book) Asked(account holdfast.ID, now time.Time) (at time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	err = b.exec("SELECT started FROM drill WHERE "+asked+" = ? AND started <= ? ORDER BY started DESC LIMIT 1", func(s *sqlite.Stmt) error {
		at = time.Unix(s.ColumnInt64(0), 0).UTC()
		return nil
	}, account.String(), latest(now))
	return at, err
}

// latest is when, at the latest, something was begun that is believed at a moment: what is dated later was noted while a clock was wrong, and would stand for the newest until that time has come.
func latest(now time.Time) int64 { return now.Add(time.Minute).Unix() }

// Standing is what the drills of a vault came to. An empty id means that there is none.
type Standing struct {
	Last   Result // the newest of the vault's own
	Passed Result // the newest of those that passed
	Failed Result // the newest that failed since, also of one account that was asked for
	Unsure Result // the first since that proved nothing
}

// Standing returns what the drills of a vault came to that began since it is there: one of the same name that was there before is another one. Those of one account that was asked for are left out, as they prove little of the vault, but for what they found to be missing. What is dated in the future is left out: a clock was wrong.
func (b *Book) Standing(vault string, from, now time.Time) (out Standing, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one := func(to *Result, where string, args ...any) {
		if err == nil {
			err = b.exec("SELECT json FROM drill WHERE vault = ?1 AND started <= ?2 AND started >= ?3 AND result <> 'running' AND "+where+" LIMIT 1", func(s *sqlite.Stmt) (err error) { *to, err = decode(s, 0); return err }, append([]any{vault, latest(now), from.Unix()}, args...)...)
		}
	}
	one(&out.Last, asked+" IS NULL ORDER BY started DESC, id DESC")
	one(&out.Passed, "result = 'pass' AND "+asked+" IS NULL ORDER BY started DESC, id DESC")
	since := int64(-1 << 62)
	if out.Passed.ID != "" {
		since = out.Passed.Started.Unix()
	}
	// Somebody who saw his own account fail may have seen it pass since.
	one(&out.Failed, "result = 'fail' AND started > ?4 AND NOT EXISTS (SELECT 1 FROM drill AS later WHERE later.vault = ?1 AND later.result = 'pass' AND later.started > drill.started AND later.started <= ?2 AND json_extract(CAST(later.json AS TEXT), '$.account') = json_extract(CAST(drill.json AS TEXT), '$.account')) ORDER BY started DESC, id DESC", since)
	one(&out.Unsure, "result = 'inconclusive' AND started > ?4 AND "+asked+" IS NULL ORDER BY started, id", since)
	return out, err
}

// Proven is the newest proof of an account.
type Proven struct {
	Proof
	Vault string
	Drill string
	At    time.Time
}

// ProvenIn returns the proof of an account in one vault; a zero time where there is none.
func (b *Book) ProvenIn(vault string, account holdfast.ID) (p Proven, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.Account = account
	err = b.exec("SELECT vault, drill, at, epoch, seq, chain, state FROM proof WHERE account = ? AND vault = ?", func(s *sqlite.Stmt) error {
		p.Vault, p.Drill, p.At = s.ColumnText(0), s.ColumnText(1), time.Unix(s.ColumnInt64(2), 0).UTC()
		p.Epoch, p.Seq = uint64(s.ColumnInt64(3)), uint64(s.ColumnInt64(4))
		s.ColumnBytes(5, p.Chain[:])
		s.ColumnBytes(6, p.State[:])
		return nil
	}, account[:], vault)
	return p, err
}

// Forget removes what is known of an account that was erased.
func (b *Book) Forget(account holdfast.ID) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.exec("DELETE FROM drill WHERE "+asked+" = ?", nil, account.String()); err != nil {
		return err
	}
	if err := b.exec("DELETE FROM tried WHERE account = ?", nil, account[:]); err != nil {
		return err
	}
	return b.exec("DELETE FROM proof WHERE account = ?", nil, account[:])
}
