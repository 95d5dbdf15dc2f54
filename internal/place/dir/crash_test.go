package dir_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/fault"
	"holdfast/internal/place"
	"holdfast/internal/place/dir"
	"holdfast/internal/vfs"
	"holdfast/internal/vfs/crashfs"
	"holdfast/internal/vfs/vfstest"
)

var update = flag.Bool("update", false, "write the golden file anew")

// ahead is by how much the tests extend growing objects: little, so that a short story extends them several times.
const ahead = 1500

// claim is what the place has said of one object.
type claim struct {
	sure    []byte // what returned nil
	maybe   []byte // what did not, behind it
	gone    bool   // a removal returned nil
	perhaps bool   // put, begun or removed, and it did not return nil
}

// story does everything that a vault does in a place, one step after the other, and notes what was promised.
type story struct {
	place *dir.Dir
	said  map[string]*claim
}

func (s *story) of(name string) *claim {
	if s.said[name] == nil {
		s.said[name] = &claim{}
	}
	return s.said[name]
}

func (s *story) put(name string, b []byte) error {
	c := s.of(name)
	before := c.sure
	c.sure, c.perhaps = b, true
	err := s.place.Put(ctx, name, bytes.NewReader(b))
	if err == nil {
		c.perhaps = false
	} else if before != nil {
		c.sure, c.perhaps = before, false // it was there already
	}
	return err
}

func (s *story) append(name string, b []byte) error {
	c := s.of(name)
	c.perhaps = c.sure == nil
	c.maybe = b
	err := s.place.Append(ctx, name, int64(len(c.sure)), b)
	if err == nil {
		c.sure, c.maybe, c.perhaps = append(c.sure, b...), nil, false
	}
	return err
}

func (s *story) remove(name string) error {
	c := s.of(name)
	c.perhaps = true
	err := s.place.Remove(ctx, name)
	c.gone = err == nil
	return err
}

func (s *story) lease() error {
	l, err := s.place.Lease()
	if err == nil {
		err = l.Close()
	}
	return err
}

// octets are recognisable ones, the last of which is no zero.
func octets(what string, n int) []byte {
	return bytes.Repeat([]byte(what), n/len(what)+1)[:n]
}

// step is one call of a place.
type step struct {
	what string
	do   func(*story) error
}

func steps() []step {
	put := func(name string, n int) step {
		return step{fmt.Sprintf("Put %s, %d octets", name, n), func(s *story) error { return s.put(name, octets(name, n)) }}
	}
	grow := func(name string, n int) step {
		return step{fmt.Sprintf("Append to %s, %d octets", name, n), func(s *story) error { return s.append(name, octets("<"+name+">", n)) }}
	}
	remove := func(name string) step {
		return step{"Remove " + name, func(s *story) error { return s.remove(name) }}
	}
	const first, second = "tail/000000000001/000000000001.frames", "tail/000000000001/000000000002.frames"
	return []step{
		{"Lease", (*story).lease},
		put("vault.json", 90),
		put("terms/000000000001", 300),
		put("tail/000000000001/000000000001.key", 400),
		grow(first, 700), grow(first, 700), grow(first, 40), grow(first, 2000),
		put("heads/000000000001", 1200),
		put("heads/000000000001", 1200), // the same once more
		put("keys/abc/abcd.000000000001", 350),
		grow(first, 3), grow(second, 900), grow(second, 900),
		put("pages/000000000001.pack", 5000),
		remove(first),
		remove("keys/abc/abcd.000000000001"),
		grow(second, 600),
		put("heads/000000000002", 600),
	}
}

const root = "/mnt/attic/vault"

// attic is a disk with the directory in which the vault's is made.
func attic(t *testing.T, o crashfs.Options) *crashfs.Disk {
	t.Helper()
	disk := crashfs.New(o)
	for _, name := range []string{"/mnt", "/mnt/attic"} {
		fine(t, disk.FS().Mkdir(name, 0o700))
	}
	disk.Settle()
	return disk
}

