package library

import (
	"context"
	"fmt"

	"holdfast"

	"zombiezen.com/go/sqlite"
)

// Detail is all that is known of one photo.
type Detail struct {
	Photo
	Also    []string `json:"also"` // paths of other files with the same octets
	Albums  []Named  `json:"albums"`
	Verdict Verdict  `json:"verdict"`
}

// Named is an album that a photo is in.
type Named struct {
	ID    holdfast.ID `json:"id"`
	Title string      `json:"title"`
}

// Detail returns one photo, also a film that is a part of another, by the number of its file. Errors: NotFound, Forbidden, InDoubt, Unavailable.
func (l *Library) Detail(ctx context.Context, p holdfast.Principal, owner holdfast.ID, id uint64) (d Detail, err error) {
	st, err := l.standingOf(ctx, p, owner)
	if err != nil {
		return d, err
	}
	return d, l.ask(ctx, p, owner, func(c *conn, a *asked) error {
		list, err := c.photos(owner, a, "WHERE p.acct = ? AND p.item = ?", owner, int64(id))
		if err == nil && len(list) == 0 {
			err = fail("Detail", holdfast.NotFound, fmt.Sprint(id), "there is no such photo")
		}
		if err != nil {
			return err
		}
		d = Detail{Photo: list[0], Also: []string{}, Albums: []Named{}}
		d.Verdict = st.of(&d.Photo)
		if err := c.each("SELECT coll, name FROM photo WHERE acct = ? AND hash = ? AND item <> ? ORDER BY item LIMIT 100", func(s *sqlite.Stmt) error {
			d.Also = append(d.Also, a.path(idAt(s, 0), s.ColumnText(1)))
			return nil
		}, owner, d.Hash, int64(id)); err != nil {
			return err
		}
		return c.each("SELECT DISTINCT f.id, f.title FROM member AS m JOIN folder AS f ON f.id = m.album WHERE m.acct = ?1 AND (m.hash = ?2 OR m.coll = ?3 AND m.file = ?4 AND NOT EXISTS (SELECT 1 FROM photo WHERE photo.acct = ?1 AND photo.hash = m.hash)) ORDER BY f.title LIMIT 100",
			func(s *sqlite.Stmt) error {
				d.Albums = append(d.Albums, Named{idAt(s, 0), s.ColumnText(1)})
				return nil
			}, owner, d.Hash, d.Collection, d.Name)
	})
}

// Same are files with the same octets.
type Same struct {
	Hash   holdfast.Hash `json:"sha256"`
	Octets int64         `json:"octets"` // of one
	Photos []Photo       `json:"photos"`
}

// mostAlike bounds how many files with the same octets are told.
const mostAlike = 100

// Duplicates returns photos and films of which an account has the octets at several places, by hash, above after; at most limit. next is where to go on; zero: that was all.
func (l *Library) Duplicates(ctx context.Context, p holdfast.Principal, owner holdfast.ID, after holdfast.Hash, limit int) (out []Same, next holdfast.Hash, err error) {
	if limit < 1 || limit > MaxPage {
		return nil, next, fail("Duplicates", holdfast.Invalid, "", fmt.Sprintf("a page has 1 to %d", MaxPage))
	}
	out = []Same{}
	return out, next, l.ask(ctx, p, owner, func(c *conn, a *asked) error {
		out, next = out[:0], holdfast.Hash{}
		if err := c.each("SELECT hash, max(size) FROM photo WHERE acct = ? AND hash > ? AND (shown OR film) GROUP BY hash HAVING count(*) > 1 ORDER BY hash LIMIT ?", func(s *sqlite.Stmt) error {
			out = append(out, Same{Hash: hashAt(s, 0), Octets: s.ColumnInt64(1)})
			return nil
		}, owner, after, limit+1); err != nil {
			return err
		}
		if len(out) > limit {
			out = out[:limit]
			next = out[limit-1].Hash
		}
		for i := range out {
			list, err := c.photos(owner, a, "WHERE p.acct = ? AND p.hash = ? ORDER BY p.item LIMIT ?", owner, out[i].Hash, mostAlike)
			if err != nil {
				return err
			}
			out[i].Photos = list
		}
		return nil
	})
}

// Status is how the library fares, over all accounts.
type Status struct {
	Photos      int64 `json:"photos"`      // rows of all timelines
	Waiting     int64 `json:"waiting"`     // to be read, or for their thumbnails
	Undecodable int64 `json:"undecodable"` // that have no thumbnail, and will have none
	Broken      int64 `json:"broken"`      // whose octets are damaged or lost
	NoPosters   int64 `json:"no_posters"`  // films without a poster, as ffmpeg is not there
	Films       bool  `json:"films"`       // ffmpeg is there
	Running     bool  `json:"running"`
}

// Status counts.
func (l *Library) Status(ctx context.Context) (st Status, err error) {
	st = Status{Films: l.o.Films, Running: l.running.Load()}
	return st, l.read(ctx, func(c *conn) error {
		if err := c.each("SELECT coalesce(sum(photos), 0) FROM month", func(s *sqlite.Stmt) error { st.Photos = s.ColumnInt64(0); return nil }); err != nil {
			return err
		}
		return c.each("SELECT state, count(*) FROM content GROUP BY state", func(s *sqlite.Stmt) error {
			n := s.ColumnInt64(1)
			switch s.ColumnInt(0) {
			case stateNew, stateRead, stateLater:
				st.Waiting += n
			case stateNever:
				st.Undecodable += n
			case stateBroken:
				st.Broken += n
			case stateNoFilms:
				st.NoPosters += n
			}
			return nil
		})
	})
}

// String says it in a line, behind "photos".
func (s Status) String() string {
	text := fmt.Sprintf("%s indexed, %s waiting, %s undecodable", thousands(s.Photos), thousands(s.Waiting), thousands(s.Undecodable))
	if s.Broken > 0 {
		text += fmt.Sprintf(", %s damaged or lost", thousands(s.Broken))
	}
	if !s.Films {
		text += "; films have no posters: ffmpeg is not installed"
	}
	return text
}

// thousands writes a number with its thousands apart.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
