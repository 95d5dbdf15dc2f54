package rehearse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"

	"holdfast"
)

// storage names the files that hold what a service keeps, in its data directory: a storage upgrade takes all of it. photos are those beside the database.
func storage(data string) (database, photos []string, err error) {
	database, err = filepath.Glob(filepath.Join(data, "holdfast.db*"))
	if err != nil || len(database) == 0 {
		return nil, nil, failed(holdfast.NotFound, data, "there is no database to destroy")
	}
	photos, err = filepath.Glob(filepath.Join(data, "blobs", "*", "*", "*"))
	return database, photos, err
}

// upgrade is what happened in 2009: work on the storage destroys it half-way, people reset their phones, and the service is rebuilt from the copy that is left.
func (r *rehearsal) upgrade(ctx context.Context) error {
	halt := r.live(ctx)
	return inOrder(ctx, r.beforehand, r.destroy, r.halting(halt), r.resetPhones, func(ctx context.Context) error {
		halt = r.live(ctx)
		back := r.restore
		if r.o.Fault == HalfAVault {
			back = r.restoreFromBoth
		}
		return errors.Join(inOrder(ctx, r.outage, back, r.afterwards), halt())
	})
}

func (r *rehearsal) halting(halt func() error) func(context.Context) error {
	return func(context.Context) error { return halt() }
}

func (r *rehearsal) beforehand(ctx context.Context) error { return r.wait(ctx, r.o.Pace.Before) }
func (r *rehearsal) outage(ctx context.Context) error     { return r.wait(ctx, r.o.Pace.Outage/2) }
func (r *rehearsal) afterwards(ctx context.Context) error { return r.wait(ctx, r.o.Pace.After) }

// block is how much a storage upgrade writes at once, in octets.
const block = 16 << 10

// destroy writes over part of the database while people work, kills the service, and then removes all of it.
func (r *rehearsal) destroy(ctx context.Context) error {
	database, photos, err := storage(r.service.data)
	if err != nil {
		return err
	}
	var written int64
	for i, name := range append(database, photos...) {
		if i < len(database) && filepath.Base(name) != "holdfast.db" || i >= len(database) && i%2 == 0 {
			continue
		}
		n, err := r.overwrite(name)
		if err != nil {
			return err
		}
		written += n
	}
	r.grave("a storage upgrade goes wrong: %d KiB in the middle of the database and of every second of %d photos are overwritten while phones work; %d changes are acknowledged", written>>10, len(photos), r.book.Count())
	if err := r.wait(ctx, r.o.Pace.Outage/4); err != nil {
		return err
	}
	if err := r.lost(); err != nil {
		return err
	}
	if err := os.RemoveAll(r.service.data); err != nil {
		return fmt.Errorf("destroy: %w", err)
	}
	r.grave("storage destroyed: the service is dead, and its data directory is removed; %d changes are acknowledged", r.book.Count())
	return r.wait(ctx, r.o.Pace.Outage/4)
}

// lost kills the service, and remembers what phones held then.
func (r *rehearsal) lost() error {
	err := r.service.kill()
	r.engine.Store(false)
	r.down = r.o.Clock.Now()
	if r.before == nil {
		r.before, r.report.Before = r.fleet.Phones(), r.book.Count()
	}
	return err
}

// overwrite puts other octets over every second block of a file's middle half.
func (r *rehearsal) overwrite(name string) (written int64, err error) {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return 0, fmt.Errorf("destroy: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("destroy: %w", err)
	}
	noise := rand.NewChaCha8([32]byte{byte(r.o.Seed)})
	for at := st.Size() / 4; at < st.Size()*3/4; at += 2 * block {
		n, err := io.CopyN(io.NewOffsetWriter(f, at), noise, min(block, st.Size()*3/4-at))
		written += n
		if err != nil {
			return written, fmt.Errorf("destroy: %w", err)
		}
	}
	return written, f.Sync()
}

