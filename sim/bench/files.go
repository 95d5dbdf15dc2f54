package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast/sim/load"
	"holdfast/sim/server"
)

// fileHands is how many connections move files.
const fileHands = 4

// stand is something that files are moved to and from.
type stand struct {
	name string
	// start makes it in a directory. Where it cannot be had on this machine, absent says why.
	start func(ctx context.Context, dir string) (s *standing, absent string, err error)
	goal  map[string]float64 // share of the plain copy by way; 0: none
	note  string
	rates map[string][]float64 // MiB a second of each round, by way
	used  map[string][]float64 // milliseconds of its processor for a MiB likewise
	own   map[string][]float64 // and of this process's, which shares the processors with it
	gone  string               // why it is not measured
}

// standing is a stand that is ready.
type standing struct {
	shelf
	data string // where its files lie
	cpu  func() (time.Duration, error)
	stop func() error
}

// plainCopy is what all others are held against.
const plainCopy = "a plain copy with fsync"

// ways are what is measured: files in; out, as the system still has them at hand; out, from the disk.
var ways = []string{"in", "out", "out from disk"}

func (b *bench) stands() []*stand {
	list := []*stand{
		{name: plainCopy, start: b.plainStand, note: "from memory, and a plain read"},
		{name: "a bare net/http handler", start: b.bareStand, note: "it writes the file with fsync, and sends it by the system's own copying"},
		{name: "Holdfast, no vault", start: b.holdfastStand("--first-vault", "none", "--ack", "engine"), goal: map[string]float64{"in": 0.6, "out": 0.6, "out from disk": 0.6}},
		{name: "Holdfast, a vault on the same disk", start: b.holdfastStand(), goal: map[string]float64{"in": 0.3, "out": 0.6, "out from disk": 0.6}},
	}
	if b.peers {
		list = append(list, &stand{name: "Apache mod_dav", start: b.apacheStand, note: "without any fsync"}, &stand{name: "Cyrus", start: b.cyrusStand})
	}
	for _, s := range list {
		s.rates, s.used, s.own = map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
	}
	return list
}

// files measures photos and films: how fast they go in and out, beside a plain copy on the same disk, in turns; one of gigabytes; and their way back out of a vault.
func (b *bench) files(ctx context.Context) (err error) {
	stands := b.stands()
	pool, err := newPool(b.dir, b.fileSize)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.close()) }()
	for i := range b.fileRounds {
		for k, s := range stands {
			if s.gone != "" {
				continue
			}
			if err := b.standRound(ctx, s, pool, filepath.Join(b.dir, fmt.Sprintf("files-%d-%d", i, k))); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	for _, way := range ways {
		for _, s := range stands {
			b.fileFigure(way, s, stands[0])
		}
	}
	if err := b.filesRestored(ctx, pool); err != nil {
		return err
	}
	return b.hugeFile(ctx)
}

// standRound moves all files in and out once.
func (b *bench) standRound(ctx context.Context, s *stand, p *pool, dir string) (err error) {
	if err := os.Mkdir(dir, 0o711); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir), settle(b.dir)) }() // what one leaves for the disk to do is not the next one's to pay
	at, absent, err := s.start(ctx, dir)
	if s.gone = absent; absent != "" || err != nil {
		return err
	}
	defer func() { err = errors.Join(err, at.stop()) }()
	warm, list := newFiles(p, 2*fileHands, b.fileSize), newFiles(p, b.fileCount, b.fileSize)
	for i, f := range warm {
		f.name = fmt.Sprintf("first-%d", i)
	}
	for _, way := range ways {
		one := hand.get
		if way == "in" {
			one = hand.put
		}
		if _, err := move(ctx, at, fileHands, warm, one); err != nil {
			return err
		}
		if err := settle(dir); err != nil {
			return err
		}
		if way == "out from disk" {
			if forgets == "" {
				continue
			}
			if _, err := eachFile(at.data, forget); err != nil {
				return err
			}
		}
		if err := s.timed(ctx, at, way, list, one); err != nil {
			return err
		}
	}
	return nil
}

