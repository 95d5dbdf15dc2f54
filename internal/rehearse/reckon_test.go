package rehearse

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/control"
)

// taker is a service of which only the answers are known: it takes everything, and remembers it as a history.
type taker struct {
	seq  uint64
	past past
}

func (a *taker) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a.seq++
	v := control.Version{Seq: a.seq, Op: "delete"}
	path := pathOf(r.URL.Path)
	delete(a.past.octets, path)
	h := http.Header{"Holdfast-Receipt": {fmt.Sprintf(`epoch=3, seq=%d, hash=:AAEC:, copies=("engine" "local"), policy="engine+local"`, a.seq)}}
	if r.Method == "PUT" {
		sum := holdfast.HashOf(body)
		v.Op, v.ETag = "put", &sum
		a.past.octets[path] = sum.String()
		h.Set("ETag", `"`+sum.String()+`"`)
	}
	a.past.versions[path] = append(a.past.versions[path], v)
	return &http.Response{StatusCode: 204, Header: h, Body: http.NoBody, Request: r}, nil
}

// booked lets a phone work, and returns its book and what the service has.
func booked(t *testing.T) ([]Entry, *past, string) {
	t.Helper()
	s := &taker{past: past{versions: map[string][]control.Version{}, octets: map[string]string{}}}
	name := filepath.Join(t.TempDir(), "book.jsonl")
	b, err := NewBook(name, map[string]string{"secret": "anna's phone"}, s, clock.System)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range [][3]string{{"PUT", "a.vcf", "FN:Ada\r\n"}, {"PUT", "b.vcf", "FN:Bea\r\n"}, {"PUT", "a.vcf", "FN:Ada Example\r\n"}, {"DELETE", "b.vcf", ""}} {
		r, _ := http.NewRequest(x[0], "http://127.0.0.1/dav/addressbooks/id/default/"+x[1], strings.NewReader(x[2]))
		r.SetBasicAuth("anna@example.org", "secret")
		if _, err := b.RoundTrip(r); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := b.Close()
	if err != nil {
		t.Fatal(err)
	}
	return entries, &s.past, name
}

// TestTheBookHasEachAcknowledgement as its receipt says it, also in its file, and never a password.
func TestTheBookHasEachAcknowledgement(t *testing.T) {
	entries, _, name := booked(t)
	if len(entries) != 4 {
		t.Fatalf("%d entries: %+v", len(entries), entries)
	}
	e := entries[3]
	if e.Number != 4 || e.Op != "delete" || e.Name != "Bea" || e.Epoch != 3 || e.Seq != 4 || e.Hash != "000102" || e.Policy != "engine+local" || fmt.Sprint(e.Copies) != "[engine local]" || e.Phone != "anna's phone" {
		t.Errorf("%+v", e)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("secret")) {
		t.Error("a password stands in the book")
	}
	lines := 0
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); lines++ {
		var x Entry
		if err := json.Unmarshal(s.Bytes(), &x); err != nil || x.Number != lines+1 {
			t.Errorf("line %d: %v %+v", lines, err, x)
		}
	}
	if lines != 4 {
		t.Errorf("%d lines", lines)
	}
}

// TestAnAlteredBookIsALoss: whatever is altered in an entry, or in what the service has, the verdict says so.
func TestAnAlteredBookIsALoss(t *testing.T) {
	const a, b = "addressbooks/default/a.vcf", "addressbooks/default/b.vcf"
	for _, c := range []struct {
		what  string
		alter func([]Entry, *past)
		lost  int
	}{
		{"nothing", func([]Entry, *past) {}, 0},
		{"other octets were acknowledged", func(e []Entry, _ *past) { e[0].SHA256 = strings.Repeat("0", 64) }, 1},
		{"an earlier number was", func(e []Entry, _ *past) { e[2].Seq = 1 }, 0}, // those octets are in the history: under another number
		{"another item was", func(e []Entry, _ *past) { e[1].Href = "/dav/addressbooks/id/default/c.vcf" }, 1},
		{"a deletion, and it was none", func(e []Entry, _ *past) { e[2].Op = "delete" }, 1},
		{"the history lacks the newest, which DAV gives", func(_ []Entry, p *past) { p.versions[a] = p.versions[a][:1] }, 2}, // then neither is believed
		{"the history lacks an earlier one", func(_ []Entry, p *past) { p.versions[b] = p.versions[b][1:] }, 1},
		{"the history lacks an item", func(_ []Entry, p *past) { delete(p.versions, b) }, 2},
		{"its octets were let go of", func(_ []Entry, p *past) { p.versions[a][0].Pruned = true }, 1},
		{"the history has it, and DAV gives nothing", func(_ []Entry, p *past) { p.octets[a] = "" }, 1},
		{"DAV gives what was deleted", func(_ []Entry, p *past) { p.octets[b] = strings.Repeat("1", 64) }, 1},
	} {
		entries, p, _ := booked(t)
		c.alter(entries, p)
		sum, losses := p.reckon("anna@example.org", entries, map[string][]string{})
		r := Report{Acknowledged: sum.Acknowledged, Lost: sum.Lost, Again: sum.Again}
		if sum.Acknowledged != 4 || sum.Lost != c.lost || len(losses) != c.lost || r.Good() != (c.lost == 0 && sum.Again == 0) || sum.Current+sum.History+sum.Again+sum.Lost != 4 {
			t.Errorf("%s: %+v, %+v, good %v", c.what, sum, losses, r.Good())
		}
	}
}

