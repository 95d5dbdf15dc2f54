package dav

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/refused"
)

// Refused keeps what devices sent and were refused: some of them drop the edit then. Neither call may wait.
type Refused interface {
	Keep(refused.Put)
	// Acknowledged says that a device stored octets after all.
	Acknowledged(who holdfast.Principal, body holdfast.Hash)
}

// nobody keeps nothing.
type nobody struct{}

func (nobody) Keep(refused.Put) {}

func (nobody) Acknowledged(holdfast.Principal, holdfast.Hash) {}

// unread is how much of a body is read that was refused before anybody read it. net/http reads as much of one before it answers, so no answer comes later for it.
const unread = 256 << 10

// keepRefused keeps the body of a PUT whose answer may have the device drop it. On 401, 500 and 503 devices send again, and nothing is kept; nor is a chunk, which is nobody's edit.
func (q *request) keepRefused(a answer) {
	if q.r.Method != http.MethodPut || q.path.Area == areaUploads || q.p.Device.IsZero() || !q.dropped(a.status) {
		return
	}
	if q.sent == nil && !q.opened && q.r.ContentLength > 0 && q.r.ContentLength <= unread && q.r.Header.Get("Expect") == "" {
		_, _ = q.octets(unread) // a body that does not come whole is nobody's edit
	}
	if len(q.sent) == 0 {
		return
	}
	q.h.o.Refused.Keep(refused.Put{Account: q.p.Account, Device: q.p.Device, Path: strings.Join(slices.Concat([]string{q.path.Area}, q.path.Names), "/"),
		ContentType: mediaTypeSent(q.r.Header.Get("Content-Type")), IfMatch: q.r.Header.Get("If-Match"), Status: a.status, Why: cmp.Or(a.text, sentence(a.status)), Body: q.sent})
}

// dropped tells whether a device may drop its edit after an answer. 404 and 410 are those that have it upload a changed item as a new one; where it says of nothing that it
// was there before, it has nothing else to do than to send it again.
func (q *request) dropped(status int) bool {
	switch status {
	case http.StatusPreconditionFailed, http.StatusForbidden, http.StatusInsufficientStorage, http.StatusRequestEntityTooLarge:
		return true
	case http.StatusNotFound, http.StatusGone:
		return q.r.Header.Get("If-Match") != ""
	}
	return false
}

// prefix holds the octets of a small file while it is read; of a large one nothing is kept if it is refused.
type prefix struct {
	b    []byte
	over bool
}

func (x *prefix) add(p []byte) {
	if x.over = x.over || len(x.b)+len(p) > core.MaxInline; x.over {
		x.b = nil
		return
	}
	x.b = append(x.b, p...)
}

// octets are all that came, if that is little enough.
func (x *prefix) octets() []byte { return x.b }