// resetPhones takes every second phone back to how it came out of its box.
func (r *rehearsal) resetPhones(context.Context) error {
	held, unsent := 0, 0
	for i := 0; i < len(r.before); i += 2 {
		h, u := r.fleet.ResetPhone(i)
		r.reset[i] = u
		held, unsent = held+h, unsent+u
	}
	r.grave("people reset %d of %d phones: %d items on them are gone, and %d edits that nobody had acknowledged", len(r.reset), len(r.before), held, unsent)
	return nil
}

type restoreReport struct {
	Accounts []struct {
		Changes int64 `json:"changes"`
	} `json:"accounts"`
	Losses  []any   `json:"losses"`
	Seconds float64 `json:"duration_s"`
	Blobs   *struct {
		Read    int64   `json:"read"`
		Seconds float64 `json:"duration_s"`
	} `json:"blobs"`
}

// restoreFrom runs `holdfast restore`, as the documents say.
func (r *rehearsal) restoreFrom(ctx context.Context, dry bool, vaults ...string) (*Restored, error) {
	args := []string{"restore", "--key", r.key}
	for _, v := range vaults {
		args = append(args, "--from", v)
	}
	if dry {
		args = append(args, "--dry-run")
	} else {
		args = append(args, "--into", r.service.data)
	}
	var rep restoreReport
	code, err := r.service.run(ctx, &rep, r.with(args...)...)
	if err != nil {
		return nil, err
	}
	if code > 1 && !dry {
		return nil, failed(holdfast.Unavailable, r.service.data, "holdfast restore ends with %d: %s", code, r.service.tail())
	}
	out := &Restored{Accounts: len(rep.Accounts), Losses: len(rep.Losses), Seconds: rep.Seconds, Exit: code}
	for _, a := range rep.Accounts {
		out.Changes += a.Changes
	}
	if rep.Blobs != nil {
		out.Photos, out.Seconds = rep.Blobs.Read, out.Seconds+rep.Blobs.Seconds
	}
	return out, nil
}

// restore brings the service back from the vault that is left.
func (r *rehearsal) restore(ctx context.Context) error {
	rep, err := r.restoreFrom(ctx, false, r.vault)
	if err != nil {
		return err
	}
	r.report.Restored = rep
	r.tell("holdfast restore: %d changes of %d accounts, and %d photos, in %.1f s out of the vault and the recovery key; losses that it names: %d", rep.Changes, rep.Accounts, rep.Photos, rep.Seconds, rep.Losses)
	return r.comeBack(ctx)
}

// comeBack adopts what was restored and serves it where it was.
func (r *rehearsal) comeBack(ctx context.Context) error {
	args := []string{"adopt", r.service.data}
	if r.report.Restored.Exit != 0 {
		args = append(args, "--accept-loss") // nobody has what is lost
	}
	if err := r.service.must(ctx, nil, r.with(args...)...); err != nil {
		return err
	}
	return r.serveAgain(ctx, "holdfast adopt, serve: back at the same address")
}

func (r *rehearsal) serveAgain(ctx context.Context, what string) error {
	if err := r.service.start(ctx); err != nil {
		return err
	}
	r.engine.Store(true)
	down := r.o.Clock.Now().Sub(r.down).Seconds()
	r.report.Outage += down
	r.back("%s after %.1f s", what, down)
	return nil
}

// control is 2009: there is no other copy. The service is made anew, empty, with the same people and the same passwords.
func (r *rehearsal) control(ctx context.Context) error {
	halt := r.live(ctx)
	return inOrder(ctx, r.beforehand, r.destroy, r.halting(halt), r.resetPhones, func(ctx context.Context) error {
		halt = r.live(ctx)
		return errors.Join(inOrder(ctx, r.outage, r.beginAnew, r.afterwards), halt())
	})
}

func (r *rehearsal) beginAnew(ctx context.Context) error {
	if err := r.serveAgain(ctx, "there is nothing to restore from: a new, empty service at the same address"); err != nil {
		return err
	}
	r.engine.Store(false) // it is no copy of anything
	if err := r.people(ctx); err != nil {
		return err
	}
	r.tell("the same people have accounts again, with the passwords that their phones know; the accounts are new ones, and empty")
	return nil
}
