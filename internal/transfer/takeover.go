package transfer

import (
	"context"
	"errors"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davclient"
)

// TakeoverRequest says which server is taken over, and into which account.
type TakeoverRequest struct {
	Account holdfast.ID
	Remote  davclient.Options // MaxResource and Waiting are filled in here
	Shared  bool              // also what others share with the user there
	Replace bool              // replace a different item with the same UID, rather than refuse that of the server
	DryRun  bool
	Dir     string // where it is remembered how far this came, see [notebook]; empty: nowhere
}

// TakeoverEvent is what a takeover says as it goes on. One of its fields is set.
type TakeoverEvent struct {
	Left       *Left            `json:"left,omitempty"`
	Note       *Note            `json:"note,omitempty"`
	Mended     *Mended          `json:"mended,omitempty"`
	Refused    *RefusedOne      `json:"refused,omitempty"`
	Waiting    *Waiting         `json:"waiting,omitempty"`
	Progress   *TakeoverTotals  `json:"progress,omitempty"`
	Collection *TakenCollection `json:"collection,omitempty"`
	Done       *TakeoverTotals  `json:"done,omitempty"`
}

// Waiting says that the other server is busy, and when it is asked again.
type Waiting struct {
	Why     string  `json:"why"`
	Seconds float64 `json:"seconds"`
}

// Left is a collection of the other server that was not taken over.
type Left struct {
	Name string `json:"name"` // that people see, or else its name in the path
	Path string `json:"path"`
	Why  string `json:"why"`
}

// TakenCollection is what became of one collection.
type TakenCollection struct {
	From  string `json:"from"` // path on the other server
	Into  string `json:"into"` // path in the account
	Label string `json:"label,omitempty"`
	Type  string `json:"type"`
	Made  bool   `json:"made"` // it was not there before
	Sums
	Here    int64 `json:"here"`  // items in the account's collection, whoever put them there
	Alone   int   `json:"alone"` // of them, those that the other server does not list
	Differs []Odd `json:"differs"`
	Changed []Odd `json:"changed"` // that changed over there while this ran, and were not taken as they are now
}

// Odd is an item that is not as it should be. A report names at most maxOdd of a sort; the counts know of all.
type Odd struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

const maxOdd = 200

// Sums counts items. Listed is what the other server lists in the end; Accepted is Created, Already, Replaced and Kept together.
type Sums struct {
	Listed   int `json:"listed"`
	Accepted int `json:"accepted"`
	Created  int `json:"created"`
	Already  int `json:"already"`
	Replaced int `json:"replaced"`
	Kept     int `json:"kept"` // were edited here since they were taken over, and not over there: they stay as they are here
	Mended   int `json:"mended"`
	Refused  int `json:"refused"`
	Fetched  int `json:"fetched"` // whose octets were asked for
	Verified int `json:"verified"`
	Unequal  int `json:"unequal"` // in Differs
	Moving   int `json:"moving"`  // in Changed
}

func (s *Sums) add(o Sums) {
	s.Listed += o.Listed
	s.Accepted += o.Accepted
	s.Created += o.Created
	s.Already += o.Already
	s.Replaced += o.Replaced
	s.Kept += o.Kept
	s.Mended += o.Mended
	s.Refused += o.Refused
	s.Fetched += o.Fetched
	s.Verified += o.Verified
	s.Unequal += o.Unequal
	s.Moving += o.Moving
}

// TakeoverTotals is the whole.
type TakeoverTotals struct {
	Sums
	Collections int    `json:"collections"` // taken, or begun
	Of          int    `json:"of"`          // found, without those that are left
	Octets      int64  `json:"octets"`
	Now         string `json:"now,omitempty"` // which one is at work
	Equal       bool   `json:"equal"`         // each item that was taken is here, octet for octet as it came or as its mending made it
}

