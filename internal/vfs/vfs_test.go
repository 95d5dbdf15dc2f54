package vfs_test

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"holdfast/internal/vfs"
	"holdfast/internal/vfs/vfstest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares text with testdata/name.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s: the sequence of calls changed (-update accepts it)\ngot:\n%s\nwant:\n%s", name, text, want)
	}
}

// TestSequences shows each durable step as the calls that it makes, also when
// one of them fails.
func TestSequences(t *testing.T) {
	type step struct {
		name string
		run  func(fsys vfs.FS, dir string) error
	}
	steps := []step{
		{"WriteFileAtomic", func(fsys vfs.FS, dir string) error {
			return vfs.WriteFileAtomic(fsys, filepath.Join(dir, "marker"), []byte("new"), 0o600)
		}},
		{"CreateExclusive", func(fsys vfs.FS, dir string) error {
			return vfs.CreateExclusive(fsys, filepath.Join(dir, "key"), []byte("secret"), 0o400)
		}},
		{"Preallocate", func(fsys vfs.FS, dir string) error {
			return vfs.Preallocate(fsys, filepath.Join(dir, "ballast"), 100_000)
		}},
		{"MkdirDurable", func(fsys vfs.FS, dir string) error {
			return vfs.MkdirDurable(fsys, filepath.Join(dir, "a", "b"), 0o700)
		}},
	}
	for _, s := range steps {
		var out strings.Builder
		// First all goes well; then the 1st, 2nd, ... call fails.
		for n := 0; ; n++ {
			dir := t.TempDir()
			calls := 0
			rec := &vfstest.Recorder{FS: vfs.OS, Root: dir}
			rec.Fault = func(string) error {
				if calls++; calls == n {
					return syscall.EIO
				}
				return nil
			}
			err := s.run(rec, dir)
			if n > 0 && calls < n {
				break
			}
			if n == 0 {
				out.WriteString("# all goes well\n")
			} else {
				out.WriteString("\n# call fails\n")
			}
			out.WriteString(rec.Text())
			if err != nil {
				out.WriteString("=> " + strings.NewReplacer(dir+"/", "", dir, ".", filepath.Dir(dir), "..").Replace(err.Error()))
				if vfs.IsSyncError(err) {
					out.WriteString("  [SyncError]")
				}
				out.WriteString("\n")
			}
			checkLeftovers(t, s.name, dir)
		}
		golden(t, s.name+".txt", out.String())
	}
}

