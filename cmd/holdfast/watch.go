package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/core"
	"holdfast/internal/drill"
	"holdfast/internal/notice"
	"holdfast/internal/relay"
	"holdfast/internal/scrub"
)

// noticesName is the file of a data directory that says what was told of trouble. It may be removed: then what is wrong is told anew.
const noticesName = "notices.json"

// watcher looks for what is wrong, from evidence alone, and shows it to the board. What it finds is what /readyz, the metrics and the commands show: there is one source.
type watcher struct {
	c      *config.Config
	log    *slog.Logger
	board  *notice.Board
	keeper *keeper
	space  *spaceBook

	gate     func() error          // why nothing is shown; nil: it is
	met      func() bool           // the policy is kept
	doubts   func() []core.Doubt   // for which somebody waits
	bursts   func() []burstNotice  // that are new
	readOnly func() bool           // the engine's disk is full
	tls      func() (bool, string) // nil: plain HTTP
	drills   func() []drillState   // of each vault
	scrubbed func() scrub.State    // what is known of the engine's octets
	back     func() (r control.Returning, tried bool)
	newest   func() time.Time // when the newest change was made, by the clock of then; zero: that is not known

	seeing sync.Mutex // held while it is looked and shown: what was seen earlier is shown earlier

	mu    sync.Mutex
	since map[string]time.Time         // since when something is so, without a break
	ill   map[string]relay.VaultStatus // how a vault last failed
}

func newWatcher(s *server) *watcher {
	w := &watcher{c: s.c, log: s.log, board: s.store.board, keeper: s.store.keeper, space: readSpace(s.c.Data, s.c.Notify), gate: s.gate.why, since: map[string]time.Time{}, ill: map[string]relay.VaultStatus{},
		met:    s.store.relay.Met,
		doubts: s.store.core.Doubts, bursts: s.bursts,
		readOnly: func() bool { return s.store.engine.Info().ReadOnly }}
	w.drills, w.scrubbed = w.drilled(s.store.drills), s.store.scrub.book.State
	w.back = s.store.back.judged
	w.newest = func() time.Time {
		at, _ := s.store.core.Newest(context.Background()) // of what cannot be read others tell
		return at
	}
	if s.tls != nil {
		w.tls = s.tls.look
	}
	return w
}

// stopped tells of what ends the service. It is written down before the process ends, and the next one delivers what this one cannot.
func (w *watcher) stopped(err error) {
	var found []notice.Condition // as it was: to look now may take long
	for _, o := range w.board.Conditions() {
		if o.Absent == nil {
			found = append(found, o.Condition)
		}
	}
	w.board.Look(append(found, notice.Condition{Key: "stopped", Severity: notice.Critical, Title: "The service stopped after a failure", Since: clock.System.Now(),
		Text: "What was acknowledged is safe, and phones keep what they have. Start it again, if nothing does that by itself, and look at its log: " + sentence(err)}))
	ctx, cancel := context.WithTimeout(context.Background(), w.c.Timeouts.Shutdown/2)
	defer cancel()
	for w.delivering() && clock.Sleep(ctx, clock.System, 20*time.Millisecond) == nil {
	}
}

// delivering tells whether something waits for a way that works, as far as that is known.
func (w *watcher) delivering() bool {
	return slices.ContainsFunc(w.board.Ways(), func(x notice.WayState) bool { return x.Waiting > 0 && x.Failures == 0 })
}

// looksInLate is how many times it is looked, at least, in the time after which a vault is late.
const looksInLate = 8

// run looks again and again until ctx ends.
func (w *watcher) run(ctx context.Context) {
	if len(w.board.Ways()) == 0 {
		w.log.Warn("nobody is told when something is wrong: set notify.mail, notify.webhook, notify.ntfy or notify.command, and try it with `holdfast notice test`")
	}
	every := min(w.c.Notify.Every, w.c.Vault.Late/looksInLate)
	for clock.Sleep(ctx, clock.System, every) == nil {
		w.see()
	}
}

// see looks now, and shows it.
func (w *watcher) see() {
	w.seeing.Lock()
	defer w.seeing.Unlock()
	w.board.Look(w.look(clock.System.Now()))
}

