package fleet

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// options are a run of one person with a device of each kind: three weeks in two seconds.
func options(f *fake, life time.Duration) Options {
	o := Options{URL: f.URL, Seed: 7, Speed: float64(life) / float64(2*time.Second), Life: life, Rates: DefaultRates(), Settling: 20 * time.Second, Transport: f.Client().Transport}
	o.Rates.ResetEvery = 10 * 24 * time.Hour
	for _, k := range Kinds() {
		o.Clients = append(o.Clients, Count{k, 1})
		o.Credentials = append(o.Credentials, Credential{"alice@example.org", "secret"})
	}
	return o
}

func run(t *testing.T, o Options) *Result {
	t.Helper()
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Settled {
		t.Errorf("not settled: %+v", r.Unsettled)
	}
	return r
}

func describe(r *Result) string {
	return fmt.Sprintf("%d edits, %d acknowledged, %d skipped, %d deletions; no user made %d %+v; lost %d %+v; overwritten %d; kept %+v; undone %+v; errors %v", r.Edits, r.EditsAcknowledged, r.EditsSkipped,
		r.UserDeletions, r.DeletionsNoUserMade, r.Deletions, r.EditsLost, r.Lost, r.EditsOverwritten, r.KeptOnly, r.UndoneByThem, r.Errors)
}

const threeWeeks = 21 * 24 * time.Hour

func TestAGoodServerLosesNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	r := run(t, options(f, threeWeeks))
	t.Log(describe(r))
	if !r.Good() || r.SyncsFailed > r.Syncs/100 { // vdirsyncer gives up where another deletes between its listing and its multiget
		t.Error("something was lost, or failed")
	}
	if r.Edits < 200 || r.UserDeletions < 20 || r.Syncs < 100 || r.EditsAcknowledged < r.Edits/2 {
		t.Error("too little happened to prove anything")
	}
}

// The controls: a server that does one thing wrong, once, is found out.

func TestAnEmptyAnswerInTheMiddleIsFoundOut(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	listings := 0
	f.wrong = func(w http.ResponseWriter, r *http.Request, body string) bool {
		if !strings.Contains(body, "calendar-query") {
			return false
		}
		if listings++; listings != 20 {
			return false
		}
		multi(w, "")
		return true
	}
	r := run(t, options(f, threeWeeks))
	t.Log(describe(r))
	if r.DeletionsNoUserMade == 0 || r.EditsLost != 0 {
		t.Errorf("%d deletions that no user made, %d edits lost", r.DeletionsNoUserMade, r.EditsLost)
	}
	for _, d := range r.Deletions {
		if d.Device == "" || d.Href == "" || !strings.Contains(d.Because, "lists 0 members") {
			t.Errorf("not named: %+v", d)
		}
	}
}

