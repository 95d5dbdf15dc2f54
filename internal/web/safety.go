package web

import (
	"net/http"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/auth"
	"holdfast/internal/core"
)

// safetyData is the data of the page that says how safe somebody's data are.
type safetyData struct {
	Now     time.Time
	Verdict verdict
	Places  []placeCard
	Copies  int // that hold everything
	Domains int // in which they lie
	Known   bool
	Doubt   bool
	Waits   []waitCard
	Keep    string // for how long every version is kept; empty: for ever
	Proof   *receipt
	Checks  []Check
	Running *Check // a check of this account, or of all
	CanAsk  bool   // "Run a check now" can be asked for here
	Kinds   []kindRow
	Shared  int // collections that others share
	First   time.Time
	Changes int64
	Devices []deviceSync
	Past    []moment
	Refused int // changes that devices sent in vain, and that are kept
	Backs   []placeBack
	Good    time.Time // until when the proof counts; zero: there is none that does
	Unsaid  []string  // what cannot be promised
}

// placeBack is a vault out of which everything can be restored as it was at a moment, and from when on.
type placeBack struct {
	Vault string
	Since time.Time
}

// placeCard is a place that holds the data, as far as it concerns one account.
type placeCard struct {
	Copy
	Level    string
	Has      string // what of the account is there
	Verified time.Time
	Ahead    bool // it was verified at a time that is still to come
	Overdue  bool
	Stale    bool
}

// receipt is a proof in words.
type receipt struct {
	Proof
	Level string
	Stale bool
	Ahead bool // its time is still to come
	Since int64
	Same  string // what the history says of it now
}

// kindRow is a kind of things that the account holds.
type kindRow struct {
	Name  string
	Items int64
	Last  time.Time // the newest change
	Back  time.Time // since when every version is kept
}

// deviceSync is a device with its last sync.
type deviceSync struct {
	Name   string
	Synced time.Time // zero: never
	Behind bool      // something waits for it, or it knows more than this server
	Lines  []seenLine
	Sent   *deviceSent
}

func (s *Server) safety(w http.ResponseWriter, r *http.Request) {
	if x, ok := s.signedIn(w, r); ok {
		s.showSafety(w, r, x, http.StatusOK, "")
	}
}

// safetyCheck begins a check of the account's data.
func (s *Server) safetyCheck(w http.ResponseWriter, r *http.Request) {
	x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	if s.Proofs == nil {
		s.notFound(w, r)
		return
	}
	if err := s.Proofs.Check(r.Context(), x.Person.ID); err != nil {
		status, text := s.describe(w, r, err)
		s.showSafety(w, r, x, status, text)
		return
	}
	http.Redirect(w, r, "/safety#h-proof", http.StatusSeeOther)
}

func (s *Server) showSafety(w http.ResponseWriter, r *http.Request, x auth.Session, status int, problem string) {
	d := &safetyData{}
	devices, err := s.Core.Devices(r.Context(), x.Person.ID)
	if err != nil && !holdfast.IsKind(err, holdfast.Unavailable) {
		s.fail(w, r, err)
		return
	}
	f, err := s.facts(r.Context(), x, func(rd *core.Reader) (err error) {
		return d.read(rd, devices, s.Now())
	})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	d.fill(f)
	if s.Refused != nil {
		d.Refused = len(s.Refused(x.Person.ID))
	}
	s.show(w, r, status, "safety", view{Title: "How safe is my data?", Email: x.Person.Email, Problem: problem, Data: d})
}

// read reads what the account holds and held, and what its devices sent.
func (d *safetyData) read(rd *core.Reader, devices []core.Device, now time.Time) (err error) {
	if d.Kinds, d.Shared, err = kinds(rd); err != nil {
		return err
	}
	l, err := rd.LookBack(maxLook)
	if err != nil {
		return err
	}
	if d.Past, err = past(rd, l, now); err == nil {
		d.Devices, err = syncs(rd, devices, l, now)
	}
	return err
}

