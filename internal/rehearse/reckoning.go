package rehearse

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"holdfast/internal/control"
	"holdfast/internal/fleet"
)

// reckon compares the book with what the service gives, and says what became of each phone.
func (r *rehearsal) reckon(ctx context.Context) error {
	rep := r.report
	entries, err := r.book.Close()
	if err != nil {
		return err
	}
	if rep.Acknowledged = len(entries); rep.Before == 0 { // what was never promised proves nothing
		r.unclear("nothing had been acknowledged when the service was destroyed")
	}
	if rep.Fleet, err = r.fleet.Judge(ctx); err != nil {
		return err
	}
	rep.Settled, rep.DeletionsNoUserMade, rep.Syncs, rep.SyncsFailed = rep.Fleet.Settled, rep.Fleet.DeletionsNoUserMade, rep.Fleet.Syncs, rep.Fleet.SyncsFailed
	rep.EditsLost, rep.Answers = rep.Fleet.EditsLost, rep.Fleet.Answers
	pasts, err := r.askForEach(ctx, entries)
	if err != nil {
		return err
	}
	if err := r.judgePhones(ctx, pasts); err != nil {
		return err
	}
	if err := r.comparePhotos(ctx); err != nil {
		return err
	}
	if err := r.prove(ctx); err != nil {
		return err
	}
	if !rep.Settled && !r.o.NoVault {
		r.unclear("%d phones did not come to rest: %s", len(rep.Fleet.Unsettled), rep.Fleet.Unsettled[0].Because)
	}
	r.mu.Lock()
	rep.Series = r.samples
	r.mu.Unlock()
	if r.o.NoVault {
		r.tellPhones()
	}
	r.tell("%s", rep.Verdict())
	return nil
}

// askForEach looks for each entry of the book, account by account.
func (r *rehearsal) askForEach(ctx context.Context, entries []Entry) (map[string]*past, error) {
	rep, of := r.report, map[string][]Entry{}
	for _, e := range entries {
		of[e.Account] = append(of[e.Account], e)
	}
	c, err := control.Dial(ctx, r.service.data)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	held, pasts := r.heldBy(), map[string]*past{}
	for _, a := range r.accounts {
		p, err := r.readPast(ctx, c, a, of[a.login])
		if err != nil {
			return nil, err
		}
		pasts[a.login] = p
		sum, losses := p.reckon(a.login, of[a.login], held)
		rep.People = append(rep.People, sum)
		rep.Current, rep.History, rep.Again, rep.Lost, rep.LostStillOn = rep.Current+sum.Current, rep.History+sum.History, rep.Again+sum.Again, rep.Lost+sum.Lost, rep.LostStillOn+sum.StillOn
		for _, l := range losses {
			if l.Newest {
				rep.LostNewest++
			}
		}
		rep.Losses = append(rep.Losses, losses[:min(len(losses), maxLosses-len(rep.Losses))]...)
	}
	return pasts, nil
}

// heldBy tells which phones hold which octets.
func (r *rehearsal) heldBy() map[string][]string {
	out := map[string][]string{}
	for i, p := range r.fleet.Phones() {
		for _, body := range r.fleet.Holding(i) {
			sum := sha256.Sum256([]byte(body))
			key := hex.EncodeToString(sum[:])
			if !slices.Contains(out[key], p.Name) {
				out[key] = append(out[key], p.Name)
			}
		}
	}
	return out
}

// judgePhones says what became of each phone.
func (r *rehearsal) judgePhones(ctx context.Context, pasts map[string]*past) error {
	rep := r.report
	for i, p := range r.fleet.Phones() {
		unsent, reset := r.reset[i]
		out := Phone{Name: p.Name, Account: p.Login, Kind: string(p.Kind), Reset: reset, Unsent: unsent, After: p.Holds, Emptied: p.Emptied, Deleted: p.Deleted, Failed: p.Failed}
		if i < len(r.before) {
			out.Before = r.before[i].Holds
		}
		if err := r.compare(ctx, i, pasts[p.Login], &out); err != nil {
			return err
		}
		rep.add(out)
	}
	return nil
}

