package library

import (
	"fmt"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/photo"

	"zombiezen.com/go/sqlite"
)

// Photo is a row of the timeline: a photo or a film.
type Photo struct {
	ID         uint64        `json:"id"` // of the file, within its account; a file that is moved gets another
	Collection holdfast.ID   `json:"collection"`
	Path       string        `json:"path"`
	Name       string        `json:"name"`
	Hash       holdfast.Hash `json:"sha256"`
	Octets     int64         `json:"octets"`
	Stored     time.Time     `json:"stored"` // when these octets came here, in this place
	Favorite   bool          `json:"favorite"`

	Kind      photo.Kind    `json:"kind"` // by content; empty: not known
	MediaType string        `json:"media_type"`
	Width     int           `json:"width,omitempty"` // as shown; 0: not known
	Height    int           `json:"height,omitempty"`
	Seconds   float64       `json:"seconds,omitempty"` // of a film
	Taken     Taken         `json:"taken"`
	Camera    *photo.Camera `json:"camera,omitempty"`
	Place     *Place        `json:"place,omitempty"`
	Motion    *Motion       `json:"motion,omitempty"` // the film of a Live Photo
	State     State         `json:"state"`
	Why       string        `json:"why,omitempty"`
	ThumbHash []byte        `json:"thumbhash,omitempty"`
	Large     *[2]int       `json:"large,omitempty"` // width and height of the large thumbnail
	Lies      bool          `json:"lies,omitempty"`  // its name claims another kind
	Problems  []string      `json:"problems,omitempty"`

	seq  uint64
	wall int64
	pair string
	film bool
}

// Taken is when a photo was taken: what a clock on the wall showed. Without a zone the moment is not known.
type Taken struct {
	Wall string `json:"wall"` // 2009-10-03T14:05:06
	Zone string `json:"zone,omitempty"`
	Sure string `json:"sure"` // stated, derived, wall clock, guessed; not known: it is the time of the file
	From string `json:"from,omitempty"`
}

// Place is where a photo was taken.
type Place struct {
	Lat  *float64 `json:"lat,omitempty"`
	Lon  *float64 `json:"lon,omitempty"`
	Alt  *float64 `json:"alt,omitempty"`  // metres above the sea
	Name string   `json:"name,omitempty"` // as the file says it
}

// String is the place as people read it: its name, where the file says one, else degrees of latitude and longitude (WGS 84).
func (p *Place) String() string {
	switch {
	case p.Name != "":
		return p.Name
	case p.Lat != nil && p.Lon != nil:
		return fmt.Sprintf("%.4f,%.4f", *p.Lat, *p.Lon)
	}
	return ""
}

// Motion is the film of a Live Photo. It is a part of the photo, and no row of the timeline.
type Motion struct {
	ID      uint64        `json:"id"`
	Path    string        `json:"path"`
	Hash    holdfast.Hash `json:"sha256"`
	Octets  int64         `json:"octets"`
	Seconds float64       `json:"seconds,omitempty"`

	seq uint64
}

// columns are what [conn.photos] reads of p, a photo, and k, its content.
const columns = `p.item, p.coll, p.name, p.hash, p.size, p.arrived, p.favorite, p.stored, p.wall, p.pair, p.film, p.lost,
	k.kind, k.width, k.height, k.lasts, k.zone, k.sure, k.source, k.lat, k.lon, k.alt, k.place, k.make, k.model, k.lens, k.state, k.why, k.thumbhash, k.large_w, k.large_h, k.problems`

const joined = " FROM photo AS p JOIN content AS k ON k.acct = p.acct AND k.hash = p.hash "

// photos reads rows of the timeline; where says which.
func (c *conn) photos(owner holdfast.ID, a *asked, where string, args ...any) ([]Photo, error) {
	return c.photosOf(owner, a, "SELECT "+columns+joined+where, args...)
}

