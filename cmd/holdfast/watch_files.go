package main

import (
	"fmt"
	"strings"
	"time"

	"holdfast/internal/notice"
	"holdfast/internal/relay"
)

// files tells of large files that a vault lacks as the store does, and of a vault that takes changes and no large files. What fails for a moment is passed over.
func (w *watcher) files(v relay.VaultStatus, now time.Time) (found []notice.Condition) {
	f, late := v.Files, w.c.Vault.Late
	if lasts, is := w.holds("files.missing."+v.Name, f.Missing > 0, f.Missing == 0, now); is {
		found = append(found, notice.Condition{Key: "files." + v.Name, Severity: notice.Critical, Title: fmt.Sprintf("The octets of %s are in no copy that is whole", count(f.Missing, "large file")), Measure: float64(f.Missing), Since: now.Add(-lasts),
			Text: fmt.Sprintf("The store has damaged or lost them, and the vault %s has its changes without them. `holdfast scrub` names them, and mends what another vault has. Whoever has the file can put it again.", v.Name)})
	}
	up := v.State == relay.Whole || v.State == relay.Behind
	lasts, is := w.holds("files.fault."+v.Name, f.Fault != "" && up, f.Fault == "" || !up, now) // one that takes nothing at all is told of as that
	if !is || lasts < late/4 {
		return found
	}
	c := notice.Condition{Key: "large." + v.Name, Severity: notice.Warning, Title: fmt.Sprintf("Large files cannot be put into the vault %s", v.Name), Measure: lasts.Seconds(), Since: now.Add(-lasts)}
	c.Text = fmt.Sprintf("It takes changes, and not the newest large file (%s). %s.", strings.TrimSuffix(f.Fault, "."), w.worthOfFiles(v))
	if v.Mode == "sync" {
		c.Severity = notice.Critical
	}
	return append(found, c)
}

// comingBack tells of large files of a restored store that cannot be copied back out of its vaults. What fails for a moment is passed over.
func (w *watcher) comingBack(now time.Time) []notice.Condition {
	r, tried := w.back()
	if !tried {
		return w.still("returning")
	}
	lasts, is := w.holds("returning", r.Trouble != "", r.Trouble == "", now)
	if !is || lasts < w.c.Vault.Late/4 {
		return nil
	}
	what := "Large files"
	if r.Files > 0 {
		what = fmt.Sprintf("%s (%s)", count(r.Files, "large file"), octets(r.Octets))
	}
	return []notice.Condition{{Key: "returning", Severity: notice.Warning, Title: what + " cannot be copied back out of the vaults", Measure: float64(r.Files), Since: now.Add(-lasts),
		Text: fmt.Sprintf("The store was restored, or lost them, and they lie in a vault alone until they are back; there they are read meanwhile, where that is possible (%s). It is tried again by itself.", strings.TrimSuffix(r.Trouble, "."))}}
}

// worthOfFiles says what follows from a vault that takes no large files.
func (w *watcher) worthOfFiles(v relay.VaultStatus) string {
	switch {
	case v.Mode != "sync":
		return "It falls behind from that file on"
	case w.c.Policy.OnFailure == "degraded":
		return "They are acknowledged without it, and it falls behind from that file on"
	}
	return "Uploads of large files are refused until it takes them, since each waits for it; who sent them keeps them and tries again"
}

// onTheWay says how far large files are that go into a vault.
func onTheWay(f relay.Files) string {
	if f.Moving == 0 {
		return ""
	}
	return fmt.Sprintf(" On their way: %s, %s of %s.", count(f.Moving, "large file"), octets(min(f.Octets, f.Of)), octets(f.Of))
}