// look returns all that is wrong now.
func (w *watcher) look(now time.Time) []notice.Condition {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := w.starting(now)
	if w.gate() != nil {
		found = append(found, w.unjudged()...)
	} else {
		status := w.keeper.relay.Status()
		for _, v := range status.Vaults {
			found = append(found, w.vault(v, now)...)
			found = append(found, w.files(v, now)...)
		}
		found = append(found, w.copies(status, now)...)
	}
	found = append(found, w.comingBack(now)...)
	found = append(found, w.scrubs(now)...)
	found = append(found, engineConditions(w.scrubbed(), w.c, now)...)
	found = append(found, w.keys()...)
	found = append(found, w.disks(now)...)
	found = append(found, w.accounts(now)...)
	found = append(found, w.clock(now)...)
	found = append(found, w.burst()...)
	if w.tls != nil {
		if ok, detail := w.tls(); !ok {
			found = append(found, notice.Condition{Key: "tls", Severity: notice.Critical, Title: "The certificate is not in order", Text: "Phones and programs may refuse to connect. " + detail})
		}
	}
	for _, d := range w.drills() {
		if d.Unknown {
			found = append(found, w.still("drill."+d.Vault, "undrilled."+d.Vault)...)
		}
		found = append(found, drillConditions(d, now)...)
	}
	return append(found, w.ways(now)...)
}

// unjudged returns what was wrong with the vaults and cannot be looked at while the service begins: it is not over for that.
func (w *watcher) unjudged() (found []notice.Condition) {
	for _, o := range w.board.Conditions() {
		if strings.HasPrefix(o.Key, "vault.") || strings.HasPrefix(o.Key, "copies.") || strings.HasPrefix(o.Key, "files.") || strings.HasPrefix(o.Key, "large.") {
			found = append(found, o.Condition)
		}
	}
	return found
}

// still returns those of some conditions that are open: what cannot be looked at now is not over for that.
func (w *watcher) still(keys ...string) (found []notice.Condition) {
	for _, o := range w.board.Conditions() {
		if slices.Contains(keys, o.Key) {
			found = append(found, o.Condition)
		}
	}
	return found
}

// holds remembers since when something is so, and returns for how long. It is no longer so once over; neither: it goes on as it was. The lock is held.
func (w *watcher) holds(key string, is, over bool, now time.Time) (time.Duration, bool) {
	at, was := w.since[key]
	switch {
	case over:
		delete(w.since, key)
		return 0, false
	case is && (!was || at.After(now)):
		w.since[key] = now
		return 0, true
	}
	return now.Sub(at), was
}

// starting tells of a store that cannot be compared with its vaults: nothing is shown of it.
func (w *watcher) starting(now time.Time) []notice.Condition {
	err := w.gate()
	lasts, is := w.holds("gate", err != nil, err == nil, now)
	if !is || lasts < w.c.Vault.Late/2 {
		return nil
	}
	return []notice.Condition{{Key: "start", Severity: notice.Critical, Title: "The service does not begin to serve", Measure: lasts.Seconds(), Since: now.Add(-lasts),
		Text: "Phones are answered 503, and keep what they have: " + sentence(err) + ". Look at `holdfast vault status`."}}
}

// The grades of a vault's failure.
const (
	gradeLate = iota + 1
	gradeAway
	gradeFull
	gradeDamaged
	gradeFenced
)

// vault tells of a vault that is late, fails, is full, is damaged or has another writer. What fails for a moment is passed over; it is told before the vault is later than vault.late.
func (w *watcher) vault(v relay.VaultStatus, now time.Time) []notice.Condition {
	late := w.c.Vault.Late
	up := v.State == relay.Whole || v.State == relay.Behind || v.State == relay.Filling
	if !up {
		w.ill[v.Name] = v
	}
	// One that is opened again and again is up for a moment each time: it is well once it has everything, or goes on for a while.
	lasts, fails := w.holds("vault."+v.Name, !up, v.State == relay.Whole || up && now.Sub(v.Since) >= late/4, now)
	c := notice.Condition{Key: "vault." + v.Name, Severity: notice.Warning}
	lag := time.Duration(v.LagSeconds * float64(time.Second))
	unread := now.Sub(v.LastRead)
	switch {
	case !v.Lied.IsZero() && now.Sub(v.Lied) < late: // told at once, and also if it was seen to before anybody looked
		v.State, v.Reason = relay.Damaged, "it was written there without an error, and was not there when it was read back; what is missing is written again, and each append is read back until one is there"
		c = w.failing(c, v)
		c.Measure, c.Since = max(v.LagSeconds, lasts.Seconds()), v.Lied.Add(-lasts)
	case fails && lasts >= late/4:
		c = w.failing(c, w.ill[v.Name])
		c.Measure, c.Since = max(v.LagSeconds, lasts.Seconds()), now.Add(-lasts)
	case fails:
		return nil
	case v.LagChanges > 0 && lag >= late*3/4:
		c.Grade, c.Measure, c.Since = gradeLate, v.LagSeconds, now.Add(-lag)
		c.Title = fmt.Sprintf("The vault %s is late", v.Name)
		c.Text = fmt.Sprintf("It is %s behind, and %s%s.", count(v.LagChanges, "change"), w.worth(v), ofReason(v)) + onTheWay(v.Files)
	case v.State == relay.Whole && !v.LastRead.IsZero() && unread >= late*3/4:
		c.Grade, c.Measure, c.Since = gradeAway, unread.Seconds(), v.LastRead
		c.Title = fmt.Sprintf("The vault %s does not answer", v.Name)
		c.Text = fmt.Sprintf("What was written there cannot be read back since %s: it may have stopped. Look whether %s is there and works: holdfast vault status", day(v.LastRead), v.Location)
	default:
		return nil
	}
	if v.Mode == "sync" || c.Grade >= gradeDamaged {
		c.Severity = notice.Critical
	}
	return []notice.Condition{c}
}

