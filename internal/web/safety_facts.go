package web

import (
	"context"
	"time"

	"holdfast"
	"holdfast/internal/auth"
	"holdfast/internal/core"
)

// Proofs tells what drills have proven of one account, and can begin one. Of other accounts it tells nothing.
type Proofs interface {
	// Proven returns the newest proof of an account; a zero time where there is none.
	Proven(account holdfast.ID) (Proof, error)
	// Checks returns up to limit drills that say something of an account, newest first.
	Checks(account holdfast.ID, limit int) ([]Check, error)
	// Check begins a drill of one account and returns once it is noted. Errors: Busy (one runs, or the account had one a short while ago), NotFound (there is no vault to restore from).
	Check(ctx context.Context, account holdfast.ID) error
}

// Proof says that an account was restored from a vault and found equal, up to a change.
type Proof struct {
	At      time.Time
	Vault   string
	Drill   string
	Epoch   uint64
	Seq     uint64
	Chain   holdfast.Hash
	State   holdfast.Hash
	Key     string        // with which the vault was read: "server" or "recovery"; empty: that is not kept any more
	Seconds float64       // how long the drill took; 0: that is not kept any more
	Good    time.Duration // how old a proof may be; an older one is stale
}

// Check is a drill, as far as it concerns one account.
type Check struct {
	Began     time.Time
	Ended     time.Time // zero: it runs
	Vault     string
	Outcome   string // "pass", "fail", "inconclusive", "running"
	Asked     bool   // for this account alone
	Sample    bool   // it tried some accounts, and this may not be among them
	Different bool   // it found this account different, or parts of it missing
}

// ahead is how far a time may lie after now and still be believed: two clocks, or one that is set.
const ahead = time.Minute

// facts are what is known of one account's safety at one moment.
type facts struct {
	Now     time.Time
	Copies  []Copy
	Doubt   bool       // a device, or a vault, knows more of it than this server
	Waits   []waitCard // who waits for that
	Trouble string     // why it could not be read; empty: it was read

	Seq, Batch  uint64 // of its newest change
	Ghosts      int64  // items that are known to be lost
	Returning   int64  // large files that are read from a vault until they are copied back
	First, Last time.Time

	Proof   Proof
	Checks  []Check
	Unread  bool // what is proven could not be read
	Proves  bool // drills are known here at all
	Follows bool // the account's history holds what was proven

	Retention time.Duration // as in Options
	KeyNag    string
	KeyKnown  bool
}

// maxChecks is how many drills are looked at, and shown.
const maxChecks = 30

// facts finds out what is known of who is signed in. What fn reads is of the same moment. Errors are faults of ours; what cannot be read just now is among the facts.
func (s *Server) facts(ctx context.Context, x auth.Session, fn func(*core.Reader) error) (*facts, error) {
	f := &facts{Now: s.Now(), Retention: s.Retention, KeyKnown: s.KeyNag != nil, Proves: s.Proofs != nil}
	if f.KeyKnown {
		f.KeyNag = s.KeyNag()
	}
	if f.Proves {
		var err error
		if f.Proof, err = s.Proofs.Proven(x.Person.ID); err == nil {
			f.Checks, err = s.Proofs.Checks(x.Person.ID, maxChecks)
		}
		if f.Unread = err != nil; f.Unread {
			s.Log.Error("what drills have proven cannot be read", "err", err)
		}
	}
	err := s.Core.Read(ctx, x.Principal(), x.Person.ID, func(rd *core.Reader) error {
		if err := f.read(rd, x.Person.ID); err != nil || fn == nil {
			return err
		}
		return fn(rd)
	})
	waiting, unknown := s.Core.Waiting(ctx, x.Person.ID)
	if unknown != nil {
		return nil, unknown
	}
	f.Waits = s.waits(x.Person.Email, &waiting, f.Now)
	if s.Returning != nil {
		f.Returning, _ = s.Returning(x.Person.ID)
	}
	f.Copies = s.copies() // after the account: what a vault has by now it has all the more
	switch {
	case holdfast.IsKind(err, holdfast.InDoubt):
		f.Doubt = true
	case holdfast.IsKind(err, holdfast.Unavailable), holdfast.IsKind(err, holdfast.Busy), holdfast.IsKind(err, holdfast.Full), holdfast.IsKind(err, holdfast.Fenced):
		f.Trouble = "Your data cannot be read just now; that says nothing of whether they are safe."
	case err != nil:
		return nil, err
	}
	return f, nil
}

// read reads where the account's journal begins and ends, and whether it holds what was proven.
func (f *facts) read(rd *core.Reader, account holdfast.ID) error {
	h := rd.History()
	head, err := h.Head(account)
	if err != nil {
		return err
	}
	f.Seq, f.Batch = head.Seq, head.Batch
	if f.Ghosts, err = rd.Ghosts(); err != nil {
		return err
	}
	at := func(after uint64) (t time.Time, err error) {
		err = h.Changes(account, after, 1, 0, func(c *holdfast.Change) error { t = c.At; return nil })
		return t, err
	}
	if f.First, err = at(0); err == nil && head.Seq > 0 {
		f.Last, err = at(head.Seq - 1)
	}
	if err != nil || f.Proof.At.IsZero() || f.Proof.Seq > head.Seq {
		return err
	}
	then, err := h.Chain(account, f.Proof.Seq)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return nil
	}
	f.Follows = err == nil && then.Chain == f.Proof.Chain
	return err
}

// read tells whether the account could be read.
func (f *facts) readable() bool { return !f.Doubt && f.Trouble == "" }

// future tells of a time that no clock should show yet.
func (f *facts) future(t time.Time) bool { return t.After(f.Now.Add(ahead)) }

// stale tells that a vault has not been seen to have anything for longer than it may be.
func (f *facts) stale(c *Copy) bool {
	return c.Vault != "" && (c.Answered.IsZero() || f.future(c.Answered) || c.Late > 0 && f.Now.Sub(c.Answered) > c.Late)
}

// holds tells that a place is known to hold all that the account has stored, now.
func (f *facts) holds(c *Copy) bool {
	return f.readable() && (c.Vault == "" || c.Counts && !f.stale(c) && c.Batch >= f.Batch)
}

// places counts the places that hold everything, and the failure domains in which they lie.
func (f *facts) places() (n, domains int) {
	seen := map[string]bool{}
	for i := range f.Copies {
		if c := &f.Copies[i]; f.holds(c) {
			n++
			seen[c.Domain] = true
		}
	}
	return n, len(seen)
}

// unverified tells that the octets of a vault should have been read and compared, and were not.
func (f *facts) unverified(c *Copy) bool {
	since := c.Verified
	if since.IsZero() {
		since = c.Added
	}
	return c.Vault != "" && (f.future(since) || c.VerifyWithin > 0 && f.Now.Sub(since) > c.VerifyWithin)
}

// proofStale tells that the last proof is older than it may be.
func (f *facts) proofStale() bool {
	return !f.Proof.At.IsZero() && f.Proof.Good > 0 && f.Now.Sub(f.Proof.At) > f.Proof.Good
}

// proved tells that a proof is there that counts: fresh, not from the future, and of this history.
func (f *facts) proved() bool {
	return f.readable() && !f.Unread && !f.Proof.At.IsZero() && !f.future(f.Proof.At) && !f.proofStale() && f.Follows
}
