package library

import (
	"strings"
	"testing"
	"time"
)

// TestEachQuestionHasItsIndex: none goes through all photos of an account that need not.
func TestEachQuestionHasItsIndex(t *testing.T) {
	h := newSimpleHouse(t)
	where := func(q Query) string {
		w, err := q.where(h.alice.Account)
		if err != nil {
			t.Fatal(err)
		}
		return w.sql.String() + " ORDER BY p.wall DESC, p.item DESC LIMIT ?"
	}
	const byTime, byKey = "p USING INDEX photo_time (acct=? AND shown=?", "p USING PRIMARY KEY (item=? AND acct=?)"
	for sql, want := range map[string]string{
		where(Query{}):                  byTime,
		where(Query{After: "1.1"}):      byTime + " AND (wall,item)<(?,?))",
		where(Query{From: time.Now()}):  byTime + " AND wall>?)",
		where(Query{Name: "x"}):         byTime,
		where(Query{Box: &Box{}}):       byTime,
		where(Query{Favorite: true}):    "p USING INDEX photo_favorite (acct=?",
		where(Query{Album: h.photos}):   byKey,
		resolved + " WHERE m.album = ?": "f USING INDEX photo_hash (acct=? AND hash=?)",
		"UPDATE photo SET film = ?, pair = ?, shown = 1 WHERE acct = ? AND hash = ?":                        "photo USING INDEX photo_hash (acct=? AND hash=?)",
		"SELECT coll, name FROM photo WHERE acct = ? AND hash = ? ORDER BY claims DESC LIMIT 8":             "photo USING INDEX photo_hash (acct=? AND hash=?)",
		"SELECT item, hash, pair FROM photo WHERE coll = ? AND name = ?":                                    "photo USING INDEX photo_place (coll=? AND name=?)",
		"UPDATE photo SET shown = 1 WHERE acct = ?1 AND pair = ?2 AND pair <> '' AND film":                  "photo USING INDEX photo_pair (acct=? AND pair=?)",
		"SELECT acct, hash, size, tries FROM content WHERE state = ? ORDER BY rank DESC LIMIT ?":            "content USING INDEX content_queue (state=?)",
		"SELECT hash, max(size) FROM photo WHERE acct = ? AND hash > ? GROUP BY hash ORDER BY hash LIMIT ?": "photo USING INDEX photo_hash (acct=? AND hash>?)",
		"SELECT month, photos FROM month WHERE acct = ? ORDER BY month DESC":                                "month USING PRIMARY KEY (acct=?)",
		"SELECT state, count(*) FROM content GROUP BY state":                                                "content USING COVERING INDEX content_queue",
	} {
		var plan []string
		if err := h.lib.read(t.Context(), func(c *conn) error {
			s, _, err := c.PrepareTransient("EXPLAIN QUERY PLAN " + sql)
			if err != nil {
				return err
			}
			defer s.Finalize()
			for row := true; row; {
				if row, err = s.Step(); err != nil {
					return err
				}
				if row {
					plan = append(plan, s.ColumnText(3))
				}
			}
			return nil
		}); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
		text := strings.Join(plan, "\n")
		if !strings.Contains(text, want) || strings.Contains(text, "SCAN p") || strings.Contains(text, "AUTOMATIC") || (want != byKey && strings.Contains(sql, "p.wall DESC") && strings.Contains(text, "TEMP B-TREE")) {
			t.Errorf("%s\nis answered by\n%s\nnot by %q", sql, text, want)
		}
	}
}
