package transfer

import (
	"time"

	"holdfast"
)

// ManifestName is the name of the manifest in an export. No collection of an account can have it.
const ManifestName = "manifest.json"

// manifestSchema names the format.
const manifestSchema = "holdfast.manifest/1"

// Manifest says what an export holds. It is its last entry: an export without it is not whole.
type Manifest struct {
	Schema      string               `json:"schema"`
	Account     ManifestAccount      `json:"account"`
	Exported    time.Time            `json:"exported"`
	Epoch       uint64               `json:"epoch"`
	Seq         uint64               `json:"seq"` // the export is the account as it was here
	Chain       holdfast.Hash        `json:"chain"`
	Digest      holdfast.Hash        `json:"digest"`
	Collections []ManifestCollection `json:"collections"`
	Files       []ManifestFile       `json:"files"`
	Lost        []ManifestLost       `json:"lost,omitempty"`   // items that are known to be lost: no file is theirs
	Merged      []ManifestMerged     `json:"merged,omitempty"` // made of the files when they were taken out; they add nothing
}

// ManifestLost is an item of which everything is known but the octets.
type ManifestLost struct {
	Path     string        `json:"path"`
	Kind     string        `json:"kind"`
	SHA256   holdfast.Hash `json:"sha256"`
	Octets   int64         `json:"octets"`
	Modified time.Time     `json:"modified"`
}

// ManifestMerged is a file that holds all items of a collection, for other programs.
type ManifestMerged struct {
	Path   string        `json:"path"`
	Of     string        `json:"of"` // path of the collection
	Items  int           `json:"items"`
	Left   int           `json:"left,omitempty"` // items that could not be read as what they should be
	SHA256 holdfast.Hash `json:"sha256"`
	Octets int64         `json:"octets"`
}

// ManifestAccount says whose it is.
type ManifestAccount struct {
	ID      holdfast.ID `json:"id"`
	Email   string      `json:"email"`
	Created time.Time   `json:"created"`
}

// ManifestCollection is a collection with what is set on it.
type ManifestCollection struct {
	Path       string                  `json:"path"`
	Name       string                  `json:"name,omitempty"` // that people see
	Type       holdfast.CollectionType `json:"type"`
	Components []string                `json:"components,omitempty"`
	Properties []ManifestProperty      `json:"properties,omitempty"`
}

// ManifestProperty is a dead property, with its XML.
type ManifestProperty struct {
	Space string `json:"namespace"`
	Local string `json:"name"`
	XML   string `json:"xml"`
}

// ManifestFile is a resource.
type ManifestFile struct {
	Path        string             `json:"path"`
	SHA256      holdfast.Hash      `json:"sha256"`
	Octets      int64              `json:"octets"`
	ContentType string             `json:"content_type,omitempty"`
	Modified    time.Time          `json:"modified"`
	Properties  []ManifestProperty `json:"properties,omitempty"`
}

func properties(ps holdfast.Properties) []ManifestProperty {
	var out []ManifestProperty
	for _, p := range ps {
		out = append(out, ManifestProperty{p.Space, p.Local, string(p.XML)})
	}
	return out
}
