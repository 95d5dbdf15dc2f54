package holdfast

import (
	"encoding/json"
	"fmt"
	"time"
)

// CollectionType is what a collection is for; it decides which resources it takes.
type CollectionType string

// The types of collections. Root is an account's own collection: its record, devices and keys; no face shows it.
const (
	TypeRoot        CollectionType = "root"
	TypeHome        CollectionType = "home"        // addressbooks, calendars, files: holds collections
	TypeAddressbook CollectionType = "addressbook" // RFC 6352 section 5.2
	TypeCalendar    CollectionType = "calendar"    // RFC 4791 section 4.2
	TypeFolder      CollectionType = "folder"      // plain WebDAV

	TypeInbox        CollectionType = "inbox"        // RFC 6638 section 2.2: nothing is delivered by now
	TypeOutbox       CollectionType = "outbox"       // RFC 6638 section 2.1: nothing is sent by now
	TypeSubscription CollectionType = "subscription" // a calendar that is somewhere else: its address and looks are properties
	TypeAlbum        CollectionType = "album"        // photos that a person put together: its members are references
)

// Fixed tells whether a collection of this type is a part of its account: it is made with it, and cannot be deleted, moved, copied or replaced.
func (t CollectionType) Fixed() bool {
	return t == TypeRoot || t == TypeHome || t == TypeInbox || t == TypeOutbox
}

// The homes of an account, by their names in its root.
const (
	HomeAddressbooks = "addressbooks"
	HomeCalendars    = "calendars"
	HomeFiles        = "files"
	HomeAlbums       = "albums" // an account gets it with its first album
)

// The names of an account's collections for scheduling, in its home of calendars. No other collection there can have them.
const (
	NameInbox  = "inbox"
	NameOutbox = "outbox"
)

// CollectionRecord is the body of a collection's own entry (the item whose name is ""): where it hangs and what it is. Its display name, colour
// and the like are properties of the same entry.
type CollectionRecord struct {
	Parent     ID             `json:"parent"` // zero for the root
	Name       string         `json:"name"`   // its segment in the path
	Type       CollectionType `json:"type"`
	Components []string       `json:"components,omitempty"` // of a calendar: VEVENT, VTODO, … (RFC 4791 section 5.2.3); none: all
}

// Encode returns the record's canonical JSON.
func (r CollectionRecord) Encode() []byte { return mustJSON(r) }

// DecodeCollection reads what Encode wrote. Unknown fields, of a later version, are ignored.
func DecodeCollection(body []byte) (CollectionRecord, error) {
	var r CollectionRecord
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fmt.Errorf("collection record: %w", err)
	}
	if r.Type == "" || (r.Name == "") != (r.Type == TypeRoot) {
		return r, fmt.Errorf("collection record: name %q does not fit type %q", r.Name, r.Type)
	}
	return r, nil
}

// Collection is a collection as it is at one moment.
type Collection struct {
	CollectionRecord
	ID         ID
	Account    ID
	Gone       bool       // softly deleted: history and members are kept
	Seq        uint64     // the last change in it (its own entry or a member's): CTag and sync token say this
	Chain      Hash       // the account's chain at Seq
	Epoch      uint64     // the epoch in which Seq was committed
	Items      int64      // live members
	Octets     int64      // live members' octets
	Made       time.Time  // when it was first made
	Modified   time.Time  // when its own entry was last written
	Properties Properties // of the collection itself
}

// mustJSON encodes a record; records are plain structs, so that it cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("holdfast: record does not encode: " + err.Error())
	}
	return b
}
