package transfer

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/blobtest"
	memblob "holdfast/internal/blob/memory"
	"holdfast/internal/core"
	"holdfast/internal/dav/caldav"
	"holdfast/internal/store/memory"
	"holdfast/internal/vcard"
)

// house is a store with one account.
type house struct {
	s *core.Service
	a holdfast.Account
	p holdfast.Principal
	e *memory.Engine
}

func judge(_ *holdfast.Collection, name, _ string, body []byte) (holdfast.Kind, holdfast.Index, error) {
	ix, refusal := vcard.Judge(body, vcard.Limits{})
	if refusal != nil {
		return 0, holdfast.Index{}, &holdfast.Error{Op: "judge", Kind: holdfast.Invalid, Ref: name, Rule: string(refusal.Precondition), Text: refusal.Why}
	}
	return holdfast.KindAddress, holdfast.Index{UID: ix.UID}, nil
}

func newHouse(t testing.TB) *house {
	t.Helper()
	e := memory.New()
	t.Cleanup(func() { e.Close() })
	s := core.New(core.Options{Engine: e, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judge, holdfast.TypeCalendar: caldav.Judge(caldav.Options{})}})
	a, _, err := s.CreateAccount(t.Context(), holdfast.Actor{}, "alice@example.org", "")
	if err != nil {
		t.Fatal(err)
	}
	return &house{s, a, holdfast.Principal{Account: a.ID}, e}
}

type heard struct {
	mended  []Mended
	refused []RefusedOne
	notes   []Note
	placed  []Placed
	done    *Totals
}

func (h *house) take(t testing.TB, ctx context.Context, q Request, r io.Reader) (heard, error) {
	t.Helper()
	var out heard
	q.Account = h.a.ID
	err := Import(ctx, h.s, q, r, func(e Event) error {
		switch {
		case e.Mended != nil:
			out.mended = append(out.mended, *e.Mended)
		case e.Refused != nil:
			out.refused = append(out.refused, *e.Refused)
		case e.Note != nil:
			out.notes = append(out.notes, *e.Note)
		case e.Placed != nil:
			out.placed = append(out.placed, *e.Placed)
		case e.Done != nil:
			done := *e.Done
			out.done = &done
		}
		return nil
	})
	return out, err
}