// harm does something to the server once all is quiet, before the judge looks.
func harm(t *testing.T, fn func(f *fake, c *fakeCol, name string)) *Result {
	t.Helper()
	f := newFake(t)
	fl, err := New(options(f, 3*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	defer fl.Close()
	for _, stage := range []func() error{func() error { return fl.SetUp(t.Context()) }, func() error { return fl.Live(t.Context()) }, func() error { return fl.Settle(t.Context()) }} {
		if err := stage(); err != nil {
			t.Fatal(err)
		}
	}
	f.mu.Lock()
	for name := range f.cols[book].items {
		fn(f, f.cols[book], name)
		break
	}
	f.mu.Unlock()
	r, err := fl.Judge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(describe(r))
	return r
}

func TestWhatVanishesFromTheServerIsFoundOut(t *testing.T) {
	t.Parallel()
	r := harm(t, func(f *fake, c *fakeCol, name string) { delete(c.items, name) })
	if r.DeletionsNoUserMade != 1 || r.EditsLost != 1 || r.Kept == 0 || r.Deletions[0].Device != "server" || r.Lost[0].Receipt == nil || r.Lost[0].Receipt.Seq == 0 {
		t.Error("not found out, or not named")
	}
}

func TestOctetsThatNobodyWroteAreFoundOut(t *testing.T) {
	t.Parallel()
	r := harm(t, func(f *fake, c *fakeCol, name string) {
		c.items[name] = fakeItem{"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Nobody\r\nEND:VCARD\r\n", c.items[name].seq}
	})
	if r.EditsLost != 1 || r.DeletionsNoUserMade != 0 {
		t.Error("not found out")
	}
}

// A server that answers a PUT with success and keeps the older octets.
func TestAnEditThatWasAcknowledgedAndNotKeptIsFoundOut(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	n := 0
	f.wrong = func(w http.ResponseWriter, r *http.Request, body string) bool {
		if r.Method != "PUT" || r.Header.Get("If-Match") == "" || !strings.HasPrefix(r.URL.Path, book) {
			return false
		}
		if n++; n%5 != 0 {
			return false
		}
		it := f.cols[book].items[strings.TrimPrefix(r.URL.Path, book)]
		w.Header().Set("ETag", etagOf(it))
		w.WriteHeader(204)
		return true
	}
	r := run(t, options(f, threeWeeks))
	t.Log(describe(r))
	if r.EditsLost == 0 {
		t.Error("not found out")
	}
}

// A server that answers 503, and does it nevertheless or does not: whatever is not acknowledged is nobody's loss, and whatever is, is kept.
func TestAServerWithBadHoursLosesNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	n := 0
	f.wrong = func(w http.ResponseWriter, r *http.Request, body string) bool {
		if n++; n%7 != 0 {
			return false
		}
		if n%2 == 0 && (r.Method == "PUT" || r.Method == "DELETE") {
			f.item(discard{http.Header{}}, r, body)
		}
		w.WriteHeader(503)
		return true
	}
	o := options(f, threeWeeks)
	fl, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer fl.Close()
	f.mu.Lock()
	wrong := f.wrong
	f.wrong = nil
	f.mu.Unlock()
	if err := fl.SetUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.wrong = wrong
	f.mu.Unlock()
	if err := fl.Live(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.wrong = nil
	f.mu.Unlock()
	if err := fl.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := fl.Judge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(describe(r))
	if !r.Good() || !r.Settled || r.SyncsFailed == 0 || r.Answers["503"] == 0 {
		t.Error("something was lost, or nothing happened")
	}
}

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// What devices hold and the server lacks is named for each of them: those of a collection that they do not sync hold nothing of it.
func TestWhatOneDeviceAloneHoldsIsNamed(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	fl, err := New(options(f, 24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	defer fl.Close()
	if err := fl.SetUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := fl.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	var name string
	for name = range f.cols[book].items {
	}
	delete(f.cols[book].items, name)
	f.mu.Unlock()
	l := fl.devices[0]
	c := l.collection(true)
	l.Create(c, c.Href+"new.vcf", "waits")
	r, err := fl.Judge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.OnlyHere) != 4 {
		t.Fatalf("%+v", r.OnlyHere)
	}
	for _, x := range r.OnlyHere {
		items, waiting := 1, 0
		if x.Device == l.Name {
			items, waiting = 2, 1
		}
		if x.Kind == ThunderbirdCalendar || x.Items != items || x.Waiting != waiting || len(x.Hrefs) != items || !slices.Contains(x.Hrefs, book+name) {
			t.Errorf("%+v", x)
		}
	}
}

func TestTheSameSeedPlansTheSame(t *testing.T) {
	kinds := []Kind{DAVx5, Vdirsyncer, ThunderbirdContacts}
	rates := DefaultRates()
	rates.ResetEvery = 5 * 24 * time.Hour
	a, b := plan(3, 1, kinds, rates, threeWeeks), plan(3, 1, kinds, rates, threeWeeks)
	if !reflect.DeepEqual(a.acts, b.acts) || len(a.acts) < 300 {
		t.Errorf("%d and %d acts", len(a.acts), len(b.acts))
	}
	if reflect.DeepEqual(a.acts, plan(4, 1, kinds, rates, threeWeeks).acts) || reflect.DeepEqual(a.acts, plan(3, 2, kinds, rates, threeWeeks).acts) {
		t.Error("another seed, or another person, does the same")
	}
	had := map[op]int{}
	for _, x := range a.acts {
		had[x.op]++
	}
	for o := create; o <= restart; o++ {
		if had[o] == 0 {
			t.Errorf("no act of sort %d: %v", o, had)
		}
	}
}

func TestOtherPeoplesDataAreNotTouched(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.set(book, "real.vcf", "somebody's contact")
	o := options(f, 24*time.Hour)
	if _, err := Run(t.Context(), o); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("an account that holds something: %v", err)
	}
	if n := f.asked("PUT") + f.asked("DELETE"); n != 0 {
		t.Errorf("%d changes", n)
	}
	o.IntoExisting = true
	r := run(t, o)
	if !r.Good() || f.cols[book].items["real.vcf"].body != "somebody's contact" {
		t.Error(describe(r))
	}
}

func TestOptionsThatCannotBeMeant(t *testing.T) {
	f := newFake(t)
	for _, x := range []struct {
		change func(*Options)
		says   string
	}{
		{func(o *Options) { o.URL = "http://dav.example.org/" }, "--insecure-http"},
		{func(o *Options) { o.URL = "dav.example.org" }, "is not the URL"},
		{func(o *Options) { o.Credentials = o.Credentials[1:] }, "need an app password each"},
		{func(o *Options) { o.Life = 100_000 * 24 * time.Hour }, "kept in memory"},
	} {
		o := options(f, 24*time.Hour)
		x.change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), x.says) {
			t.Errorf("%v, not %q", err, x.says)
		}
	}
	for _, s := range []string{"", "davx5", "davx5=0", "ios=3", "davx5=1,davx5=2", "davx5=x"} {
		if _, err := ParseCounts(s); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
	for _, s := range []string{"", "# nothing\n", "alice secret\n", `{"login":"a"}` + "\n"} {
		if _, err := ParseCredentials(strings.NewReader(s)); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
	counts, err := ParseCounts("davx5=2, vdirsyncer=1")
	if err != nil || !reflect.DeepEqual(deal(counts), []Kind{DAVx5, Vdirsyncer, DAVx5}) {
		t.Errorf("%v, %v", counts, err)
	}
}

func TestQuantiles(t *testing.T) {
	var h histogram
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond} {
		if got := h.quantile(q); got < want*9/10 || got > want*11/10 {
			t.Errorf("%v: %v, not %v", q, got, want)
		}
	}
}

// Who cannot come to rest keeps nobody else from it, even where people take turns: others were called restless without having had a second turn.
func TestWhoCannotSettleHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := options(f, 24*time.Hour)
	o.Parallel, o.Settling = 1, 2*time.Second
	o.Credentials = nil
	for i := range o.Clients {
		o.Credentials = append(o.Credentials, Credential{[]string{"alice@example.org", "bob@example.org"}[min(i, 1)], "secret"})
	}
	fl, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer fl.Close()
	if err := fl.SetUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.set(book, "new.vcf", "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:new\r\nFN:New\r\nN:New;;;;\r\nEND:VCARD\r\n")
	f.mu.Lock()
	f.wrong = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		user, _, _ := r.BasicAuth()
		if user == "alice@example.org" {
			w.WriteHeader(403)
			return true
		}
		return false
	}
	f.mu.Unlock()
	if err := fl.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if x := fl.open.kept; len(x) != 1 || x[0].Account != "alice@example.org" {
		t.Errorf("not at rest: %+v", x)
	}
}
