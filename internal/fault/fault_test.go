package fault_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/fault"
	"holdfast/internal/place"
	"holdfast/internal/place/memory"
	"holdfast/internal/place/placetest"
	"holdfast/internal/vfs"
)

var ctx = context.Background()

func TestWithoutFaultsItIsAPlace(t *testing.T) {
	placetest.Run(t, func(*testing.T) place.Place { return fault.Wrap(memory.New(clock.System), fault.Never()) })
}

func TestActsOnAPlace(t *testing.T) {
	for _, x := range []struct {
		act  fault.Act
		kind holdfast.ErrorKind // empty: success
		put  string             // what is there afterwards; "-": nothing
		grow string
	}{
		{fault.Before, holdfast.Unavailable, "-", "-"},
		{fault.After, holdfast.Unavailable, "octets", "octets"},
		{fault.Half, holdfast.Unavailable, "-", "oct"},
		{fault.Full, holdfast.Full, "-", "-"},
		{fault.Lie, 0, "-", "-"},
		{fault.Delay, 0, "octets", "octets"},
	} {
		m := memory.New(clock.System)
		waited := 0
		plan := fault.By(func(int, string) fault.Act { return x.act })
		plan.Wait = func(context.Context) { waited++ }
		p := fault.Wrap(m, plan)
		for name, want := range map[string]string{"heads/1": x.put, "tail/1/1.frames": x.grow} {
			err := p.Put(ctx, name, strings.NewReader("octets"))
			if strings.HasSuffix(name, place.Grows) {
				if !holdfast.IsKind(err, holdfast.Invalid) && x.act == fault.Delay {
					t.Fatalf("%v: Put of what grows: %v", x.act, err)
				}
				err = p.Append(ctx, name, 0, []byte("octets"))
			}
			if x.kind == 0 && err != nil || x.kind != 0 && (!holdfast.IsKind(err, x.kind) || !errors.Is(err, fault.ErrFault)) {
				t.Errorf("%v of %s: %v, want %v", x.act, name, err, x.kind)
			}
			got := "-"
			if b, err := place.ReadAll(ctx, m, name, 100); err == nil {
				got = string(b)
			}
			if got != want {
				t.Errorf("%v of %s left %q, want %q", x.act, name, got, want)
			}
		}
		if x.act == fault.Delay && waited != 3 || plan.Struck() != 3 || plan.Calls() != 3 {
			t.Errorf("%v: waited %d, struck %d of %d", x.act, waited, plan.Struck(), plan.Calls())
		}
	}
}

func TestReadsAreDisturbedWhereThePlanSaysSo(t *testing.T) {
	m := memory.New(clock.System)
	if err := m.Put(ctx, "x", strings.NewReader("octets")); err != nil {
		t.Fatal(err)
	}
	read := func(act fault.Act, reads bool) (string, error) {
		plan := fault.By(func(int, string) fault.Act { return act })
		plan.Reads = reads
		b, err := place.ReadAll(ctx, fault.Wrap(m, plan), "x", 100)
		return string(b), err
	}
	if s, err := read(fault.Before, false); s != "octets" || err != nil {
		t.Errorf("a read that is not counted: %q, %v", s, err)
	}
	if s, err := read(fault.Lie, true); s != "nctets" || err != nil {
		t.Errorf("a lie: %q, %v", s, err)
	}
	if s, err := read(fault.Half, true); s != "oct" || !errors.Is(err, fault.ErrFault) {
		t.Errorf("half: %q, %v", s, err)
	}
	if _, err := read(fault.After, true); !errors.Is(err, fault.ErrFault) {
		t.Errorf("after: %v", err)
	}
}

func TestCutEndsEverythingUntilItIsHealed(t *testing.T) {
	m := memory.New(clock.System)
	plan := fault.Cut(2, fault.After)
	p := fault.Wrap(m, plan)
	put := func(name string) error { return p.Put(ctx, name, strings.NewReader(name)) }
	if err := put("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Stat(ctx, "a"); err != nil {
		t.Fatalf("a read before the cut: %v", err)
	}
	for _, name := range []string{"b", "c"} {
		if err := put(name); !errors.Is(err, fault.ErrFault) {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if _, err := p.Stat(ctx, "a"); !errors.Is(err, fault.ErrFault) {
		t.Fatalf("a read after the cut: %v", err)
	}
	plan.Heal()
	if _, err := p.Stat(ctx, "b"); err != nil {
		t.Fatalf("what failed after its effect is not there: %v", err)
	}
	if _, err := p.Stat(ctx, "c"); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Fatalf("what came after the cut: %v", err)
	}
}

func TestTheSameSeedGivesTheSameFaults(t *testing.T) {
	run := func(seed uint64) string {
		var s strings.Builder
		plan := fault.Seeded(seed, 200, fault.Before, fault.After, fault.Lie)
		plan.Seen = func(n int, call string, act fault.Act) { fmt.Fprintln(&s, n, call, act) }
		p := fault.Wrap(memory.New(clock.System), plan)
		for i := range 100 {
			_ = p.Put(ctx, fmt.Sprint(i), strings.NewReader("x"))
		}
		if n := plan.Struck(); n < 5 || n > 50 {
			t.Fatalf("%d of 100 were struck", n)
		}
		return s.String()
	}
	if run(1) != run(1) || run(1) == run(2) {
		t.Fatal("a seed does not decide")
	}
}

func TestActsOnFiles(t *testing.T) {
	for _, act := range []fault.Act{fault.Before, fault.After, fault.Half, fault.Full, fault.Lie} {
		name := filepath.Join(t.TempDir(), "x")
		fsys := fault.WrapFS(vfs.OS, fault.By(func(_ int, call string) fault.Act {
			if strings.HasPrefix(call, "write ") || strings.HasPrefix(call, "sync ") {
				return act
			}
			return fault.None
		}))
		f, err := fsys.OpenFile(name, vfs.O_RDWR|vfs.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		n, err := f.Write([]byte("octets"))
		want := map[fault.Act]string{fault.After: "octets", fault.Half: "oct"}[act]
		if got, _ := vfs.ReadFile(vfs.OS, name); string(got) != want {
			t.Errorf("%v left %q, want %q", act, got, want)
		}
		if act == fault.Lie && (n != 6 || err != nil) || act != fault.Lie && !errors.Is(err, fault.ErrFault) {
			t.Errorf("%v: %d, %v", act, n, err)
		}
		if errors.Is(err, syscall.ENOSPC) != (act == fault.Full) {
			t.Errorf("%v: %v", act, err)
		}
		if err := f.SyncData(); vfs.IsSyncError(err) != (act != fault.Lie) {
			t.Errorf("sync, %v: %v", act, err)
		}
		f.Close()
	}
}