func fine(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tell runs the story until a step fails, as a writer does that stops then.
func tell(fsys vfs.FS) (*story, error) {
	s := &story{said: map[string]*claim{}}
	d, err := dir.Open(fsys, root, dir.Options{Create: true, Preallocate: ahead, Clock: clock.NewFake(start)})
	if err != nil {
		return s, err
	}
	defer d.Close()
	s.place = d
	for _, x := range steps() {
		if err := x.do(s); err != nil {
			return s, fmt.Errorf("%s: %w", x.what, err)
		}
	}
	return s, nil
}

// kept opens the place as the next process does, and returns which promise is broken; "" if none is. alone tells that everything in the place is the story's.
func kept(disk *crashfs.Disk, s *story, alone bool) string {
	d, err := dir.Open(disk.FS(), root, dir.Options{Create: true, Preallocate: ahead})
	if err != nil {
		return fmt.Sprint("it does not open: ", err)
	}
	defer d.Close()
	s.place = d
	if err := s.lease(); err != nil {
		return fmt.Sprint("it cannot be leased: ", err)
	}
	for name, c := range s.said {
		if lost := c.kept(d, name); lost != "" {
			return name + ": " + lost
		}
	}
	if !alone {
		return ""
	}
	return s.strangers(disk, d)
}

func (c *claim) kept(d *dir.Dir, name string) string {
	b, err := place.ReadAll(ctx, d, name, 1<<20)
	switch {
	case holdfast.IsKind(err, holdfast.NotFound):
		if !c.gone && !c.perhaps {
			return "it is not there"
		}
		return ""
	case err != nil:
		return err.Error()
	case c.gone:
		return "it was removed, and is there"
	}
	if !strings.HasSuffix(name, place.Grows) {
		if !bytes.Equal(b, c.sure) {
			return fmt.Sprintf("%d octets are not the %d that were put", len(b), len(c.sure))
		}
		return ""
	}
	if len(b) < len(c.sure) || !bytes.Equal(b[:len(c.sure)], c.sure) {
		return fmt.Sprintf("%d octets do not begin with the %d that were appended", len(b), len(c.sure))
	}
	for i, x := range b[len(c.sure):] {
		if i >= len(c.maybe) || x != 0 && x != c.maybe[i] {
			return fmt.Sprintf("octet %d was never appended", len(c.sure)+i)
		}
	}
	return ""
}

// strangers looks for objects that were never written, and for what interrupted writers left.
func (s *story) strangers(disk *crashfs.Disk, d *dir.Dir) (bad string) {
	err := d.List(ctx, "", "", func(i place.Info) error {
		if s.said[i.Name] == nil {
			bad = i.Name + " was never written"
		}
		return nil
	})
	if err != nil {
		return err.Error()
	}
	var look func(name string)
	look = func(name string) {
		list, err := disk.FS().ReadDir(name)
		if err != nil {
			bad = err.Error()
		}
		for _, e := range list {
			switch {
			case e.IsDir() && e.Name() != "keys": // there it is left to the next writer of the same name
				look(filepath.Join(name, e.Name()))
			case strings.Contains(e.Name(), ".tmp"):
				bad = "a temporary file is left: " + e.Name()
			}
		}
	}
	look(root)
	return bad
}

// calls returns how many calls the story makes that change the disk.
func calls(t *testing.T) int {
	t.Helper()
	plan := fault.Never()
	if _, err := tell(fault.WrapFS(attic(t, crashfs.Options{}).FS(), plan)); err != nil {
		t.Fatal(err)
	}
	return plan.Calls()
}

// TestPowerCutAfterEachCall pulls the plug at each call to the disk, several times with another choice of what the disk kept: what returned nil is there as it was, what did not is whole or not there (of an append: a part),
// and the story is gone on with.
func TestPowerCutAfterEachCall(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 6
	}
	total := calls(t)
	cuts, torn, wholes := 0, 0, 0
	for n := 1; n <= total; n++ {
		for seed := range seeds {
			disk := attic(t, crashfs.Options{})
			disk.CutAfter(n)
			s, err := tell(disk.FS())
			if !disk.Off() {
				continue // closing and such are no changes
			}
			if err == nil && !s.done() {
				t.Fatalf("call %d: the story did not notice that the power is off", n)
			}
			disk.PowerCut(rand.New(rand.NewPCG(seed, uint64(n))))
			cuts++
			if broken := kept(disk, s, true); broken != "" {
				t.Fatalf("a cut at call %d of %d, seed %d (%v): %s", n, total, seed, err, broken)
			}
			a, b := s.unsure(disk)
			torn, wholes = torn+a, wholes+b
			goOn(t, disk, fmt.Sprintf("a cut at call %d, seed %d", n, seed))
		}
	}
	t.Logf("%d power cuts; of what was under way %d objects were there whole, and %d appends in part", cuts, wholes, torn)
	if cuts < total*int(seeds)/2 || torn == 0 || wholes == 0 {
		t.Errorf("the simulation does too little: %d cuts, %d torn, %d whole", cuts, torn, wholes)
	}
}

