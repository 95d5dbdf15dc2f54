package dav

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

// dLastModified is a file's time as its client said it, in seconds since 1970: with X-OC-MTime, or by a PROPPATCH of this property.
var dLastModified = davxml.Name{Space: davxml.NSDAV, Local: "lastmodified"}

// files is what folders and their files have beyond the ground.
func files(locking bool) Extension {
	x := Extension{Name: "files", Type: holdfast.TypeFolder, Home: holdfast.HomeFiles, Properties: []Property{
		{Name: davxml.DGetLastModified, Where: AtMember, All: true, Needs: core.WithProps, Write: writeFileModified},
		{Name: dLastModified, Where: AtMember, Needs: core.WithProps, Accept: acceptModified,
			Has: func(_ *Query, t *Target) bool { return t.Dead().Get(dLastModified.Space, dLastModified.Local) != nil },
			Write: func(w *davxml.Writer, _ *Query, t *Target, _ *davxml.Element) {
				w.Raw(t.Dead().Get(dLastModified.Space, dLastModified.Local))
			}},
	}}
	if locking {
		x.Properties = append(x.Properties, lockProperties()...)
	}
	return x
}

func writeFileModified(w *davxml.Writer, _ *Query, t *Target, _ *davxml.Element) {
	at, _ := modified(t.Resource)
	w.Element(davxml.DGetLastModified, at.UTC().Format(http.TimeFormat))
}

// modified is when a file was changed: as its client says, or else as the server saw it. A file must have been read with its properties.
func modified(r *holdfast.Resource) (at time.Time, said bool) {
	if at, said = parseModified(r.Properties.Text(dLastModified.Space, dLastModified.Local)); said {
		return at, true
	}
	return r.Modified, false
}

// seconds is a time as X-OC-MTime gives it: whole seconds, and a fraction that some send.
var seconds = regexp.MustCompile(`^-?[0-9]{1,12}(\.[0-9]{1,9})?$`)

// parseModified reads a time in seconds since 1970. One that the headers of HTTP cannot say is none.
func parseModified(s string) (at time.Time, ok bool) {
	if !seconds.MatchString(s) {
		return at, false
	}
	whole, _, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	at = time.Unix(n, 0).UTC()
	return at, err == nil && at.Year() >= 1 && at.Year() <= 9999
}

func acceptModified(_ *Target, op davxml.PropOp) error {
	if op.Element == nil || op.Value == nil {
		return nil // it is removed
	}
	if _, ok := parseModified(op.Element.TrimText()); !ok {
		return &holdfast.Error{Op: "dav.PROPPATCH", Kind: holdfast.Forbidden, Text: "this is no time in seconds since 1970"}
	}
	return nil
}

// said returns the time of change that a PUT brings, as the properties of the new version. Without one, or with one that is none, the version has that of its coming: the time of the
// version before would be wrong.
func (q *request) said() (set holdfast.Properties, ok bool) {
	text := strings.TrimSpace(q.r.Header.Get("X-OC-MTime"))
	p := holdfast.Property{Space: dLastModified.Space, Local: dLastModified.Local}
	if _, ok = parseModified(text); ok {
		p.XML = []byte(`<D:lastmodified xmlns:D="DAV:">` + text + `</D:lastmodified>`)
	}
	return holdfast.Properties{p}, ok
}

// holdsFile tells whether the request writes a file: its octets are streamed, of any size.
func (q *request) holdsFile() bool {
	return q.loc.Collection.Type == holdfast.TypeFolder || q.loc.Collection.Type == holdfast.TypeHome && q.path.Area == holdfast.HomeFiles
}

// putFile stores a file as it comes in.
func (q *request) putFile(put core.PutRequest) (holdfast.Receipt, holdfast.Hash, error) {
	if err := q.identity(); err != nil {
		return holdfast.Receipt{}, holdfast.Hash{}, err
	}
	size := q.announced()
	leave, err := q.admit(size)
	if err != nil {
		return holdfast.Receipt{}, holdfast.Hash{}, err
	}
	defer leave()
	b := q.body()
	b.rate = q.h.o.WriteRate
	return q.storeFile(put, b, size)
}

// storeFile stores a file out of a reader.
func (q *request) storeFile(put core.PutRequest, from io.Reader, size int64) (holdfast.Receipt, holdfast.Hash, error) {
	f := core.FileRequest{Place: put.Place, ContentType: put.ContentType, If: put.If, Conditions: put.Conditions, Size: size}
	var accepted bool
	f.Set, accepted = q.said()
	sums, err := q.checksums()
	if err != nil {
		return holdfast.Receipt{}, holdfast.Hash{}, err
	}
	end := func() {}
	defer func() { end() }()
	var sent prefix
	whole := func() (err error) {
		if err = check(sums); err == nil {
			q.sent = sent.octets()
			end, err = q.writing()
		}
		if err == nil {
			err = q.stillHolds()
		}
		return err
	}
	left := q.h.o.Core.HeldOfFile()
	if most := min(size, left); most > trusted { // what is known to be held is asked for before it comes
		if err := q.hold(most - trusted); err != nil {
			return holdfast.Receipt{}, holdfast.Hash{}, err
		}
		left = 0
	}
	f.Octets = &upload{from: from, held: &counted{q: q, from: from, weight: 1}, left: left, whole: whole, sums: sums, sent: &sent, room: q.h.o.Room}
	r, etag, err := q.h.o.Core.PutFile(q.r.Context(), q.p, f)
	if err == nil {
		q.told(put.Place, etag, accepted)
	}
	return r, etag, err
}