// failing says how a vault fails, and what to do.
func (w *watcher) failing(c notice.Condition, v relay.VaultStatus) notice.Condition {
	what, do := "cannot be reached", fmt.Sprintf("Look whether %s is there, mounted, and can be written to", v.Location)
	if !inDirectory(v.Kind) {
		do = fmt.Sprintf("Look whether its server runs, and can be reached at %s", v.Location)
	}
	switch v.State {
	case relay.Full:
		c.Grade, what, do = gradeFull, "is full", fmt.Sprintf("Make room at %s; nothing in the vault itself may be removed by hand", v.Location)
	case relay.Damaged:
		c.Grade, what, do = gradeDamaged, "does not have what it is to have", "Look at its disk, then: holdfast vault verify "+v.Name+"; holdfast vault repair "+v.Name
	case relay.Fenced:
		c.Grade, what, do = gradeFenced, "belongs to another store now", "Another server has adopted it: find out which of the two is to go on, and stop the other one"
	default:
		c.Grade = gradeAway
	}
	c.Title = fmt.Sprintf("The vault %s %s", v.Name, what)
	c.Text = fmt.Sprintf("It takes no changes, and %s%s. %s.", w.worth(v), ofReason(v), do)
	return c
}

func ofReason(v relay.VaultStatus) string {
	if v.Reason == "" {
		return ""
	}
	return " (" + strings.TrimSuffix(v.Reason, ".") + ")"
}

// worth says what follows from a vault that lacks something.
func (w *watcher) worth(v relay.VaultStatus) string {
	switch {
	case v.Mode != "sync":
		return "if the server's disk ends now, this copy lacks the newest changes"
	case w.c.Policy.OnFailure == "degraded":
		return "changes are acknowledged without it"
	}
	return "changes are refused until it is back, since each waits for it; phones keep them and try again"
}

// copies tells whether the policy is kept, and whether one accident takes all copies.
func (w *watcher) copies(s relay.Status, now time.Time) (found []notice.Condition) {
	met := w.met()
	if lasts, is := w.holds("policy", !met, met, now); is && lasts >= w.c.Vault.Late/4 {
		text := "Changes are refused (503); phones keep them and try again."
		if s.Policy.OnFailure == "degraded" {
			text = "Changes are acknowledged by the engine alone: if its disk ends, they are lost."
		}
		found = append(found, notice.Condition{Key: "copies.policy", Severity: notice.Critical, Title: "There are fewer copies than the policy asks for", Measure: float64(belowPolicy(s)), Since: now.Add(-lasts),
			Text: "The policy is " + s.Policy.Ack + ", and it cannot be kept. " + text + " See: holdfast vault status"})
	}
	for i := range s.Vaults {
		if v := &s.Vaults[i]; v.Apart() && v.Kind != kindLedger { // a ledger is no copy
			return found
		}
	}
	c := notice.Condition{Key: "copies.domain", Severity: notice.Info, Title: "One accident would take all copies", Text: "All copies lie in one failure domain; of each vault `holdfast vault status` says why. " + addVault}
	if len(s.Vaults) == 0 {
		c.Title, c.Text = "There is one copy", "There is no vault: if the disk ends, everything is lost. "+addVault
	}
	return append(found, c)
}

const addVault = "Add a vault on another disk or machine: holdfast vault add NAME KIND LOCATION --domain LABEL"