// done tells whether every step was done: the last calls only tidy.
func (s *story) done() bool {
	c := s.said["heads/000000000002"]
	return c != nil && !c.perhaps
}

// unsure counts what was under way when the power went, and survived.
func (s *story) unsure(disk *crashfs.Disk) (torn, whole int) {
	d, err := dir.Open(disk.FS(), root, dir.Options{})
	if err != nil {
		return 0, 0
	}
	defer d.Close()
	for name, c := range s.said {
		b, err := place.ReadAll(ctx, d, name, 1<<20)
		switch {
		case err != nil:
		case len(c.maybe) > 0 && len(b) > len(c.sure) && !bytes.HasSuffix(b, c.maybe):
			torn++
		case c.perhaps:
			whole++
		}
	}
	return torn, whole
}

// goOn writes on as the next process does: what is there already is equal, and every name can be used.
func goOn(t *testing.T, disk *crashfs.Disk, where string) {
	t.Helper()
	d, err := dir.Open(disk.FS(), root, dir.Options{Create: true, Preallocate: ahead})
	fine(t, err)
	defer d.Close()
	s := &story{place: d, said: map[string]*claim{}}
	for _, x := range steps() {
		if strings.HasPrefix(x.what, "Put") {
			if err := x.do(s); err != nil {
				t.Fatalf("%s, gone on with: %s: %v", where, x.what, err)
			}
		}
	}
	if err := s.append("tail/000000000001/000000000009.frames", octets("new", 100)); err != nil {
		t.Fatalf("%s, gone on with: %v", where, err)
	}
	disk.PowerCut(rand.New(rand.NewPCG(1, 1)))
	if broken := kept(disk, s, false); broken != "" {
		t.Fatalf("%s, gone on with: %s", where, broken)
	}
}

// TestPowerCutControls breaks the disk, and demands that the same story sees the loss.
func TestPowerCutControls(t *testing.T) {
	total := calls(t)
	for name, o := range map[string]crashfs.Options{
		"a disk that lies about sync":        {LyingSync: true},
		"a directory that is never synced":   {NoDirSync: true},
		"a sector that is spoilt by a write": {GarbageSectors: true},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(40) {
				for n := 1; n <= total; n++ {
					disk := attic(t, o)
					disk.CutAfter(n)
					s, _ := tell(disk.FS())
					disk.PowerCut(rand.New(rand.NewPCG(seed, uint64(n))))
					if broken := kept(disk, s, true); broken != "" {
						t.Log("seen: ", broken)
						return
					}
				}
			}
			t.Error("nothing was lost: the story would not notice a real loss either")
		})
	}
}