// told says of a file that is stored what programs look for that come from Nextcloud. Its id is that of its place: it is the same for each version, and another one after a MOVE.
func (q *request) told(at core.Place, etag holdfast.Hash, timed bool) {
	h := q.w.Header()
	if timed {
		h.Set("X-OC-MTime", "accepted")
	}
	id := holdfast.HashOf(append(at.Collection[:], at.Name...))
	h.Set("OC-FileId", id.String()[:32])
	h.Set("OC-ETag", etagText(etag))
	h.Set("OC-Checksum", "SHA256:"+etag.String())
}

// announced is how many octets a body is to have; below 0 where nobody says. The Finder sends in chunks, and says the length in a header of its own.
func (q *request) announced() int64 {
	if q.r.ContentLength >= 0 {
		return q.r.ContentLength
	}
	if n, err := strconv.ParseInt(q.r.Header.Get("X-Expected-Entity-Length"), 10, 64); err == nil && n >= 0 {
		return n
	}
	return -1
}

// upload reads a file's octets. As many as the core may hold in memory are counted in the budget of bodies.
type upload struct {
	from  io.Reader
	held  io.Reader
	left  int64
	sums  []checksum
	sent  *prefix
	whole func() error            // called once all have come: a lock may have been given meanwhile, and none is from then on until they are stored
	room  func(octets int64) bool // nil, or asked as they come: others come too, and of some it was not said how many they are
	came  int64
}

// roomEvery is how many octets come between two looks at the disk's room.
const roomEvery = 16 << 20

// fits refuses the next octets where the disk has no room for more: the last of it is the database's.
func (u *upload) fits(n int64) error {
	before := u.came
	u.came += n
	if u.room == nil || before/roomEvery == u.came/roomEvery || u.room(roomEvery) {
		return nil
	}
	return noRoom(http.MethodPut)
}

// Read implements io.Reader.
func (u *upload) Read(p []byte) (int, error) {
	from := u.from
	if u.left > 0 {
		from, p = u.held, p[:min(int64(len(p)), u.left)]
	}
	n, err := from.Read(p)
	u.left -= int64(n)
	if full := u.fits(int64(n)); full != nil {
		return 0, full
	}
	u.sent.add(p[:n])
	for _, s := range u.sums {
		s.Write(p[:n])
	}
	switch {
	case err == io.EOF && u.whole != nil:
		whole := u.whole
		u.whole = nil
		if err := whole(); err != nil {
			return 0, err
		}
	case err != nil && err != io.EOF:
		err = cutShort(err)
	}
	return n, err
}

// getFile answers GET and HEAD of a file: its octets as they are read, after the snapshot was closed.
func (q *request) getFile() (err error) {
	var res holdfast.Resource
	var open func(context.Context) (*core.Octets, error)
	leave := func() {}
	defer func() { leave() }()
	err = q.read(func(r *core.Reader) (err error) {
		if err = q.condition4918(r); err != nil {
			return err
		}
		if res, err = r.Resource(q.loc.Collection.ID, q.loc.Rest[0], core.WithProps|core.WithType); err != nil {
			return err
		}
		if q.r.Method == http.MethodGet || res.State == holdfast.Ghost {
			if leave, err = q.sends(res.Size); err == nil {
				open, err = r.Opener(&res)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	var octets *core.Octets
	if open != nil { // after the snapshot was closed: a vault may have to be asked, and may be slow
		if octets, err = open(q.r.Context()); err != nil {
			return err
		}
		defer octets.Close()
	}
	q.sendFile(&res, octets)
	return nil
}

// sendFile answers with a file; octets is nil for HEAD. Ranges and conditions (RFC 9110) are net/http's.
func (q *request) sendFile(res *holdfast.Resource, octets *core.Octets) {
	h := q.w.Header()
	h.Set("Content-Type", q.h.mediaType(q.loc.Collection.Type, res))
	h.Set("ETag", etagText(res.ETag))
	h.Set("Cache-Control", "private, no-cache")
	guard(h)
	at, said := modified(res)
	out := q.patience(res.Size)
	content := io.ReadSeeker(io.NewSectionReader(nil, 0, res.Size)) // of HEAD: nobody reads it
	if octets != nil {
		content = octets
	}
	http.ServeContent(out.writer(res.Size), q.validated(said), "", at, content)
	out.end() // an error has broken the connection already
}

// validated is the request without what would be answered wrongly: a time that somebody chose says nothing about which octets there are, and parts are those of a GET.
func (q *request) validated(said bool) *http.Request {
	r := *q.r
	r.Header = q.r.Header.Clone()
	if said {
		r.Header.Del("If-Modified-Since")
		r.Header.Del("If-Unmodified-Since")
		if !strings.HasSuffix(strings.TrimSpace(r.Header.Get("If-Range")), `"`) && r.Header.Get("If-Range") != "" {
			r.Header.Del("Range")
		}
	}
	if r.Method == http.MethodHead {
		r.Header.Del("Range")
	}
	return &r
}
