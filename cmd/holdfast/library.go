package main

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/drill"
	"holdfast/internal/library"
	"holdfast/internal/photo/decode"
)

// photosName is the directory in the data directory with what is derived of people's photos. It may be removed: it is made anew.
const photosName = "photos"

// photos are the library of a running service, and the processes that decode for it.
type photos struct {
	*library.Library
	pool *decode.Pool // nil: no thumbnails are made

	mu    sync.Mutex
	ended bool
	stop  func() // nil: it was not begun
}

// openPhotos opens the library. What keeps it from that keeps the service from nothing else: nil.
func (o *opened) openPhotos(c *config.Config, busy func() bool, log *slog.Logger) *photos {
	p := &photos{}
	q := library.Options{Dir: filepath.Join(c.Data, photosName), Store: o.id.Store, Core: o.core, Workers: c.Photos.Workers, Clock: clock.System, Log: log, Busy: busy, Copies: o.photoCopies, Reserve: c.Photos.Reserve}
	program, err := itself()
	if err != nil {
		log.Error("no thumbnails are made: this program does not know where it lies", "err", err)
	}
	if err == nil && c.Photos.Workers > 0 {
		ffmpeg := findFFmpeg(c.Photos.FFmpeg, log)
		command, film := decode.Commands(program, ffmpeg)
		p.pool = decode.NewPool(decode.Config{Command: command, Film: film, Workers: c.Photos.Workers, Clock: clock.System})
		q.Decoder, q.Films = p.pool, ffmpeg != ""
	}
	if p.Library, err = library.Open(q); err != nil {
		log.Error("the index of photos cannot be opened: photos are stored, and not shown by time and place", "err", err)
		return nil
	}
	return p
}

// itself is the program that runs, which the file at its path may not be any more after an upgrade.
func itself() (string, error) {
	const running = "/proc/self/exe"
	if _, err := os.Stat(running); err == nil {
		return running, nil
	}
	return os.Executable()
}

// findFFmpeg looks for the program that decodes films, and says once why films have no posters, where it is not used; empty then.
func findFFmpeg(name string, log *slog.Logger) string {
	if name == "none" {
		return ""
	}
	path, err := exec.LookPath(name)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	switch {
	case err != nil:
		log.Info("films have no posters: ffmpeg is not installed", "photos.ffmpeg", name, "err", err)
		return ""
	case !decode.ShutsIn():
		log.Info("films have no posters: this system cannot shut ffmpeg in (Linux 5.13 with Landlock and seccomp can), and it is not run otherwise")
		return ""
	}
	return path
}

// begin has the library follow the store, until end.
func (p *photos) begin(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	p.stop = func() { cancel(); <-done }
	go func() {
		defer close(done)
		p.Run(ctx)
	}()
}

// end ends the work, and waits for it; questions are still answered.
func (p *photos) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.ended = true
	if p.stop != nil {
		p.stop()
	}
	if p.pool != nil {
		p.pool.Close()
	}
}

// mostChecks bounds how many drills of a copy are looked at: as many as read all large files in turn, and some.
const mostChecks = 60

// photoCopies are an account's copies, with what proved them.
func (o *opened) photoCopies(_ context.Context, account holdfast.ID) ([]library.Copy, error) {
	k := o.keeper
	out := []library.Copy{{Name: "this server", Domain: thisDisk, Engine: true, Counts: true, Damaged: o.scrub.left() > 0}}
	results, err := o.drills.book.About(account, mostChecks*max(1, len(k.vaults().Vaults)))
	if err != nil {
		return nil, err
	}
	for _, v := range o.relay.Status().Vaults {
		if v.Kind == kindLedger {
			continue
		}
		c := library.Copy{Name: "vault " + v.Name, Domain: k.domainOf(v), Apart: v.Apart(), Counts: v.Counts, Batch: v.Batch}
		if last, ok := k.scrubs.of(v.Name); ok && !last.At.Before(thereSince(k.vaults(), v.Name, clock.System.Now())) {
			if c.Damaged = last.Findings > 0 || len(last.Damaged) > 0; !c.Damaged && last.Upto > 0 {
				c.Checks = append(c.Checks, library.Check{On: last.At, By: "reading", Batch: last.Upto})
			}
		}
		proof, err := o.drills.proven(v.Name, account)
		if err != nil {
			return nil, err
		}
		checks, failed := drilled(results, v.Name, thereSince(k.vaults(), v.Name, clock.System.Now()), account, proof.Drill)
		c.Checks, c.Damaged = append(c.Checks, checks...), c.Damaged || failed
		out = append(out, c)
	}
	return out, nil
}

// drilled are the drills of a vault that proved an account, newest first. failed tells that one found it wanting, and none passed since.
func drilled(results []drill.Result, vault string, since time.Time, account holdfast.ID, proof string) (checks []library.Check, failed bool) {
	for i := range results {
		r := &results[i]
		if r.Vault != vault || r.Started.Before(since) {
			continue
		}
		switch about := r.Sample.Whole || r.Account == account.String(); {
		case r.Result == drill.Pass && (about || r.ID == proof):
			if len(checks) < mostChecks {
				checks = append(checks, library.Check{On: r.Ended, By: "drill", Batch: r.Batch, Covers: r.Blobs.Covers})
			}
		case r.Result == drill.Fail && len(checks) == 0 && (about || len(r.Digests.Different) == 0 || slices.Contains(r.Digests.Different, account.String())):
			failed = true
		}
	}
	return checks, failed
}