// TestAFailedSyncEndsAnObject: after a failed sync nobody appends to the object again, although a second sync would succeed; another one takes the octets.
func TestAFailedSyncEndsAnObject(t *testing.T) {
	const name, next = "tail/000000000001/000000000001.frames", "tail/000000000001/000000000002.frames"
	for fail := 1; fail <= 2; fail++ {
		disk := attic(t, crashfs.Options{})
		d, err := dir.Open(disk.FS(), root, dir.Options{Create: true, Preallocate: ahead})
		fine(t, err)
		s := &story{place: d, said: map[string]*claim{}}
		fine(t, s.append("tail/000000000001/000000000000.frames", []byte("the directories are there")))
		fine(t, s.append(name, octets("good", 300)))
		disk.FailSync(1)
		if err := s.append(name, octets("bad", 300)); !holdfast.IsKind(err, holdfast.Unavailable) || !vfs.IsSyncError(err) {
			t.Fatalf("an append whose sync failed: %v", err)
		}
		for range 2 {
			if err := s.append(name, octets("bad", 300)); !holdfast.IsKind(err, holdfast.Unavailable) {
				t.Fatalf("an append after a failed sync: %v", err)
			}
		}
		fine(t, s.append(next, octets("bad", 300)))
		d.Close()
		disk.PowerCut(rand.New(rand.NewPCG(uint64(fail), 1)))
		if broken := kept(disk, s, false); broken != "" {
			t.Fatal(broken)
		}
	}
}

// TestNoRoomAnywhere lets the disk be full at each call that takes room: it is Full, nothing is there in part, what was promised is kept, and with room again the next writer goes on.
func TestNoRoomAnywhere(t *testing.T) {
	plan := fault.Never()
	var takes []int // calls that take room
	plan.Seen = func(n int, call string, _ fault.Act) {
		what, name, _ := strings.Cut(call, " ")
		if filepath.Base(name) == ".lease" {
			return // who holds it is only a hint
		}
		if what == "create" || what == "write" || what == "mkdir" || what == "link" {
			takes = append(takes, n)
		}
	}
	_, err := tell(fault.WrapFS(attic(t, crashfs.Options{}).FS(), plan))
	fine(t, err)
	if len(takes) < 40 {
		t.Fatalf("%d calls take room", len(takes))
	}
	for _, n := range takes {
		disk := attic(t, crashfs.Options{})
		s, err := tell(fault.WrapFS(disk.FS(), fault.At(n, fault.Full)))
		if err == nil {
			t.Fatalf("call %d found no room, and nobody noticed", n)
		}
		if !holdfast.IsKind(err, holdfast.Full) || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("call %d found no room: %v", n, err)
		}
		for _, cut := range []bool{false, true} {
			if cut {
				disk.PowerCut(rand.New(rand.NewPCG(uint64(n), 1)))
			}
			if broken := kept(disk, s, true); broken != "" {
				t.Fatalf("call %d found no room (%v), cut %v: %s", n, err, cut, broken)
			}
		}
		goOn(t, disk, fmt.Sprintf("call %d found no room", n))
	}
}

// TestSequence compares the calls of each step with the golden file: what a power cut leaves follows from their order.
func TestSequence(t *testing.T) {
	top := t.TempDir()
	rec := &vfstest.Recorder{FS: vfs.OS, Root: top}
	var out strings.Builder
	d, err := dir.Open(rec, filepath.Join(top, "vault"), dir.Options{Create: true, Preallocate: ahead})
	fine(t, err)
	defer d.Close()
	fmt.Fprintf(&out, "# Open\n%s", rec.Text())
	s := &story{place: d, said: map[string]*claim{}}
	for _, x := range steps() {
		fine(t, x.do(s))
		text := rec.Text()
		if x.what == "Lease" {
			text = strings.ReplaceAll(text, fmt.Sprintf(" %d octets", len(fmt.Sprintln(os.Getpid()))), " the process's id")
		}
		fmt.Fprintf(&out, "\n# %s\n%s", x.what, text)
	}
	golden := filepath.Join("testdata", "sequence.txt")
	if *update {
		fine(t, os.MkdirAll("testdata", 0o755))
		fine(t, os.WriteFile(golden, []byte(out.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatal("the golden file is absent; -update writes it")
	}
	fine(t, err)
	if out.String() != string(want) {
		t.Errorf("the sequence of calls changed (-update accepts it)\ngot:\n%s", out.String())
	}
}
