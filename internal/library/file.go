package library

import (
	"strconv"
	"strings"
	"time"
	"unicode"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/photo"

	"golang.org/x/text/unicode/norm"
	"zombiezen.com/go/sqlite"
)

// takeFile writes down a file of a folder of photos as it is now.
func (c *conn) takeFile(account holdfast.ID, x *holdfast.Resource) error {
	was, err := c.fileAt(x.Collection, x.Name)
	if err != nil {
		return err
	}
	if was.there && (x.State == holdfast.Tombstone || was.hash != x.ETag || was.item != x.Item) {
		if err := c.dropFile(account, x.Collection, x.Name, was); err != nil {
			return err
		}
		was.there = false
	}
	if x.State == holdfast.Tombstone || x.Kind != holdfast.KindFile {
		return nil
	}
	favorite, lost := core.IsFavorite(x.Properties), x.State == holdfast.Ghost
	other := clientTime(x)
	if was.there {
		if err := c.exec("UPDATE photo SET seq = ?, favorite = ?, lost = ?, other = ?, wall = ?4, month = ? WHERE coll = ? AND name = ?", int64(x.Seq), favorite, lost, wallOf(other), monthOf(other), x.Collection, x.Name); err != nil {
			return err
		}
		return c.tell(account, x.ETag)
	}
	if err := c.exec("INSERT INTO content (acct, hash, size, state, rank) VALUES (?, ?, ?, ?4, ?5) ON CONFLICT DO UPDATE SET rank = max(rank, ?5), state = CASE WHEN state IN (?6, ?7) THEN ?4 ELSE state END",
		account, x.ETag, x.Size, stateNew, x.Modified.Unix(), stateParked, stateBroken); err != nil {
		return err
	}
	claims := photo.KindOfName(x.Name)
	if err := c.exec("INSERT OR REPLACE INTO photo VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?10, ?11, ?12, ?13, ?13, ?14, ?15, '', ?12)",
		account, int64(x.Item), x.Collection, x.Name, fold(x.Name), x.ETag, x.Size, int64(x.Seq), x.Modified.UnixMilli(), favorite, lost, claims != photo.Unknown, wallOf(other), monthOf(other), claims.Film()); err != nil {
		return err
	}
	return c.tell(account, x.ETag)
}

// row is what the index has of a file.
type row struct {
	there bool
	item  uint64
	hash  holdfast.Hash
	pair  string
}

func (c *conn) fileAt(coll holdfast.ID, name string) (r row, err error) {
	return r, c.each("SELECT item, hash, pair FROM photo WHERE coll = ? AND name = ?", func(s *sqlite.Stmt) error {
		r = row{true, uint64(s.ColumnInt64(0)), hashAt(s, 1), s.ColumnText(2)}
		return nil
	}, coll, name)
}

// dropFile takes a file out. Its octets are remembered as long as a version can be shown that has them.
func (c *conn) dropFile(account, coll holdfast.ID, name string, was row) error {
	if err := c.exec("INSERT OR IGNORE INTO past VALUES (?, ?, ?, ?)", account, was.hash, coll, name); err != nil {
		return err
	}
	if err := c.exec("DELETE FROM photo WHERE coll = ? AND name = ?", coll, name); err != nil {
		return err
	}
	return c.pairUp(account, was.pair)
}

// tell gives all files with the same octets what is known of these: when they were taken, and whether they are shown.
func (c *conn) tell(account holdfast.ID, h holdfast.Hash) error {
	pair, known, film := "", false, false
	var wall any
	if err := c.each("SELECT kind, pair, wall FROM content WHERE acct = ? AND hash = ?", func(s *sqlite.Stmt) error {
		kind := photo.Kind(s.ColumnText(0))
		pair, known, film = s.ColumnText(1), kind != photo.Unknown, kind.Film()
		if !s.ColumnIsNull(2) {
			wall = s.ColumnInt64(2)
		}
		return nil
	}, account, h); err != nil {
		return err
	}
	if known {
		if err := c.exec("UPDATE photo SET film = ?, pair = ?, shown = 1 WHERE acct = ? AND hash = ?", film, pair, account, h); err != nil {
			return err
		}
	}
	if wall != nil {
		month := monthOf(time.UnixMilli(wall.(int64)).UTC())
		if err := c.exec("UPDATE photo SET wall = ?, month = ? WHERE acct = ? AND hash = ?", wall, month, account, h); err != nil {
			return err
		}
	}
	return c.pairUp(account, pair)
}

// pairUp leaves a film out of the timeline while the photo is there of which it is a part.
func (c *conn) pairUp(account holdfast.ID, pair string) error {
	if pair == "" {
		return nil
	}
	return c.exec("UPDATE photo SET shown = NOT EXISTS (SELECT 1 FROM photo AS still WHERE still.acct = ?1 AND still.pair = ?2 AND still.pair <> '' AND NOT still.film) WHERE acct = ?1 AND pair = ?2 AND pair <> '' AND film", account, pair)
}

// clientTime is what stands for the time at which a photo was taken until that is known, or where it is not: that of the file, as its client said it, or that of its coming.
func clientTime(x *holdfast.Resource) time.Time {
	text, _, _ := strings.Cut(x.Properties.Text("DAV:", "lastmodified"), ".")
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if at := time.Unix(n, 0).UTC(); at.Year() >= 1826 && at.Year() <= 9999 {
			return at
		}
	}
	return x.Modified.UTC()
}

// wallOf is what a clock on the wall shows, in milliseconds as if it stood in UTC.
func wallOf(t time.Time) int64 {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC).UnixMilli()
}

// monthOf numbers months.
func monthOf(t time.Time) int64 { return int64(t.Year())*12 + int64(t.Month()) - 1 }

// fold is text as it is searched: letters' case and the way in which accents are written do not count, nor do accents.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(s))
}