func checkLeftovers(t *testing.T, what, dir string) {
	t.Helper()
	gone, err := vfs.RemoveTemps(vfs.OS, dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(gone) > 1 {
		t.Errorf("%s left %v", what, gone)
	}
}

func TestWriteFileAtomic(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "config.toml")
	for _, want := range []string{"one", "", strings.Repeat("two", 100_000)} {
		if err := vfs.WriteFileAtomic(vfs.OS, name, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := vfs.ReadFile(vfs.OS, name); err != nil || string(got) != want {
			t.Fatalf("%d octets, want %d; %v", len(got), len(want), err)
		}
	}
	if st, _ := os.Stat(name); st.Mode() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("left behind: %v", list)
	}
	err := vfs.WriteFileAtomic(vfs.OS, filepath.Join(dir, "no", "such"), nil, 0o600)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestFailedSyncIsTypedAndNotRetried(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	rec := &vfstest.Recorder{FS: vfs.OS, Root: dir, Fault: func(call string) error {
		if strings.HasPrefix(call, "fsync ") {
			return syscall.EIO
		}
		return nil
	}}
	err := vfs.WriteFileAtomic(rec, name, []byte("new"), 0o600)
	var se *vfs.SyncError
	if !errors.As(err, &se) || se.Dir || !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
	if n := strings.Count(rec.Text(), "fsync "); n != 1 {
		t.Errorf("%d calls of fsync", n)
	}
	if got, _ := os.ReadFile(name); string(got) != "old" {
		t.Errorf("the file became %q", got)
	}
}

func TestCreateExclusiveNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "key")
	for _, fsys := range []vfs.FS{vfs.OS, noLinks{vfs.OS}} {
		os.Remove(name)
		if err := vfs.CreateExclusive(fsys, name, []byte("first"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := vfs.CreateExclusive(fsys, name, []byte("second"), 0o600); !errors.Is(err, fs.ErrExist) {
			t.Errorf("got %v", err)
		}
		if got, _ := os.ReadFile(name); string(got) != "first" {
			t.Errorf("content %q", got)
		}
		if list, _ := os.ReadDir(dir); len(list) != 1 {
			t.Errorf("left behind: %v", list)
		}
	}
}

type noLinks struct{ vfs.FS }

func (noLinks) Link(string, string) error { return errors.ErrUnsupported }

func TestRemoveTemps(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{".marker.tmp0", ".a.b.tmp12", "keep", ".keep", ".x.tmp", "x.tmp0", ".x.tmpl"} {
		if err := os.WriteFile(filepath.Join(dir, n), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gone, err := vfs.RemoveTemps(vfs.OS, dir)
	if want := []string{".a.b.tmp12", ".marker.tmp0"}; err != nil || !slices.Equal(gone, want) {
		t.Errorf("removed %v, want %v; %v", gone, want, err)
	}
}

func TestPreallocate(t *testing.T) {
	for name, fsys := range map[string]vfs.FS{"fallocate": vfs.OS, "fill": noAllocate{vfs.OS}} {
		path := filepath.Join(t.TempDir(), "ballast")
		for _, size := range []int64{1 << 20, 3 << 20, 200_001, 0} {
			if err := vfs.Preallocate(fsys, path, size); err != nil {
				t.Fatal(name, err)
			}
			var st syscall.Stat_t
			if err := syscall.Stat(path, &st); err != nil {
				t.Fatal(err)
			}
			if st.Size != size || st.Blocks*512 < size {
				t.Errorf("%s: size %d, %d octets of blocks; want %d", name, st.Size, st.Blocks*512, size)
			}
		}
	}
}

type noAllocate struct{ vfs.FS }

func (n noAllocate) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := n.FS.OpenFile(name, flag, perm)
	return noAllocateFile{f}, err
}

type noAllocateFile struct{ vfs.File }

func (noAllocateFile) Allocate(int64) error { return errors.ErrUnsupported }

func TestSpace(t *testing.T) {
	dir := t.TempDir()
	s, err := vfs.FreeSpace(filepath.Join(dir, "not", "there", "yet"))
	if err != nil || s.Total <= 0 || s.Free > s.Total {
		t.Errorf("%+v, %v", s, err)
	}
	if k := vfs.Filesystem(dir); k == "" || k == "unknown" {
		t.Errorf("kind %q", k)
	}
	// /dev/shm is a tmpfs wherever it is mounted; /proc never is one.
	mounts, _ := os.ReadFile("/proc/mounts")
	if bytes.Contains(mounts, []byte(" /dev/shm tmpfs ")) != vfs.Volatile("/dev/shm/x") {
		t.Errorf("/dev/shm is %q", vfs.Filesystem("/dev/shm"))
	}
	if vfs.Volatile("/proc") {
		t.Error("/proc counts as volatile")
	}
}

func TestLease(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lease")
	l, err := vfs.AcquireLease(vfs.OS, name)
	if err != nil {
		t.Fatal(err)
	}
	var held *vfs.HeldError
	if _, err := vfs.AcquireLease(vfs.OS, name); !errors.As(err, &held) || held.PID != os.Getpid() || !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("got %v", err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if l, err = vfs.AcquireLease(vfs.OS, name); err != nil {
		t.Fatal("after Release:", err)
	}
	l.Release()
}

// TestLeaseEndsWithItsProcess kills a holder with SIGKILL.
func TestLeaseEndsWithItsProcess(t *testing.T) {
	const env = "VFS_TEST_LEASE"
	if name := os.Getenv(env); name != "" { // the child
		if _, err := vfs.AcquireLease(vfs.OS, name); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("held\n")
		select {}
	}
	name := filepath.Join(t.TempDir(), "lease")
	cmd := exec.Command(os.Args[0], "-test.run=^TestLeaseEndsWithItsProcess$")
	cmd.Env = append(os.Environ(), env+"="+name)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("the child said %q, %v", line, err)
	}
	var held *vfs.HeldError
	if _, err := vfs.AcquireLease(vfs.OS, name); !errors.As(err, &held) || held.PID != cmd.Process.Pid {
		t.Errorf("held by another: got %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	l, err := vfs.AcquireLease(vfs.OS, name)
	if err != nil {
		t.Fatal("after the holder was killed:", err)
	}
	l.Release()
}

func TestMkdirDurable(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b", "c")
	for range 2 {
		if err := vfs.MkdirDurable(vfs.OS, deep, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if st, err := os.Stat(deep); err != nil || !st.IsDir() {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := vfs.MkdirDurable(vfs.OS, file, 0o700); err == nil {
		t.Error("a file is no directory")
	}
}