// fill says what the facts come to.
func (d *safetyData) fill(f *facts) {
	d.Now, d.Verdict, d.Known, d.Doubt = f.Now, f.judge(), f.readable(), f.Doubt
	d.Copies, d.Domains = f.places()
	d.Waits = f.Waits
	if f.Retention > 0 {
		d.Keep = span(f.Retention)
		for i := range d.Kinds {
			d.Kinds[i].bound(f.Now.Add(-f.Retention))
		}
	}
	d.First, d.Changes = f.First, int64(f.Seq)
	for i := range f.Copies {
		d.Places = append(d.Places, f.card(&f.Copies[i]))
		if c := &f.Copies[i]; c.Vault != "" && f.holds(c) {
			d.Backs = append(d.Backs, placeBack{c.Vault, c.Added})
		}
	}
	if f.proved() && f.Proof.Good > 0 {
		d.Good = f.Proof.At.Add(f.Proof.Good)
	}
	d.Proof = f.receipt()
	for i, c := range f.Checks {
		if c.Outcome == "running" {
			d.Running = &f.Checks[i]
		} else {
			d.Checks = append(d.Checks, c)
		}
	}
	d.CanAsk = f.Proves && f.readable() && d.Running == nil && len(f.Copies) > 1
	d.Unsaid = f.unsaid(d.Domains)
}

// card says what a place has of the account.
func (f *facts) card(c *Copy) placeCard {
	p := placeCard{Copy: *c, Level: "caution", Verified: c.Verified, Overdue: f.unverified(c), Stale: f.stale(c)}
	if c.Vault == "" && f.proved() {
		p.Verified = f.Proof.At // a drill compares the living store's octets too
	}
	p.Ahead = f.future(p.Verified)
	switch {
	case !f.readable():
		p.Has = "That is not known now."
	case f.holds(c):
		p.Level, p.Has = "ok", "All that you have stored, up to your newest change."
	case c.Batch == 0:
		p.Has = "Nothing that is known of."
	case c.Batch < f.Batch:
		p.Has = "Not your newest changes."
	default:
		p.Has = "All that you have stored, when it last confirmed; whether it still has it is not known."
	}
	if c.Damaged > 0 {
		p.Level = "danger"
	}
	return p
}

// receipt says what is proven; nil: nothing.
func (f *facts) receipt() *receipt {
	if f.Unread || f.Proof.At.IsZero() {
		return nil
	}
	p := &receipt{Proof: f.Proof, Level: "caution", Stale: f.proofStale(), Ahead: f.future(f.Proof.At), Same: "not known now"}
	switch {
	case !f.readable():
	case f.Follows:
		p.Same = "still the same"
	case f.Proof.Seq > f.Seq:
		p.Same, p.Level = "this server shows fewer changes than were proven", "danger"
	default:
		p.Same, p.Level = "different: what was proven is another history", "danger"
	}
	if f.proved() {
		p.Level = "ok"
	}
	if f.Follows {
		p.Since = int64(f.Seq - f.Proof.Seq)
	}
	return p
}

// kindNames are what a person keeps, as the page calls it.
var kindNames = []string{"Contacts", "Events", "To-dos", "Notes", "Calendar entries", "Files"}

// kinds counts what the account holds of its own, and the collections that others share with it, which are counted and proven with theirs.
func kinds(rd *core.Reader) (rows []kindRow, shared int, err error) {
	all, err := rd.Collections()
	if err != nil {
		return nil, 0, err
	}
	for _, name := range kindNames {
		rows = append(rows, kindRow{Name: name})
	}
	for i := range all {
		c := &all[i]
		k := slices.IndexFunc(rows, func(k kindRow) bool { return k.Name == kindOf(c) })
		if k < 0 {
			continue
		}
		if err := rows[k].add(rd, c); err != nil {
			return nil, 0, err
		}
	}
	rows = slices.DeleteFunc(rows, func(k kindRow) bool { return k.Name == "Calendar entries" && k.Items == 0 })
	bound, err := rd.Bound()
	return rows, len(bound), err
}