// belowPolicy counts the vaults that the policy names and that take no changes now.
func belowPolicy(s relay.Status) (n int) {
	for _, v := range s.Vaults {
		if v.Mode == "sync" && v.State != relay.Whole && v.State != relay.Behind {
			n++
		}
	}
	return n
}

// scrubs tells of what was found when vaults were read, and of those that were not read for too long.
func (w *watcher) scrubs(now time.Time) (found []notice.Condition) {
	for _, e := range w.keeper.vaults().Vaults {
		last, known := w.keeper.scrubs.of(e.Name)
		if known && last.Findings > 0 {
			found = append(found, notice.Condition{Key: "damage." + e.Name, Severity: notice.Critical, Title: fmt.Sprintf("The vault %s holds something damaged", e.Name), Measure: float64(last.Findings), Since: last.At, Sure: true,
				Text: fmt.Sprintf("When it was last read, %s came out (%s). The living service can write it anew: holdfast vault repair %s", count(last.Findings, "finding"), firstOf(last.Damaged), e.Name)})
		}
		since := e.Added
		if known = known && !last.At.IsZero() && !last.At.After(now.Add(time.Minute)); known { // what is to come is a clock's that was wrong
			since = last.At
		}
		if age := now.Sub(since); age >= 2*w.c.Vault.Scrub {
			found = append(found, notice.Condition{Key: "scrub." + e.Name, Severity: notice.Warning, Title: fmt.Sprintf("The vault %s was not read through for too long", e.Name), Measure: age.Seconds(), Since: since.Add(2 * w.c.Vault.Scrub),
				Text: fmt.Sprintf("That was last done %s, and is due each %s: damage there would go unnoticed. Look why: holdfast vault scrub %s", ago(known, since), clock.Words(w.c.Vault.Scrub), e.Name)})
		}
	}
	return found
}

func ago(known bool, at time.Time) string {
	if !known {
		return "never"
	}
	return "on " + day(at)
}

func firstOf(list []string) string {
	switch len(list) {
	case 0:
		return "holdfast vault verify names them"
	case 1:
		return list[0]
	}
	return fmt.Sprintf("%s, and %d more", list[0], len(list)-1)
}

// clockOff is how far the clock may be behind what was written by it before anybody is told: it is set by seconds now and then.
const clockOff = time.Minute

// clock tells of a clock that is behind what was written by it. Behind that, what was not done for too long is not seen.
func (w *watcher) clock(now time.Time) []notice.Condition {
	var latest time.Time
	what := ""
	note := func(at time.Time, is string) {
		if at.After(latest) {
			latest, what = at, is
		}
	}
	if w.gate() == nil {
		note(w.newest(), "the newest change")
	}
	for _, e := range w.keeper.vaults().Vaults {
		if last, ok := w.keeper.scrubs.of(e.Name); ok && inDirectory(e.Kind) { // of others the server says when it was
			note(last.At, "the last reading of the vault "+e.Name)
		}
	}
	if r := w.scrubbed().Last; r != nil {
		note(r.Began, "the last reading of the living store")
	}
	if latest.Sub(now) <= max(clockOff, w.c.Doctor.ClockOff) {
		return nil
	}
	return []notice.Condition{{Key: "clock", Severity: notice.Warning, Title: "The clock is behind what was written by it",
		Text: fmt.Sprintf("It says %s, and %s is of %s. Either it was ahead then, or it is behind now: times in the history are wrong, certificates are refused, and what is overdue is not noticed. "+
			"Compare it with another one, and let it be kept by NTP (timedatectl set-ntp true); holdfast doctor looks at it too.", day(now), what, day(latest))}}
}

// keys tells of a recovery key that is not there, or that nobody has proved to have.
func (w *watcher) keys() []notice.Condition {
	nag := w.keeper.nag()
	if nag == "" {
		return nil
	}
	c := notice.Condition{Key: "key", Severity: notice.Warning, Grade: 1, Sure: true, Title: "The recovery key was not checked for long", Text: "Without it the vaults cannot be read once this server is lost: " + nag}
	if len(w.keeper.ring.Recovery()) == 0 {
		c.Grade, c.Title, c.Text = 2, "There is no recovery key", "Without one nobody can read the vaults once this disk is lost. Make one: holdfast key init --out FILE"
	}
	return []notice.Condition{c}
}

