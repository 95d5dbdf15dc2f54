package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/notice"
	"holdfast/internal/registry"
	"holdfast/internal/vfs"
)

// spaceName is the file of a data directory that says how the free space went. It may be removed: then it is measured anew.
const spaceName = "space.json"

// spaceSample is how much was free at a moment.
type spaceSample struct {
	At   time.Time `json:"at"`
	Free int64     `json:"free"`
}

// disk is a file system that something of the store lies on, as it is now.
type disk struct {
	Path string
	Free int64
	Left time.Duration // until it is full, as it went; 0: it does not fill, or that is not known
}

// maxSamples bounds how many are remembered of one disk.
const maxSamples = 400

// spaceBook remembers how the free space went, by path, so that it is known how fast it goes.
type spaceBook struct {
	dir string
	n   config.Notify
	ask func(path string) (vfs.Space, error)

	mu     sync.Mutex
	byPath map[string][]spaceSample
	now    []disk
	asked  map[string]chan measured // of which no answer has come yet
}

// measured is what came of asking a file system for its room.
type measured struct {
	vfs.Space
	err error
}

// answerWithin is how long a file system may take to say how much room it has: one on a server that is gone may never do so, and nobody must be kept from being told of that.
const answerWithin = time.Second

// errSilent says that a file system does not answer.
var errSilent = errors.New("the file system does not answer")

// room asks a file system for its room. One that has not answered yet is not asked again. The lock is held.
func (s *spaceBook) room(path string) (vfs.Space, error) {
	c, pending := s.asked[path]
	if !pending {
		c = make(chan measured, 1)
		s.asked[path] = c
		go func() {
			x, err := s.ask(path)
			c <- measured{x, err}
		}()
	}
	timer := clock.System.NewTimer(answerWithin)
	defer timer.Stop()
	if pending {
		timer.Reset(time.Millisecond)
	}
	select {
	case x := <-c:
		delete(s.asked, path)
		return x.Space, x.err
	case <-timer.C():
		return vfs.Space{}, errSilent
	}
}

func readSpace(dir string, n config.Notify) *spaceBook {
	s := &spaceBook{dir: dir, n: n, ask: vfs.FreeSpace, byPath: map[string][]spaceSample{}, asked: map[string]chan measured{}}
	b, err := vfs.ReadFile(vfs.OS, filepath.Join(dir, spaceName))
	if err != nil || json.Unmarshal(b, &s.byPath) != nil || s.byPath == nil {
		s.byPath = map[string][]spaceSample{}
	}
	return s
}

// look measures the disks of paths, and returns those that do not answer as well. Two paths on one file system count once.
func (s *spaceBook) look(paths []string, now time.Time) (all []disk, silent []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[string]bool{}
	s.now = nil
	changed := false
	for _, p := range paths {
		room, err := s.room(p)
		if err == errSilent {
			silent = append(silent, p)
		}
		if err != nil || seen[room.Volume] { // one that is away is told of as a vault that is
			continue
		}
		seen[cmp.Or(room.Volume, p)] = true
		list := s.byPath[p]
		if n := len(list); n == 0 || now.Sub(list[n-1].At) >= s.n.SpaceEvery || now.Before(list[n-1].At) {
			list, changed = keepSamples(append(list, spaceSample{now.UTC().Truncate(time.Second), room.Free}), now, s.n), true
			s.byPath[p] = list
		}
		s.now = append(s.now, disk{p, room.Free, fullIn(list, spaceSample{now, room.Free}, s.n.SpaceSpan)})
	}
	for p := range s.byPath {
		known := false
		for _, q := range paths {
			known = known || p == q
		}
		if !known {
			delete(s.byPath, p)
			changed = true
		}
	}
	if changed {
		s.save()
	}
	return s.now, silent
}

