package dav

import (
	"net/http"
	"strconv"
	"strings"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
	"holdfast/internal/uploads"
)

// wholeFile is the name in an upload that stands for the file that its chunks are. A MOVE of it ends the upload.
const wholeFile = ".file"

// level says what an address below uploads/USER is.
type level int

const (
	atUploads level = iota // all uploads of an account
	atUpload
	atChunk
	atWhole
)

func (q *request) level() level {
	if len(q.path.Names) == 2 && q.path.Names[1] == wholeFile {
		return atWhole
	}
	return level(len(q.path.Names))
}

// uploadMethods are those that an address below uploads/USER has.
var uploadMethods = [...]struct {
	allow string
	do    map[string]func(*request) error
}{
	atUploads: {"OPTIONS, PROPFIND", map[string]func(*request) error{"PROPFIND": (*request).listUploads}},
	atUpload:  {"OPTIONS, PROPFIND, MKCOL, DELETE", map[string]func(*request) error{"PROPFIND": (*request).listUploads, "MKCOL": (*request).beginUpload, http.MethodDelete: (*request).deleteUpload}},
	atChunk:   {"OPTIONS, PROPFIND, PUT, DELETE", map[string]func(*request) error{"PROPFIND": (*request).listUploads, http.MethodPut: (*request).putChunk, http.MethodDelete: (*request).deleteUpload}},
	atWhole:   {"OPTIONS, MOVE", map[string]func(*request) error{"MOVE": (*request).endUpload}},
}

func (q *request) uploadsAllow() string { return uploadMethods[q.level()].allow }

// uploads answers what is asked below uploads/USER: large files that arrive in chunks, as Nextcloud's programs send them (docs/design/0051).
func (q *request) uploads() error {
	if q.h.o.Uploads == nil || q.path.User == "" {
		return q.nothing()
	}
	home := q.path
	home.Area, home.Names, home.Slash = holdfast.HomeFiles, nil, true
	at, err := q.lookup(nil, home)
	if err != nil {
		return err
	}
	if q.owner = at.owner; q.owner != q.p.Account {
		return &holdfast.Error{Op: "dav." + q.r.Method, Kind: holdfast.Forbidden, Ref: q.path.Href()}
	}
	if q.r.Method == http.MethodOptions {
		return q.options()
	}
	do := uploadMethods[q.level()].do[q.r.Method]
	if do == nil {
		return q.notAllowed()
	}
	return do(q)
}

