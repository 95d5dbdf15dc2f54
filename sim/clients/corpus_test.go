package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast"
)

// corpus returns the files that real programs exported.
func corpus(t *testing.T) []string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "corpus", "contacts")
	if _, err := os.Stat(dir); err != nil {
		missing(t, "the contacts corpus not found at %s: %v", dir, err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.vcf"))
	if err != nil || len(files) != 11 {
		t.Fatalf("%d files in %s, want 11: %v", len(files), dir, err)
	}
	return files
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCorpusByPut puts each file as it is. What is accepted is returned octet by octet; what is not names the precondition, and leaves nothing.
func TestCorpusByPut(t *testing.T) {
	files := corpus(t)
	h := newHouse(t)
	d := h.device("curl")
	count := map[string]int{}
	for _, f := range files {
		b := read(t, f)
		path := h.book() + escape(filepath.Base(f))
		code, body := h.dav(d, "PUT", path, string(b), "Content-Type: text/vcard; charset=utf-8")
		switch {
		case code == 201:
			count["accepted"]++
			if code, got := h.dav(d, "GET", path, ""); code != 200 || got != string(b) {
				t.Errorf("%s: GET answers %d with other octets", f, code)
			}
			continue
		case code == 403 && strings.Contains(body, "valid-address-data"):
			count["valid-address-data"]++
		case code == 403 && strings.Contains(body, "supported-address-data"):
			count["supported-address-data"]++
		default:
			t.Errorf("%s: %d %s", f, code, body)
		}
		if code, _ := h.dav(d, "GET", path, ""); code != 404 {
			t.Errorf("%s was refused, and GET answers %d", f, code)
		}
	}
	if count["accepted"] != 2 || count["valid-address-data"] != 6 || count["supported-address-data"] != 3 {
		t.Errorf("%v, want 2 accepted, 6 valid-address-data, 3 supported-address-data", count)
	}
}

// TestCorpusByImport imports all files by the command, and wants them on a device, octet by octet as the export has them.
func TestCorpusByImport(t *testing.T) {
	need(t, "vdirsyncer")
	files := corpus(t)
	h := newHouse(t)
	type report struct {
		Items, Accepted, Created, Already int
		Mended                            []struct{ File, What string }
		Refused                           []struct{ File, Precondition, Why string }
	}
	var first, again report
	h.command(&first, append([]string{"import", alice, "--into", "addressbooks/default"}, files...)...)
	mended := map[string]bool{}
	for _, m := range first.Mended {
		if m.What == "" || !strings.HasSuffix(m.File, ".vcf") {
			t.Errorf("a mend says %+v", m)
		}
		mended[filepath.Base(m.File)] = true
	}
	if first.Accepted != 19 || first.Created != 19 || len(first.Mended) != 17 || len(first.Refused) != 0 || len(mended) != 9 {
		t.Errorf("%d cards, %d accepted, %d created, %d mended in %d files, %d refused; want 19, 19, 19, 17 in 9, 0",
			first.Items, first.Accepted, first.Created, len(first.Mended), len(mended), len(first.Refused))
	}
	before := h.export()
	h.command(&again, append([]string{"import", alice, "--into", "addressbooks/default"}, files...)...)
	if again.Created != 0 || again.Already != 19 {
		t.Errorf("the second import created %d and found %d; want 0 and 19", again.Created, again.Already)
	}
	after := h.export()
	same(t, "a second import", hashTexts(after), hashTexts(before))

	// The two that needed no mend are there as they were.
	have := map[holdfast.Hash]bool{}
	for _, sum := range after {
		have[sum] = true
	}
	for _, f := range files {
		if base := filepath.Base(f); !mended[base] && !have[holdfast.HashOf(read(t, f))] {
			t.Errorf("%s needed no mend, and its octets are not there", base)
		}
	}

	one := h.newSyncer("Laptop")
	one.sync()
	same(t, "the device", hashes(one.held()), hashTexts(after))
	if done := one.sync(); len(done) != 0 {
		t.Errorf("nothing was changed, and vdirsyncer did %q", done)
	}
}
