package holdfast

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// RecordEpochPrefix begins the names of the records of epochs in an account's root collection; see EpochName.
const RecordEpochPrefix = "epoch-"

// EpochName is the name of the record that begins an epoch.
func EpochName(epoch uint64) string { return RecordEpochPrefix + strconv.FormatUint(epoch, 10) }

// EpochRecord is the body of the entry [EpochName] in an account's root collection: from this change on the account's history is another incarnation. A
// restore begins one, and so does whoever settles that two stores went different ways; a repair never does. The first epoch, 1, has no record.
type EpochRecord struct {
	Epoch  uint64 `json:"epoch"`  // the one that begins
	Parent uint64 `json:"parent"` // the one that it goes on from
	Fork   uint64 `json:"fork"`   // the last seq that both have
	Hash   Hash   `json:"hash"`   // the chain there
	Nonce  ID     `json:"nonce"`  // two restores from one vault begin two epochs
	Why    string `json:"why"`    // for people: "restored from attic as of 2026-11-26T10:00:00Z"

	// AsOf is the moment that a restore went back to: what was changed later was left out on purpose. Zero: nothing was.
	AsOf time.Time `json:"as_of,omitzero"`
}

// Encode returns the record's canonical JSON.
func (r EpochRecord) Encode() []byte { return mustJSON(r) }

// DecodeEpoch reads what Encode wrote.
func DecodeEpoch(body []byte) (EpochRecord, error) {
	var r EpochRecord
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fmt.Errorf("epoch record: %w", err)
	}
	if r.Epoch < 2 || r.Parent == 0 || r.Parent >= r.Epoch || r.Nonce.IsZero() {
		return r, errors.New("epoch record: it does not follow its parent")
	}
	return r, nil
}