// disks returns what was last measured.
func (s *spaceBook) disks() []disk {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// save is tried each time that something changes; a disk that is too full for it is told of all the same.
func (s *spaceBook) save() {
	if b, err := json.Marshal(s.byPath); err == nil {
		_ = vfs.WriteFileAtomic(vfs.OS, filepath.Join(s.dir, spaceName), append(b, '\n'), 0o600)
	}
}

// keepSamples drops what is too old to say how it goes now, and what a clock that was put back left in the future.
func keepSamples(list []spaceSample, now time.Time, n config.Notify) []spaceSample {
	out := list[:0:0]
	for _, x := range list {
		if age := now.Sub(x.At); age >= -time.Second && age <= 7*n.SpaceSpan {
			out = append(out, x)
		}
	}
	return out[max(0, len(out)-maxSamples):]
}

// fullIn tells when a disk is full, as a straight line through the samples goes (least squares); 0: it does not fill, or they span too little time to say.
func fullIn(list []spaceSample, now spaceSample, span time.Duration) time.Duration {
	all := append(list[:len(list):len(list)], now)
	if now.At.Sub(all[0].At) < span {
		return 0
	}
	var n, st, sf, stt, stf float64
	for _, x := range all {
		t, f := x.At.Sub(now.At).Seconds(), float64(x.Free)
		n, st, sf, stt, stf = n+1, st+t, sf+f, stt+t*t, stf+t*f
	}
	slope := (n*stf - st*sf) / (n*stt - st*st)
	if !(slope < 0) {
		return 0
	}
	left := float64(now.Free) / -slope
	return time.Duration(min(left, 1e9)) * time.Second
}

// The grades of a disk that fills.
const (
	gradeFilling = iota + 1
	gradeLittleRoom
	gradeNoRoom
	gradeReadOnly
)

// disks tells of file systems that are full, or soon will be.
func (w *watcher) disks(now time.Time) (found []notice.Condition) {
	paths, vaults := w.places()
	all, silent := w.space.look(paths, now)
	for _, p := range paths {
		is := slices.Contains(silent, p)
		lasts, _ := w.holds("silent "+p, is, !is, now)
		if !is {
			continue
		}
		found = append(found, w.still("disk "+p)...) // that it has room again is not known
		if lasts >= w.c.Vault.Late/4 {
			found = append(found, w.silent(p, now.Add(-lasts)))
		}
	}
	for _, d := range all {
		c := notice.Condition{Key: "disk " + d.Path, Severity: notice.Warning, Title: "The disk of " + d.Path + " has little room"}
		c.Text = octets(d.Free) + " are free. " + w.whenFull(vaults[d.Path]) + " Make room, or move to a larger one."
		c.Measure = float64(w.c.Doctor.FreeWarn) / float64(max(d.Free, 1)) // doubled when half is left
		switch {
		case d.Path == w.c.Data && w.readOnly():
			c.Severity, c.Grade, c.Title = notice.Critical, gradeReadOnly, "The disk of "+d.Path+" is full, and nothing is stored"
			c.Text = "What is there can be read, and phones keep their changes and try again. Make room, or move to a larger one; it goes on by itself then."
		case d.Free < w.c.Doctor.FreeFail:
			c.Severity, c.Grade = notice.Critical, gradeNoRoom
		case d.Free < w.c.Doctor.FreeWarn:
			c.Grade = gradeLittleRoom
		case d.Left > 0 && d.Left < w.c.Notify.SpaceAhead:
			c.Grade, c.Title = gradeFilling, "The disk of "+d.Path+" will be full in "+inDays(d.Left)
			c.Measure = float64(w.c.Notify.SpaceAhead) / float64(d.Left)
		default:
			continue
		}
		found = append(found, c)
	}
	return found
}

// silent tells of a file system that does not answer.
func (w *watcher) silent(path string, since time.Time) notice.Condition {
	c := notice.Condition{Key: "silent " + path, Severity: notice.Warning, Title: "The disk of " + path + " does not answer", Since: since,
		Text: "It was asked how much room it has, and says nothing: a mount whose server is gone, or a disk that fails. What reads or writes there waits. Look at the mount, and at the machine's log."}
	if path == w.c.Data {
		c.Severity = notice.Critical
	}
	return c
}

// places returns the paths whose disks are looked at, and the vaults among them. Of those on one disk the first speaks for all: the data come before vaults that changes wait for, and these before others.
func (w *watcher) places() (paths []string, vaults map[string]*registry.Entry) {
	var after []string
	paths, vaults = []string{w.c.Data}, map[string]*registry.Entry{}
	list := w.keeper.vaults().Vaults
	for i := range list {
		e := &list[i]
		switch {
		case !inDirectory(e.Kind):
			continue
		case e.Mode == registry.Sync:
			paths = append(paths, e.Location)
		default:
			after = append(after, e.Location)
		}
		vaults[e.Location] = e
	}
	return append(paths, after...), vaults
}

// whenFull says what follows when a disk is full: the disk of the data, or that of a vault.
func (w *watcher) whenFull(e *registry.Entry) string {
	switch {
	case e == nil:
		return "When it is full nothing more is stored; what is there can be read."
	case e.Mode != registry.Sync:
		return "When it is full the vault " + e.Name + " takes no more changes, and falls behind; all else goes on."
	case w.c.Policy.OnFailure == "degraded":
		return "When it is full the vault " + e.Name + " takes no more changes, and they are acknowledged without it."
	}
	return "When it is full changes are refused, since each waits for the vault " + e.Name + "; what is there can be read."
}

func inDays(d time.Duration) string {
	if d < 48*time.Hour {
		return count(int64(d.Hours()), "hour")
	}
	return count(int64(d.Hours()/24), "day")
}
