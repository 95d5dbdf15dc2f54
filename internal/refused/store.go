package refused

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/vfs"
)

// The bounds of one account, and of what is kept of what a client says in a header.
const (
	AccountFiles  = 500
	AccountOctets = 16 << 20
	maxText       = 1024
)

// The bounds of what waits to be written.
const (
	queueLen    = 256
	queueOctets = 32 << 20
)

// least is what a file counts for at least: a block of the disk.
const least = 4096

// Put is what a device sent and was refused.
type Put struct {
	Account     holdfast.ID `json:"account"`
	Device      holdfast.ID `json:"device"`
	Path        string      `json:"path"` // as the device names it: "addressbooks/default/x.vcf"
	ContentType string      `json:"content_type,omitempty"`
	IfMatch     string      `json:"if_match,omitempty"`
	Status      int         `json:"status"`
	Why         string      `json:"why"`
	Body        []byte      `json:"-"`
}

// Kept is a Put that is kept, without its body.
type Kept struct {
	Put
	Name   string        `json:"-"`      // of its file
	At     time.Time     `json:"at"`     // by the clock of then
	Since  time.Duration `json:"since"`  // how much time the store had counted by then
	Sum    holdfast.Hash `json:"sha256"` // of the body
	Octets int64         `json:"octets"` // likewise
	Until  time.Time     `json:"-"`      // when it goes, if no clock jumps
	size   int64         // of the file
}

// same tells whether a device sent the same octets to the same place.
func (k *Kept) same(o *Kept) bool {
	return k.Device == o.Device && k.Path == o.Path && k.Sum == o.Sum
}

// Options wires a [Store]. Dir must be given.
type Options struct {
	FS     vfs.FS // nil: the machine's
	Dir    string
	Clock  clock.Clock // nil: the system's
	Log    *slog.Logger
	Keep   time.Duration // how long; 0: nothing is kept
	Octets int64         // of all accounts
	// Room tells whether the disk has room for so many octets more; nil: it is found out by writing.
	Room func(octets int64) bool
}

// Store keeps bodies in a directory. One process at a time may.
type Store struct {
	o    Options
	wake chan struct{} // something waits
	disk sync.Mutex    // held while files are changed

	mu       sync.Mutex              // never held while a file is touched
	accounts map[holdfast.ID][]*Kept // each in the order of their names, which is that of their coming
	waiting  map[holdfast.ID]int     // bodies in the queue
	octets   int64                   // of the bodies in the queue
	last     int64                   // the newest name's time
	queue    []job
	waited   clock.Waited
}

// job is a body to be kept, or one that was acknowledged.
type job struct {
	put  *Put
	who  holdfast.Principal
	done holdfast.Hash
}

