package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"holdfast"
)

// FileRequest is a PUT of one file, of any size.
type FileRequest struct {
	Place
	ContentType string
	Octets      io.Reader // read once, to its end
	Size        int64     // how many octets there are, where that was said; below 0: it was not. A body that breaks off or goes on is refused
	If          holdfast.Precondition
	Conditions  Conditions
	Set         holdfast.Properties // dead properties that the new version gets, as its time of change; others of the file stay
}

// PutFile stores a file's octets, verbatim. Small ones are the body of their change, as those of a contact are.
//
// What can be refused without the octets is refused before the first of them is read.
//
// Errors: those of Put, and what reading the octets says.
func (s *Service) PutFile(ctx context.Context, p holdfast.Principal, q FileRequest) (holdfast.Receipt, holdfast.Hash, error) {
	if err := s.expect(ctx, p, &q); err != nil {
		return holdfast.Receipt{}, holdfast.Hash{}, err
	}
	body, err := readWhole(&q, s.limits.Resource)
	if err != nil {
		return holdfast.Receipt{}, holdfast.Hash{}, err
	}
	return s.put(ctx, p, PutRequest{Place: q.Place, ContentType: q.ContentType, Body: body, If: q.If, Conditions: q.Conditions, set: q.Set})
}

// expect judges a PUT of a file by what is known before its octets come: the right, the place, the size and the allowance. The commit judges all of it again.
func (s *Service) expect(ctx context.Context, p holdfast.Principal, q *FileRequest) error {
	c, err := s.target(ctx, p, q.Place)
	if err != nil {
		return err
	}
	if c.Type != holdfast.TypeFolder && c.Type != holdfast.TypeHome {
		return fail("PutFile", holdfast.Forbidden, q.Name, article(c.Type)+" takes no files")
	}
	if _, _, err := s.judge(&c, q.Name, q.ContentType, nil); err != nil {
		return err
	}
	if err := s.copies.Ready(); err != nil {
		return err
	}
	if q.Size > s.limits.Resource {
		return tooLarge(q.Name, s.limits.Resource)
	}
	return s.affords(ctx, q)
}

// affords refuses a file whose octets the account has no room for, or whose precondition fails in a way that the octets cannot mend: whoever sends what is there already meets it, whatever he demands.
func (s *Service) affords(ctx context.Context, q *FileRequest) error {
	if q.Size < 0 {
		return nil
	}
	snap, err := s.newest(ctx, q.Owner)
	if err != nil {
		return err
	}
	defer snap.Close()
	old, err := snap.Resource(q.Collection, q.Name, 0)
	if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		return err
	}
	there := err == nil
	if old.State != holdfast.Ghost && (!there || old.Size != q.Size) && !q.If.Check(there, old.ETag, old.Seq) {
		return preconditionFailed(q.Name)
	}
	if s.limits.Quota == 0 || q.Size <= old.Size {
		return nil
	}
	all, err := snap.Collections(q.Owner)
	if err != nil {
		return err
	}
	if used := octetsOfAll(q.Owner, all); used+q.Size-old.Size > s.limits.Quota {
		return fail("PutFile", holdfast.Quota, q.Name, "the account's allowance is used up; delete something or ask for more")
	}
	return nil
}

// octetsOfAll counts the live octets of an account as a commit counts them: its records too.
func octetsOfAll(owner holdfast.ID, all []holdfast.Collection) (used int64) {
	for _, c := range reachable(owner, all, true) {
		used += c.Octets
	}
	return used
}

func tooLarge(ref string, limit int64) error {
	return &holdfast.Error{Op: "core.Put", Kind: holdfast.TooLarge, Ref: ref, Rule: "max-resource-size", Text: fmt.Sprintf("it has more than %d octets, which is the most that is taken", limit)}
}

// readWhole reads a file into memory, at most limit octets.
func readWhole(q *FileRequest, limit int64) ([]byte, error) {
	var b bytes.Buffer
	if q.Size >= 0 {
		b.Grow(int(min(q.Size, limit)) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(io.LimitReader(q.exact(), limit+1)); err != nil {
		return nil, err
	}
	if int64(b.Len()) > limit {
		return nil, tooLarge(q.Name, limit)
	}
	return b.Bytes(), nil
}

// exact is the request's octets, and an error where they are not as many as was said: a body that was cut off is no file.
func (q *FileRequest) exact() io.Reader {
	if q.Size < 0 {
		return q.Octets
	}
	return &exactly{r: q.Octets, left: q.Size, name: q.Name}
}

type exactly struct {
	r    io.Reader
	left int64
	name string
}

func (e *exactly) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	e.left -= int64(n)
	switch {
	case e.left < 0:
		return n, fail("PutFile", holdfast.Invalid, e.name, "there are more octets than were said; nothing was stored")
	case errors.Is(err, io.EOF) && e.left > 0:
		return n, fail("PutFile", holdfast.Invalid, e.name, fmt.Sprintf("the octets broke off, %d are missing; nothing was stored", e.left))
	}
	return n, err
}

// Octets are those of one resource, to be read whole or in part, in any order, also after the function of [Service.Read] has returned: what is shown of a file does not change.
// Whoever opened them closes them. Errors of their reads: Corrupt (they are not what was stored: none of those is handed out), Unavailable.
type Octets struct {
	*io.SectionReader
	close func() error
}

// Close lets go.
func (o *Octets) Close() error { return o.close() }

// Open opens the octets of a resource that the reader gave. They are checked against their hash before they are handed out.
//
// Errors: NotFound (it is not there any more), Unavailable (it is known to be lost, or cannot be reached now), Corrupt.
func (r *Reader) Open(ctx context.Context, x *holdfast.Resource) (*Octets, error) {
	if err := r.mine(x.Collection); err != nil {
		return nil, err
	}
	if x.State == holdfast.Ghost {
		return nil, fail("Open", holdfast.Unavailable, x.Name, "these octets were lost. Whoever still has them can put them here again")
	}
	full, err := *x, error(nil)
	if full.Body == nil && full.Blob == nil {
		if full, err = r.snap.Resource(x.Collection, x.Name, WithBody); err != nil {
			return nil, err
		}
	}
	if full.ETag != x.ETag || full.State == holdfast.Ghost {
		return nil, fail("Open", holdfast.NotFound, x.Name, "this version is not the present one")
	}
	return openBody(bytes.Clone(full.Body), full.ETag, x.Name) // the octets of a listing are the listing's
}

// openBody opens octets that lie in the journal.
func openBody(body []byte, etag holdfast.Hash, name string) (*Octets, error) {
	if holdfast.HashOf(body) != etag {
		return nil, fail("Open", holdfast.Corrupt, name, "what is stored is not what was put there; run holdfast scrub")
	}
	return &Octets{io.NewSectionReader(bytes.NewReader(body), 0, int64(len(body))), func() error { return nil }}, nil
}
