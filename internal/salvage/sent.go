package salvage

import (
	"bytes"
	"context"
	"io"
	"path"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/core"
)

// Sent takes what a device sent into a collection and was refused. What the account has nothing of goes there, if that takes it.
func (r *Run) Sent(ctx context.Context, name, collection string, in io.Reader) error {
	if r.q.Into == "" && slices.Contains(r.paths, collection) {
		r.q.Into = collection
		defer func() { r.q.Into = "" }()
	}
	return r.File(ctx, name, in)
}

// Unreadable refuses something whose octets are not to be had.
func (r *Run) Unreadable(name string, err error) error {
	return r.refuse(&Item{File: name}, nil, err)
}

// Plain takes one of an account's files, of any content, which a device sent to a path. It is compared with what has that path and had it; where there is another, it is put beside that. Nothing is overwritten.
func (r *Run) Plain(ctx context.Context, name, at, contentType string, body []byte) error {
	r.counts.Items++
	t := &Item{File: name, Item: 1, Kind: "file", Title: path.Base(at), Path: at}
	p := holdfast.Principal{Account: r.q.Account}
	loc, err := r.s.Locate(ctx, p, r.q.Account, strings.Split(at, "/"))
	if err == nil && len(loc.Rest) != 1 {
		err = fail(holdfast.NotFound, at, "the folder that it belongs to is not there")
	}
	if err != nil {
		return r.refuse(t, nil, err)
	}
	sum := holdfast.HashOf(body)
	q := core.FileRequest{Place: loc.Place(), ContentType: contentType, Octets: bytes.NewReader(body), Size: int64(len(body)), If: holdfast.Precondition{Exists: holdfast.Absent}}
	t.Result, err = r.beside(ctx, loc, q.Name, sum)
	if err == nil && t.Result == Conflict && r.had(ctx, at, sum) {
		t.Result = Older
	}
	if err == nil && t.Result == Conflict {
		ext := path.Ext(q.Name)
		q.Name = strings.TrimSuffix(q.Name, ext) + mark(r.q.From, r.s.Now()) + ext
		t.Of, t.Path = at, path.Dir(at)+"/"+q.Name
		var there Result
		if there, err = r.beside(ctx, loc, q.Name, sum); there == Already { // a salvage that was cut made it
			t.Result = Already
		}
	}
	if err == nil && !r.q.DryRun && (t.Result == Restored || t.Result == Conflict) {
		_, _, err = r.s.PutFile(ctx, p, q)
	}
	if err != nil {
		return r.refuse(t, nil, err)
	}
	return r.tell(t)
}

// beside tells whether a name is free (Restored), has these octets (Already) or others (Conflict).
func (r *Run) beside(ctx context.Context, loc core.Location, name string, sum holdfast.Hash) (Result, error) {
	result := Conflict
	err := r.s.Read(ctx, holdfast.Principal{Account: r.q.Account}, r.q.Account, func(rd *core.Reader) error {
		x, err := rd.Resource(loc.Collection.ID, name, 0)
		switch {
		case holdfast.IsKind(err, holdfast.NotFound):
			result, err = Restored, nil
		case err == nil && x.ETag == sum:
			result = Already
		}
		return err
	})
	return result, err
}

// had tells whether an earlier version of a path had these octets.
func (r *Run) had(ctx context.Context, at string, sum holdfast.Hash) bool {
	for before := uint64(0); ; {
		lines, more, err := r.past.History(ctx, core.HistoryQuery{Path: at, Before: before, Limit: 1000})
		for i := range lines {
			if lines[i].Op == holdfast.OpPut && lines[i].ETag == sum {
				return true
			}
			before = lines[i].Seq
		}
		if err != nil || !more || len(lines) == 0 { // one copy too many is safe
			return false
		}
	}
}
