package holdfast

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// RecordReversalPrefix begins the names of the records of reversals in an account's root collection; see ReversalName.
const RecordReversalPrefix = "reversal-"

// ReversalName is the name of the record of a reversal.
func ReversalName(id ID) string { return RecordReversalPrefix + id.String() }

// The reversals.
const (
	Undo   = "undo"   // of a group of changes, or of an earlier reversal
	Rewind = "rewind" // to the state after an earlier change
)

// ReversalRecord is the body of the entry [ReversalName] in an account's root collection: changes that put items back as they were. A version of it is the first entry of each group of the reversal,
// so that its versions name the groups: what belongs to a reversal is known however it ended.
type ReversalRecord struct {
	ID   ID     `json:"id"`
	What string `json:"what"` // Undo or Rewind
	// Seq is, of a rewind, the change whose state was asked for; of an undo, the last one that was undone.
	Seq        uint64    `json:"seq"`
	Of         ID        `json:"of,omitzero"`         // the reversal that was undone
	Burst      ID        `json:"burst,omitzero"`      // the burst that was undone
	To         time.Time `json:"to,omitzero"`         // the moment that a rewind was asked to go to
	Collection ID        `json:"collection,omitzero"` // that a rewind was limited to
	Began      time.Time `json:"began"`

	// What was done up to this version of the record.
	Added       int `json:"added"`       // items that are there again
	Changed     int `json:"changed"`     // items that have earlier octets or properties again
	Removed     int `json:"removed"`     // items that are gone again
	Collections int `json:"collections"` // that came back, went, or are called as they were
	// Done tells that all of it was done but for what had to be left. Without it the reversal was cut short.
	Done bool `json:"done"`
}

// Encode returns the record's canonical JSON.
func (r ReversalRecord) Encode() []byte { return mustJSON(r) }

// DecodeReversal reads what Encode wrote.
func DecodeReversal(body []byte) (ReversalRecord, error) {
	var r ReversalRecord
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fmt.Errorf("reversal record: %w", err)
	}
	if r.ID.IsZero() || r.What == "" {
		return r, errors.New("reversal record: it does not say which it is")
	}
	return r, nil
}
