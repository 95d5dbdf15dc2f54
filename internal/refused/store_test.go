package refused

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/fault"
	"holdfast/internal/vfs"
)

var (
	begin      = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	alice, bob = holdfast.ID{1}, holdfast.ID{2}
	phone      = holdfast.ID{3}
)

func put(account holdfast.ID, path, body string) Put {
	return Put{Account: account, Device: phone, Path: path, ContentType: "text/vcard", IfMatch: `"old"`, Status: 412, Why: "another version is there", Body: []byte(body)}
}

type rig struct {
	*Store
	t     *testing.T
	o     Options
	clock *clock.Fake
	log   bytes.Buffer
}

func newRig(t *testing.T, options ...func(*Options)) *rig {
	r := &rig{t: t, clock: clock.NewFake(begin)}
	r.o = Options{Dir: filepath.Join(t.TempDir(), "refused"), Clock: r.clock, Keep: 30 * 24 * time.Hour, Octets: 256 << 20, Log: slog.New(slog.NewTextHandler(&r.log, nil))}
	for _, f := range options {
		f(&r.o)
	}
	r.open()
	return r
}

// open is a start of the process.
func (r *rig) open() {
	r.t.Helper()
	s, err := Open(r.o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Store = s
}

func (r *rig) keep(p Put) {
	r.Keep(p)
	r.Flush()
}

// has fails unless just these bodies are kept, in this order.
func (r *rig) has(account holdfast.ID, bodies ...string) {
	r.t.Helper()
	var got []string
	for _, k := range r.List(account) {
		b, err := r.Body(account, k.Name)
		if err != nil {
			r.t.Errorf("%s: %v", k.Name, err)
		}
		got = append(got, string(b))
	}
	if !slices.Equal(got, bodies) {
		r.t.Errorf("kept is %q, want %q", got, bodies)
	}
}

// files counts the files of an account on the disk.
func (r *rig) files(account holdfast.ID) int {
	list, err := os.ReadDir(r.dir(account))
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	return len(list)
}

// TestKeptOverARestart: what is kept says whose it is, and is there after a restart, once, whoever sends it again.
func TestKeptOverARestart(t *testing.T) {
	r := newRig(t)
	r.keep(put(alice, "addressbooks/default/a.vcf", "one"))
	r.keep(put(alice, "addressbooks/default/a.vcf", "two"))
	r.keep(put(alice, "addressbooks/default/a.vcf", "one"))
	r.open()
	r.keep(put(alice, "addressbooks/default/a.vcf", "two"))
	r.has(alice, "one", "two")
	r.has(bob)
	k := r.List(alice)[0]
	if k.Device != phone || k.Path != "addressbooks/default/a.vcf" || k.Status != 412 || k.IfMatch != `"old"` || k.ContentType != "text/vcard" || k.Why == "" || !k.At.Equal(begin) || !k.Until.Equal(begin.Add(r.o.Keep)) {
		t.Errorf("kept is %+v", k)
	}
	if _, err := r.Body(bob, k.Name); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Errorf("another's body: %v", err)
	}
	for _, name := range []string{r.o.Dir, r.dir(alice)} {
		if st, err := os.Stat(name); err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v %v", name, st.Mode(), err)
		}
	}
}

// TestAcknowledgedGoes: the same octets by the same device, under any name.
func TestAcknowledgedGoes(t *testing.T) {
	r := newRig(t)
	other := holdfast.ID{4}
	r.keep(put(alice, "a", "one"))
	r.Keep(put(alice, "b", "two"))
	r.Acknowledged(holdfast.Principal{Account: alice, Device: other}, holdfast.HashOf([]byte("one")))
	r.Acknowledged(holdfast.Principal{Account: alice, Device: phone}, holdfast.HashOf([]byte("two"))) // it waits to be written
	r.Flush()
	r.has(alice, "one")
	r.Acknowledged(holdfast.Principal{Account: alice, Device: phone}, holdfast.HashOf([]byte("one")))
	r.Flush()
	r.has(alice)
	if n := r.files(alice); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// TestBounds of an account: what came first goes first, on the disk too.
func TestBounds(t *testing.T) {
	r := newRig(t)
	for i := range AccountFiles + 3 {
		r.keep(put(alice, fmt.Sprint(i), fmt.Sprint("body ", i)))
	}
	if list := r.List(alice); len(list) != AccountFiles || list[0].Path != "3" || r.files(alice) != AccountFiles {
		t.Errorf("%d are kept, from %s on, in %d files", len(list), list[0].Path, r.files(alice))
	}
	big := strings.Repeat("x", 6<<20)
	for i := range 3 {
		r.keep(put(bob, "big", fmt.Sprint(big, i)))
	}
	if n := len(r.List(bob)); n != 2 {
		t.Errorf("%d of 6 MiB are kept", n)
	}
	r.keep(put(bob, "too big", strings.Repeat("y", AccountOctets)))
	if n := len(r.List(bob)); n != 2 || !strings.Contains(r.log.String(), "too big") {
		t.Errorf("%d are kept, and the log says %s", n, r.log.String())
	}
}

// TestNobodyFillsAnothersRoom: where all have too much together, who has the most loses his oldest.
func TestNobodyFillsAnothersRoom(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Octets = 10 * least })
	r.keep(put(alice, "a", "alice's"))
	for i := range 30 {
		r.keep(put(bob, fmt.Sprint(i), fmt.Sprint("bob's ", i)))
	}
	r.has(alice, "alice's")
	if n := len(r.List(bob)); n != 9 {
		t.Errorf("%d of bob's are kept", n)
	}
	r.keep(put(alice, "b", "alice's too"))
	r.has(alice, "alice's", "alice's too")
	if n := len(r.List(bob)); n != 8 {
		t.Errorf("%d of bob's are kept, after another of alice's came", n)
	}
}

