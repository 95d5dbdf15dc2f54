package rehearse

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/control"
)

// cuts is how often a service is killed.
const cuts = 3

// powerCut kills the service in the midst of work, again and again, and starts it again.
func (r *rehearsal) powerCut(ctx context.Context) error {
	halt := r.live(ctx)
	steps := []func(context.Context) error{r.beforehand}
	for range cuts {
		steps = append(steps, r.cut, func(ctx context.Context) error { return r.wait(ctx, r.o.Pace.After/(2*cuts)) })
	}
	steps = append(steps, func(ctx context.Context) error { return r.wait(ctx, r.o.Pace.After/2) })
	return errors.Join(inOrder(ctx, steps...), halt())
}

func (r *rehearsal) cut(ctx context.Context) error {
	if err := r.lost(); err != nil {
		return err
	}
	r.grave("killed in the midst of work, as kill -9 does; %d changes are acknowledged", r.book.Count())
	if err := r.wait(ctx, min(time.Second, r.o.Pace.Outage/cuts)); err != nil {
		return err
	}
	return r.serveAgain(ctx, "holdfast serve: back")
}

// staleRestore puts a copy of the data directory of a while ago over it, on a host on which the vault's disk is not there yet.
func (r *rehearsal) staleRestore(ctx context.Context) error {
	halt := r.live(ctx)
	half := func(ctx context.Context) error { return r.wait(ctx, r.o.Pace.Before/2) }
	return errors.Join(inOrder(ctx, half, r.image, half, r.putBack, r.withoutItsVault, r.withItsVault, r.afterwards), halt())
}

// imageDir is where the older copy lies.
func (r *rehearsal) imageDir() string { return filepath.Join(r.o.Dir, "older") }

// image is what an operator does who knows no better way: the service is stopped, the directory is copied, the service is started.
func (r *rehearsal) image(ctx context.Context) error {
	if err := r.service.stop(ctx); err != nil {
		return err
	}
	if err := copyDir(r.imageDir(), r.service.data); err != nil {
		return err
	}
	if err := r.service.start(ctx); err != nil {
		return err
	}
	r.tell("an operator copies the data directory, with the service stopped; %d changes are acknowledged", r.book.Count())
	return nil
}

// copyDir copies a directory with the modes of its files.
func copyDir(to, from string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		if !d.Type().IsRegular() { // the control socket
			return nil
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	})
}

func (r *rehearsal) putBack(context.Context) error {
	if err := r.lost(); err != nil {
		return err
	}
	if err := os.RemoveAll(r.service.data); err != nil {
		return fmt.Errorf("put the older copy back: %w", err)
	}
	if err := os.Rename(r.imageDir(), r.service.data); err != nil {
		return fmt.Errorf("put the older copy back: %w", err)
	}
	if err := os.Rename(r.vault, r.vault+".away"); err != nil {
		return fmt.Errorf("take the vault away: %w", err)
	}
	r.vaults.Store(0)
	r.grave("the older copy is put over the data directory, and the vault's disk is not mounted; %d changes are acknowledged", r.book.Count())
	return nil
}

// withoutItsVault starts what was put back. It is to show nobody anything before it knows what it lacks.
func (r *rehearsal) withoutItsVault(ctx context.Context) error {
	ready, err := r.service.launch()
	if err != nil {
		return err
	}
	r.ready = ready
	if err := r.wait(ctx, r.o.Pace.Outage); err != nil {
		return err
	}
	said, err := r.get(ctx, r.accounts[0], "/dav/")
	select {
	case <-ready:
		r.grave("the service is ready, and does not know what it lacks")
		return failed(holdfast.InDoubt, r.service.data, "a store from an older copy was served without its vault")
	default:
	}
	if err != nil {
		return err
	}
	r.tell("holdfast serve: started, and shows nobody anything before it was compared with its vault; phones get %s and wait", said)
	return nil
}

// withItsVault mounts the vault's disk.
func (r *rehearsal) withItsVault(ctx context.Context) error {
	if err := os.Rename(r.vault+".away", r.vault); err != nil {
		return fmt.Errorf("bring the vault back: %w", err)
	}
	if err := r.service.awaitReady(ctx, r.ready); err != nil {
		return err
	}
	r.vaults.Store(1)
	r.engine.Store(true)
	down := r.o.Clock.Now().Sub(r.down).Seconds()
	r.report.Outage += down
	r.back("the vault's disk is mounted: the store was brought up to its vault, and is served, after %.1f s", down)
	return nil
}

// secondVault makes one in another directory, and lets changes wait for it too.
func (r *rehearsal) secondVault(ctx context.Context) error {
	r.drills = []string{"local", "attic"}
	r.second = filepath.Join(r.o.Dir, "attic", "holdfast-vault")
	if err := os.MkdirAll(filepath.Dir(r.second), 0o700); err != nil {
		return fmt.Errorf("a second vault: %w", err)
	}
	if err := r.service.must(ctx, nil, r.with("vault", "add", "attic", "dir", r.second, "--domain", "attic", "--sync", "--data", r.service.data)...); err != nil {
		return err
	}
	if err := r.service.stop(ctx); err != nil {
		return err
	}
	r.service.flags = append(r.service.flags, "--ack", "engine+2of(local,attic)")
	if err := r.service.start(ctx); err != nil {
		return err
	}
	if err := r.whole(ctx); err != nil {
		return err
	}
	r.vaults.Store(2)
	return nil
}