// TestThePage stands by itself: no script, nothing from elsewhere, and nothing of a name becomes markup.
func TestThePage(t *testing.T) {
	r := &Report{What: "sidekick", Vault: true, Accounts: 1, Devices: 2, Acknowledged: 12345, Lost: 1, Before: 9, PhonesReset: 1, PhonesEmptied: 1,
		Answers: map[string]int64{"200": 3, "none": 4}, Proof: &Proof{Result: "pass"}, Restored: &Restored{Changes: 12361},
		People:   []Account{{Login: "anna@example.org", Acknowledged: 12345, Lost: 1}},
		Phones:   []Phone{{Name: "a", Account: "anna@example.org", Kind: "davx5", Reset: true, Failed: "<b>no</b>"}, {Name: "b", Account: "anna@example.org", Kind: "evolution"}},
		Losses:   []Loss{{Entry: Entry{Account: "anna@example.org", Op: "put", Name: "<script>Bob", Seq: 42}, Newest: true}},
		Timeline: []Moment{{Seconds: 1, Text: "it went", Grave: true}, {Seconds: 2, Text: "it came", Back: true}},
		Series:   []Sample{{0, 0, 0, true, 1, []int64{0, 0}}, {1, 5, 9, false, 1, []int64{3, 4}}, {2, 12345, 20, true, 1, []int64{0, 5}}}}
	dir := t.TempDir()
	if err := r.WritePage(dir); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, ReportName))
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, bad := range []string{"<script", "src=", "href=", "http://", "https://", "@import", "url(", "<b>", "NaN", "Inf", "<no value>", "ZgotmplZ"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	for _, want := range []string{"12,345", "&lt;script&gt;Bob", "1 of 12345 acknowledged changes are lost", "<polyline", "--seed 0", "it came", "prefers-color-scheme: dark", "@media print",
		"200 OK 3 times; no answer 4 times", "of 1</dd>", "hold everything again", "A restore counts more changes than the book", "those that were emptied, 1."} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(text, "<svg viewBox=\"0 0 420"); n != 4 {
		t.Errorf("%d plots", n)
	}
}

// TestTheVerdict: nothing that should not be passes for good.
func TestTheVerdict(t *testing.T) {
	if r := (&Report{Acknowledged: 5}); !r.Good() || !r.Certain() || r.Verdict() != "All 5 acknowledged changes are there. No phone was emptied." {
		t.Errorf("%s", r.Verdict())
	}
	for _, r := range []Report{{Lost: 1}, {Again: 1}, {PhonesEmptied: 1}, {DeletionsNoUserMade: 1}, {EditsLost: 1}, {PhonesLacking: 1}, {Proof: &Proof{Result: "fail"}}, {Octets: &Octets{Found: 2, Left: 1}}} {
		if r.Good() || strings.HasPrefix(r.Verdict(), "All 0 acknowledged changes are there. No") {
			t.Errorf("%+v passes: %s", r, r.Verdict())
		}
	}
	if r := (&Report{Unclear: []string{"x"}}); r.Certain() || strings.HasPrefix(r.Verdict(), "All") {
		t.Errorf("%s", r.Verdict())
	}
}
