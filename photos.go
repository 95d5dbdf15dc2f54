package holdfast

import (
	"encoding/json"
	"fmt"
)

// What people decide of their photos lies in properties and resources of their own, and is restored and rewound as those are.
const (
	// SpaceHoldfast and PropPhotos name the property of a folder that says whether its files are photos, and those of the folders below: "1" or "0". What a folder says itself goes before what is said above it.
	SpaceHoldfast = "urn:holdfast"
	PropPhotos    = "photos"
	// SpaceOwnCloud and PropFavorite name the property of a file that is a favourite: "1". Clients of Nextcloud set it.
	SpaceOwnCloud = "http://owncloud.org/ns"
	PropFavorite  = "favorite"
)

// MarkXML is a property whose value is "1" or "0".
func MarkXML(space, local string, set bool) []byte {
	v := "0"
	if set {
		v = "1"
	}
	return []byte(`<` + local + ` xmlns="` + space + `">` + v + `</` + local + `>`)
}

// Reference is the body of a member of an album: a photo, by its content. Where it lay when it was taken up tells copies apart, and finds it again after an edit.
type Reference struct {
	Hash       Hash   `json:"sha256"`
	Collection ID     `json:"collection"`
	Name       string `json:"name"`
}

// Encode returns the record's canonical JSON.
func (r Reference) Encode() []byte { return mustJSON(r) }

// DecodeReference reads what Encode wrote.
func DecodeReference(body []byte) (Reference, error) {
	var r Reference
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fmt.Errorf("reference: %w", err)
	}
	if r.Hash.IsZero() || r.Collection.IsZero() || r.Name == "" {
		return r, fmt.Errorf("reference: hash, collection or name is missing")
	}
	return r, nil
}