// kindOf says under which name the members of a collection are counted; empty: they are nothing that a person keeps.
func kindOf(c *holdfast.Collection) string {
	switch c.Type {
	case holdfast.TypeAddressbook:
		return "Contacts"
	case holdfast.TypeFolder:
		return "Files"
	case holdfast.TypeHome:
		if c.Name == holdfast.HomeFiles {
			return "Files"
		}
		return ""
	case holdfast.TypeCalendar:
		switch _, many := nouns(c); many {
		case "events":
			return "Events"
		case "to-dos":
			return "To-dos"
		case "notes":
			return "Notes"
		}
		return "Calendar entries"
	}
	return ""
}

// add counts a collection.
func (k *kindRow) add(rd *core.Reader, c *holdfast.Collection) error {
	k.Items += c.Items
	err := rd.History().Changes(c.Account, c.Seq-1, 1, 0, func(x *holdfast.Change) error {
		if x.At.After(k.Last) {
			k.Last = x.At
		}
		return nil
	})
	if err != nil {
		return err
	}
	var made time.Time
	err = rd.History().Versions(c.ID, "", 0, func(x *holdfast.Change) error { made = x.At; return nil }) // the newest first
	if k.Back.IsZero() || made.Before(k.Back) {
		k.Back = made
	}
	return err
}

// bound says since when every version is kept, where older ones may have been let go of.
func (k *kindRow) bound(oldest time.Time) {
	if !k.Back.IsZero() && k.Back.Before(oldest) {
		k.Back = oldest
	}
}

// syncs says when each device last showed what it has.
func syncs(rd *core.Reader, devices []core.Device, l *core.Lookback, now time.Time) ([]deviceSync, error) {
	synced, err := collectionsOf(rd, holdfast.TypeAddressbook, holdfast.TypeCalendar)
	if err != nil {
		return nil, err
	}
	var out []deviceSync
	for i := range devices {
		d := deviceSync{Name: devices[i].Name, Sent: sentBy(l, devices[i].ID, now)}
		for _, x := range devices[i].Seen {
			if x.At.After(d.Synced) {
				d.Synced = x.At
			}
		}
		if d.Lines, err = seenLines(rd, synced, &devices[i]); err != nil {
			return nil, err
		}
		d.Behind = slices.ContainsFunc(d.Lines, func(l seenLine) bool { return l.Level != "ok" && !l.At.IsZero() })
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b deviceSync) int { return a.Synced.Compare(b.Synced) }) // who has waited longest first
	return out, nil
}

// unsaid says what cannot be promised.
func (f *facts) unsaid(domains int) []string {
	out := []string{
		"What a device has not sent is not here. What is newer than its last sync exists on that device only.",
		"A proof says what a vault gave back at that time. What was stored since then is in the copies that are named above, and was not restored yet.",
	}
	if domains <= 1 {
		out = append(out, "All copies lie where one accident (a broken disk, a theft, a fire) takes them together. Only what your devices hold, and a copy that you keep elsewhere, would be left.")
	} else {
		out = append(out, "What takes all places at once takes everything that is not on your devices or in a copy of your own.")
	}
	switch {
	case f.KeyNag != "":
		out = append(out, sentence(f.KeyNag))
	case !f.KeyKnown:
		out = append(out, "Nothing is known here of a recovery key. Without one nobody can read a vault after this server is lost.")
	default:
		out = append(out, "After this server is lost, a vault is read with the recovery key, and with nothing else. Nobody can help who has lost both.")
	}
	return append(out,
		"Whoever runs this server, or has its disk, can read everything here but the passwords: the database is not encrypted. Vaults are; this server and the holder of the recovery key can read them. With whom you share something, he can read that.",
		"A disk that says that it has stored something, and has not, can lose what lay on it. That is what the other places and the checks are for.")
}