// TakeOver copies all address books and calendars of another server into an account. It never writes there. Items keep their names and octets; collections keep
// the last segment of their paths, so that a phone which changes its host and keeps its user name finds them where they were.
// What the account has already stays: a collection of the same name and type is added to, an item with the same UID and other octets is refused, unless Replace says otherwise.
//
// It may be cut short at any moment and run again: what is here unchanged is not asked for again. In the end each item is read back and compared with what came.
//
// Errors: those of [davclient.Client.Discover], NotFound (account), Unavailable, Full. What was committed before an error stays.
func TakeOver(ctx context.Context, s *core.Service, q TakeoverRequest, emit func(TakeoverEvent) error) error {
	t := &takeover{s: s, p: holdfast.Principal{Account: q.Account}, q: q, emit: emit}
	t.homes = homes{s: s, p: t.p, account: q.Account, dry: q.DryRun}
	if _, err := s.Account(ctx, q.Account.String()); err != nil {
		return err
	}
	q.Remote.MaxResource = s.Limits().Resource
	q.Remote.Waiting = func(d time.Duration, why string) {
		_ = emit(TakeoverEvent{Waiting: &Waiting{why, d.Seconds()}}) // an emit that fails is met again soon
	}
	c, err := davclient.New(q.Remote)
	if err != nil {
		return err
	}
	defer c.Close()
	t.client = c
	found, err := c.Discover(ctx)
	if err != nil {
		return err
	}
	if t.notes, err = openNotebook(q); err != nil {
		return err
	}
	defer t.notes.close()
	return t.run(ctx, found)
}

type takeover struct {
	s      *core.Service
	p      holdfast.Principal
	q      TakeoverRequest
	emit   func(TakeoverEvent) error
	client *davclient.Client
	notes  *notebook
	homes  homes
	jobs   []*job
	failed int // collections that could not be made, or not be read
	totals TakeoverTotals
}

// job is one collection on its way.
type job struct {
	remote davclient.Collection
	target *target
	others map[string]*target // for kinds that it does not take
	report TakenCollection
	tags   map[string]string // of the members that were listed last, by name
	taken  map[string]taken  // what became of a member, by its name
	bad    map[string]bool   // those that were refused, so that they count once
	failed bool              // it could not be read to its end
}

// taken is where an item is, and what it should be.
type taken struct {
	collection holdfast.ID
	name       string
	sum        holdfast.Hash
	kept       bool // edited here since
	count      *int // where it was counted
}

func (t *takeover) run(ctx context.Context, found *davclient.Found) error {
	if err := t.plan(ctx, found); err != nil {
		return err
	}
	t.totals.Of = len(t.jobs)
	for _, j := range t.jobs {
		t.totals.Collections++
		t.totals.Now = j.report.Into
		if err := t.fails(ctx, j, t.collection(ctx, j)); err != nil {
			return err
		}
	}
	t.totals.Equal = true
	for i, j := range t.jobs {
		t.totals.Collections, t.totals.Now = i+1, "comparing "+j.report.Into
		if err := t.progress(); err != nil {
			return err
		}
		if err := t.verify(ctx, j); err != nil {
			return err
		}
		t.totals.Equal = t.totals.Equal && j.report.Unequal == 0
		if err := t.emit(TakeoverEvent{Collection: &j.report}); err != nil {
			return err
		}
	}
	t.totals.Now = ""
	t.settle()
	if err := t.notes.compact(); err != nil {
		return err
	}
	return t.emit(TakeoverEvent{Done: &t.totals})
}

// fails takes in what went wrong with a collection. What concerns it alone is reported, and the others are taken over all the same; the rest is returned.
func (t *takeover) fails(ctx context.Context, j *job, err error) error {
	var e *holdfast.Error
	if err == nil || ctx.Err() != nil || !errors.As(err, &e) || e.Op != "davclient" {
		return err
	}
	switch e.Kind {
	case holdfast.NotFound, holdfast.Invalid, holdfast.Corrupt, holdfast.TooLarge:
	case holdfast.Forbidden:
		if e.Rule != "" {
			return err
		}
	default:
		out := *e
		out.Ref, out.Text = j.remote.Path(), e.Text+"; what was taken over stays, run it again to go on"
		return &out
	}
	if j.failed {
		return nil
	}
	j.failed = true
	t.failed++
	precondition, why := whyNot(err, false)
	return t.emit(TakeoverEvent{Refused: &RefusedOne{File: j.remote.Path(), Precondition: precondition, Why: "the collection cannot be read to its end: " + why}})
}

// settle makes the sum of all collections.
func (t *takeover) settle() {
	t.totals.Sums = Sums{Refused: t.failed}
	for _, j := range t.jobs {
		t.totals.add(j.report.Sums)
	}
}

func (t *takeover) note(file, what string) error {
	return t.emit(TakeoverEvent{Note: &Note{file, what}})
}

func (t *takeover) progress() error {
	t.settle()
	p := t.totals
	return t.emit(TakeoverEvent{Progress: &p})
}
