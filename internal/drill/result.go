package drill

import (
	"fmt"
	"math"
	"time"

	"holdfast"
)

// Outcome is what came of a drill.
type Outcome string

// The outcomes. Running is what a book says of a drill that has not ended, and of one whose process did.
const (
	Pass         Outcome = "pass"
	Fail         Outcome = "fail"
	Inconclusive Outcome = "inconclusive"
	Running      Outcome = "running"
)

// The keys with which a vault is read.
const (
	ServerKey   = "server"
	RecoveryKey = "recovery"
)

// Result tells what a drill did. It is the object `drill` of the command line.
type Result struct {
	ID       string    `json:"id"`
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended"`
	Result   Outcome   `json:"result"`
	Vault    string    `json:"vault"`
	Account  string    `json:"account,omitempty"` // the one that was asked for: such a drill says nothing of the others, and stands for none of the vault's own
	At       time.Time `json:"at"`                // as of when: everything that the vault had confirmed by then had to be there
	Batch    uint64    `json:"batch"`             // the same as a position in the store's stream
	KeyUsed  string    `json:"key_used"`
	Accounts int       `json:"accounts"` // that were compared
	Changes  Changes   `json:"changes"`
	Blobs    Blobs     `json:"blobs"`
	Digests  Digests   `json:"digests"`
	Reasons  []string  `json:"reasons"` // why it is not a pass; the first of them
	Sample   Sample    `json:"sample"`
	Seconds  float64   `json:"duration_s"`
	Rate     float64   `json:"changes_per_s"`

	only     map[holdfast.ID]bool // the accounts that were chosen; nil: all
	suspect  map[holdfast.ID]bool // those of which something is missing or different
	nameless bool                 // something is wrong, and whose it is nobody can say
}

// Changes counts what had to come and what came.
type Changes struct {
	Expected int64 `json:"expected"`
	Restored int64 `json:"restored"`
}

// Blobs counts octets that were hashed again, in what the vault gives back and in the living store: those of bodies and of large files. Pruned are those that retention let go of.
type Blobs struct {
	Rehashed int64 `json:"rehashed"`
	Octets   int64 `json:"octets"`
	Files    int64 `json:"files,omitempty"` // large ones, whose octets lie beside their changes: the vault must have all of them
	Read     int64 `json:"read,omitempty"`  // of those, whose octets were hashed again: the others have their turn in other drills

	Parts int64 `json:"parts,omitempty"` // in how many drills all large files are read, by their hash; 0: not said
	Part  int64 `json:"part,omitempty"`  // which part of them this one read

	Returning int64 `json:"returning,omitempty"` // likewise, that the living store lacked as it was just restored, and brings back
	Ghosts    int64 `json:"ghosts,omitempty"`    // items without octets on both sides: they were lost before
	Pruned    int64 `json:"pruned,omitempty"`
}

// Covers tells whether the octets of a file were hashed again, whatever its size, by a drill that passed: of large files those in its part are.
func (b *Blobs) Covers(h holdfast.Hash) bool {
	return b.Parts > 0 && partOf(h, b.Parts) == b.Part
}

// rehashedFile counts a large file that was hashed again on one side.
func (b *Blobs) rehashed(octets int64) { b.Rehashed, b.Octets = b.Rehashed+1, b.Octets+octets }

// Digests tells which accounts are equal.
type Digests struct {
	Equal     int      `json:"equal"`
	Different []string `json:"different"` // ids of accounts; the first of them
}

// Sample tells how many of a store's accounts were chosen.
type Sample struct {
	Of     int  `json:"of"`     // accounts that the store had
	Random int  `json:"random"` // of those chosen, how many were drawn by lot, the others having waited longest
	Whole  bool `json:"whole"`  // all were
	// AtMost bounds, with a confidence of 95 %, the share of accounts that would not pass, if all that were drawn did: 0 where all were tried, 1 where none was.
	AtMost float64 `json:"at_most"`
}

// confidence fills in AtMost: if more than that share of accounts were bad, so many drawn by lot would show none with a probability of less than 5 %.
func (s *Sample) confidence() {
	switch {
	case s.Whole:
		s.AtMost = 0
	case s.Random == 0:
		s.AtMost = 1
	default:
		s.AtMost = 1 - math.Pow(0.05, 1/float64(s.Random))
	}
}

// String says what the sample shows, for people.
func (s Sample) String() string {
	if s.Whole {
		return fmt.Sprintf("all %d accounts", s.Of)
	}
	if s.Random == 0 {
		return fmt.Sprintf("chosen of %d accounts; it says nothing of the others", s.Of)
	}
	return fmt.Sprintf("of %d accounts, %d drawn by lot: with 95 %% confidence at most %.1f %% of all would not pass", s.Of, s.Random, 100*s.AtMost)
}

// Proof is what a passed drill proves of one account.
type Proof struct {
	Account holdfast.ID
	Epoch   uint64
	Seq     uint64
	Chain   holdfast.Hash
	State   holdfast.Hash
}

// Bounds of what a result names.
const (
	maxReasons   = 50
	maxDifferent = 100
)

// failed notes why it cannot pass.
func (r *Result) failed(format string, args ...any) { r.Result = Fail; r.because(format, args...) }

// unsure notes why nothing is proven, unless it failed already.
func (r *Result) unsure(format string, args ...any) {
	if r.Result != Fail {
		r.Result = Inconclusive
	}
	r.because(format, args...)
}

func (r *Result) because(format string, args ...any) {
	switch n := len(r.Reasons); {
	case n < maxReasons:
		r.Reasons = append(r.Reasons, fmt.Sprintf(format, args...))
	case n == maxReasons:
		r.Reasons = append(r.Reasons, "and more")
	}
}

func (r *Result) suspects(id holdfast.ID) {
	if r.suspect == nil {
		r.suspect = map[holdfast.ID]bool{}
	}
	r.suspect[id] = true
}

func (r *Result) different(id holdfast.ID) {
	r.suspects(id)
	if len(r.Digests.Different) < maxDifferent {
		r.Digests.Different = append(r.Digests.Different, id.String())
	}
}
