package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast"
)

// model is what must be there at the end: each contact's octets, by its number.
type model map[int][]byte

func (m model) hashes() []string {
	files := map[string][]byte{}
	for n, b := range m {
		files[fmt.Sprint(n)] = b
	}
	return hashes(files)
}

// everywhere checks that the server's export and all devices hold the model, octet by octet.
func (m model) everywhere(t *testing.T, h *house, devices ...*syncer) {
	t.Helper()
	same(t, "the export", hashTexts(h.export()), m.hashes())
	for i, s := range devices {
		same(t, fmt.Sprintf("device %d", i+1), hashes(s.held()), m.hashes())
	}
}

// put puts a contact into the model and onto a device.
func (m model) put(s *syncer, n, version int) {
	s.t.Helper()
	m[n] = card(n, version)
	s.write(n, m[n])
}

// fill puts new contacts into the model and onto a device. Nothing is looked for, so a thousand take no time.
func (m model) fill(s *syncer, from, to int) {
	s.t.Helper()
	for n := from; n < to; n++ {
		m[n] = card(n, 0)
		if err := os.WriteFile(filepath.Join(s.cards, fmt.Sprintf("person-%d.vcf", n)), m[n], 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (m model) remove(s *syncer, n int) {
	s.t.Helper()
	delete(m, n)
	s.remove(n)
}

// TestTwoDevices brings a thousand contacts from one device to another, changes both, and wants both, and the export, to be the same.
func TestTwoDevices(t *testing.T) {
	need(t, "vdirsyncer")
	size := 1000
	if testing.Short() {
		size = 150
	}
	h, m := newHouse(t), model{}
	one := h.newSyncer("Laptop")
	m.fill(one, 0, size)
	if done := one.sync(); len(done) != size {
		t.Fatalf("%d uploads for %d contacts", len(done), size)
	}
	two := h.newSyncer("Workstation")
	if done := two.sync(); len(done) != size {
		t.Fatalf("%d downloads for %d contacts", len(done), size)
	}
	m.everywhere(t, h, one, two)
	if done := append(one.sync(), two.sync()...); len(done) != 0 {
		t.Fatalf("nothing was changed, and vdirsyncer did: %q", done)
	}

	// Both are changed in the same round, each elsewhere.
	for i := range 30 {
		m.put(one, i, 1)
		m.put(two, 30+i, 1)
	}
	for i := range 20 {
		m.remove(one, 60+i)
		m.remove(two, 80+i)
		m.put(one, size+i, 0)
		m.put(two, size+20+i, 0)
	}
	one.sync()
	if done := two.sync(); len(done) != 140 {
		t.Errorf("the second device had 70 changes to send and 70 to take, and did %d", len(done))
	}
	one.sync()
	m.everywhere(t, h, one, two)
	if done := append(one.sync(), two.sync()...); len(done) != 0 {
		t.Fatalf("nothing was changed, and vdirsyncer did: %q", done)
	}

	// A third device that comes last finds it all.
	three := h.newSyncer("Tablet")
	three.sync()
	m.everywhere(t, h, one, two, three)
}

// TestServerETagIsTheHash compares what devices hold with the SHA-256 that the server shows to everybody: the ETag.
func TestServerETagIsTheHash(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer", "curl")
	h, m := newHouse(t), model{}
	one := h.newSyncer("Laptop")
	m.fill(one, 0, 30)
	one.sync()
	for name, sum := range h.export() {
		p := tool{dir: t.TempDir()}
		out, err := p.run(t.Context(), "curl", "-sS", "-D", "head", "-o", "body", "-u", alice+":"+one.Password, h.url()+h.book()+escape(name))
		if err != nil {
			t.Fatal(err, out)
		}
		body, err := os.ReadFile(filepath.Join(p.dir, "body"))
		if err != nil {
			t.Fatal(err)
		}
		head, err := os.ReadFile(filepath.Join(p.dir, "head"))
		if err != nil {
			t.Fatal(err)
		}
		if holdfast.HashOf(body) != sum || !strings.Contains(strings.ToLower(string(head)), "\netag: \""+sum.String()+"\"") {
			t.Errorf("%s: %s\n%s", name, sum, head)
		}
	}
}

// TestDiscovery watches how vdirsyncer gets from the base URL to the address book, through a proxy that writes every request down.
func TestDiscovery(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	h := newHouse(t)
	for _, start := range []struct{ path, first, last string }{
		{"/", "207 PROPFIND /", h.book()},
		{"/.well-known/carddav", "301 PROPFIND /.well-known/carddav/", h.book()},
		{"/dav/", "207 PROPFIND /dav/", h.book()},
		{"/remote.php/dav/", "207 PROPFIND /remote.php/dav/", h.book()},
		{"/dav/principals/" + alice + "/", "207 PROPFIND /dav/principals/" + alice + "/", h.book()},
		{"/dav/addressbooks/" + alice + "/", "207 PROPFIND /dav/addressbooks/" + alice + "/", "/dav/addressbooks/" + alice + "/default/"},
	} {
		p := newProxy(t, h.url())
		s := &syncer{t: t, dir: t.TempDir(), device: h.device("Laptop at " + start.path)}
		s.configure(p.url + start.path)
		s.discover()
		s.sync()
		log := p.log()
		if log[0] != start.first || log[len(log)-1] != "207 PROPFIND "+start.last || slices.ContainsFunc(log, func(l string) bool { return l[0] > '3' }) {
			t.Errorf("from %s, want to begin with %q, to end at %s, and to be refused nothing:\n%s", start.path, start.first, start.last, strings.Join(log, "\n"))
		}
	}
	s := &syncer{t: t, dir: t.TempDir(), device: h.device("Laptop that was stolen")}
	s.Password += "x"
	s.configure(h.url() + "/")
	if out, err := s.try("discover", "contacts"); err == nil || !strings.Contains(out, "401") {
		t.Errorf("discovery with a wrong password: %v\n%s", err, out)
	}
}

// TestMetasync carries the name and the description of the address book from one device to another.
func TestMetasync(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	h := newHouse(t)
	one, two := h.newSyncer("Laptop"), h.newSyncer("Workstation")
	one.must("metasync", "contacts")
	two.must("metasync", "contacts")
	for _, round := range []struct {
		from, to  *syncer
		key, text string
	}{
		{one, two, "displayname", "Freunde & Familie <例> \U0001F98A"},
		{two, one, "displayname", "Friends"},
		{one, two, "description", "Those whom we write to in December; \"quotes\" too"},
		{two, one, "description", ""}, // takes it away
	} {
		file := filepath.Join(round.from.cards, round.key)
		if round.text == "" {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(file, []byte(round.text), 0o600); err != nil {
			t.Fatal(err)
		}
		round.from.must("metasync", "contacts")
		round.to.must("metasync", "contacts")
		got, err := os.ReadFile(filepath.Join(round.to.cards, round.key))
		if err != nil && round.text != "" || string(got) != round.text {
			t.Errorf("%s: %q, want %q (%v)", round.key, got, round.text, err)
		}
	}
}
