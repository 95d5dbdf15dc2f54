package clients

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast"
)

// tree is what a directory holds: the hash of each file, and "/" for each directory.
func tree(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if d.IsDir() {
			out = append(out, name+"/")
			return nil
		}
		b, err := os.ReadFile(path)
		out = append(out, name+" "+holdfast.HashOf(b).String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// grow makes a directory with what people have: nested folders, an empty file and folder, large files, names of all kinds.
func grow(t *testing.T, dir string) {
	t.Helper()
	names := []string{"plain.txt", "with space.txt", "100%.txt", "a+b&c=d;e.txt", "q?uestion#hash.txt", "[x]{y}.txt", "quote'\".txt", "caf\u00e9.txt", "cafe\u0301.txt", "A.txt", "a.txt",
		"\u65e5\u672c\u8a9e.txt", "\U0001f600.txt", ".hidden", "con", "dot.", strings.Repeat("n", 251) + ".txt", "deep/er/and/deeper/still.txt", "colon:.txt", "empty"}
	for i, n := range names {
		path := filepath.Join(dir, n)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, []int{0, 1, 1000, 70_000, 3 << 20}[i%5])
		rand.Read(b)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Date(2009, 2, 13, 23, 31, i, 0, time.UTC)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "empty folder"), 0o700); err != nil {
		t.Fatal(err)
	}
}

// rclone runs rclone with the remote "h" as Alice's files.
func (h *house) rclone(d device, args ...string) (string, error) {
	return h.rcloneOf("rclone", alice, d, args...)
}

// rcloneOf runs any rclone with the remote "h" as an account's files, as a server of Nextcloud's kind: that is how it sends times.
func (h *house) rcloneOf(program, email string, d device, args ...string) (string, error) {
	secret, err := exec.CommandContext(h.t.Context(), program, "obscure", d.Password).Output()
	if err != nil {
		h.t.Fatal(err)
	}
	env := []string{"RCLONE_CONFIG_H_TYPE=webdav", "RCLONE_CONFIG_H_URL=" + h.url() + "/remote.php/dav/files/" + email, "RCLONE_CONFIG_H_VENDOR=nextcloud", "RCLONE_CONFIG_H_USER=" + email,
		"RCLONE_CONFIG_H_PASS=" + strings.TrimSpace(string(secret)), "RCLONE_CONFIG=" + filepath.Join(h.t.TempDir(), "none")}
	// Of two names that differ in their normal form alone rclone itself would send one.
	return tool{dir: h.t.TempDir(), env: env}.run(h.t.Context(), program, append(args, "--retries=1", "--low-level-retries=1", "--no-unicode-normalization")...)
}

// TestRclone copies a tree up and down, over a restart; names, octets and times come back as they were.
func TestRclone(t *testing.T) {
	need(t, "rclone")
	thorough(t)
	h := newHouse(t)
	d := h.device("rclone")
	src, back := t.TempDir(), t.TempDir()
	grow(t, src)
	run := func(args ...string) string {
		t.Helper()
		out, err := h.rclone(d, args...)
		if err != nil {
			t.Fatalf("rclone %s: %v\n%s", strings.Join(args, " "), err, tail(out))
		}
		return out
	}
	run("sync", src, "h:box", "--create-empty-src-dirs")
	if out := run("sync", src, "h:box", "-v"); strings.Contains(out, "Copied") {
		t.Errorf("what is there is sent again:\n%s", tail(out))
	}
	h.killNow()
	h.restart()
	run("check", src, "h:box", "--download")
	run("copy", "h:box", back, "--create-empty-src-dirs")
	same(t, "what came back", tree(t, back), tree(t, src))
	at, err := os.Stat(filepath.Join(back, "plain.txt"))
	if err != nil || !at.ModTime().Equal(time.Date(2009, 2, 13, 23, 31, 0, 0, time.UTC)) {
		t.Errorf("plain.txt is of %v, %v", at.ModTime(), err)
	}
	run("moveto", "h:box/deep", "h:box/deepest")
	run("copyto", "h:box/A.txt", "h:box/copy of A.txt")
	run("deletefile", "h:box/plain.txt")
	run("purge", "h:box/empty folder")
	os.Rename(filepath.Join(src, "deep"), filepath.Join(src, "deepest"))
	os.Remove(filepath.Join(src, "plain.txt"))
	os.Remove(filepath.Join(src, "empty folder"))
	b, _ := os.ReadFile(filepath.Join(src, "A.txt"))
	put(t, src, "copy of A.txt", string(b))
	run("check", src, "h:box", "--download")
	if out := run("about", "h:"); !strings.Contains(out, "Used:") {
		t.Errorf("what is used is not told:\n%s", out)
	}
}

