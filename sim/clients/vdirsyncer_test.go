package clients

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// syncer is a device that runs vdirsyncer: a directory of cards, and the program's own memory of both sides.
type syncer struct {
	t     *testing.T
	dir   string
	cards string // the directory of the default address book
	pair  string // the name of what it syncs; "" is contacts
	device
}

// newSyncer sets vdirsyncer up with an app password of its own, told no more than the server's base URL, and lets it discover the rest.
func (h *house) newSyncer(name string, pair ...string) *syncer {
	h.t.Helper()
	return h.newSyncerAt(h.url(), name, pair...)
}

// newSyncerAt does so at another address, a proxy's.
func (h *house) newSyncerAt(url, name string, pair ...string) *syncer {
	h.t.Helper()
	s := &syncer{t: h.t, dir: h.t.TempDir(), device: h.device(name)}
	s.configure(url+"/", pair...)
	s.discover()
	return s
}

// configure writes vdirsyncer's configuration. Lines in pair are added to the pair: conflict_resolution and the like. Side a is the device, side b the server.
func (s *syncer) configure(url string, pair ...string) {
	s.t.Helper()
	s.cards = filepath.Join(s.dir, "contacts", "default")
	text := fmt.Sprintf(`[general]
status_path = "%[1]s/status/"

[pair contacts]
a = "here"
b = "there"
collections = ["from b"]
metadata = ["displayname", "description"]
%[5]s

[storage here]
type = "filesystem"
path = "%[1]s/contacts/"
fileext = ".vcf"

[storage there]
type = "carddav"
url = "%[2]s"
username = "%[3]s"
password = "%[4]s"
`, s.dir, url, alice, s.Password, strings.Join(pair, "\n"))
	if err := os.WriteFile(s.config(), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// what is the name of the pair.
func (s *syncer) what() string { return cmp.Or(s.pair, "contacts") }

func (s *syncer) config() string { return filepath.Join(s.dir, "config") }

// try runs vdirsyncer, whatever comes of it.
func (s *syncer) try(args ...string) (string, error) {
	p := tool{dir: s.dir, stdin: strings.Repeat("y\n", 20)}
	return p.run(s.t.Context(), "vdirsyncer", append([]string{"-c", s.config()}, args...)...)
}

// must runs vdirsyncer; it must succeed and complain of nothing.
func (s *syncer) must(args ...string) string {
	s.t.Helper()
	out, err := s.try(args...)
	if err != nil {
		s.t.Fatalf("vdirsyncer %s: %v\n%s", args[0], err, tail(out))
	}
	for line := range strings.Lines(out) {
		// The first stands at each deletion though the ETag was given; the second is answered.
		if l := strings.ToLower(line); strings.HasPrefix(l, "warning:") && !strings.Contains(l, "deleting an item with no etag") && !strings.Contains(l, "found for storage here") {
			s.t.Errorf("vdirsyncer %s: %s", args[0], line)
		}
	}
	return out
}

func tail(s string) string { return s[max(0, len(s)-2000):] }

func (s *syncer) discover() {
	s.t.Helper()
	if out := s.must("discover", "contacts"); !strings.Contains(out, `Saved for contacts: collections = ["default"]`) {
		s.t.Fatalf("discovery did not find the address book:\n%s", out)
	}
}

// sync syncs, and returns what was done: one line for each card.
func (s *syncer) sync() (done []string) {
	s.t.Helper()
	for line := range strings.Lines(s.must("sync", s.what())) {
		if strings.HasPrefix(line, "Copying") || strings.HasPrefix(line, "Deleting") {
			done = append(done, strings.TrimSpace(line))
		}
	}
	return done
}

// failing syncs; it must fail, and say what.
func (s *syncer) failing(what string) string {
	s.t.Helper()
	out, err := s.try("sync", s.what())
	if err == nil || !strings.Contains(out, what) {
		s.t.Fatalf("vdirsyncer sync: %v, want an error that says %q:\n%s", err, what, tail(out))
	}
	return out
}

// held is what the device holds, by file name.
func (s *syncer) held() map[string][]byte { return readCards(s.t, s.cards) }

// write writes a card, as an address book program would. The file of a card that is there already keeps its name.
func (s *syncer) write(n int, octets []byte) {
	s.t.Helper()
	name, ok := s.find(n)
	if !ok {
		name = fmt.Sprintf("person-%d.vcf", n)
	}
	if err := os.WriteFile(filepath.Join(s.cards, name), octets, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// remove deletes the card of contact n.
func (s *syncer) remove(n int) {
	s.t.Helper()
	name, ok := s.find(n)
	if !ok {
		s.t.Fatalf("contact %d is not here", n)
	}
	if err := os.Remove(filepath.Join(s.cards, name)); err != nil {
		s.t.Fatal(err)
	}
}

// read returns the card of contact n, nil if there is none.
func (s *syncer) read(n int) []byte {
	s.t.Helper()
	name, _ := s.find(n)
	return s.held()[name]
}

// find looks for the file of contact n: first under the names that we and vdirsyncer give, then everywhere.
func (s *syncer) find(n int) (string, bool) {
	for _, name := range []string{fmt.Sprintf("person-%d.vcf", n), uid(n) + ".vcf"} {
		if _, err := os.Stat(filepath.Join(s.cards, name)); err == nil {
			return name, true
		}
	}
	for name, b := range s.held() {
		for line := range strings.Lines(string(b)) {
			if strings.TrimRight(line, "\r\n") == "UID:"+uid(n) {
				return name, true
			}
		}
	}
	return "", false
}
