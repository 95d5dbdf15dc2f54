package web

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// finding is something that keeps the data from being as safe as they should be.
type finding struct {
	Level string // "danger" or "caution"
	Word  string
	Text  string
}

// verdict is what a person should know first.
type verdict struct {
	Level    string // "ok" only where there is no finding
	Word     string
	Text     string
	Findings []finding // the worst first
}

// judge weighs what is known. What is not known, or old, is a finding: nothing is good by default.
func (f *facts) judge() verdict {
	var all []finding
	all = append(all, f.judgeAccount()...)
	all = append(all, f.judgeWaits()...)
	all = append(all, f.judgeCopies()...)
	all = append(all, f.judgeProof()...)
	all = append(all, f.judgeChecks()...)
	if f.KeyNag != "" {
		all = append(all, finding{"caution", "Recovery key", sentence(f.KeyNag)})
	}
	slices.SortStableFunc(all, func(a, b finding) int { return strings.Compare(b.Level, a.Level) }) // "danger" before "caution"
	n, domains := f.places()
	if len(all) == 0 {
		return verdict{Level: "ok", Word: "Stored and proved", Text: fmt.Sprintf("Your data lie in %s, in %s, and were last restored from a vault, and found equal, on %s.",
			count(int64(n), "place", "places"), count(int64(domains), "failure domain", "failure domains"), stamp(f.Proof.At))}
	}
	v := verdict{Level: all[0].Level, Word: all[0].Word, Text: all[0].Text, Findings: all}
	return v
}

