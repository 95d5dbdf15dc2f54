package holdfast

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Right is what a guest may do in a collection that is shared with him, and in all that lies below it.
type Right string

// The rights of guests. Neither lets them share on, nor change or delete the collection itself.
const (
	RightRead  Right = "read"  // see the collection and its members
	RightWrite Right = "write" // and add, change and delete members
)

// Valid tells whether the right is one of those that can be given.
func (r Right) Valid() bool { return r == RightRead || r == RightWrite }

// Names of the records of sharing in root collections.
const (
	RecordSharePrefix   = "share-"   // in the owner's root; see ShareName
	RecordBindingPrefix = "binding-" // in the guest's root; see BindingName
)

// ShareName is the name of the record that lets a guest into a collection, in its owner's root.
func ShareName(collection, guest ID) string {
	return RecordSharePrefix + collection.String() + "-" + guest.String()
}

// BindingName is the name of the record that hangs another's collection into a guest's home, in the guest's root.
func BindingName(collection ID) string { return RecordBindingPrefix + collection.String() }

// ShareRecord is the body of the entry [ShareName] in an owner's root: the right that a guest has in one collection and in what lies below it. It alone decides. It is a
// credential: never rewound.
type ShareRecord struct {
	Collection ID        `json:"collection"`
	Guest      ID        `json:"guest"` // an account
	Rights     Right     `json:"rights"`
	Created    time.Time `json:"created"`
}

// Encode returns the record's canonical JSON.
func (r ShareRecord) Encode() []byte { return mustJSON(r) }

// DecodeShare reads what Encode wrote.
func DecodeShare(body []byte) (ShareRecord, error) {
	var r ShareRecord
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fmt.Errorf("share record: %w", err)
	}
	if r.Collection.IsZero() || r.Guest.IsZero() || !r.Rights.Valid() {
		return r, errors.New("share record: collection, guest or rights are missing")
	}
	return r, nil
}

// BindingRecord is the body of the entry [BindingName] in a guest's root: where another's collection hangs in the guest's tree. It gives no right. What the guest
// calls the collection, its colour and the like are properties of the same entry.
type BindingRecord struct {
	Owner      ID        `json:"owner"` // an account
	Collection ID        `json:"collection"`
	Home       string    `json:"home"` // HomeAddressbooks, HomeCalendars or HomeFiles
	Name       string    `json:"name"` // its segment in the path
	Created    time.Time `json:"created"`
}

// Encode returns the record's canonical JSON.
func (r BindingRecord) Encode() []byte { return mustJSON(r) }

// DecodeBinding reads what Encode wrote.
func DecodeBinding(body []byte) (BindingRecord, error) {
	var r BindingRecord
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fmt.Errorf("binding record: %w", err)
	}
	if r.Owner.IsZero() || r.Collection.IsZero() || r.Home == "" || CheckName(r.Name) != nil {
		return r, errors.New("binding record: owner, collection, home or name are missing")
	}
	return r, nil
}