// timed moves files, and remembers how fast.
func (s *stand) timed(ctx context.Context, at *standing, way string, list []*file, one func(hand, *file) error) error {
	self := func() (time.Duration, error) { return server.CPUOf(os.Getpid()) }
	theirs, err := at.cpu()
	own, err2 := self()
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	rate, err := move(ctx, at, fileHands, list, one)
	if err != nil {
		return err
	}
	theirs2, err := at.cpu()
	own2, err2 := self()
	a := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / mebis(list) }
	s.rates[way] = append(s.rates[way], rate)
	s.used[way], s.own[way] = append(s.used[way], a(theirs2-theirs)), append(s.own[way], a(own2-own))
	return errors.Join(err, err2)
}

func mebis(list []*file) (n float64) {
	for _, f := range list {
		n += float64(f.size()) / (1 << 20)
	}
	return n
}

// beside are the ways of the plain copy that each is held against. A plain read of what the system has at hand is a copy in memory, which no protocol comes near: what goes out so is held against the copy with fsync, and the read is told beside it.
var beside = map[string]struct{ way, of string }{"in": {"in", "of " + plainCopy}, "out": {"in", "of " + plainCopy}, "out from disk": {"out from disk", "of a plain read"}}

// fileFigure reports a stand, beside the plain copy.
func (b *bench) fileFigure(way string, s, plainly *stand) {
	f := figure{Name: fmt.Sprintf("%d files of %s MiB %s, %s", b.fileCount, short(float64(b.fileSize)/(1<<20)), way, s.name), Unit: "MiB/s", Note: s.note}
	switch {
	case s.gone != "":
		f.Note = "absent: it is not measured; " + s.gone
	case len(s.rates[way]) == 0:
		f.Note = "not measured: this system has no call that forgets what was read"
	default:
		plain := median(plainly.rates[beside[way].way])
		f.Value, f.Goal = median(s.rates[way]), s.goal[way]*plain
		if len(s.rates[way]) > 1 {
			f.Note = joined(f.Note, "the median of "+rates(s.rates[way]))
		}
		if used := median(s.used[way]); used > 0 {
			f.Note = joined(f.Note, fmt.Sprintf("%.1f ms of the server's processor a MiB", used))
		}
		if own := median(s.own[way]); own > 0 {
			f.Note = joined(f.Note, fmt.Sprintf("%.1f ms of the client's", own))
		}
		if s.name != plainCopy {
			f.beside(f.Value/plain, beside[way].of)
			if beside[way].way != way {
				f.Note = joined(f.Note, fmt.Sprintf("%.0f %% of a plain read", 100*f.Value/median(plainly.rates[way])))
			}
		}
	}
	b.report.add(f)
}

func joined(a, b string) string { return strings.TrimPrefix(a+"; "+b, "; ") }

func rates(list []float64) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = number(v)
	}
	return strings.Join(out, ", ")
}

// short writes a size without zeros behind the point.
func short(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }

func noCPU() (time.Duration, error) { return 0, nil }

func (b *bench) plainStand(_ context.Context, dir string) (*standing, string, error) {
	return &standing{plain(dir), dir, noCPU, func() error { return nil }}, "", nil
}

func (b *bench) bareStand(ctx context.Context, dir string) (*standing, string, error) {
	addr, pid, stop, err := startBare(ctx, "-serve-files", dir)
	if err != nil {
		return nil, "", err
	}
	return &standing{&web{addr: addr, path: "/"}, dir, func() (time.Duration, error) { return server.CPUOf(pid) }, func() error { stop(); return nil }}, "", nil
}

// filesOf is where an account's files are.
func filesOf(addr string, a load.Account) *web {
	path := strings.TrimSuffix(strings.Replace(a.Book, "/addressbooks/", "/files/", 1), "default/")
	return &web{addr: addr, path: path, user: a.Email, password: a.Password}
}

// holdfastStand starts Holdfast with more flags.
func (b *bench) holdfastStand(flags ...string) func(context.Context, string) (*standing, string, error) {
	return func(ctx context.Context, dir string) (*standing, string, error) {
		data := filepath.Join(dir, "data")
		s, err := server.Start(ctx, server.Options{Bin: b.bin, Data: data, Flags: flags})
		if err != nil {
			return nil, "", err
		}
		a, err := s.AddAccount(ctx, "alice@example.org")
		if err != nil {
			return nil, "", errors.Join(err, s.Stop())
		}
		return &standing{filesOf(s.Addr, a), data, s.CPU, s.Stop}, "", nil
	}
}
