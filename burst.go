package holdfast

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// RecordBurstPrefix begins the names of the records of bursts in an account's root collection; see BurstName.
const RecordBurstPrefix = "burst-"

// BurstName is the name of the record of a burst.
func BurstName(id ID) string { return RecordBurstPrefix + id.String() }

// BurstRecord is the body of the entry [BurstName] in an account's root collection: one device deleted or overwrote so much in so short a time that its owner is told, and can undo it in one step. It is written
// once, when that was noticed. What the device did is in the journal: the burst is every deletion and overwriting by that device from First on, until it was quiet for Window.
type BurstRecord struct {
	ID      ID            `json:"id"`
	Account ID            `json:"account"` // that the device belongs to: the owner, or a guest
	Device  ID            `json:"device"`
	First   uint64        `json:"first"` // the first change of it
	Began   time.Time     `json:"began"`
	Window  time.Duration `json:"window"` // nanoseconds
	// Reset tells that the device had listed a collection anew, as one does that was reset, before it deleted there.
	Reset bool `json:"reset,omitempty"`

	// What it had come to when it was noticed.
	At          time.Time `json:"at"`
	Deleted     int       `json:"deleted"`
	Overwritten int       `json:"overwritten"`
	Collection  ID        `json:"collection"` // in which it was noticed
}

// Encode returns the record's canonical JSON.
func (r BurstRecord) Encode() []byte { return mustJSON(r) }

// DecodeBurst reads what Encode wrote.
func DecodeBurst(body []byte) (BurstRecord, error) {
	var r BurstRecord
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fmt.Errorf("burst record: %w", err)
	}
	if r.ID.IsZero() || r.Device.IsZero() || r.First == 0 || r.Window <= 0 {
		return r, errors.New("burst record: it does not say which changes it is")
	}
	return r, nil
}