func (h *house) names(t testing.TB) []string {
	t.Helper()
	at, err := h.s.Locate(t.Context(), h.p, h.a.ID, []string{"addressbooks", "default"})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	err = h.s.Read(t.Context(), h.p, h.a.ID, func(r *core.Reader) error {
		return r.List(at.Collection.ID, "", 0, 0, func(m *holdfast.Resource) error { out = append(out, m.Name); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func card(uid string, lines ...string) string {
	return "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:" + uid + "\r\nFN:" + uid + "\r\n" + strings.Join(lines, "") + "END:VCARD\r\n"
}

// TestCorpus holds what becomes of real files of other programs.
func TestCorpus(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "corpus", "contacts")
	files, _ := filepath.Glob(filepath.Join(dir, "*.vcf"))
	if len(files) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the corpus is not at %s", dir)
		}
		t.Skipf("real contacts are not tried: corpus not found at %s: no .vcf files", dir)
	}
	h := newHouse(t)
	var sum Totals
	for range 2 { // the second time nothing is new
		sum = Totals{}
		for _, name := range files {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			got, err := h.take(t, t.Context(), Request{File: filepath.Base(name)}, f)
			f.Close()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, r := range got.refused {
				t.Errorf("%s, contact %d: %s", r.File, r.Item, r.Why)
			}
			sum.Add(*got.done)
		}
	}
	want := Totals{Items: 19, Accepted: 19, Already: 19, Mended: 17, Octets: sum.Octets}
	if sum != want {
		t.Errorf("got %+v, want %+v", sum, want)
	}
}

func TestImportJudgesEach(t *testing.T) {
	h := newHouse(t)
	text := card("a") + "some words\r\n" + card("b") + card("a") + card("a", "NOTE:other\r\n") + card("x/y") +
		"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:no uid\r\nEND:VCARD\r\nBEGIN:VCARD\r\nVERSION:7.0\r\nFN:x\r\nEND:VCARD\r\n"
	for _, dry := range []bool{true, false} {
		got, err := h.take(t, t.Context(), Request{File: "f", DryRun: dry}, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		want := Totals{Items: 7, Accepted: 5, Created: 4, Already: 1, Mended: 1, Refused: 3, Octets: int64(len(text))}
		if *got.done != want {
			t.Errorf("dry %v: %+v, want %+v", dry, *got.done, want)
		}
		var rules []string
		for _, r := range got.refused {
			rules = append(rules, fmt.Sprintf("%d %s", r.Item, r.Precondition))
		}
		slices.Sort(rules)
		if s := strings.Join(rules, ", "); s != "0 supported-address-data, 4 no-uid-conflict, 7 supported-address-data" {
			t.Errorf("dry %v: refused %s", dry, s)
		}
		if dry && len(h.names(t)) != 0 {
			t.Error("a dry run stored something")
		}
	}
	if n := h.names(t); len(n) != 4 || !slices.Contains(n, "a.vcf") || slices.ContainsFunc(n, func(s string) bool { return strings.Contains(s, "/") }) {
		t.Errorf("names: %q", n)
	}
}

// blocking hands out its text, then waits until the context ends.
type blocking struct {
	text io.Reader
	ctx  context.Context
	stop context.CancelCauseFunc
}

var errStopped = errors.New("stopped by the user")

func (b *blocking) Read(p []byte) (int, error) {
	n, err := b.text.Read(p)
	if err == io.EOF {
		b.stop(errStopped)
		<-b.ctx.Done()
		return 0, context.Cause(b.ctx)
	}
	return n, err
}

// TestImportGoesOn holds that what was committed before an interruption stays, and that the same import run again ends the work.
func TestImportGoesOn(t *testing.T) {
	h := newHouse(t)
	var all strings.Builder
	for i := range 3*groupItems + 10 {
		all.WriteString(card(fmt.Sprintf("u%04d", i)))
	}
	ctx, stop := context.WithCancelCause(t.Context())
	half := all.String()[:all.Len()/2]
	_, err := h.take(t, ctx, Request{File: "f"}, &blocking{strings.NewReader(half), ctx, stop})
	if !errors.Is(err, errStopped) {
		t.Fatalf("got %v", err)
	}
	kept := len(h.names(t))
	if kept == 0 || kept%groupItems != 0 {
		t.Errorf("%d were kept, want whole groups of %d", kept, groupItems)
	}
	got, err := h.take(t, t.Context(), Request{File: "f"}, strings.NewReader(all.String()))
	if err != nil || got.done.Already != kept || got.done.Accepted != 3*groupItems+10 || len(h.names(t)) != 3*groupItems+10 {
		t.Errorf("%+v, %v; %d in all", got.done, err, len(h.names(t)))
	}
}

func TestImportIsBounded(t *testing.T) {
	h := newHouse(t)
	_, err := h.take(t, t.Context(), Request{File: "f", MaxOctets: 100}, strings.NewReader(card("a")+card("b")+card("c")))
	if !holdfast.IsKind(err, holdfast.TooLarge) {
		t.Errorf("got %v", err)
	}
	if _, err := h.take(t, t.Context(), Request{File: "f", MaxOctets: int64(len(card("a")))}, strings.NewReader(card("a"))); err != nil {
		t.Errorf("a file of exactly the limit: %v", err)
	}
	big := card("big", "NOTE:"+strings.Repeat("x", 11<<20)+"\r\n")
	got, err := h.take(t, t.Context(), Request{File: "f"}, strings.NewReader(big+card("z")))
	if err != nil || got.done.Accepted != 1 || len(got.refused) != 1 || got.refused[0].Precondition != "max-resource-size" {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte(card("a") + card("b")))
	f.Add([]byte("BEGIN:VCARD\nBEGIN:VCARD\nEND:VCARD"))
	f.Add([]byte("\x00\xff\rEND:VCARD"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h := newHouse(t)
		first, err := h.take(t, t.Context(), Request{File: "f"}, bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		d := first.done
		if d.Accepted != d.Created+d.Already+d.Replaced || d.Accepted > d.Items || len(first.refused) != d.Refused {
			t.Fatalf("%+v", d)
		}
		again, err := h.take(t, t.Context(), Request{File: "f"}, bytes.NewReader(b))
		if err != nil || again.done.Created != 0 || again.done.Accepted != d.Accepted {
			t.Fatalf("again: %+v, first %+v, %v", again.done, d, err)
		}
	})
}

func (h *house) export(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Export(t.Context(), h.s, h.a.ID, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func quiet(int, int64) {}

func TestExportComesBack(t *testing.T) {
	h := newHouse(t)
	odd := "BEGIN:VCARD\nVERSION:3.0\nUID:odd\nFN:lone line feeds are kept\nEND:VCARD\n"
	if _, err := h.take(t, t.Context(), Request{}, strings.NewReader(card("a")+card("b")+odd)); err != nil {
		t.Fatal(err)
	}
	stream := h.export(t)
	for _, name := range []string{"out", "out.zip", "Out.ZIP"} {
		to := filepath.Join(t.TempDir(), name)
		target, err := OpenTarget(to)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Unpack(t.Context(), bytes.NewReader(stream), target, false, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(to); err == nil {
			t.Errorf("%s appeared before it was whole", name)
		}
		if err := target.Commit(); err != nil {
			t.Fatal(err)
		}
		target.Discard()
		if len(m.Files) != 3 || m.Seq == 0 || m.Chain.IsZero() || len(m.Collections) != 10 {
			t.Errorf("manifest: %+v", m)
		}
		if i := slices.IndexFunc(m.Collections, func(c ManifestCollection) bool { return c.Path == "calendars/default" }); i < 0 || m.Collections[i].Name != "Calendar" {
			t.Errorf("names: %+v", m.Collections)
		}
		if !slices.IsSortedFunc(m.Collections, func(a, b ManifestCollection) int { return strings.Compare(a.Path, b.Path) }) {
			t.Errorf("collections: %+v", m.Collections)
		}
		if got := readFrom(t, to, "addressbooks/default/odd.vcf"); got != odd {
			t.Errorf("%s: %q", name, got)
		}
		if got := dirsIn(to); name == "out" && got != "default notes tasks" {
			t.Errorf("%s: calendars has %s", name, got)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(to), ".*partial*")); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
		if _, err := OpenTarget(to); !holdfast.IsKind(err, holdfast.Exists) {
			t.Errorf("%s would be overwritten: %v", name, err)
		}
	}
}

// TestLargeFilesAreExported exports an account with files whose octets lie beside the engine, small ones, and one whose octets are missing: that one is named, and the rest comes.
func TestLargeFilesAreExported(t *testing.T) {
	h := newHouse(t)
	mem := memblob.New(nil)
	any := func(*holdfast.Collection, string, string, []byte) (holdfast.Kind, holdfast.Index, error) {
		return holdfast.KindFile, holdfast.Index{}, nil
	}
	h.s = core.New(core.Options{Engine: h.e, Blobs: blob.NewKeeper(mem), Limits: core.Limits{Inline: 100, File: 1 << 30}, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeHome: any, holdfast.TypeFolder: any}})
	want := map[string]string{}
	for i, size := range []int{10, 100, 101, 3 << 20, 200, 300} {
		name := fmt.Sprint(i, ".bin")
		octets := string(blobtest.Octets(uint64(i), size))
		at, err := h.s.Locate(t.Context(), h.p, h.a.ID, []string{"files", name})
		if err != nil {
			t.Fatal(err)
		}
		_, etag, err := h.s.PutFile(t.Context(), h.p, core.FileRequest{Place: at.Place(), Octets: strings.NewReader(octets), Size: -1})
		if err != nil {
			t.Fatal(err)
		}
		if want[name] = octets; i == 4 {
			if err := mem.Remove(t.Context(), h.a.ID, etag); err != nil {
				t.Fatal(err)
			}
		}
	}
	stream := h.export(t)
	for _, name := range []string{"out", "out.zip"} {
		to := filepath.Join(t.TempDir(), name)
		target, err := OpenTarget(to)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Unpack(t.Context(), bytes.NewReader(stream), target, true, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if err := target.Commit(); err != nil {
			t.Fatal(err)
		}
		if len(m.Files) != 5 || len(m.Lost) != 1 || m.Lost[0].Path != "files/4.bin" || m.Lost[0].Octets != 200 || m.Lost[0].Kind != "file" {
			t.Errorf("%+v", m)
		}
		for name, octets := range want {
			if name != "4.bin" && readFrom(t, to, "files/"+name) != octets {
				t.Errorf("%s is another", name)
			}
		}
	}
}

func readFrom(t *testing.T, to, name string) string {
	t.Helper()
	if !strings.HasSuffix(strings.ToLower(to), ".zip") {
		b, err := os.ReadFile(filepath.Join(to, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	z, err := zip.OpenReader(to)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		if f.Modified.Year() < 2000 {
			t.Errorf("%s is of %v", f.Name, f.Modified)
		}
	}
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// meddler changes the account when the first octets of an export have left.
type meddler struct {
	bytes.Buffer
	do func()
}

func (m *meddler) Write(p []byte) (int, error) {
	if m.do != nil {
		m.do()
		m.do = nil
	}
	return m.Buffer.Write(p)
}

// TestExportIsOneMoment holds that what is changed while an export runs does not show in it.
func TestExportIsOneMoment(t *testing.T) {
	h := newHouse(t)
	var all strings.Builder
	for i := range 2*pageItems + 1 {
		all.WriteString(card(fmt.Sprintf("u%04d", i)))
	}
	if _, err := h.take(t, t.Context(), Request{}, strings.NewReader(all.String())); err != nil {
		t.Fatal(err)
	}
	at, err := h.s.Locate(t.Context(), h.p, h.a.ID, []string{"addressbooks", "default"})
	if err != nil {
		t.Fatal(err)
	}
	last := core.Place{Owner: h.a.ID, Collection: at.Collection.ID, Name: fmt.Sprintf("u%04d.vcf", 2*pageItems)}
	near := last
	near.Name = fmt.Sprintf("u%04d.vcf", 2*pageItems-1)
	m := &meddler{do: func() {
		if _, err := h.s.Delete(t.Context(), h.p, last, holdfast.Precondition{}, nil); err != nil {
			t.Error(err)
		}
		q := core.PutRequest{Place: near, Body: []byte(card(strings.TrimSuffix(near.Name, ".vcf"), "NOTE:changed\r\n"))}
		if _, _, err := h.s.Put(t.Context(), h.p, q); err != nil {
			t.Error(err)
		}
	}}
	if err := Export(t.Context(), h.s, h.a.ID, m); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "out")
	target, err := OpenTarget(to)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Discard()
	if _, err := Unpack(t.Context(), m, target, false, quiet); err != nil {
		t.Fatal(err)
	}
	if err := target.Commit(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{last.Name, near.Name} {
		if got := readFrom(t, to, "addressbooks/default/"+name); got != card(strings.TrimSuffix(name, ".vcf")) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestAnExportSaysWhatWasLetGoOf: an item is replaced after the export has looked around, and the octets of what it looked at are let go of. It says so, and writes no empty file.
func TestAnExportSaysWhatWasLetGoOf(t *testing.T) {
	h := newHouse(t)
	var all strings.Builder
	for i := range 2*pageItems + 1 {
		all.WriteString(card(fmt.Sprintf("u%04d", i)))
	}
	if _, err := h.take(t, t.Context(), Request{}, strings.NewReader(all.String())); err != nil {
		t.Fatal(err)
	}
	at, err := h.s.Locate(t.Context(), h.p, h.a.ID, []string{"addressbooks", "default"})
	if err != nil {
		t.Fatal(err)
	}
	last := core.Place{Owner: h.a.ID, Collection: at.Collection.ID, Name: fmt.Sprintf("u%04d.vcf", 2*pageItems)}
	m := &meddler{do: func() {
		var seq uint64
		err := h.s.Inspect(t.Context(), h.a.ID, func(r *core.Reader) error {
			x, err := r.Resource(last.Collection, last.Name, 0)
			seq = x.Seq
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if _, err := h.s.Delete(t.Context(), h.p, last, holdfast.Precondition{}, nil); err != nil {
			t.Error(err)
		}
		if n, _, err := h.e.Prune(t.Context(), h.a.ID, []uint64{seq}); n != 1 || err != nil {
			t.Error(n, err)
		}
	}}
	if err := Export(t.Context(), h.s, h.a.ID, m); err == nil || !strings.Contains(err.Error(), "let go of") || !strings.Contains(err.Error(), last.Name) {
		t.Errorf("exported: %v", err)
	}
}

// TestUnpackBelievesNothing gives it streams that are cut, changed or hostile: nothing appears.
func TestUnpackBelievesNothing(t *testing.T) {
	h := newHouse(t)
	if _, err := h.take(t, t.Context(), Request{}, strings.NewReader(card("a")+card("b"))); err != nil {
		t.Fatal(err)
	}
	good := h.export(t)
	changed := bytes.Replace(good, []byte("FN:a"), []byte("FN:Z"), 1)
	if bytes.Equal(changed, good) {
		t.Fatal("nothing was changed")
	}
	hostile := func(name string, typ byte) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: typ, Linkname: "/etc/passwd", ModTime: time.Unix(0, 0)}); err != nil {
			t.Fatal(err)
		}
		w.Close()
		return b.Bytes()
	}
	for name, stream := range map[string][]byte{
		"empty": nil, "cut": good[:len(good)-3000], "cut in a file": good[:700], "changed": changed, "no tar": []byte(strings.Repeat("x", 2000)),
		"above": hostile("../x", tar.TypeReg), "absolute": hostile("/tmp/x", tar.TypeReg), "link": hostile("x", tar.TypeSymlink),
	} {
		dir := t.TempDir()
		target, err := OpenTarget(filepath.Join(dir, "out"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Unpack(t.Context(), bytes.NewReader(stream), target, false, quiet); err == nil {
			t.Errorf("%s: was believed", name)
		}
		target.Discard()
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

func TestNames(t *testing.T) {
	for uid, want := range map[string]string{"a-b_c.1@example.org": "a-b_c.1@example.org.vcf", "..": "", "a/b": "", ".hidden": "", "ü": "", "": "", strings.Repeat("x", 201): ""} {
		name, other := nameOf(uid, ".vcf")
		if want != "" && name != want || want == "" && len(name) != 36 {
			t.Errorf("%q: %q", uid, name)
		}
		if name == other || holdfast.CheckName(name) != nil || holdfast.CheckName(other) != nil {
			t.Errorf("%q: %q, %q", uid, name, other)
		}
	}
}

// dirsIn names the directories of calendars in an export.
func dirsIn(to string) string {
	var names []string
	list, _ := os.ReadDir(filepath.Join(to, "calendars"))
	for _, e := range list {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}
