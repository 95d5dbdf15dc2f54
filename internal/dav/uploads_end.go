package dav

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
	"holdfast/internal/uploads"
)

// flights are uploads that are being made files. A program that lost patience asks again while the first request still works: the second one waits for what comes of that.
type flights struct {
	mu  sync.Mutex
	all map[flightKey]*flight
}

type flightKey struct {
	owner  holdfast.ID
	upload string
}

type flight struct {
	to    string
	ended chan struct{}
}

// begin notes that an upload is being made a file, or returns who does that already. end must be called by who began.
func (f *flights) begin(k flightKey, to string) (other *flight, end func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if x := f.all[k]; x != nil {
		return x, nil
	}
	if f.all == nil {
		f.all = map[flightKey]*flight{}
	}
	x := &flight{to, make(chan struct{})}
	f.all[k] = x
	return nil, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.all, k)
		close(x.ended)
	}
}

// endUpload answers the MOVE that makes a file of an upload. It is a PUT of its destination: the conditions and locks of the request are about that. It goes on when who asked is gone, and who asks again is told what came of it.
func (q *request) endUpload() error {
	path, err := q.destinationPath()
	if err != nil {
		return err
	}
	at, err := q.lookup(nil, path)
	if err != nil {
		return err
	}
	q.verb, q.dest = http.MethodPut, &at
	if err := q.takesUpload(&at); err != nil {
		return err
	}
	to := fmt.Sprintf("%s/%s", at.loc.Collection.ID, at.loc.Rest[0])
	k := flightKey{q.owner, q.path.Names[0]}
	for {
		other, end := q.h.flights.begin(k, to)
		if other == nil {
			defer end()
			return q.assemble(k.upload, at, to)
		}
		if other.to != to {
			return crowded("dav.MOVE", "this upload is being made another file now; try again later")
		}
		select {
		case <-other.ended: // then it is known what became of it, or it is tried once more
		case <-q.r.Context().Done():
			return context.Cause(q.r.Context())
		}
	}
}

// assemble makes a file of an upload, or tells what became of one.
func (q *request) assemble(name string, at place, to string) error {
	if was, err := q.h.o.Uploads.Outcome(q.owner, name); err == nil && was.Destination == to {
		return q.assembled(at, &was)
	}
	m, err := q.h.o.Uploads.Make(q.owner, name)
	if err != nil {
		return err
	}
	defer m.Close()
	leave, err := q.admit(m.Octets)
	if err != nil {
		return err
	}
	defer leave()
	if err := q.complete(m); err != nil {
		return err
	}
	q.path, q.place = at.path, at
	q.r = q.r.WithContext(context.WithoutCancel(q.r.Context()))
	put, err := q.putRequest(at.loc.Place())
	if err != nil {
		return err
	}
	over, err := davxml.ParseOverwrite(q.r.Header.Get("Overwrite"))
	if err != nil {
		return err
	}
	if !over && put.If.Exists == 0 {
		put.If.Exists = holdfast.Absent
	}
	r, etag, err := q.storeFile(put, m, m.Octets)
	if err != nil {
		return err
	}
	q.h.o.Refused.Acknowledged(q.p, etag)
	out := uploads.Outcome{Destination: to, ETag: etag, Created: r.Created, Receipt: r.String(), Timed: q.w.Header().Get("X-OC-MTime") != ""}
	if err := m.Done(out); err != nil { // the file is stored; sent again it meets itself
		q.h.o.Log.Error("an upload has become a file, and that could not be written down; its chunks stay until nobody has touched them for a while", "account", q.owner, "upload", name, "err", err)
	}
	return q.assembled(at, &out)
}

// complete refuses an upload that lacks something, as far as that can be known: by the length that was said, or by names that say which octets each chunk has.
func (q *request) complete(m *uploads.Making) error {
	want, err := q.totalLength()
	if err != nil {
		return err
	}
	if want < 0 {
		want = m.Length
	}
	switch {
	case want >= 0 && want != m.Octets:
		return badPath(fmt.Sprintf("the chunks that came have %d octets, and the file is to have %d; send what is missing, or take away what is too much", m.Octets, want))
	case want < 0 && len(m.Chunks) == 0:
		return badPath("no chunk of this upload came; nothing was stored")
	}
	if missing := missingIn(m.Chunks); want < 0 && missing > 0 {
		return badPath(fmt.Sprintf("the chunk number %d is not there; send it, or say how long the file is to be (OC-Total-Length)", missing))
	}
	if gap := gapIn(m.Chunks); gap != "" {
		return badPath("the chunk " + gap + " does not follow the one before it; send what is missing, or take away what is too much")
	}
	return nil
}

// missingIn returns the first number between those that chunks have as their names, where they begin with 0 or 1 and go on so; 0: none is missing, or they are not numbered so. A chunk that rotted on the disk is gone after a
// restart, and its client, who was told that it is there, would get a file without it.
func missingIn(chunks []uploads.Chunk) int {
	next := -1
	for _, c := range chunks {
		n, err := strconv.ParseUint(c.Name, 10, 31)
		switch {
		case err != nil, next < 0 && n > 2:
			return 0
		case next < 0 && n == 2:
			return 1
		case next >= 0 && int(n) != next:
			if n > uploads.MaxChunks || int(n) < next { // these are offsets, or one has two chunks
				return 0
			}
			return next
		}
		next = int(n) + 1
	}
	return 0
}

// gapIn returns the first chunk that does not begin where the one before it ends, where all names say first and last octet ("000000000000000-000000010485759"); "": there is none.
func gapIn(chunks []uploads.Chunk) string {
	at, bad := int64(0), ""
	for _, c := range chunks {
		first, last, ok := strings.Cut(c.Name, "-")
		a, err := strconv.ParseInt(first, 10, 64)
		b, err2 := strconv.ParseInt(last, 10, 64)
		if !ok || err != nil || err2 != nil || len(first) < 15 || len(first) != len(last) {
			return ""
		}
		if (a != at || b != at+c.Size-1) && bad == "" {
			bad = c.Name
		}
		at += c.Size
	}
	return bad
}

// assembled answers with what became of an upload.
func (q *request) assembled(at place, o *uploads.Outcome) error {
	h := q.w.Header()
	h.Set("Holdfast-Receipt", o.Receipt)
	h.Set("ETag", etagText(o.ETag))
	q.told(core.Place{Owner: at.loc.Owner, Collection: at.loc.Collection.ID, Name: at.loc.Rest[0]}, o.ETag, o.Timed)
	if o.Created {
		h.Set("Location", at.path.Href())
	}
	return q.done(madeOr(o.Created))
}
