package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRcloneAsGuest works in a folder that Alice shares: Bob's rclone keeps it in step with a directory, carries files and folders out of it and in by the server, over a restart; Carol's only reads. Alice has
// everything at her own address, and nobody sees what lies beside.
func TestRcloneAsGuest(t *testing.T) {
	need(t, "rclone")
	thorough(t)
	h := newHouse(t)
	const carol = "carol@example.org"
	var made struct{ ID string }
	h.command(&made, "account", "add", bob, "--no-password")
	h.command(&made, "account", "add", carol, "--no-password")
	his, hers, ours := h.device("rclone"), h.deviceOf(carol, "rclone"), h.deviceOf(bob, "rclone")
	src, back := t.TempDir(), t.TempDir()
	grow(t, src)
	run := func(email string, d device, args ...string) string {
		t.Helper()
		out, err := h.rcloneOf("rclone", email, d, args...)
		if err != nil {
			t.Fatalf("%s: rclone %s: %v\n%s", email, strings.Join(args, " "), err, tail(out))
		}
		return out
	}
	mine := func(args ...string) string { return run(alice, his, args...) }
	bobs := func(args ...string) string { return run(bob, ours, args...) }
	mine("sync", src, "h:top/Family", "--create-empty-src-dirs")
	mine("mkdir", "h:top/private")
	mine("copyto", filepath.Join(src, "A.txt"), "h:top/private/secret.txt")
	bobs("mkdir", "h:Family") // he has one of that name
	h.share("files/top/Family", bob, "write")
	h.share("files/top/Family", carol, "read")
	const there = "h:Family (" + alice + ")"
	if out := bobs("lsf", "-R", "h:"); strings.Contains(out, "private") || strings.Contains(out, "secret") || !strings.Contains(out, "Family ("+alice+")/deep/er/") {
		t.Errorf("Bob sees\n%s", out)
	}

	// Down, with names, octets and times as they are; up, and nothing is sent twice.
	bobs("copy", there, back, "--create-empty-src-dirs")
	same(t, "what Bob got", tree(t, back), tree(t, src))
	put(t, back, "from bob.txt", strings.Repeat("b", 200_000))
	os.Remove(filepath.Join(back, "plain.txt"))
	bobs("sync", back, there)
	if out := bobs("sync", back, there, "-v"); strings.Contains(out, "Copied") || strings.Contains(out, "Deleted") {
		t.Errorf("what is there is sent again:\n%s", tail(out))
	}
	h.killNow()
	h.restart()
	mine("check", back, "h:top/Family", "--download")

	// Across, by the server.
	bobs("copyto", there+"/from bob.txt", "h:own.txt")
	bobs("moveto", there+"/deep", "h:deep")
	bobs("copyto", "h:own.txt", there+"/back again.txt")
	bobs("moveto", "h:deep", there+"/deeper")
	bobs("copy", there, "h:all", "--create-empty-src-dirs")
	os.Rename(filepath.Join(back, "deep"), filepath.Join(back, "deeper"))
	put(t, back, "back again.txt", strings.Repeat("b", 200_000))
	mine("check", back, "h:top/Family", "--download")
	bobs("check", back, "h:all", "--download")

	// To read is to read.
	run(carol, hers, "check", back, "h:Family", "--download")
	for _, args := range [][]string{{"copyto", filepath.Join(src, "A.txt"), "h:Family/hers.txt"}, {"deletefile", "h:Family/A.txt"}, {"purge", "h:Family/deeper"}, {"moveto", "h:Family/A.txt", "h:Family/B.txt"}, {"mkdir", "h:Family/new"}} {
		if out, err := h.rcloneOf("rclone", carol, hers, args...); err == nil {
			t.Errorf("Carol's rclone %v went well:\n%s", args, tail(out))
		}
	}
	mine("check", back, "h:top/Family", "--download")
	if out := mine("lsf", "-R", "h:top/private"); strings.Count(out, ".txt") != 1 || !strings.Contains(out, "secret.txt") {
		t.Errorf("beside what is shared lies\n%s", out)
	}
}

// TestCadaverAsGuest edits with locks in a folder that another shares, while its owner edits there too.
func TestCadaverAsGuest(t *testing.T) {
	need(t, "cadaver")
	h := newHouse(t)
	var made struct{ ID string }
	h.command(&made, "account", "add", bob, "--no-password")
	hers, his := h.device("cadaver"), h.deviceOf(bob, "cadaver")
	one, two := t.TempDir(), t.TempDir()
	put(t, one, "one.txt", "one\n")
	put(t, two, "two.txt", "two\n")
	h.cadaver(hers, one, "/dav/files/"+h.id+"/", "mkcol box\ncd box\nput one.txt\nmkcol in\n")
	h.share("files/box", bob, "write")
	out := h.cadaver(hers, one, "/dav/files/"+h.id+"/box/", "lock one.txt\n")
	if !strings.Contains(out, "succeeded") {
		t.Fatal(out)
	}
	out = h.cadaverAs(bob, his, two, "/dav/files/"+made.ID+"/box/", "discover one.txt\nput two.txt one.txt\nput two.txt\nlock two.txt\nput two.txt\nunlock two.txt\nmove two.txt in/three.txt\ncopy in own\nmove in/three.txt ../mine.txt\nget ../mine.txt back.txt\nls\n")
	if strings.Count(out, "failed") != 1 || !strings.Contains(out, "423") {
		t.Errorf("cadaver says\n%s", out)
	}
	if b, err := os.ReadFile(filepath.Join(two, "back.txt")); err != nil || string(b) != "two\n" {
		t.Errorf("what came back is %q, %v", b, err)
	}
	if code, got := h.dav(hers, "GET", "/dav/files/"+h.id+"/box/one.txt", ""); code != 200 || got != "one\n" {
		t.Errorf("what was locked is %d, %q", code, got)
	}
	if code, got := h.dav(hers, "GET", "/dav/files/"+h.id+"/box/own/three.txt", ""); code != 200 || got != "two\n" {
		t.Errorf("the copy is %d, %q", code, got)
	}
}
