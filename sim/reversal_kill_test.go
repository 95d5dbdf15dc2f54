package sim

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/control"
	"holdfast/sim/load"
	"holdfast/sim/server"
)

// TestKilledWhileReversing kills the program while 10,000 contacts go or come back, by rewind and by undo. After each restart either nothing has happened, or all, or a part which history calls unfinished, in whole groups;
// it is gone on with, or undone by its id. No octet is another, and what another device wrote is there.
func TestKilledWhileReversing(t *testing.T) {
	const size = 10_000
	kills := *reversalsFlag
	if testing.Short() {
		kills = min(kills, 1)
	}
	k := &reversals{burning: &burning{t: t, bin: program(t), dir: t.TempDir()}, rand: rand.New(rand.NewPCG(seed(t), 5))}
	k.o = server.Options{Bin: k.bin, Data: filepath.Join(k.dir, "data")}
	k.s = start(t, k.o)
	k.who = people(t, k.s, 1)[0]
	cards := filepath.Join(k.dir, "cards.vcf")
	var b bytes.Buffer
	for i := range size {
		fmt.Fprintf(&b, "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:card-%d\r\nN:Example;Person %d;;;\r\nFN:Person %d Example\r\nEMAIL:p%d@example.org\r\nEND:VCARD\r\n", i, i, i, i)
	}
	if err := os.WriteFile(cards, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := k.head()
	k.command("import", k.who.Email, "--into", "addressbooks/default", cards, "--data", k.o.Data)
	full := k.head()
	states := map[uint64]map[string]string{empty: {}, full: k.listing()}
	if len(states[full]) != size {
		t.Fatalf("%d contacts came in", len(states[full]))
	}
	began := time.Now()
	k.rewind(empty)
	took := time.Since(began)
	at, cut := empty, map[string]int{}
	for n := range kills {
		to := full + empty - at
		r := reversal{rewind: to}
		if n%2 == 1 { // an undo of what went to the other state at once
			k.rewind(to)
			at, to = to, at
			r = reversal{undo: k.newest().Reversal}
		}
		r.was, r.want, r.back = states[at], states[to], n%3 == 2
		what, came := k.killed(r, time.Duration(k.rand.Int64N(int64(took*5/4))))
		if cut[what]++; came {
			at = to
		}
	}
	if err := k.s.Stop(); err != nil {
		t.Fatal(err)
	}
	k.command("doctor", "--full", "--data", k.o.Data)
	t.Logf("%d kills; one reversal of %d items took %v; found after them: %v", kills, size, took.Round(time.Millisecond), cut)
	if kills >= 10 && cut["gone on with"]+cut["undone"] == 0 {
		t.Error("none was cut in the middle, so nothing was shown")
	}
}

// reversals is one account whose contacts go and come back while its server is killed.
type reversals struct {
	*burning
	rand *rand.Rand
	s    *server.Server
	who  load.Account
	mine int // events that another device has written
}

// reversal is what is cut short: a rewind to a change, or an undo.
type reversal struct {
	rewind    uint64
	undo      *holdfast.ID
	was, want map[string]string // ETags by href
	back      bool              // what is unfinished is undone, not gone on with
}

// killed begins a reversal and kills the server meanwhile. Then it looks, and goes on, or back. It returns what was found, and whether it came to what was wanted.
func (k *reversals) killed(r reversal, after time.Duration) (what string, came bool) {
	t := k.t
	t.Helper()
	c, err := control.Dial(t.Context(), k.o.Data)
	if err != nil {
		t.Fatal(err)
	}
	before := k.head()
	killed := make(chan error, 1)
	time.AfterFunc(after, func() { killed <- k.s.Kill() })
	var bad error
	if r.undo != nil {
		_, bad = c.Undo(t.Context(), control.UndoRequest{Account: k.who.Email, Reversal: *r.undo}, func(control.ReversalEvent) {})
	} else {
		_, bad = c.Rewind(t.Context(), control.RewindRequest{Account: k.who.Email, Seq: r.rewind, Collection: "addressbooks/default"}, func(control.ReversalEvent) {})
	}
	if err := <-killed; err != nil {
		t.Fatal(err)
	}
	c.Close()
	k.s = start(t, k.o)
	is := k.listing()
	h := k.newest()
	for href, etag := range is {
		if have := max(r.was[href], r.want[href]); have != etag {
			t.Fatalf("%s is there with the ETag %s, not %q", href, etag, have)
		}
	}
	what = "nothing"
	switch begun := h.Kind == "reversal" && h.Seq > before; {
	case begun && !strings.Contains(h.Name, "unfinished"):
		what = "all"
		if !maps.Equal(is, r.want) {
			t.Fatalf("history says %q, and %d contacts are there, not %d", h.Name, len(is), len(r.want))
		}
	case begun:
		what = "gone on with"
		if r.back {
			what = "undone"
		}
	case !maps.Equal(is, r.was):
		t.Fatalf("history has %+v, and %d contacts are there that were %d", h, len(is), len(r.was))
	}
	if bad == nil && what != "all" {
		t.Errorf("it was said to be done, and after the kill it is %q", what)
	}
	k.write()
	want := r.want
	came = what != "undone"
	switch {
	case !came:
		k.command("undo", k.who.Email, h.Reversal.String(), "--data", k.o.Data)
		want = r.was
	case r.undo != nil:
		k.command("undo", k.who.Email, r.undo.String(), "--data", k.o.Data)
	default:
		k.rewind(r.rewind)
	}
	if now := k.listing(); !maps.Equal(now, want) {
		t.Fatalf("found %q (%s), then %d contacts, not %d", what, h.Name, len(now), len(want))
	}
	t.Logf("killed after %v: %d contacts were there of %d that were to be; %s %q", after.Round(time.Millisecond), len(is), len(r.want), what, h.Name)
	return what, came
}

func (k *reversals) rewind(to uint64) {
	k.t.Helper()
	k.command("rewind", k.who.Email, "--to", fmt.Sprint(to), "--collection", "addressbooks/default", "--data", k.o.Data)
}

// head is the account's newest change.
func (k *reversals) head() uint64 {
	k.t.Helper()
	var a control.AccountDetail
	if err := k.s.Run(k.t.Context(), &a, "account", "show", k.who.Email); err != nil {
		k.t.Fatal(err)
	}
	return a.Seq
}

// newest is the newest line of the account's history that is not of the other device.
func (k *reversals) newest() control.Version {
	k.t.Helper()
	c, err := control.Dial(k.t.Context(), k.o.Data)
	if err != nil {
		k.t.Fatal(err)
	}
	defer c.Close()
	h, err := c.History(k.t.Context(), control.HistoryRequest{Account: k.who.Email, Limit: 1})
	if err != nil || len(h.Changes) != 1 {
		k.t.Fatalf("%v, %+v", err, h)
	}
	return h.Changes[0]
}

// write is the other device: it makes an event, and reads all that it has made.
func (k *reversals) write() {
	k.t.Helper()
	cal := strings.Replace(k.who.Book, "/addressbooks/", "/calendars/", 1)
	name := func(n int) string { return fmt.Sprintf("%sevent-%d.ics", cal, n) }
	body := fmt.Sprintf("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\nBEGIN:VEVENT\r\nUID:event-%d\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T000000Z\r\nSUMMARY:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", k.mine)
	if status, text := k.ask("PUT", name(k.mine), body); status != 201 {
		k.t.Fatalf("PUT: %d %s", status, text)
	}
	k.mine++
	for n := range k.mine {
		if status, _ := k.ask("GET", name(n), ""); status != 200 {
			k.t.Errorf("what another device wrote is answered %d", status)
		}
	}
}

var member = regexp.MustCompile(`<(?:\w+:)?href>([^<]+\.vcf)</(?:\w+:)?href>.*?getetag>([^<]+)<`)

// listing is what a device is shown of the address book: ETags by href. What was on its way when the server was killed is shown once it has reached the vault.
func (k *reversals) listing() map[string]string {
	k.t.Helper()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		status, text := k.ask("PROPFIND", k.who.Book, `<?xml version="1.0"?><propfind xmlns="DAV:"><prop><getetag/></prop></propfind>`)
		if status == 503 && time.Since(began) < 30*time.Second {
			continue
		}
		if status != 207 {
			k.t.Fatalf("PROPFIND: %d %s", status, text)
		}
		out := map[string]string{}
		for _, m := range member.FindAllStringSubmatch(strings.ReplaceAll(text, "\n", ""), -1) {
			out[m[1]] = m[2]
		}
		return out
	}
}

func (k *reversals) ask(method, path, body string) (int, string) {
	k.t.Helper()
	q, err := http.NewRequestWithContext(k.t.Context(), method, "http://"+k.s.Addr+path, strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	q.SetBasicAuth(k.who.Email, k.who.Password)
	q.Header.Set("Depth", "1")
	if method == "PUT" {
		q.Header.Set("Content-Type", "text/calendar")
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		k.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		k.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}