// whole waits until each vault has everything.
func (r *rehearsal) whole(ctx context.Context) error {
	c, err := control.Dial(ctx, r.service.data)
	if err != nil {
		return err
	}
	defer c.Close()
	within, cancel := clock.WithTimeout(ctx, r.o.Clock, readyWithin)
	defer cancel()
	for {
		s, err := c.VaultStatus(within)
		if err != nil {
			return err
		}
		whole := 0
		for _, v := range s.Vaults {
			if v.State == "whole" {
				whole++
			}
		}
		if whole == len(s.Vaults) {
			return nil
		}
		if err := clock.Sleep(within, r.o.Clock, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// halve removes every second file of a vault, in each of its directories; which, the seed says.
func (r *rehearsal) halve(dir string) (removed, of int, err error) {
	in := map[string][]string{}
	var dirs []string
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if in[filepath.Dir(name)] == nil {
				dirs = append(dirs, filepath.Dir(name))
			}
			in[filepath.Dir(name)] = append(in[filepath.Dir(name)], name)
		}
		return err
	})
	random := rand.New(rand.NewPCG(r.o.Seed, 4))
	for _, d := range dirs {
		list := in[d]
		random.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
		of += len(list)
		for _, name := range list[:len(list)/2] {
			removed++
			err = errors.Join(err, os.Remove(name))
		}
	}
	return removed, of, err
}

// restoreFromBoth finds half of the first vault gone too: alone it would lose something, and says what; with the second vault nothing is lost.
func (r *rehearsal) restoreFromBoth(ctx context.Context) error {
	removed, of, err := r.halve(r.vault)
	if err != nil {
		return err
	}
	r.vaults.Store(1)
	r.grave("the vault lost %d of its %d files as well", removed, of)
	alone, err := r.restoreFrom(ctx, true, r.vault)
	if err != nil {
		return err
	}
	r.tell("holdfast restore --dry-run, from that vault alone: %d changes, exit status %d; it names %d losses", alone.Changes, alone.Exit, alone.Losses)
	r.report.Alone = alone
	rep, err := r.restoreFrom(ctx, false, r.vault, r.second)
	if err != nil {
		return err
	}
	r.report.Restored = rep
	r.tell("holdfast restore from both vaults: %d changes of %d accounts, and %d photos, in %.1f s; losses that it names: %d", rep.Changes, rep.Accounts, rep.Photos, rep.Seconds, rep.Losses)
	code, err := r.service.run(ctx, nil, r.with("adopt", r.service.data)...)
	switch {
	case err != nil:
		return err
	case code == 0:
		return inOrder(ctx, r.serveBoth, r.repair)
	}
	r.tell("holdfast adopt: ends with %d, since what is left of the first vault is no vault any more, and says to go on without it", code)
	return inOrder(ctx, r.adoptWithout, r.serveBoth, r.replace)
}

func (r *rehearsal) serveBoth(ctx context.Context) error {
	return r.serveAgain(ctx, "holdfast adopt, serve: back at the same address")
}

// adoptWithout takes the first vault off the list.
func (r *rehearsal) adoptWithout(ctx context.Context) error {
	r.drills = []string{"attic"}
	r.service.flags[len(r.service.flags)-1] = "engine+attic" // of --ack
	return r.service.must(ctx, nil, r.with("adopt", r.service.data, "--without", "local")...)
}

// replace makes a new vault in the place of the one that is lost.
func (r *rehearsal) replace(ctx context.Context) error {
	dir := filepath.Join(r.o.Dir, "new", "holdfast-vault")
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return fmt.Errorf("a new vault: %w", err)
	}
	if err := r.service.must(ctx, nil, r.with("vault", "add", "new", "dir", dir, "--domain", "new", "--data", r.service.data)...); err != nil {
		return err
	}
	if err := r.whole(ctx); err != nil {
		return err
	}
	r.drills = append(r.drills, "new")
	r.vaults.Store(2)
	r.tell("holdfast vault add: a new vault in its place is whole")
	return nil
}

// repair writes anew what the first vault lost, out of the living service.
func (r *rehearsal) repair(ctx context.Context) error {
	var rep struct {
		Damaged []string `json:"damaged"`
		Left    int      `json:"left"`
	}
	if _, err := r.service.run(ctx, &rep, r.with("vault", "repair", "local", "--data", r.service.data)...); err != nil {
		return err
	}
	if rep.Left == 0 {
		r.vaults.Store(2)
	}
	r.tell("holdfast vault repair: %d objects of the first vault that were damaged or gone are written again; left: %d", len(rep.Damaged), rep.Left)
	return nil
}