// tellPhones says what became of the phones that nobody reset, where the service knew nothing of them any more.
func (r *rehearsal) tellPhones() {
	stayed, emptied, mute := 0, 0, 0
	for _, p := range r.report.Phones {
		if p.Reset {
			continue
		}
		stayed++
		if p.Emptied > 0 {
			emptied++
		} else if p.Failed != "" {
			mute++
		}
	}
	r.tell("of the %d phones that were not reset %d were emptied by their own clients' rules, since the new service does not know what they hold; %d keep what they held and cannot sync", stayed, emptied, mute)
}

// compare tells what a phone lacks. Contacts of Thunderbird list everything first and ask where they stand afterwards: what others do in between they never hear of, with every server. Such a phone is
// set up once more, now that nobody works: what it lacks then it was not given.
func (r *rehearsal) compare(ctx context.Context, i int, p *past, out *Phone) error {
	out.Lacks = r.lacks(i, p)
	if out.Lacks == 0 || out.Kind != string(fleet.ThunderbirdContacts) || out.Failed != "" {
		return nil
	}
	r.fleet.ResetPhone(i)
	if err := r.fleet.SyncPhone(ctx, i); err != nil {
		return fmt.Errorf("set %s up again: %w", out.Name, err)
	}
	out.Missed, out.Lacks = out.Lacks, r.lacks(i, p)
	return nil
}

// add counts a phone.
func (rep *Report) add(p Phone) {
	rep.Phones = append(rep.Phones, p)
	if p.Reset {
		rep.PhonesReset++
		rep.Unsent += p.Unsent
	}
	if p.Lacks > 0 {
		rep.PhonesLacking++
		if p.Reset {
			rep.ResetLacking++
		}
	}
	if p.Emptied > 0 {
		rep.PhonesEmptied++
	}
	if p.Missed > 0 {
		rep.PhonesMissed++
	}
}

// lacks counts what the service has for a phone and the phone does not hold.
func (r *rehearsal) lacks(i int, p *past) (n int) {
	has := map[string]string{}
	for href, body := range r.fleet.Holding(i) {
		sum := sha256.Sum256([]byte(body))
		has[pathOf(href)] = hex.EncodeToString(sum[:])
	}
	for path, etag := range p.live() {
		if r.fleet.Syncs(i, isContact(path)) && has[path] != etag {
			n++
		}
	}
	return n
}

// prove lets the service prove itself: it restores once more, with the recovery key alone, and compares; and it reads everything that it keeps.
func (r *rehearsal) prove(ctx context.Context) error {
	var octets struct {
		Bodies int64 `json:"bodies"`
		Found  int64 `json:"found"`
		Mended int64 `json:"mended"`
	}
	if _, err := r.service.run(ctx, &octets, r.with("scrub", "--data", r.service.data)...); err != nil {
		return err
	}
	r.report.Octets = &Octets{octets.Bodies, octets.Found, octets.Found - octets.Mended}
	if r.o.NoVault {
		return nil
	}
	for _, v := range r.drills {
		if err := r.drill(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// drill restores out of a vault once more. The worst that comes of several is the proof.
func (r *rehearsal) drill(ctx context.Context, vault string) error {
	var d struct {
		Result   string `json:"result"`
		KeyUsed  string `json:"key_used"`
		Accounts int    `json:"accounts"`
		Changes  struct {
			Restored int64 `json:"restored"`
		} `json:"changes"`
		Digests struct {
			Equal     int      `json:"equal"`
			Different []string `json:"different"`
		} `json:"digests"`
		Reasons []string `json:"reasons"`
	}
	if _, err := r.service.run(ctx, &d, r.with("drill", "run", "--data", r.service.data, "--vault", vault, "--key", r.key)...); err != nil {
		return err
	}
	if r.report.Proof == nil || r.report.Proof.Result == "pass" {
		r.report.Proof = &Proof{vault, d.Result, d.KeyUsed, d.Accounts, d.Changes.Restored, d.Digests.Equal, len(d.Digests.Different)}
	}
	if d.Result == "inconclusive" {
		r.unclear("the drill of the vault %s proved nothing: %s", vault, cmp.Or(append(d.Reasons, "")...))
	}
	r.tell("holdfast drill: restored once more out of the vault %s, with the recovery key alone; digests of %d accounts equal, %d different", vault, d.Digests.Equal, len(d.Digests.Different))
	return nil
}
