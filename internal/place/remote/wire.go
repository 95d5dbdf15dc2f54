package remote

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"holdfast"
)

// Where the server answers, and the headers that tell when an object was made, and of what kind an error is where there is no body.
const (
	Root       = "/vault/v1/"
	Objects    = "/vault/v1/objects/"
	List       = "/vault/v1/objects"
	Prune      = "/vault/v1/prune"
	MadeHeader = "Holdfast-Made"

	ProblemHeader = "Holdfast-Problem"
)

// The bounds of one page of a listing: objects, octets of an object that stands in it, and octets of all of them.
const (
	PageObjects = 1000
	PageObject  = 64 << 10
	PageOctets  = 2 << 20
)

// Server is what a server says of itself.
type Server struct {
	Schema   string        `json:"schema"` // holdfast.vault-server/1
	Now      time.Time     `json:"now"`    // its own time
	Vault    holdfast.ID   `json:"vault"`  // zero: the place is empty
	Term     uint64        `json:"term"`
	Batch    uint64        `json:"batch"` // how far the stream has come
	Hash     holdfast.Hash `json:"hash"`
	Objects  int64         `json:"objects"`
	Octets   int64         `json:"octets"`
	Scrubbed *time.Time    `json:"last_scrub"`
	Damaged  []string      `json:"damaged"`
}

// ServerSchema is the value of Server.Schema.
const ServerSchema = "holdfast.vault-server/1"

// Object is one object of a page.
type Object struct {
	Name string    `json:"name"`
	Size int64     `json:"size"`
	Made time.Time `json:"made"`
	// Octets are the object's, where contents were asked for and it is small.
	Octets []byte `json:"octets,omitempty"`
}

// Page is a part of a listing.
type Page struct {
	Schema  string   `json:"schema"` // holdfast.vault-page/1: an answer that does not say so, such as another service's, is no empty vault
	Objects []Object `json:"objects"`
	More    bool     `json:"more"` // there are others behind the last one
}

// PageSchema is the value of Page.Schema.
const PageSchema = "holdfast.vault-page/1"

// Stored is what the server keeps of what it was sent.
type Stored struct {
	Name   string        `json:"name"`
	SHA256 holdfast.Hash `json:"sha256"` // of what was sent
	End    int64         `json:"end"`    // where the object ends now
}

// Pruned is what the server let go of, or would.
type Pruned struct {
	Schema  string   `json:"schema,omitempty"` // holdfast.vault-pruned/1, on the wire
	Objects []string `json:"objects"`          // the first thousand of them
	Count   int64    `json:"count"`
	Octets  int64    `json:"octets"`
	DryRun  bool     `json:"dry_run"`
}

// PrunedSchema is the value of Pruned.Schema.
const PrunedSchema = "holdfast.vault-pruned/1"

// Problem is an error on the wire.
type Problem struct {
	Kind string `json:"kind"` // of a holdfast.Error, in words
	Ref  string `json:"ref,omitempty"`
	Text string `json:"text,omitempty"`
}

// kinds are those that pass the wire, and their status codes.
var kinds = map[holdfast.ErrorKind]int{
	holdfast.NotFound: http.StatusNotFound, holdfast.Exists: http.StatusConflict, holdfast.PreconditionFailed: http.StatusPreconditionFailed, holdfast.Forbidden: http.StatusForbidden,
	holdfast.Invalid: http.StatusBadRequest, holdfast.TooLarge: http.StatusRequestEntityTooLarge, holdfast.Unavailable: http.StatusServiceUnavailable, holdfast.Busy: http.StatusServiceUnavailable,
	holdfast.Full: http.StatusInsufficientStorage, holdfast.Fenced: http.StatusLocked, holdfast.Corrupt: http.StatusInternalServerError, holdfast.Unauthorized: http.StatusUnauthorized,
}

// StatusOf returns the status code of a kind; 500 for what does not pass the wire.
func StatusOf(k holdfast.ErrorKind) int {
	if code, ok := kinds[k]; ok {
		return code
	}
	return http.StatusInternalServerError
}

// kindOf reads a kind in words; ok is false for what does not pass the wire.
func kindOf(text string) (holdfast.ErrorKind, bool) {
	for k := range kinds {
		if k.String() == text {
			return k, true
		}
	}
	return holdfast.Internal, false
}

// Digest writes a hash as a Content-Digest (RFC 9530).
func Digest(sum [sha256.Size]byte) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// ParseDigest reads the SHA-256 of a Content-Digest.
func ParseDigest(text string) (sum holdfast.Hash, ok bool) {
	for item := range strings.SplitSeq(text, ",") {
		value, found := strings.CutPrefix(strings.TrimSpace(item), "sha-256=:")
		if !found || !strings.HasSuffix(value, ":") {
			continue
		}
		b, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(value, ":"))
		if err != nil || len(b) != len(sum) {
			return sum, false
		}
		copy(sum[:], b)
		return sum, true
	}
	return sum, false
}