// TestMuchAtOnce: nobody waits, and what is not kept is named.
func TestMuchAtOnce(t *testing.T) {
	r := newRig(t)
	big := strings.Repeat("x", 5<<20)
	for i := range 10 {
		r.Keep(put(alice, fmt.Sprint(i), fmt.Sprint(big, i)))
	}
	if got := strings.Count(r.log.String(), "too much is refused at once"); got != 4 {
		t.Errorf("%d are named as not kept:\n%s", got, r.log.String())
	}
	r.Flush()
	r.Keep(put(alice, "after", "after"))
	r.Flush()
	if l := r.List(alice); l[len(l)-1].Path != "after" {
		t.Errorf("the last is %s", l[len(l)-1].Path)
	}
}

// TestTheWrongClock: one that is put ahead by years ends nothing early, one that is put back keeps nothing for ever, and the order stays.
func TestTheWrongClock(t *testing.T) {
	r := newRig(t)
	pass := func(d time.Duration) {
		for range int(d / time.Hour) {
			r.clock.Advance(time.Hour)
			r.age()
		}
	}
	r.keep(put(alice, "a", "first"))
	r.clock.Set(begin.AddDate(30, 0, 0))
	r.keep(put(alice, "b", "second"))
	r.clock.Set(begin.AddDate(-30, 0, 0))
	r.keep(put(alice, "c", "third"))
	pass(time.Hour)
	r.has(alice, "first", "second", "third")
	r.open()
	r.has(alice, "first", "second", "third")
	pass(28 * 24 * time.Hour)
	r.has(alice, "first", "second", "third")
	pass(2 * 24 * time.Hour)
	r.has(alice)
	if n := r.files(alice); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// TestRun writes what comes, lets go of what is old, and ends when all is written.
func TestRun(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Keep = 30 * time.Minute })
	ctx, cancel := context.WithCancel(t.Context())
	r.keep(put(alice, "a", "old"))
	ended := make(chan struct{})
	go func() { r.Run(ctx); close(ended) }()
	r.clock.BlockUntil(1)
	r.clock.Advance(looked)
	for range 1000 {
		if r.files(alice) == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	for i := range 20 {
		r.Keep(put(alice, fmt.Sprint(i), "new"))
	}
	cancel()
	<-ended
	if l := r.List(alice); len(l) != 20 || l[0].Path != "0" || l[19].Path != "19" {
		t.Errorf("kept is %+v", l)
	}
}

// TestAFullDisk drops what comes, says so, and keeps what is there.
func TestAFullDisk(t *testing.T) {
	room := true
	r := newRig(t, func(o *Options) { o.Room = func(int64) bool { return room } })
	r.keep(put(alice, "a", "one"))
	room = false
	r.keep(put(alice, "b", "two"))
	r.has(alice, "one")
	if !strings.Contains(r.log.String(), "the disk is nearly full") || !strings.Contains(r.log.String(), "path=b") {
		t.Errorf("the log says %s", r.log.String())
	}
	room = true
	for n := 1; n < 12; n++ { // each call of a write fails once
		r.o.FS = fault.WrapFS(vfs.OS, fault.At(n, fault.Full))
		r.open()
		r.keep(put(alice, "c", fmt.Sprint("more ", n)))
		r.o.FS = vfs.OS
		r.open()
		for _, k := range r.List(alice) {
			if _, err := r.Body(alice, k.Name); err != nil {
				t.Errorf("call %d: %v", n, err)
			}
		}
	}
	if l := r.List(alice); l[0].Path != "a" {
		t.Errorf("what was there first is gone: %+v", l)
	}
}

// TestForget leaves nothing of an account on the disk, and all of others; what rotted goes with it, and is never shown before.
func TestForget(t *testing.T) {
	r := newRig(t)
	r.keep(put(alice, "a", "one"))
	r.keep(put(bob, "b", "two"))
	k := r.List(alice)[0]
	name := filepath.Join(r.dir(alice), k.Name)
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Body(alice, k.Name); !holdfast.IsKind(err, holdfast.Corrupt) {
		t.Errorf("a rotten body: %v", err)
	}
	if err := os.WriteFile(name, b[:len(b)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	r.open()
	r.has(alice)
	if !strings.Contains(r.log.String(), "cannot be read") {
		t.Errorf("the log says %s", r.log.String())
	}
	r.Keep(put(alice, "c", "waits to be written"))
	if err := r.Forget(alice); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(r.dir(alice)); !os.IsNotExist(err) {
		t.Errorf("alice's directory: %v", err)
	}
	if err := r.Forget(alice); err != nil {
		t.Errorf("again: %v", err)
	}
	r.has(bob, "two")
}
