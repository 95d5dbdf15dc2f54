package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"holdfast"
	"holdfast/internal/blob"
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

// MaxInline is how many octets of a file are the body of its change, as those of a contact are, where nothing else is said; larger ones are a blob beside the engine.
const MaxInline = 64 << 10

// PutFile stores a file's octets, verbatim. Those of a large one are durable before its change is committed.
//
// What can be refused without the octets is refused before the first of them is read.
//
// Errors: those of Put, and what reading the octets says.
func (s *Service) PutFile(ctx context.Context, p holdfast.Principal, q FileRequest) (holdfast.Receipt, holdfast.Hash, error) {
	room, err := s.expect(ctx, p, &q)
	if err != nil {
		return holdfast.Receipt{}, holdfast.Hash{}, err
	}
	put := PutRequest{Place: q.Place, ContentType: q.ContentType, If: q.If, Conditions: q.Conditions, set: q.Set}
	if !s.takesBlobs() {
		if put.Body, err = readWhole(&q, s.limits.Resource); err != nil {
			return holdfast.Receipt{}, holdfast.Hash{}, err
		}
		return s.put(ctx, p, put)
	}
	body, pin, err := s.takeIn(ctx, &q, room)
	if err != nil {
		return holdfast.Receipt{}, holdfast.Hash{}, err
	}
	if put.Body = body; pin != nil {
		defer pin.Release() // the commit has returned: a change names it, or none will
		put.blob = &pin.Blob
	}
	return s.put(ctx, p, put)
}

// Allows judges a PUT of a file as PutFile does before the octets come, and returns how many octets the account has room for. Errors: those of PutFile.
func (s *Service) Allows(ctx context.Context, p holdfast.Principal, q FileRequest) (room int64, err error) {
	return s.expect(ctx, p, &q)
}

// Room returns how many octets more an account may have; math.MaxInt64 where it has no allowance.
func (s *Service) Room(ctx context.Context, owner holdfast.ID) (int64, error) {
	if s.limits.Quota == 0 {
		return math.MaxInt64, nil
	}
	snap, err := s.newest(ctx, owner)
	if err != nil {
		return 0, err
	}
	defer snap.Close()
	all, err := snap.Collections(owner)
	return max(0, s.limits.Quota-octetsOfAll(owner, all)), err
}

// takesBlobs tells whether octets may lie beside the engine: only where each copy takes them too. Otherwise a change would be acknowledged of which no copy has the octets.
func (s *Service) takesBlobs() bool {
	_, ok := s.copies.(BlobCopies)
	return ok && s.blobs != nil
}

// copyOut gives a blob to the copies that the policy waits for.
func (s *Service) copyOut(ctx context.Context, account holdfast.ID, b holdfast.Blob) error {
	return s.copies.(BlobCopies).PutBlob(ctx, account, b, func(ctx context.Context) (blob.File, error) { return s.blobs.Open(ctx, account, b.Hash) })
}

// takeIn reads a file: a small one into memory, a large one into the store of blobs and into the copies that the policy waits for. room is how many octets the account has for it.
func (s *Service) takeIn(ctx context.Context, q *FileRequest, room int64) ([]byte, *blob.Pin, error) {
	src := q.exact()
	head, err := upTo(src, q.Size, s.limits.Inline+1)
	if err != nil || int64(len(head)) <= s.limits.Inline {
		return head, nil, err
	}
	pin, err := s.blobs.PutAndCopy(ctx, q.Owner, io.MultiReader(bytes.NewReader(head), src), min(s.limits.File, room), blob.Intake{
		Wanted: func(b holdfast.Blob) error {
			_, err := s.affords(ctx, q, &b) // another one may have come while its octets did
			return err
		},
		Copy: func(ctx context.Context, b holdfast.Blob, open blob.Opener) error {
			return s.copies.(BlobCopies).PutBlob(ctx, q.Owner, b, open)
		},
	})
	if holdfast.IsKind(err, holdfast.TooLarge) {
		if room < s.limits.File {
			return nil, nil, overQuota(q.Name)
		}
		return nil, nil, tooLarge(q.Name, s.limits.File)
	}
	return nil, pin, err
}

