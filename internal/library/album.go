package library

import (
	"context"

	"holdfast"

	"zombiezen.com/go/sqlite"
)

// resolved selects the file that each reference m of an album means: that with its content, the one where it lay before others; if none has it, the one where it lay.
const resolved = `SELECT coalesce(
	(SELECT f.item FROM photo AS f WHERE f.acct = m.acct AND f.hash = m.hash ORDER BY f.coll = m.coll AND f.name = m.file DESC, f.shown DESC, f.item LIMIT 1),
	(SELECT f.item FROM photo AS f WHERE f.coll = m.coll AND f.name = m.file AND f.acct = m.acct)) FROM member AS m`

// Album is photos that a person put together.
type Album struct {
	ID     holdfast.ID `json:"id"`
	Path   string      `json:"path"`
	Title  string      `json:"title"`
	Photos int         `json:"photos"` // that are there
	Gone   int         `json:"gone"`   // that were put into it and are not there now
	Cover  *Photo      `json:"cover,omitempty"`
}

// Albums returns an account's albums by title.
func (l *Library) Albums(ctx context.Context, p holdfast.Principal, owner holdfast.ID) (out []Album, err error) {
	out = []Album{}
	return out, l.ask(ctx, p, owner, func(c *conn, a *asked) error {
		out = out[:0]
		if err := c.each(`SELECT id, title, (SELECT count(*) FROM member WHERE member.album = folder.id), (SELECT count(DISTINCT p.item) FROM photo AS p WHERE p.acct = ?1 AND +p.shown = 1 AND p.item IN (`+resolved+` WHERE m.album = folder.id))
			FROM folder WHERE acct = ?1 AND album ORDER BY title, id`, func(s *sqlite.Stmt) error {
			x := Album{ID: idAt(s, 0), Title: s.ColumnText(1), Photos: s.ColumnInt(3)}
			x.Path, x.Gone = a.paths[x.ID], max(0, s.ColumnInt(2)-x.Photos)
			out = append(out, x)
			return nil
		}, owner); err != nil {
			return err
		}
		for i := range out {
			newest, err := c.photos(owner, a, "WHERE p.acct = ? AND +p.shown = 1 AND p.item IN ("+resolved+" WHERE m.album = ?) ORDER BY p.wall DESC, p.item DESC LIMIT 1", owner, out[i].ID)
			if err != nil {
				return err
			}
			if len(newest) > 0 {
				out[i].Cover = &newest[0]
			}
		}
		return nil
	})
}
