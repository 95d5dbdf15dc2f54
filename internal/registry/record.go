package registry

import (
	"encoding/json"
	"time"

	"holdfast"
	"holdfast/internal/seal"
)

// Record is what a vault keeps, encrypted for the recovery keys and the server, of the store that writes into it: a store that is restored from the vault goes on with it. It says
// nothing that changes by itself, so that an equal one is not written again.
type Record struct {
	Format    int         `json:"format"`
	Store     holdfast.ID `json:"store"`
	Ack       string      `json:"ack"`        // policy.ack
	OnFailure string      `json:"on_failure"` // policy.on_failure
	Vaults    []Entry     `json:"vaults"`     // with their credentials
	// Recovery are the recovery keys, by their public halves.
	Recovery []RecordKey `json:"recovery"`
	// Signer is who signs for the store, and Certificates what the recovery keys say of it. They count like those of a term: a recovery key that was made after the newest term is found here alone.
	Signer       seal.PublicKey     `json:"signer"`
	Certificates []seal.Certificate `json:"certificates"`
	// Keys are the server's own keys: a restored store goes on with them, so that nothing in a vault must be wrapped anew for it. Whoever reads the record has a key that opens everything already.
	Keys json.RawMessage `json:"keys"`
}

// RecordKey is a recovery key in a record.
type RecordKey struct {
	Recipient string    `json:"recipient"`
	Made      time.Time `json:"made"`
}

// RecordFormat is the version of records that is written.
const RecordFormat = 1

// RecordOf describes a store.
func RecordOf(store holdfast.ID, ack, onFailure string, r *Registry, ring *seal.Ring) Record {
	out := Record{Format: RecordFormat, Store: store, Ack: ack, OnFailure: onFailure, Vaults: r.Vaults, Signer: ring.Signer.Public(), Certificates: ring.Certificates(), Keys: ring.Encode()}
	for _, h := range ring.Recovery() {
		out.Recovery = append(out.Recovery, RecordKey{h.Recipient.String(), h.Made.UTC()})
	}
	return out
}

// Registry returns the list of vaults that the record says, for a restored store.
func (r *Record) Registry() *Registry { return &Registry{Format: format, Vaults: r.Vaults} }