// TestCadaverLocks edits with locks, as cadaver's user does, and holds one while the server is killed.
func TestCadaverLocks(t *testing.T) {
	need(t, "cadaver")
	h := newHouse(t)
	d := h.device("cadaver")
	dir := t.TempDir()
	put(t, dir, "one.txt", "one\n")
	put(t, dir, "two.txt", "two\n")
	out := h.cadaver(d, dir, "/dav/files/"+h.id+"/", "mkcol box\ncd box\nput one.txt\nlock one.txt\ndiscover one.txt\nshowlocks\nput two.txt one.txt\nunlock one.txt\ncopy one.txt three.txt\nlock three.txt\nmove three.txt four.txt\nget four.txt back.txt\nls\n")
	if strings.Contains(out, "failed") || strings.Count(out, "succeeded") < 8 {
		t.Errorf("cadaver says\n%s", out)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "back.txt")); err != nil || string(b) != "two\n" {
		t.Errorf("what came back is %q, %v", b, err)
	}

	// What a program was told that it has locked is so after the power was cut.
	one := "/dav/files/" + h.id + "/box/one.txt"
	code, answer := h.dav(d, "LOCK", one, `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>`, "Timeout: Second-600")
	_, rest, ok := strings.Cut(answer, "<D:locktoken><D:href>")
	token, _, _ := strings.Cut(rest, "<")
	if code != http.StatusOK || !ok {
		t.Fatalf("LOCK: %d %s", code, answer)
	}
	h.killNow()
	h.restart()
	if code, answer := h.dav(d, http.MethodPut, one, "x"); code != http.StatusLocked {
		t.Errorf("a file that is locked was written: %d %s", code, answer)
	}
	if code, answer := h.dav(d, http.MethodPut, one, "x", "If: (<"+token+">)"); code != http.StatusNoContent {
		t.Errorf("who holds the lock is kept out: %d %s", code, answer)
	}
}

// TestDavfs2 mounts the files as a file system.
func TestDavfs2(t *testing.T) {
	need(t, "mount.davfs", "umount")
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("/dev/fuse cannot be used, which mount.davfs needs: %v", err)
	}
	f.Close()
	if os.Getuid() != 0 {
		t.Skip("a file system is mounted by root alone")
	}
	h := newHouse(t)
	d := h.device("davfs2")
	dir, at := t.TempDir(), filepath.Join(t.TempDir(), "mnt")
	for _, d := range []string{at, filepath.Join(dir, "cache")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	who, err := user.Lookup("davfs2") // as whom the program runs once it has mounted
	if err != nil {
		missing(t, "%v", err)
	}
	uid, _ := strconv.Atoi(who.Uid)
	gid, _ := strconv.Atoi(who.Gid)
	for path, mode := range map[string]fs.FileMode{filepath.Dir(dir): 0o755, dir: 0o755, filepath.Join(dir, "cache"): 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(filepath.Join(dir, "cache"), uid, gid); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "davfs2.conf")
	put(t, dir, "secrets", fmt.Sprintf("%s %s %s\n", at, alice, d.Password))
	put(t, dir, "davfs2.conf", "secrets "+filepath.Join(dir, "secrets")+"\ncache_dir "+filepath.Join(dir, "cache")+"\nuse_locks 1\nask_auth 0\ndelay_upload 0\nlock_owner davfs2\n")
	if err := os.Chmod(filepath.Join(dir, "secrets"), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	mount := exec.CommandContext(t.Context(), "mount.davfs", h.url()+"/dav/files/"+h.id+"/", at, "-o", "conf="+conf)
	mount.Stdout, mount.Stderr = &said, &said
	if err := mount.Run(); err != nil {
		t.Fatalf("mount.davfs: %v\n%s", err, said.String())
	}
	unmount := func() error {
		out, err := exec.CommandContext(context.Background(), "umount", at).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	mounted := true
	t.Cleanup(func() {
		if mounted {
			if err := unmount(); err != nil {
				t.Error(err)
			}
		}
	})
	src := t.TempDir()
	if err := os.MkdirAll(filepath.Join(src, "deep/er"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i, n := range []string{"a.txt", "with space.txt", "caf\u00e9", "cafe\u0301", "deep/er/b"} {
		put(t, src, n, strings.Repeat(n, 1+i*1000))
	}
	for _, c := range [][]string{{"cp", "-r", src + "/.", at}, {"mv", at + "/a.txt", at + "/moved.txt"}, {"sh", "-c", "printf more >> '" + at + "/moved.txt'"}, {"rm", at + "/with space.txt"}} {
		if out, err := exec.CommandContext(t.Context(), c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", c, err, out)
		}
	}
	if err := unmount(); err != nil { // it sends what it still holds
		t.Fatal(err)
	}
	mounted = false
	for name, want := range map[string]string{"moved.txt": "a.txtmore", "caf%C3%A9": strings.Repeat("caf\u00e9", 2001), "cafe%CC%81": strings.Repeat("cafe\u0301", 3001), "deep/er/b": strings.Repeat("deep/er/b", 4001)} {
		if code, got := h.dav(d, http.MethodGet, "/dav/files/"+h.id+"/"+name, ""); code != http.StatusOK || got != want {
			t.Errorf("%s: %d, %d octets, want %d", name, code, len(got), len(want))
		}
	}
	if code, _ := h.dav(d, http.MethodGet, "/dav/files/"+h.id+"/with%20space.txt", ""); code != http.StatusNotFound {
		t.Errorf("what was removed is there: %d", code)
	}
}
