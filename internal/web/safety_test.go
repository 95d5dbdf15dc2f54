package web

import (
	"strings"
	"testing"
	"time"
)

// sound are facts of which nothing is wrong.
func sound() *facts {
	return &facts{Now: start, Seq: 9, Batch: 20, Follows: true, KeyKnown: true, Proves: true,
		Copies: []Copy{{Place: "This server's disk", Domain: "this disk"},
			{Place: "Vault attic", Vault: "attic", Domain: "attic", State: "whole", Counts: true, Batch: 20, Answered: start.Add(-10 * time.Second), Late: time.Minute, Added: start.Add(-time.Hour), VerifyWithin: 24 * time.Hour}},
		Proof:  Proof{At: start.Add(-time.Hour), Vault: "attic", Seq: 9, Good: 48 * time.Hour},
		Checks: []Check{{Vault: "attic", Outcome: "pass"}}}
}

// TestTheVerdict: it is good only if everything is, and each thing that is not, or is not known, is named.
func TestTheVerdict(t *testing.T) {
	f := sound()
	f.Checks = []Check{{Vault: "attic", Outcome: "pass", Sample: true, Began: start.Add(-2 * time.Hour)}, {Vault: "attic", Outcome: "fail", Different: true, Began: start.Add(-3 * time.Hour)}}
	if v := f.judge(); v.Level != "ok" {
		t.Errorf("of a sample that proved this account: %+v", v)
	}
	if v := sound().judge(); v.Level != "ok" || !strings.Contains(v.Text, "2 places, in 2 failure domains") {
		t.Fatalf("what is sound: %+v", v)
	}
	for word, change := range map[string]func(*facts){
		"One copy":                      func(f *facts) { f.Copies = f.Copies[:1] },
		"One copy now":                  func(f *facts) { f.Copies[1].Counts = false },
		"Newest changes in one place":   func(f *facts) { f.Copies[1].Batch = 19 },
		"One failure domain":            func(f *facts) { f.Copies[1].Domain = "this disk" },
		"A copy is missing":             func(f *facts) { f.Copies[1].Counts = false },
		"A copy is not known":           func(f *facts) { f.Copies[1].Answered = time.Time{} },
		"A copy is late":                func(f *facts) { f.Copies[1].Answered = start.Add(-2 * time.Minute) },
		"A copy is late, ":              func(f *facts) { f.Copies[1].Behind = 2 * time.Minute },
		"A copy is late, to come":       func(f *facts) { f.Copies[1].Answered = start.Add(time.Hour) },
		"Coming back":                   func(f *facts) { f.Returning = 3 },
		"Damage":                        func(f *facts) { f.Copies[1].Damaged = 1 },
		"A reading is overdue":          func(f *facts) { f.Copies[1].Verified = start.Add(-25 * time.Hour) },
		"A reading is overdue, never":   func(f *facts) { f.Copies[1].Added = start.Add(-25 * time.Hour) },
		"A reading is overdue, to come": func(f *facts) { f.Copies[1].Verified = start.Add(time.Hour) },
		"Proof not known":               func(f *facts) { f.Unread = true },
		"Proof not known, to come":      func(f *facts) { f.Proof.At = start.Add(time.Hour) },
		"Not proved":                    func(f *facts) { f.Proof = Proof{} },
		"Proof of more":                 func(f *facts) { f.Proof.Seq, f.Follows = 10, false },
		"Proof of another history":      func(f *facts) { f.Follows = false },
		"Proof is old":                  func(f *facts) { f.Proof.At = start.Add(-49 * time.Hour) },
		"A check failed":                func(f *facts) { f.Checks[0].Outcome = "fail" },
		"A check failed, and then came to nothing": func(f *facts) {
			f.Checks = []Check{{Vault: "attic", Outcome: "inconclusive"}, {Vault: "attic", Outcome: "fail"}, {Vault: "attic", Outcome: "pass"}}
		},
		"A check failed, and then others passed": func(f *facts) {
			f.Proof.At = start.Add(-2 * time.Hour)
			f.Checks = []Check{{Vault: "attic", Outcome: "pass", Sample: true, Began: start.Add(-time.Hour)}, {Vault: "attic", Outcome: "fail", Different: true, Began: start.Add(-time.Hour)}}
		},
		"A check failed, and one is to come": func(f *facts) {
			f.Checks = []Check{{Vault: "attic", Outcome: "pass", Began: start.Add(time.Hour)}, {Vault: "attic", Outcome: "fail"}}
		},
		"Damage, here":            func(f *facts) { f.Copies[0].Damaged = 1 },
		"A check came to nothing": func(f *facts) { f.Checks[0].Outcome = "inconclusive" },
		"Recovery key":            func(f *facts) { f.KeyNag = "there is none" },
		"In doubt":                func(f *facts) { f.Doubt = true },
		"Known to be lost":        func(f *facts) { f.Ghosts = 2 },
		"Not known now":           func(f *facts) { f.Trouble = "It cannot be read." },
	} {
		f := sound()
		change(f)
		v, found := f.judge(), false
		name, _, _ := strings.Cut(word, ", ")
		for _, x := range v.Findings {
			found = found || x.Word == name
		}
		if len(v.Findings) == 0 || !found {
			t.Errorf("%s: %+v", word, v)
			continue
		}
		if v.Findings[0].Level != v.Level || v.Level == "caution" && len(v.Findings) > 1 && v.Findings[1].Level == "danger" {
			t.Errorf("%s: the worst does not come first: %+v", word, v)
		}
	}
}

// TestSafetyWithoutProofs: where nothing is known of vaults and drills, nothing is claimed.
func TestSafetyWithoutProofs(t *testing.T) {
	h := newHouse(t, nil)
	h.account()
	b := h.browser().signIn()
	a := b.get("/safety")
	a.want(t, 200, "One copy", "Not proved", "No restore of your data was proved yet", "Nothing is known here of a recovery key", "No device is connected", "<strong>1 place</strong>")
	if strings.Contains(a.text, "Run a check now") || strings.Contains(a.text, `class="notice ok"`) {
		t.Error("it promises what is not there")
	}
	b.post("/safety/check").want(t, 404)
	b.addDevice("Pixel")
	b.get("/safety").want(t, 200, "Pixel", "Never synced. All that is on it exists only there.")
	b.get("/").want(t, 200, `href="/safety"`, "One copy")
}

// TestACardSaysWhenItWasVerified: also a time that is still to come is named. It does not count, and "never" would contradict what the verdict says above.
func TestACardSaysWhenItWasVerified(t *testing.T) {
	h := newHouse(t, nil)
	h.web.Copies = func() []Copy {
		return []Copy{{Place: "Here", Domain: "this disk"}, {Place: "Vault attic", Vault: "attic", Domain: "this disk", With: "this disk, for all that is known", State: "whole", Counts: true, Verified: start.Add(48 * time.Hour), VerifyWithin: time.Hour}}
	}
	h.account()
	b := h.browser().signIn()
	b.get("/safety").want(t, 200, "a time that is still to come, so that it does not count: <strong>overdue</strong>", "<dd>this disk, for all that is known</dd>", "A reading is overdue")
	b.get("/").want(t, 200, "<dd>this disk, for all that is known</dd>")
}
