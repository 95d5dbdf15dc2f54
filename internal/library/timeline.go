package library

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"holdfast"

	"zombiezen.com/go/sqlite"
)

// Month is a month of the timeline.
type Month struct {
	Month  string `json:"month"` // 2009-10
	Photos int    `json:"photos"`
}

// Timeline is what there is: how many photos in which month, newest first.
type Timeline struct {
	Photos int     `json:"photos"`
	Months []Month `json:"months"`
	Behind bool    `json:"behind"` // something that was stored is not in it yet
}

// Months counts an account's photos by month. The months are those of the clocks on the wall where the photos were taken.
func (l *Library) Months(ctx context.Context, p holdfast.Principal, owner holdfast.ID) (t Timeline, err error) {
	return t, l.ask(ctx, p, owner, func(c *conn, a *asked) error {
		t = Timeline{Months: []Month{}, Behind: a.behind}
		return c.each("SELECT month, photos FROM month WHERE acct = ? ORDER BY month DESC", func(s *sqlite.Stmt) error {
			m := s.ColumnInt(0)
			t.Months = append(t.Months, Month{fmt.Sprintf("%04d-%02d", m/12, m%12+1), s.ColumnInt(1)})
			t.Photos += s.ColumnInt(1)
			return nil
		}, owner)
	})
}

// MaxPage is how many photos a page has at most.
const MaxPage = 1000

// Query says which photos are asked for. The zero query: all.
type Query struct {
	From, To time.Time   // by the clock on the wall where it was taken, in UTC as if that were its zone; From inclusive, To exclusive; zero: no bound
	Name     string      // of the file: a part of it. Here and below letters' case and accents do not count
	Camera   string      // words that its make, model and lens have
	Place    string      // a part of the place's name, as the file says it
	Box      *Box        // where it was taken
	Favorite bool        // favourites alone
	Album    holdfast.ID // those in an album alone
	After    string      // the Next of the page before
	Limit    int         // default 100, at most MaxPage
}

// Box is a part of the earth, in degrees. Where West is greater than East it goes over the date line.
type Box struct{ South, West, North, East float64 }

// Page is a part of a timeline: newest first.
type Page struct {
	Photos []Photo `json:"photos"`
	Next   string  `json:"next,omitempty"` // the next page's After; empty: that was all
	Behind bool    `json:"behind"`         // something that was stored is not in it yet
}

// where builds the condition of a query.
type where struct {
	sql  strings.Builder
	args []any
}

func (w *where) and(sql string, args ...any) {
	w.sql.WriteString(" AND " + sql)
	w.args = append(w.args, args...)
}

// Photos returns a page of an account's photos, newest first. A page costs what it passes: all that are newer than its last photo, where the query leaves most out.
//
// Errors: Invalid (the cursor, the limit, the box), NotFound (the album), Forbidden, InDoubt, Unavailable.
func (l *Library) Photos(ctx context.Context, p holdfast.Principal, owner holdfast.ID, q Query) (page Page, err error) {
	limit := q.Limit
	def(&limit, 100)
	if limit < 1 || limit > MaxPage {
		return page, fail("Photos", holdfast.Invalid, "", fmt.Sprintf("a page has 1 to %d photos", MaxPage))
	}
	w, err := q.where(owner)
	if err != nil {
		return page, err
	}
	return page, l.ask(ctx, p, owner, func(c *conn, a *asked) error {
		if !q.Album.IsZero() {
			if _, ok := a.paths[q.Album]; !ok {
				return fail("Photos", holdfast.NotFound, q.Album.String(), "there is no such album")
			}
		}
		list, err := c.photosOf(owner, a, w.sql.String()+" ORDER BY p.wall DESC, p.item DESC LIMIT ?", append(w.args[:len(w.args):len(w.args)], limit+1)...)
		if err != nil {
			return err
		}
		page = Page{Photos: list, Behind: a.behind}
		if len(list) > limit {
			page.Photos = list[:limit]
			last := &list[limit-1]
			page.Next = fmt.Sprintf("%d.%d", last.wall, last.ID)
		}
		if page.Photos == nil {
			page.Photos = []Photo{}
		}
		return nil
	})
}

func (q *Query) where(owner holdfast.ID) (w where, err error) {
	from, shown := joined, " AND p.shown = 1"
	switch {
	case !q.Album.IsZero(): // its photos are looked up and sorted, not the other way round
		shown = " AND +p.shown = 1"
	case q.Favorite:
		from = strings.Replace(joined, "photo AS p", "photo AS p INDEXED BY photo_favorite", 1)
	}
	w.sql.WriteString("SELECT " + columns + from + "WHERE p.acct = ?" + shown)
	w.args = append(w.args, owner)
	if q.After != "" {
		wall, item, err := parseCursor(q.After)
		if err != nil {
			return w, err
		}
		w.and("(p.wall, p.item) < (?, ?)", wall, item)
	}
	if !q.From.IsZero() {
		w.and("p.wall >= ?", wallOf(q.From))
	}
	if !q.To.IsZero() {
		w.and("p.wall < ?", wallOf(q.To))
	}
	if q.Favorite {
		w.and("p.favorite = 1")
	}
	if q.Name != "" {
		w.and("instr(p.folded, ?) > 0", fold(q.Name))
	}
	for _, word := range strings.Fields(fold(q.Camera)) {
		w.and("instr(k.camera, ?) > 0", word)
	}
	if q.Place != "" {
		w.and("instr(k.place_folded, ?) > 0", fold(q.Place))
	}
	if b := q.Box; b != nil {
		if !(b.South >= -90 && b.South <= b.North && b.North <= 90 && b.West >= -180 && b.West <= 180 && b.East >= -180 && b.East <= 180) { // also where one is no number
			return w, fail("Photos", holdfast.Invalid, "", "a box has latitudes of -90 to 90, the southern one first, and longitudes of -180 to 180")
		}
		w.and("k.lat BETWEEN ? AND ?", b.South, b.North)
		if b.West <= b.East {
			w.and("k.lon BETWEEN ? AND ?", b.West, b.East)
		} else {
			w.and("(k.lon >= ? OR k.lon <= ?)", b.West, b.East)
		}
	}
	if !q.Album.IsZero() {
		w.and("p.item IN ("+resolved+" WHERE m.album = ? AND m.acct = ?)", q.Album, owner)
	}
	return w, nil
}

func parseCursor(s string) (wall, item int64, err error) {
	a, b, ok := strings.Cut(s, ".")
	wall, err1 := strconv.ParseInt(a, 10, 64)
	item, err2 := strconv.ParseInt(b, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return 0, 0, fail("Photos", holdfast.Invalid, s, "this is no place in a timeline; it is what the page before said")
	}
	return wall, item, nil
}
