package s3

import (
	"bytes"
	"context"
	"io"
	"slices"

	"holdfast"
	"holdfast/internal/bucket"
	"holdfast/internal/place"
)

// fewPieces is how many are left as they are.
const fewPieces = 2

// Settle implements [place.Settler]. An object that has many pieces, and all of them, is put whole beside them; what is whole is compared with them, and then they go, unless they are locked: then they go with it.
func (p *Place) Settle(ctx context.Context, name string) error {
	if err := place.CheckName("Settle", name, true); err != nil {
		return err
	}
	defer p.forget(name)
	if err := p.shut(ctx, name); err != nil {
		return err
	}
	if err := p.join(ctx, name); err != nil {
		return err
	}
	if number := p.fence.Load(); number > 0 {
		p.tidy(ctx, []string{openKey(number, name)})
	}
	return nil
}

// join puts an object whole, and goes on where that was cut.
func (p *Place) join(ctx context.Context, name string) error {
	whole, l := false, &pieces{}
	if err := p.b.List(ctx, name, "", func(i bucket.Info) error {
		of, at, ok := cutKey(i.Name)
		switch {
		case of != name || !ok:
			return errEnough
		case at < 0:
			whole = true
		default:
			l.add(at, i)
		}
		return nil
	}); err != nil && err != errEnough {
		return err
	}
	if len(l.list) == 0 || !whole && (len(l.list) <= fewPieces || !l.complete()) {
		return nil
	}
	if !whole {
		r := p.chain(ctx, name, l, 0, l.size)
		err := p.create(ctx, name, name, r, l.size, "")
		r.Close()
		if err != nil {
			return err
		}
	}
	if l.complete() { // else it was compared before, and pieces were removed since
		if err := p.prove(ctx, name, l); err != nil {
			return err
		}
	}
	lock, err := p.lock(ctx, name)
	if err != nil || lock > 0 {
		return err
	}
	err = p.b.RemoveMany(ctx, name+pieceMark, func(key string) bool {
		_, at, ok := cutKey(key)
		return ok && slices.ContainsFunc(l.list, func(x piece) bool { return x.at == at })
	})
	if holdfast.IsKind(err, holdfast.Forbidden) {
		return nil
	}
	return err
}

// prove compares what was put whole with its pieces, and removes it where it is something else: it must not have the place of what is right.
func (p *Place) prove(ctx context.Context, name string, l *pieces) error {
	err := p.compare(ctx, name, l)
	if !holdfast.IsKind(err, holdfast.Corrupt) {
		return err
	}
	if e := p.b.Remove(ctx, name); e != nil {
		p.o.Log.Error("a segment that was put whole differs from its pieces, and could not be removed", "place", p.String(), "object", name, "err", e)
	}
	return err
}

// compare reads an object and its pieces once more.
func (p *Place) compare(ctx context.Context, name string, l *pieces) error {
	parts := p.chain(ctx, name, l, 0, l.size)
	defer parts.Close()
	whole, err := p.b.Get(ctx, name, 0, -1)
	if err != nil {
		return err
	}
	defer whole.Close()
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(parts, b)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return err
		}
		m, err2 := io.ReadFull(whole, a)
		if err2 != nil && err2 != io.EOF && err2 != io.ErrUnexpectedEOF {
			return err2
		}
		if !bytes.Equal(a[:m], b[:n]) {
			return place.Err("Settle", holdfast.Corrupt, name, "what was put whole is not what its pieces hold", nil)
		}
		if err != nil {
			return nil
		}
	}
}