// Open reads what is kept. A directory that is not there is made when it is needed.
func Open(o Options) (*Store, error) {
	if o.FS == nil {
		o.FS = vfs.OS
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{o: o, wake: make(chan struct{}, 1), accounts: map[holdfast.ID][]*Kept{}, waiting: map[holdfast.ID]int{}}
	if err := s.read(); err != nil {
		return nil, fmt.Errorf("read what was refused in %s: %w", o.Dir, err)
	}
	s.count()
	return s, nil
}

// Keep lets a body wait to be written; it never waits itself. The body must not be changed afterwards.
func (s *Store) Keep(p Put) {
	if s.o.Keep <= 0 || len(p.Body) == 0 {
		return
	}
	p.Path, p.ContentType, p.IfMatch, p.Why = cut(p.Path), cut(p.ContentType), cut(p.IfMatch), cut(p.Why)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.octets+int64(len(p.Body)) > queueOctets || !s.put(job{put: &p}) {
		s.dropped(&p, "too much is refused at once")
		return
	}
	s.octets += int64(len(p.Body))
	s.waiting[p.Account]++
}

// Acknowledged takes off the list what a device sent in vain before, and stored now, under whatever name. It never waits.
func (s *Store) Acknowledged(p holdfast.Principal, body holdfast.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[p.Account] == 0 && !slices.ContainsFunc(s.accounts[p.Account], func(k *Kept) bool { return k.Device == p.Device && k.Sum == body }) {
		return
	}
	if !s.put(job{who: p, done: body}) {
		s.o.Log.Warn("what was refused and is stored now stays on the list: too much is refused at once", "account", p.Account, "device", p.Device)
	}
}

// dropped says that something is not kept.
func (s *Store) dropped(p *Put, why any) {
	s.o.Log.Warn("what a device sent and was refused is not kept", "account", p.Account, "device", p.Device, "path", p.Path, "status", p.Status, "octets", len(p.Body), "err", why)
}

// looked is how often it is looked for what is too old.
const looked = time.Hour

// Run writes what waits, until ctx ends and all of it is written.
func (s *Store) Run(ctx context.Context) {
	t := s.o.Clock.NewTicker(looked)
	defer t.Stop()
	for {
		select {
		case <-s.wake:
			s.Flush()
		case <-t.C():
			s.age()
		case <-ctx.Done():
			s.Flush()
			return
		}
	}
}

// Flush writes what waits by now, or waits until it is written. Jobs are taken under the disk's lock, so that they are done in the order of their coming.
func (s *Store) Flush() {
	for s.step() {
	}
}

// step does one job; false: there is none.
func (s *Store) step() bool {
	s.disk.Lock()
	defer s.disk.Unlock()
	s.mu.Lock()
	if len(s.queue) == 0 {
		s.mu.Unlock()
		return false
	}
	j := s.queue[0]
	s.queue[0], s.queue = job{}, s.queue[1:]
	s.mu.Unlock()
	if j.put == nil {
		_ = s.drop(s.find(j.who.Account, func(k *Kept) bool { return k.Device == j.who.Device && k.Sum == j.done })) // it is in the log
		return true
	}
	if err := s.write(j.put); err != nil {
		s.dropped(j.put, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.octets -= int64(len(j.put.Body))
	if s.waiting[j.put.Account]--; s.waiting[j.put.Account] == 0 {
		delete(s.waiting, j.put.Account)
	}
	return true
}

// put lets a job wait; false: too many do. The lock is held.
func (s *Store) put(j job) bool {
	if len(s.queue) >= queueLen {
		return false
	}
	s.queue = append(s.queue, j)
	select {
	case s.wake <- struct{}{}:
	default: // it is said already
	}
	return true
}

// write keeps a body, once. The disk's lock is held.
func (s *Store) write(p *Put) error {
	k := s.head(p)
	if len(s.find(p.Account, k.same)) > 0 {
		return nil
	}
	file, err := encode(k)
	if err != nil {
		return err
	}
	k.size = max(least, int64(len(file)))
	switch {
	case k.size > min(AccountOctets, s.o.Octets):
		return fmt.Errorf("it has %d octets, and %d are kept at most", k.size, min(AccountOctets, s.o.Octets))
	case s.o.Room != nil && !s.o.Room(k.size):
		return fmt.Errorf("the disk is nearly full")
	}
	dir := s.dir(p.Account)
	if err := vfs.MkdirDurable(s.o.FS, dir, 0o700); err != nil {
		return err
	}
	if err := vfs.WriteFileAtomic(s.o.FS, filepath.Join(dir, k.Name), file, 0o600); err != nil {
		return err
	}
	k.Body = nil
	s.mu.Lock()
	s.accounts[p.Account] = append(s.accounts[p.Account], k)
	s.mu.Unlock()
	_ = s.drop(s.surplus(p.Account)) // it is in the log
	return nil
}

// head makes the head of a body. Names go up whatever the clock does.
func (s *Store) head(p *Put) *Kept {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Clock.Now().UTC()
	s.last = max(now.UnixNano(), s.last+1, 1)
	k := &Kept{Put: *p, At: now, Since: s.waited.Count(now), Sum: holdfast.HashOf(p.Body), Octets: int64(len(p.Body))}
	k.Name = fileName(s.last, k.Sum)
	return k
}

// surplus names what must go: the oldest of an account that has too much, and, where all have too much together, the oldest of whoever has the most, so that nobody
// fills the room of others.
func (s *Store) surplus(account holdfast.ID) (out []*Kept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sizes, total := map[holdfast.ID]int64{}, int64(0)
	left := map[holdfast.ID][]*Kept{}
	for id, list := range s.accounts {
		left[id] = list
		for _, k := range list {
			sizes[id] += k.size
			total += k.size
		}
	}
	oldest := func(id holdfast.ID) {
		k := left[id][0]
		out, left[id] = append(out, k), left[id][1:]
		sizes[id] -= k.size
		total -= k.size
	}
	for len(left[account]) > AccountFiles || sizes[account] > AccountOctets {
		oldest(account)
	}
	for total > s.o.Octets {
		most := account
		for id, n := range sizes {
			if c := cmp.Compare(n, sizes[most]); c > 0 || c == 0 && id.Compare(most) < 0 {
				most = id
			}
		}
		oldest(most)
	}
	return out
}

// count brings the time that has passed up to now, and returns it.
func (s *Store) count() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waited.Count(s.o.Clock.Now())
}

// age lets go of what is too old, by the time that passed: a clock that is put ahead ends nothing early.
func (s *Store) age() {
	s.disk.Lock()
	defer s.disk.Unlock()
	now := s.count()
	s.mu.Lock()
	var old []*Kept
	for _, list := range s.accounts {
		for _, k := range list {
			if now-k.Since >= s.o.Keep {
				old = append(old, k)
			}
		}
	}
	any := len(s.accounts) > 0
	s.mu.Unlock()
	_ = s.drop(old) // likewise
	if any {
		if err := s.saveWaited(); err != nil {
			s.o.Log.Warn("it could not be written down how long refused changes were kept", "dir", s.o.Dir, "err", err)
		}
	}
}

// find returns what fits, of an account.
func (s *Store) find(account holdfast.ID, fits func(*Kept) bool) (out []*Kept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.accounts[account] {
		if fits(k) {
			out = append(out, k)
		}
	}
	return out
}

// cut bounds what a client said.
func cut(s string) string {
	if len(s) > maxText {
		return s[:maxText]
	}
	return s
}
