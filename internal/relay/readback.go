package relay

import (
	"context"
	"errors"
	"fmt"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/vault"
)

// A vault may say that it stored something and not have it: the directory was moved away under an open file, a disk was mounted over it, a server or a proxy answers without storing. Nothing that is written shows that; reading it
// back by another way does. So the vault is opened a second time, now and then, and the end of the newest append is read.

// readBacks is how often that is done in the time after which a vault is late.
const readBacks = 4

// errHangs says that nothing came back in time: that is told by how long ago something did ([VaultStatus].LastRead), and takes no vault down that takes appends.
var errHangs = errors.New("nothing came back in time")

// readBack opens the vault a second time and looks whether it has the newest append. Errors: those of opening, Corrupt (it does not have it), errHangs.
func (w *worker) readBack(ctx context.Context, writer *vault.Writer) error {
	within, cancel := clock.WithTimeout(ctx, w.r.o.Clock, w.r.o.Late/readBacks)
	defer cancel()
	err := w.readEnd(within, writer)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", errHangs, err)
	}
	return err
}

func (w *worker) readEnd(ctx context.Context, writer *vault.Writer) error {
	e, ok := writer.Ending()
	v, err := w.a.Open(ctx)
	if err != nil {
		return err
	}
	defer v.Close()
	if !ok {
		w.set(func(s *shipping) { s.read = w.r.o.Clock.Now() })
		return nil
	}
	if err := v.Holds(ctx, e); err != nil {
		return err
	}
	w.set(func(s *shipping) { s.proven, s.read = e.Position, w.r.o.Clock.Now() })
	return nil
}

// readBackNowAndThen reads back until ctx ends, and says when the vault cannot be relied on: it lacks what was stored, or it could not be read twice, one time soon after the other.
func (w *worker) readBackNowAndThen(ctx context.Context, writer *vault.Writer, lost chan<- error) {
	every := w.r.o.Late / readBacks
	again := false
	for pause := every; clock.Sleep(ctx, w.r.o.Clock, pause) == nil; {
		err := w.readBack(ctx, writer)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			again, pause = false, every
			continue
		}
		if errors.Is(err, errHangs) {
			pause = every / readBacks
			continue
		}
		if kind := holdfast.KindOf(err); again || kind == holdfast.Corrupt || kind == holdfast.NotFound {
			lost <- err
			return
		}
		w.r.o.Log.Warn("what was written into a vault could not be read back; that is tried again at once", "vault", w.a.Name, "err", err)
		again, pause = true, every/readBacks
	}
}

// distrust takes back what the vault is believed to have beyond what was read, and has each append read back from now on, until one was there.
func (w *worker) distrust(err error) {
	w.doubted = true
	w.set(func(s *shipping) {
		s.pos = s.proven
		if holdfast.IsKind(err, holdfast.Corrupt) {
			s.lied = w.r.o.Clock.Now()
		}
	})
}
