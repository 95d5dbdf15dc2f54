package sim

import (
	"os/exec"
	"path"
	"strings"
	"testing"
	"time"
)

// alarm is a line that must not break in silence: with off in its place the test that is named must fail.
type alarm struct {
	what    string
	file    string // from the root of the source
	careful string // stands in it once
	off     string
	test    string // of the same package
}

// alarms are what the rest relies on: it is they that say that something is lost. Whoever adds a guard adds it here.
var alarms = []alarm{
	{"a drill that does not compare histories", "internal/drill/compare.go", "case got.head.Chain != want.head.Chain:", "case false:", "TestAnotherHistoryIsNoProof"},
	{"a drill that does not compare digests", "internal/drill/compare.go", "case got.digest.State != want.digest.State:", "case false:", "TestWhatRotsIsFound"},
	{"a drill that does not hash octets again", "internal/drill/compare.go", "if holdfast.HashOf(c.Body) != c.ETag {", "if false {", "TestWhatRotsIsFound"},
	{"a drill that asks a vault only for what it has", "internal/drill/compare.go", "a.Seq < due {", "a.Seq < min(due, 0) {", "TestAVaultThatKeepsNothing"},
	{"a drill that passes over damage", "internal/drill/drill.go", "for _, x := range rep.Damage {", "for _, x := range rep.Damage[:0] {", "TestWhatRotsIsFound"},
	{"a scrub that does not hash octets again", "internal/scrub/scrub.go", "if sound && holdfast.HashOf(c.Body) != c.ETag {", "if sound && false {", "TestWhatRotsInTheEngineIsMended"},
	{"an old version that goes before a drill has proven what is left", "internal/vault/purge.go", "if unproven > 0 {", "if unproven > 0 && false {", "TestWhatKeepsAPruning"},
	{"an old version that goes before its time", "internal/vault/purge.go", "waited < v.o.KeepPruned {", "waited < min(0, v.o.KeepPruned) {", "TestWhatKeepsAPruning"},
	{"a burst that is not judged", "internal/core/guard.go", "if all >= s.guard.limits.All || reset {", "if true {\n\t\treturn false, nil\n\t}\n\tif reset {", "TestWhatIsABurst"},
	{"a burst by a share of everything", "internal/core/guard.go", "return here*100 >= s.guard.limits.Share*were, nil", "return were < 0, nil", "TestWhatIsABurst"},
	{"a reset device that deletes", "internal/core/guard.go", "return ok && now.Sub(at) <= g.limits.Window", "return ok && now.Before(at)", "TestAResetDeviceThatDeletesIsABurst"},
	{"a burst that nobody is told of", "cmd/holdfast/watch_accounts.go", "for _, b := range w.bursts() {", "for _, b := range w.bursts()[:0] {", "TestScripts/burst"},
	{"a burst that nothing undoes", "internal/core/rewind.go", "if x.chosen, err = burstSpans(ctx, x.past.owner, rec, x.past.within); err != nil {", "if _, err = burstSpans(ctx, x.past.owner, rec, x.past.within); err != nil {", "TestABurstIsUndoneInOneStep"},
	{"a token that is good whatever the chain", "internal/core/read.go", "return err == nil && bytes.HasPrefix(head.Chain[:], t.check[:]), err", "return err == nil && bytes.HasPrefix(head.Chain[:], nil), err", "TestATokenFromALostFutureIsDoubt"},
	{"a token that anybody can make", "internal/core/token.go", "if !hmac.Equal(mac, tokenMAC(key, body)) {", "if !hmac.Equal(mac, mac[:len(tokenMAC(key, body))]) {", "TestTokensRoundTripAndCannotBeForged"},
	{"what a device did before a restart", "internal/core/guard.go", "x.deleted+x.overwritten == 0 || x.at.Before(since)", "true", "TestWhatIsABurst"},
	{"a ghost that is hidden from who may have it", "internal/core/ghosts.go", "return p.olderThan(device, owner, owner.lost(ghost))", "return false && p.olderThan(device, owner, owner.lost(ghost))", "TestAGhostIsListedToWhoHadIt"},
	{"an account that goes on though more was seen", "internal/core/evidence.go", "!slices.Equal(x.Evidence, as.Evidence)", "false", "TestWhatIsAccountedForHoldsItsDeviceAlone"},
	{"what nobody has that a repair passes over", "internal/restore/haunt.go", "w.lost, m.ghosts[w.key] = true, true", "continue", "TestARepairMakesGhosts"},
	{"a retry that is done at a ghost", "internal/store/memory/commit.go", "it == nil || it.Pruned || en.If", "it == nil || en.If", "TestContract"},
	{"what was moved before a restart", "internal/core/guard.go", "; moved && !gone {", "; moved && !gone && i < 0 {", "TestWhatIsABurst"},
	{"a burst that goes on after a restart", "internal/core/guard.go", "case !b.ended && a.at.Sub(b.last) <= s.guard.limits.Window:", "case !b.ended && a.at.Before(b.last):", "TestWhatIsABurst"},
	{"a burst that its owner does not see", "internal/core/outburst.go", "if b.Owner != c.past.owner || len(out) == maxOpen {", "if len(out) >= 0 {", "TestActivityOfABurst"},
	{"a device that waits, and its owner reads nothing", "internal/core/waiting.go", "if len(d.Evidence) == 0 {", "if len(d.Evidence) >= 0 {", "TestWaiting"},
	{"a vault that is late and nobody is told", "cmd/holdfast/watch.go", "case v.LagChanges > 0 && lag >= late*3/4:", "case false:", "TestWhatIsWrongWithAVault"},
}

// TestNoAlarmBreaksInSilence breaks each alarm, by an overlay over one source file, and demands that the test of it fails.
func TestNoAlarmBreaksInSilence(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a package anew for each alarm; make test does")
	}
	for _, a := range alarms {
		t.Run(a.what, func(t *testing.T) {
			args := []string{"test", "-count", "1", "-timeout", "5m", "-run", "^" + a.test + "$", "-overlay", overlay(t, "../"+a.file, a.careful, a.off), "./" + path.Dir(a.file)}
			cmd := exec.CommandContext(t.Context(), "go", args...)
			cmd.Dir, cmd.WaitDelay = "..", time.Minute
			out, err := cmd.CombinedOutput()
			switch {
			case err == nil:
				t.Errorf("%s passes with %q in %s", a.test, a.off, a.file)
			case !strings.Contains(string(out), "--- FAIL: "+a.test):
				t.Errorf("%s did not fail, something else did: %v\n%s", a.test, err, out)
			}
		})
	}
}