// HeldOfFile is how many octets of one file are in memory at most while it is put.
func (s *Service) HeldOfFile() int64 {
	if s.takesBlobs() {
		return s.limits.Inline
	}
	return s.limits.Resource
}

// MostOfFile is how many octets a file may have.
func (s *Service) MostOfFile() int64 {
	if s.takesBlobs() {
		return s.limits.File
	}
	return s.limits.Resource
}

// expect judges a PUT of a file by what is known before its octets come: the right, the place, the size and the allowance, of which it returns how much is left. The commit judges all of it again.
func (s *Service) expect(ctx context.Context, p holdfast.Principal, q *FileRequest) (room int64, err error) {
	c, err := s.target(ctx, p, q.Place)
	if err != nil {
		return 0, err
	}
	if c.Type != holdfast.TypeFolder && c.Type != holdfast.TypeHome {
		return 0, fail("PutFile", holdfast.Forbidden, q.Name, article(c.Type)+" takes no files")
	}
	if _, _, err := s.judge(&c, q.Name, q.ContentType, nil); err != nil {
		return 0, err
	}
	if err := s.copies.Ready(); err != nil {
		return 0, err
	}
	if q.Size > s.MostOfFile() {
		return 0, tooLarge(q.Name, s.MostOfFile())
	}
	return s.affords(ctx, q, nil)
}

// affords refuses a file whose octets the account has no room for, or whose precondition fails in a way that the octets cannot mend: whoever sends what is there already meets it, whatever he demands. come is what has come; nil: nothing yet.
func (s *Service) affords(ctx context.Context, q *FileRequest, come *holdfast.Blob) (room int64, err error) {
	snap, err := s.newest(ctx, q.Owner)
	if err != nil {
		return 0, err
	}
	defer snap.Close()
	old, err := snap.Resource(q.Collection, q.Name, 0)
	if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		return 0, err
	}
	there, size := err == nil, q.Size
	other := size >= 0 && (!there || old.Size != size)
	if come != nil {
		size, other = come.Size, !there || old.ETag != come.Hash
	}
	if other && old.State != holdfast.Ghost && !q.If.Check(there, old.ETag, old.Seq) {
		if !there && (len(q.If.Match) > 0 || q.If.Exists == holdfast.Present) { // as the commit says it
			return 0, fail("PutFile", holdfast.NotFound, q.Name, "there is no such file")
		}
		return 0, preconditionFailed(q.Name)
	}
	if s.limits.Quota == 0 {
		return math.MaxInt64, nil
	}
	all, err := snap.Collections(q.Owner)
	if err != nil {
		return 0, err
	}
	room = max(old.Size, s.limits.Quota-octetsOfAll(q.Owner, all)+old.Size) // what does not grow the account always passes
	if size > room {
		return 0, overQuota(q.Name)
	}
	return room, nil
}

func overQuota(ref string) error {
	return fail("PutFile", holdfast.Quota, ref, "the account's allowance is used up; delete something or ask for more")
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
	b, err := upTo(q.exact(), q.Size, limit+1)
	if err == nil && int64(len(b)) > limit {
		err = tooLarge(q.Name, limit)
	}
	return b, err
}

// upTo reads at most so many octets; size is how many there are, where that is known. Only the end of r is no error: not what a reader says of a line that broke.
func upTo(r io.Reader, size, most int64) ([]byte, error) {
	var b bytes.Buffer
	if size >= 0 {
		b.Grow(int(min(size, most)) + bytes.MinRead)
	}
	_, err := b.ReadFrom(io.LimitReader(r, most))
	return b.Bytes(), err
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