// ways tells of ways by which nobody can be told. Another way may get through.
func (w *watcher) ways(now time.Time) (found []notice.Condition) {
	for _, x := range w.board.Ways() {
		if x.Since == nil || now.Sub(*x.Since) < w.c.Notify.Again {
			continue
		}
		found = append(found, notice.Condition{Key: "notify." + x.Name, Severity: notice.Warning, Title: fmt.Sprintf("Notices cannot be delivered by %s", x.Name), Measure: now.Sub(*x.Since).Seconds(), Since: *x.Since,
			Text: fmt.Sprintf("%s waiting. The last try said: %s. Try it: holdfast notice test", count(int64(x.Waiting), "notice"), x.Error)})
	}
	return found
}

// drillState is what is known of drills: restores that are tried, and compared with what they should yield.
type drillState struct {
	Vault   string
	Unknown bool      // it cannot be found out now
	Passed  time.Time // when one last passed; zero: never
	Failed  time.Time // when one last failed since; zero: none did
	Unsure  time.Time // since when drills prove nothing, though none failed and more than one was tried; zero: they do, or that is not known
	Overdue time.Time // since when the next one is overdue; zero: it is not
}

// drilled returns what tells how the drills of each vault fare. One is overdue after twice the interval without a pass, counted from when the vault was added where none ever passed.
func (w *watcher) drilled(drills *drills) func() []drillState {
	began := clock.System.Now()
	return func() (out []drillState) {
		for _, v := range w.keeper.relay.Status().Vaults {
			if v.Kind == kindLedger {
				continue // nothing is restored from it alone
			}
			e := w.keeper.vaults().Find(v.Name)
			x, err := drills.standing(v.Name)
			switch {
			case e == nil:
			case err != nil:
				out = append(out, drillState{Vault: v.Name, Unknown: true})
			case v.Batch > 0 || x.Last.ID != "": // one that was not heard of since the start may have failed before; of others nothing is in it
				out = append(out, drillStateOf(x, v.Name, e.Added, began, &w.c.Drill))
			}
		}
		return out
	}
}

// drillStateOf judges what the drills of a vault came to.
func drillStateOf(x drill.Standing, name string, added, began time.Time, c *config.Drill) drillState {
	d := drillState{Vault: name, Passed: x.Passed.Ended, Failed: x.Failed.Ended, Overdue: x.Passed.Started.Add(2 * c.Interval)}
	if x.Unsure.ID != "" && x.Last.ID != x.Unsure.ID && x.Last.Result == drill.Inconclusive { // one that a restart cut is none
		d.Unsure = x.Unsure.Ended
	}
	if x.Passed.ID == "" {
		d.Overdue = added.Add(2 * c.Interval)
		if soon := began.Add(c.Retry); d.Overdue.Before(soon) { // as after an update of a service that never drilled
			d.Overdue = soon
		}
	}
	return d
}

// The grades of a vault whose drills do not pass.
const (
	gradeUnsure = iota + 1
	gradeFailed
)

// drillConditions tells of drills that failed, or prove nothing, until one has passed, and of one that is overdue.
func drillConditions(d drillState, now time.Time) (found []notice.Condition) {
	last := "never"
	if !d.Passed.IsZero() {
		last = "on " + day(d.Passed)
	}
	switch {
	case !d.Failed.IsZero():
		found = append(found, notice.Condition{Key: "drill." + d.Vault, Severity: notice.Critical, Grade: gradeFailed, Title: fmt.Sprintf("A restore of the vault %s that was tried did not yield what it should", d.Vault), Since: d.Failed,
			Text: "This copy may not bring everything back. A drill last passed " + last + ". What was different: holdfast drill list; holdfast drill show ID"})
	case !d.Unsure.IsZero():
		found = append(found, notice.Condition{Key: "drill." + d.Vault, Severity: notice.Warning, Grade: gradeUnsure, Title: fmt.Sprintf("Restores of the vault %s that were tried prove nothing", d.Vault), Since: d.Unsure,
			Text: "They could not be tried to their end, or met something damaged, again and again. A drill last passed " + last + ". Why: holdfast drill list; holdfast drill show ID"})
	}
	if !d.Overdue.IsZero() && !now.Before(d.Overdue) {
		found = append(found, notice.Condition{Key: "undrilled." + d.Vault, Severity: notice.Warning, Title: fmt.Sprintf("No restore of the vault %s has passed for too long", d.Vault), Since: d.Overdue, Measure: now.Sub(d.Overdue).Seconds(),
			Text: "A drill last passed " + last + ". Whether this copy brings everything back is not known since then: holdfast drill run --vault " + d.Vault})
	}
	return found
}
