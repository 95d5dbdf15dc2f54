package clients

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// needEvolution finds what drives Evolution's data server.
func needEvolution(t *testing.T) (python string) {
	t.Helper()
	pass := t.Skipf
	if os.Getenv("CI") == "true" {
		pass = t.Fatalf
	}
	const how = "apt-get install --no-install-recommends evolution-data-server gir1.2-ebook-1.2 python3-gi dbus"
	if _, err := os.Stat("/usr/libexec/evolution-addressbook-factory"); err != nil {
		pass("Evolution's data server is not installed (%s): %v", how, err)
	}
	if _, err := exec.LookPath("dbus-run-session"); err != nil {
		pass("Evolution's data server needs dbus-run-session (%s): %v", how, err)
	}
	for _, python = range []string{"/usr/bin/python3", "python3"} {
		if exec.CommandContext(t.Context(), python, "-c", "import gi; gi.require_version('EBook', '1.2')").Run() == nil {
			return python
		}
	}
	pass("no python3 speaks to Evolution's data server (%s)", how)
	return ""
}

// source is how Evolution keeps an address book, a calendar, a list of to-dos, or one of notes.
const source = `[Data Source]
DisplayName=Holdfast
Enabled=true
Parent=%[1]s-stub

[%[2]s]
BackendName=%[1]s

[Authentication]
Host=%[3]s
Method=plain/password
Port=%[4]s
ProxyUid=system-proxy
RememberPassword=false
User=%[5]s

[Security]
Method=none

[Offline]
StaySynchronized=true

[Refresh]
Enabled=false

[WebDAV Backend]
AvoidIfmatch=false
ResourcePath=%[6]s
`

// TestEvolution reads, adds, edits and deletes contacts with Evolution's data server, which a device with vdirsyncer sees.
func TestEvolution(t *testing.T) {
	thorough(t)
	python := needEvolution(t)
	need(t, "vdirsyncer")
	script, err := filepath.Abs(filepath.Join("testdata", "evolution.py"))
	if err != nil {
		t.Fatal(err)
	}
	const size = 60
	h, m := newHouse(t), model{}
	one := h.newSyncer("Laptop")
	m.fill(one, 1, 1+size)
	one.sync()

	d, dir := h.device("Evolution"), t.TempDir()
	host, port, err := net.SplitHostPort(h.Addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{".config/evolution/sources", "run"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put(t, dir, ".config/evolution/sources/holdfast.source", fmt.Sprintf(source, "carddav", "Address Book", host, port, alice, h.book()))
	p := tool{dir: dir, env: []string{"XDG_RUNTIME_DIR=" + filepath.Join(dir, "run"), "GSETTINGS_BACKEND=memory", "GIO_USE_PROXY_RESOLVER=dummy"}}
	out, err := p.run(t.Context(), "dbus-run-session", "--", python, script, alice, d.Password, fmt.Sprint(size), uid(3), uid(4))
	for _, line := range []string{"signed in: True", fmt.Sprintf("contacts: %d", size), "writable: True", "added: True", "edited: True", "deleted: True", "done"} {
		if !strings.Contains(out, "\n"+line+"\n") {
			t.Fatalf("Evolution's data server does not say %q (%v):\n%s", line, err, tail(out))
		}
	}

	one.sync()
	var made int
	for _, b := range one.held() {
		if bytes.Contains(b, []byte("FN:Made in Evolution")) {
			made++
		}
	}
	if n := len(one.held()); n != size || made != 1 {
		t.Errorf("the device holds %d contacts (want %d), %d of them made in Evolution", n, size, made)
	}
	if !bytes.Contains(one.read(3), []byte("NICKNAME:Edited in Evolution")) {
		t.Errorf("the edit is not on the device:\n%s", one.read(3))
	}
	if one.read(4) != nil {
		t.Error("a contact that was deleted in Evolution is still on the device")
	}
	delete(m, 3)
	delete(m, 4)
	if lost := without(m.hashes(), hashTexts(h.export())); len(lost) != 0 {
		t.Errorf("%d contacts that Evolution did not touch have changed", len(lost))
	}
}
