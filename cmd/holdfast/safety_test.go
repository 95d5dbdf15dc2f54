package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/drill"
	"holdfast/internal/registry"
	"holdfast/internal/relay"
)

const pagePassword = "correct horse battery"

// visitor is somebody who is signed in to the pages of a server of this process.
type visitor struct {
	t      *testing.T
	s      *server
	id     holdfast.ID
	client *http.Client
}

func visit(t *testing.T, s *server, email string) *visitor {
	t.Helper()
	hash, err := s.store.auth.HashPassword(t.Context(), email, pagePassword)
	fineOr(t, err)
	a, _, err := s.store.core.CreateAccount(t.Context(), holdfast.Actor{}, email, hash)
	fineOr(t, err)
	jar, err := cookiejar.New(nil)
	fineOr(t, err)
	v := &visitor{t, s, a.ID, &http.Client{Jar: jar}}
	if code, text := v.do(http.MethodPost, "/signin", url.Values{"email": {email}, "password": {pagePassword}}, ""); code != http.StatusOK {
		t.Fatalf("sign-in: %d %s", code, text)
	}
	return v
}

func fineOr(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (v *visitor) do(method, path string, form url.Values, site string) (int, string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.s.url+path, strings.NewReader(form.Encode()))
	fineOr(v.t, err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if site != "" {
		r.Header.Set("Sec-Fetch-Site", site)
	}
	resp, err := v.client.Do(r)
	fineOr(v.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	fineOr(v.t, err)
	return resp.StatusCode, string(b)
}

// sees reads the page until it says all of want; "!" before a word: it must not be there.
func (v *visitor) sees(want ...string) string {
	v.t.Helper()
	for until := time.Now().Add(patience / 3); ; time.Sleep(50 * time.Millisecond) {
		_, text := v.do(http.MethodGet, "/safety", nil, "")
		missing := ""
		for _, w := range want {
			if word, not := strings.CutPrefix(w, "!"); strings.Contains(text, word) == not {
				missing = w
			}
		}
		if missing == "" {
			return text
		}
		if time.Now().After(until) {
			v.t.Fatalf("the page never says %q:\n%s", missing, text)
		}
	}
}

// added says that the first vault is there for so long.
func (v *visitor) added(ago time.Duration) {
	v.t.Helper()
	fineOr(v.t, v.s.store.keeper.change(func(r *registry.Registry) error {
		r.Vaults[0].Added = time.Now().Add(-ago)
		return nil
	}))
}

// ended writes a drill of the first vault into the book that ended so long after now.
func (v *visitor) ended(o drill.Outcome, after time.Duration, change func(*drill.Result, *drill.Proof)) {
	v.t.Helper()
	at := time.Now().UTC().Truncate(time.Second).Add(after)
	r := drill.Result{ID: holdfast.NewID(nil).String(), Started: at, Ended: at, Result: o, Vault: firstVaultName, KeyUsed: drill.ServerKey, Digests: drill.Digests{Different: []string{}}, Reasons: []string{"a reason that tells of others"}, Sample: drill.Sample{Of: 2, Whole: true}}
	p := drill.Proof{Account: v.id}
	err := v.s.store.core.Inspect(v.t.Context(), v.id, func(rd *core.Reader) error {
		h, err := rd.History().Head(v.id)
		p.Epoch, p.Seq, p.Chain = h.Epoch, h.Seq, h.Chain
		return err
	})
	fineOr(v.t, err)
	if change != nil {
		change(&r, &p)
	}
	var list []drill.Proof
	if o == drill.Pass {
		list = append(list, p)
	}
	_, err = v.s.store.drills.book.End(&r, list)
	fineOr(v.t, err)
}

// TestTheSafetyPageFollowsTheEvidence changes each piece of evidence of a running service, and sees the page of who it concerns change; the other one's says nothing of it.
func TestTheSafetyPageFollowsTheEvidence(t *testing.T) {
	s, _ := started(t, testConfig(t, "HOLDFAST_DRILL_FIRST=1000h", "HOLDFAST_VAULT_LATE=2s"), nil)
	alice, bob := visit(t, s, "alice@example.org"), visit(t, s, "bob@example.org")

	alice.sees("Not proved", "One failure domain", "<strong>2 places</strong>, in <strong>1 failure domain</strong>", "No restore of your data was proved yet", "Run a check now", "Out of the vault local everything can be brought back as it was at any moment since ", "!Stored and proved.")
	if code, _ := alice.do(http.MethodPost, "/safety/check", url.Values{}, "cross-site"); code != http.StatusForbidden {
		t.Errorf("another site's form: %d", code)
	}
	s.store.drills.turn <- struct{}{}
	if code, text := alice.do(http.MethodPost, "/safety/check", url.Values{}, ""); code != http.StatusServiceUnavailable || !strings.Contains(text, "one runs at a time") {
		t.Errorf("a check beside another: %d", code)
	}
	<-s.store.drills.turn
	if code, text := alice.do(http.MethodPost, "/safety/check", url.Values{}, "same-origin"); code != http.StatusOK {
		t.Errorf("a check: %d %s", code, text)
	}
	text := alice.sees("Your data were restored from the vault local, and found equal", "still the same", "with this server's key", "passed", "your data", "!Not proved")
	proof, err := proofs{s.store.drills}.newest(alice.id)
	fineOr(t, err)
	for _, w := range []string{proof.Drill, proof.Chain.String(), proof.State.String()} {
		if w == "" || !strings.Contains(text, w) {
			t.Errorf("the receipt does not have %q", w)
		}
	}
	s.store.drills.turn <- struct{}{} // the first one is in the book before its turn is over
	<-s.store.drills.turn
	if code, text := alice.do(http.MethodPost, "/safety/check", url.Values{}, ""); code != http.StatusServiceUnavailable || !strings.Contains(text, "the next can begin at") {
		t.Errorf("a second check within the hour: %d", code)
	}
	bob.sees("No restore of your data was proved yet", "!alice", "!"+proof.Drill, "!passed", "!"+s.c.Data, "!"+s.store.keeper.vaults().Find(firstVaultName).Location)

	alice.ended(drill.Fail, time.Second, func(r *drill.Result, _ *drill.Proof) { r.Digests.Different = []string{alice.id.String()} })
	alice.sees("A check failed", "your data did not come back whole", "yours was different", "!tells of others")
	bob.sees("A check failed", "did not give everything back", "!yours was different", "!"+alice.id.String())
	alice.ended(drill.Inconclusive, 2*time.Second, nil)
	alice.sees("A check failed")
	alice.ended(drill.Pass, 3*time.Second, nil)
	alice.sees("!A check failed")
	alice.ended(drill.Inconclusive, 4*time.Second, nil)
	alice.sees("A check came to nothing", "!A check failed")

	alice.ended(drill.Pass, time.Hour, nil)
	alice.sees("dated", "a clock was wrong", "so that it does not count", "!still to come</strong>")
	alice.ended(drill.Pass, -72*time.Hour, nil)
	alice.sees("Not proved") // out of a vault of the same name that was there before
	alice.added(100 * time.Hour)
	alice.sees("Proof is old", "<strong>stale</strong>")
	alice.ended(drill.Pass, 0, func(_ *drill.Result, p *drill.Proof) { p.Chain[0] ^= 1 })
	alice.sees("Proof of another history")
	alice.ended(drill.Pass, 0, func(_ *drill.Result, p *drill.Proof) { p.Seq += 5 })
	alice.sees("Proof of more")
	alice.ended(drill.Pass, 0, nil)
	alice.sees("!Proof of", "found equal")

	read := func(at time.Time, damaged ...string) { // the vault as a whole
		x, _ := s.store.keeper.scrubs.of(firstVaultName)
		x.At, x.Damaged = at, damaged
		fineOr(t, s.store.keeper.scrubs.put(firstVaultName, x))
	}
	read(time.Now().Add(-400 * time.Hour))
	alice.sees("A reading is overdue", "<strong>overdue</strong>")
	read(time.Now(), "pages/of-others")
	alice.sees("1 thing that is damaged or missing", "!A reading is overdue", "!of-others")
	read(time.Now())
	alice.sees("!damaged or missing")
	fineOr(t, s.store.keeper.scrubs.put(firstVaultName, reading{At: time.Now(), Findings: 2})) // what is missing is in no object
	alice.sees("2 things that are damaged or missing")
	if st, err := s.store.keeper.Status(t.Context()); err != nil || st.Copies != 1 || st.Vaults[0].State != stateDamaged || st.Verdict != relay.VerdictAtRisk {
		t.Errorf("a vault that is known to be damaged counts: %v, %+v", err, st)
	}
	read(time.Now())
	fineOr(t, s.store.keeper.scrubs.put(firstVaultName, reading{At: time.Now()}))

	where := s.store.keeper.vaults().Find(firstVaultName).Location
	fineOr(t, os.Rename(where, where+".away"))
	alice.sees("One copy now", "A copy is missing", "<strong>1 place</strong>", "!One failure domain")
	fineOr(t, os.Rename(where+".away", where))
	alice.sees("<strong>2 places</strong>", "!One copy now")

	fineOr(t, s.store.core.Diverged(t.Context(), alice.id, firstVaultName, 2, 1))
	alice.sees("In doubt", "Do not reset any of them", "is not known now", "could not be counted", "!Run a check now", "!still the same")
	bob.sees("<strong>2 places</strong>", "!In doubt")

	_, err = s.store.core.UpdateAccount(t.Context(), holdfast.Actor{}, bob.id, func(a *holdfast.AccountRecord) error { a.State = holdfast.Suspended; return nil })
	fineOr(t, err)
	if code, text := bob.do(http.MethodGet, "/safety", nil, ""); code != http.StatusServiceUnavailable || strings.Contains(text, "failure domain") {
		t.Errorf("a suspended account: %d %s", code, text)
	}
	stranger := &visitor{t: t, s: s, client: &http.Client{}}
	if code, text := stranger.do(http.MethodGet, "/safety", nil, ""); code != http.StatusOK || !strings.Contains(text, "Sign in") || strings.Contains(text, "failure domain") {
		t.Errorf("a stranger: %d", code)
	}
}

// TestAProofOfASampleIsGoodForItsTurn: where each drill tries some accounts, one waits for its turn, and its proof is not called stale before that.
func TestAProofOfASampleIsGoodForItsTurn(t *testing.T) {
	s, _ := started(t, testConfig(t, "HOLDFAST_DRILL_FIRST=1000h"), nil)
	alice := visit(t, s, "alice@example.org")
	alice.added(1000 * time.Hour)
	alice.ended(drill.Pass, -72*time.Hour, func(r *drill.Result, _ *drill.Proof) { r.Sample = drill.Sample{Of: 900, Random: 100} })
	text := alice.sees("found equal", "a sample, maybe without you", "!stale", "!Proof is old")
	if strings.Contains(text, "900") {
		t.Error("it says how many accounts there are")
	}
}