// photosOf reads rows of the timeline by a whole statement.
func (c *conn) photosOf(owner holdfast.ID, a *asked, sql string, args ...any) (out []Photo, err error) {
	if err = c.each(sql, func(s *sqlite.Stmt) error {
		out = append(out, photoOf(s, a))
		return nil
	}, args...); err != nil {
		return nil, err
	}
	for i := range out {
		if x := &out[i]; x.pair != "" && !x.film {
			if x.Motion, err = c.motion(owner, a, x); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// motion finds the film of a Live Photo, that of the same folder before others.
func (c *conn) motion(owner holdfast.ID, a *asked, still *Photo) (m *Motion, err error) {
	return m, c.each("SELECT p.item, p.coll, p.name, p.hash, p.size, k.lasts, p.stored"+joined+"WHERE p.acct = ? AND p.pair = ? AND p.pair <> '' AND p.film ORDER BY p.coll = ? DESC, p.item LIMIT 1", func(s *sqlite.Stmt) error {
		m = &Motion{ID: uint64(s.ColumnInt64(0)), Path: a.path(idAt(s, 1), s.ColumnText(2)), Hash: hashAt(s, 3), Octets: s.ColumnInt64(4), Seconds: float64(s.ColumnInt64(5)) / 1000,
			seq: uint64(s.ColumnInt64(6))}
		return nil
	}, owner, still.pair, still.Collection)
}

func (a *asked) path(coll holdfast.ID, name string) string {
	if p, ok := a.paths[coll]; ok {
		return p + "/" + name
	}
	return name
}

func photoOf(s *sqlite.Stmt, a *asked) Photo {
	x := Photo{ID: uint64(s.ColumnInt64(0)), Collection: idAt(s, 1), Name: s.ColumnText(2), Hash: hashAt(s, 3), Octets: s.ColumnInt64(4), Stored: time.UnixMilli(s.ColumnInt64(5)).UTC(), Favorite: s.ColumnBool(6),
		seq: uint64(s.ColumnInt64(7)), wall: s.ColumnInt64(8), pair: s.ColumnText(9), film: s.ColumnBool(10),
		Kind: photo.Kind(s.ColumnText(12)), Width: s.ColumnInt(13), Height: s.ColumnInt(14), Seconds: float64(s.ColumnInt64(15)) / 1000}
	x.Path = a.path(x.Collection, x.Name)
	x.MediaType = x.Kind.MediaType()
	claimed := photo.Info{Kind: x.Kind, Claims: photo.KindOfName(x.Name)} // what has the same octets may have another name
	x.Lies = x.Kind != photo.Unknown && claimed.Lies()
	x.Taken = Taken{Wall: wallText(x.wall), Sure: photo.Sure(s.ColumnInt(17)).String(), From: s.ColumnText(18)}
	if !s.ColumnIsNull(16) {
		x.Taken.Zone = zoneText(s.ColumnInt(16))
	}
	x.Place = placeOf(s)
	if cam := (photo.Camera{Make: s.ColumnText(23), Model: s.ColumnText(24), Lens: s.ColumnText(25)}); cam != (photo.Camera{}) {
		x.Camera = &cam
	}
	if state := s.ColumnInt(26); s.ColumnBool(11) {
		x.State, x.Why = Broken, "its octets were lost; whoever still has them can put them here again"
	} else if x.State = shownState(state); x.State != Ready && x.State != Waiting {
		x.Why = whyNot(state, s.ColumnText(27))
	}
	if n := s.ColumnLen(28); n > 0 && x.State == Ready {
		x.ThumbHash = make([]byte, n)
		s.ColumnBytes(28, x.ThumbHash)
		x.Large = &[2]int{s.ColumnInt(29), s.ColumnInt(30)}
	}
	if text := s.ColumnText(31); text != "" {
		x.Problems = strings.Split(text, "\n")
	}
	return x
}

func placeOf(s *sqlite.Stmt) *Place {
	p := Place{Name: s.ColumnText(22)}
	at := func(i int) *float64 {
		if s.ColumnIsNull(i) {
			return nil
		}
		v := s.ColumnFloat(i)
		return &v
	}
	if p.Lat, p.Lon, p.Alt = at(19), at(20), at(21); p.Lat == nil && p.Name == "" {
		return nil
	}
	return &p
}

const wallLayout = "2006-01-02T15:04:05"

func wallText(wall int64) string { return time.UnixMilli(wall).UTC().Format(wallLayout) }

func zoneText(sec int) string {
	sign := '+'
	if sec < 0 {
		sign, sec = '-', -sec
	}
	return fmt.Sprintf("%c%02d:%02d", sign, sec/3600, sec/60%60)
}