// stamp writes a time in a sentence.
func stamp(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04 UTC") }

func (f *facts) judgeAccount() []finding {
	switch {
	case f.Doubt:
		return []finding{{"danger", "In doubt", "A device or a vault knows changes of your account that this server does not have. Until its operator has decided, your devices are told to come back later, and keep what they have. Do not reset any of them."}}
	case f.Trouble != "":
		return []finding{{"danger", "Not known now", f.Trouble}}
	case f.Ghosts > 0:
		return []finding{{"danger", "Known to be lost", fmt.Sprintf("Of %s of yours this server has the name alone: what was in it was nowhere when the server was restored. A device of yours that was here before has it still: open it there, change something and save it, and all your devices have it again. Do not reset that device before.",
			count(f.Ghosts, "item", "items"))}}
	case f.Returning > 0:
		return []finding{{"caution", "Coming back", fmt.Sprintf("Not on this server's disk now: %s of yours, photos or films. Until they are copied back, a vault is read for them.", count(f.Returning, "large file", "large files"))}}
	}
	return nil
}

// judgeCopies judges the places, and what one accident would take.
func (f *facts) judgeCopies() (out []finding) {
	caution := func(word, format string, args ...any) {
		out = append(out, finding{"caution", word, fmt.Sprintf(format, args...)})
	}
	n, domains := f.places()
	switch {
	case !f.readable():
	case len(f.Copies) <= 1:
		caution("One copy", "Stored in 1 place: this server's disk. No vault yet: there is no second copy.")
	case n <= 1 && slices.ContainsFunc(f.Copies, func(c Copy) bool { return c.Vault != "" && c.Counts && !f.stale(&c) }):
		caution("Newest changes in one place", "Your newest changes are in 1 place so far: this server's disk. They are on their way to the others.")
	case n <= 1:
		out = append(out, finding{"danger", "One copy now", "Everything that you have stored is known to be in 1 place only now: this server's disk."})
	case domains == 1:
		caution("One failure domain", "Stored in %d copies that one accident can take together: a broken disk, a theft, a fire.", n)
	}
	for i := range f.Copies {
		c := &f.Copies[i]
		if c.Damaged > 0 {
			out = append(out, finding{"danger", "Damage", fmt.Sprintf("%s holds %s; the server's log names them.", c.Place, count(int64(c.Damaged), "thing that is damaged or missing", "things that are damaged or missing"))})
		}
		switch {
		case c.Vault == "":
		case !c.Counts:
			caution("A copy is missing", "%s does not take changes now (%s), and is not counted.", c.Place, c.State)
		case c.Answered.IsZero():
			caution("A copy is not known", "%s has confirmed nothing since this server started.", c.Place)
		case f.stale(c):
			caution("A copy is late", "%s has confirmed nothing since %s, longer than the %s that it may take.", c.Place, stamp(c.Answered), span(c.Late))
		case c.Late > 0 && c.Behind > c.Late:
			caution("A copy is late", "%s lacks changes that have waited for %s, longer than the %s that they may.", c.Place, span(c.Behind), span(c.Late))
		}
		if f.unverified(c) {
			since := "was never read as a whole"
			if !c.Verified.IsZero() {
				since = "was last read as a whole on " + stamp(c.Verified)
			}
			caution("A reading is overdue", "%s %s; that is due every %s.", c.Place, since, span(c.VerifyWithin))
		}
	}
	return out
}

// judgeProof judges the newest proof of the account.
func (f *facts) judgeProof() []finding {
	one := func(level, word, format string, args ...any) []finding {
		return []finding{{level, word, fmt.Sprintf(format, args...)}}
	}
	p := &f.Proof
	switch {
	case f.Unread:
		return one("caution", "Proof not known", "What was proven of your data cannot be read just now.")
	case p.At.IsZero():
		return one("caution", "Not proved", "No restore of your data was proved yet.")
	case f.future(p.At):
		return one("caution", "Proof not known", "The last proof is dated %s, which is still to come: a clock was wrong, and it does not count.", stamp(p.At))
	case !f.readable():
		return nil // it cannot be compared
	case p.Seq > f.Seq:
		return one("danger", "Proof of more", "The last proof goes up to change %s, and this server shows %s: it may have lost some.", thousands(int64(p.Seq)), thousands(int64(f.Seq)))
	case !f.Follows:
		return one("danger", "Proof of another history", "What was proven on %s is not in the history that this server shows now. Ask whoever runs it.", stamp(p.At))
	case f.proofStale():
		return one("caution", "Proof is old", "Your data were last restored, and found equal, on %s: longer ago than the %s that a proof is good for.", stamp(p.At), span(p.Good))
	}
	return nil
}

// judgeChecks judges the drills of each vault that is still there.
func (f *facts) judgeChecks() (out []finding) {
	for i := range f.Copies {
		place := f.Copies[i].Place
		switch failed, unsure := f.unproven(f.Copies[i].Vault); {
		case failed != nil && failed.Different:
			out = append(out, finding{"danger", "A check failed", fmt.Sprintf("On %s your data did not come back whole from %s. The server's log says why.", stamp(failed.Ended), place)})
		case failed != nil:
			out = append(out, finding{"danger", "A check failed", fmt.Sprintf("On %s %s did not give everything back. The server's log says why.", stamp(failed.Ended), place)})
		case unsure != nil:
			out = append(out, finding{"caution", "A check came to nothing", fmt.Sprintf("On %s it could not be found out whether %s gives everything back.", stamp(unsure.Ended), place)})
		}
	}
	return out
}

// unproven returns a drill of a vault that failed, the one that found this account different before others, and the newest that came to nothing, since the last of which this account came out whole; nil: there is none. What failed is not over because a
// later drill came to nothing, or tried other accounts.
func (f *facts) unproven(vault string) (failed, unsure *Check) {
	others := false // others came out whole since: what is wrong with them, or with the vault as a whole, is over
	for i := range f.Checks {
		c := &f.Checks[i]
		switch {
		case c.Vault != vault || c.Outcome == "running" || f.future(c.Began):
		case c.Outcome == "pass" && (!c.Sample || f.provedBy(c)):
			return failed, unsure
		case c.Outcome == "pass":
			others = true
		case c.Outcome == "fail" && c.Different && (failed == nil || !failed.Different), c.Outcome == "fail" && failed == nil && !others:
			failed = c
		case c.Outcome != "fail" && unsure == nil && !others:
			unsure = c
		}
	}
	return failed, unsure
}

// provedBy tells whether this account was proven by a drill, or since, in its vault.
func (f *facts) provedBy(c *Check) bool {
	return f.Proof.Vault == c.Vault && !f.Proof.At.Before(c.Began) && !f.future(f.Proof.At)
}

// span writes a bound as people say it.
func span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return count(int64(d.Round(time.Second)/time.Second), "second", "seconds")
	case d < 2*time.Hour:
		return count(int64(d.Round(time.Minute)/time.Minute), "minute", "minutes")
	case d < 72*time.Hour:
		return count(int64(d.Round(time.Hour)/time.Hour), "hour", "hours")
	default:
		return count(int64(d.Round(24*time.Hour)/(24*time.Hour)), "day", "days")
	}
}

// line says the verdict in the header of each page.
func (v verdict) line(now time.Time) *stateLine {
	l := &stateLine{Level: v.Level, Word: v.Word, Text: v.Text, At: now}
	if n := len(v.Findings) - 1; n > 0 {
		l.More = "And " + count(int64(n), "thing more", "things more") + "."
	}
	return l
}
