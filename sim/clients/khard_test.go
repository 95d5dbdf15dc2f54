package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// khard works on the directory of a device that runs vdirsyncer.
type khard struct{ *syncer }

func newKhard(s *syncer) khard {
	s.t.Helper()
	text := fmt.Sprintf("[addressbooks]\n[[contacts]]\npath = %s\n[general]\ndefault_action = list\neditor = /bin/true\nmerge_editor = /bin/true\n[vcard]\npreferred_version = 3.0\n", s.cards)
	if err := os.WriteFile(filepath.Join(s.dir, "khard.conf"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return khard{s}
}

// do runs khard; it must succeed.
func (k khard) do(args ...string) string {
	k.t.Helper()
	out, err := tool{dir: k.dir, stdin: "y\n"}.run(k.t.Context(), "khard", append([]string{"-c", filepath.Join(k.dir, "khard.conf")}, args...)...)
	if err != nil {
		k.t.Fatalf("khard %s: %v\n%s", args[0], err, tail(out))
	}
	return out
}

// file writes what a person would type into an editor.
func (k khard) file(text string) string {
	k.t.Helper()
	name := filepath.Join(k.dir, "typed.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
	return name
}

// TestKhard adds, edits and removes a contact with khard on one device; khard on the other sees it.
func TestKhard(t *testing.T) {
	need(t, "vdirsyncer", "khard")
	h, m := newHouse(t), model{}
	one, two := h.newSyncer("Laptop"), h.newSyncer("Workstation")
	m.fill(one, 0, 6)
	one.sync()
	two.sync()
	here, there := newKhard(one), newKhard(two)
	agree := func(what string, count int) {
		t.Helper()
		one.sync()
		two.sync()
		same(t, what+": the other device", hashes(two.held()), hashes(one.held()))
		same(t, what+": the export", hashTexts(h.export()), hashes(one.held()))
		if n := len(one.held()); n != count {
			t.Fatalf("%s: %d contacts, want %d", what, n, count)
		}
	}

	typed := "First name: Zoë\nLast name: Přikladová\nOrganisation: Example\nPhone:\n    cell: +49 30 123456\nEmail:\n    work: zoe@example.org\nNote: |\n    Two lines,\n    and a semicolon;\n"
	here.do("new", "-a", "contacts", "-i", here.file(typed))
	agree("after khard new", 7)
	if out := there.do("phone", "--parsable", "Přikladová"); !strings.HasPrefix(out, "+49 30 123456\tZoë Přikladová\tcell") {
		t.Errorf("khard on the other device does not find the contact:\n%s", out)
	}

	there.do("edit", "-i", there.file(strings.ReplaceAll(typed, "123456", "654321")), "Přikladová")
	two.sync()
	agree("after khard edit", 7)
	if out := here.do("phone", "--parsable", "Přikladová"); !strings.HasPrefix(out, "+49 30 654321\tZoë Přikladová\tcell") {
		t.Errorf("khard on the first device does not see the edit:\n%s", out)
	}
	if out := here.do("list", "--parsable"); strings.Count(out, "\n") != 7 {
		t.Errorf("khard does not read what was synced:\n%s", out)
	}

	here.do("remove", "--force", "Přikladová")
	agree("after khard remove", 6)
	m.everywhere(t, h, one, two)
}