// totalLength is how many octets the whole file is to have; below 0 where nobody says. Errors: it cannot be read.
func (q *request) totalLength() (int64, error) {
	v := strings.TrimSpace(q.r.Header.Get("OC-Total-Length"))
	if v == "" {
		return -1, nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 {
		return 0, badPath("OC-Total-Length is a number of octets")
	}
	return n, nil
}

// aim looks up where an upload goes, as its Destination says. ok is false where it does not say so, or where there is no folder for it yet.
func (q *request) aim() (at place, ok bool, err error) {
	if q.r.Header.Get("Destination") == "" {
		return at, false, nil
	}
	path, err := q.destinationPath()
	if err != nil {
		return at, false, err
	}
	if at, err = q.lookup(nil, path); err != nil || at.where == 0 {
		return at, false, err
	}
	q.dest = &at
	return at, true, q.takesUpload(&at)
}

// takesUpload refuses a place at which no file can be put.
func (q *request) takesUpload(at *place) error {
	switch {
	case at.where == 0:
		return q.missingParent(at)
	case at.where != AtMember || at.path.Slash:
		return &Refusal{Status: http.StatusMethodNotAllowed, Allow: "OPTIONS, MKCOL", Text: "the destination of an upload is a file, and this is none"}
	case at.path.Area != holdfast.HomeFiles:
		return Refuse(http.StatusForbidden, davxml.Name{}, "an upload becomes a file; its destination is below "+holdfast.HomeFiles)
	case at.loc.Access < core.Writes:
		return readOnlyHere("dav."+q.r.Method, at.path.Href())
	}
	return nil
}

// roomFor tells how many octets all uploads of the account may have. A file that is known to be too large is refused.
func (q *request) roomFor(length int64) (int64, error) {
	at, known, err := q.aim()
	if err != nil {
		return 0, err
	}
	if known {
		return q.h.o.Core.Allows(q.r.Context(), q.p, core.FileRequest{Place: at.loc.Place(), Size: length})
	}
	room, err := q.h.o.Core.Room(q.r.Context(), q.owner)
	switch most := q.h.o.Core.MostOfFile(); {
	case err != nil:
	case length > most:
		err = &holdfast.Error{Op: "dav." + q.r.Method, Kind: holdfast.TooLarge, Rule: "max-resource-size", Text: "a file has at most " + strconv.FormatInt(most, 10) + " octets"}
	case length > room:
		err = &holdfast.Error{Op: "dav." + q.r.Method, Kind: holdfast.Quota, Text: "the account's allowance is used up; delete something or ask for more"}
	}
	return room, err
}

// beginUpload answers the MKCOL of an upload.
func (q *request) beginUpload() error {
	if q.r.ContentLength > 0 {
		return Refuse(http.StatusUnsupportedMediaType, davxml.Name{}, "an upload begins without a body")
	}
	length, err := q.totalLength()
	if err != nil {
		return err
	}
	if _, err := q.roomFor(length); err != nil {
		return err
	}
	n := uploads.New{Name: q.path.Names[0], Length: length, Destination: q.r.Header.Get("Destination")}
	if err := q.h.o.Uploads.Begin(q.owner, n); err != nil {
		return err
	}
	q.w.Header().Set("Cache-Control", "no-cache")
	return q.done(http.StatusCreated)
}

// putChunk takes in a chunk. What can be refused without its octets is refused before the first of them is read.
func (q *request) putChunk() error {
	p := uploads.Put{Upload: q.path.Names[0], Chunk: q.path.Names[1], Size: q.announced(), Most: q.h.o.Core.MostOfFile()}
	if q.r.Header.Get("Content-Range") != "" {
		return badPath("a chunk is sent whole, without Content-Range")
	}
	if err := q.identity(); err != nil {
		return err
	}
	length, err := q.totalLength()
	if err != nil {
		return err
	}
	if p.Room, err = q.roomFor(length); err != nil {
		return err
	}
	if err := q.chunkCondition(); err != nil {
		return err
	}
	sums, err := q.checksums()
	if err != nil {
		return err
	}
	size := p.Size
	if size >= 0 { // also a small one takes the buffers of a large one, which stand ready before its octets come
		size = max(size, trusted+1)
	}
	leave, err := q.admit(size)
	if err != nil {
		return err
	}
	defer leave()
	b := q.body()
	b.rate = q.h.o.WriteRate
	p.Octets = &upload{from: b, sums: sums, sent: &prefix{over: true}, whole: func() error { return check(sums) }}
	c, made, err := q.h.o.Uploads.Put(q.r.Context(), q.owner, p)
	if err != nil {
		return err
	}
	q.w.Header().Set("ETag", etagText(c.Hash))
	q.w.Header().Set("OC-ETag", etagText(c.Hash))
	return q.done(madeOr(made))
}

// chunkCondition judges If-Match and If-None-Match of a chunk.
func (q *request) chunkCondition() error {
	pre, err := q.precondition()
	if err != nil || pre.IsZero() {
		return err
	}
	c, err := q.chunk()
	if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		return err
	}
	if !pre.Check(err == nil, c.Hash, 0) {
		return &holdfast.Error{Op: "dav.PUT", Kind: holdfast.PreconditionFailed, Ref: q.path.Href()}
	}
	return nil
}

// chunk finds the chunk that the request names.
func (q *request) chunk() (uploads.Chunk, error) {
	u, err := q.h.o.Uploads.Get(q.owner, q.path.Names[0])
	for _, c := range u.Chunks {
		if c.Name == q.path.Names[1] {
			return c, nil
		}
	}
	if err == nil {
		err = q.nothing()
	}
	return uploads.Chunk{}, err
}

// deleteUpload gives an upload up, or takes one of its chunks away.
func (q *request) deleteUpload() (err error) {
	if q.level() == atChunk {
		err = q.h.o.Uploads.RemoveChunk(q.owner, q.path.Names[0], q.path.Names[1])
	} else {
		err = q.h.o.Uploads.Remove(q.owner, q.path.Names[0])
	}
	if err != nil {
		return err
	}
	return q.done(http.StatusNoContent)
}
