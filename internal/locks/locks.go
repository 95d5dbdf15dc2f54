package locks

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast"
)

// Bounds of one account's locks, and of one lock.
const (
	MaxLocks   = 1000
	MaxOwner   = 4 << 10          // octets of what a client says of who it is
	maxOctets  = 1 << 20          // of an account's file
	maxOfGuest = MaxLocks / 10    // that one guest holds in another's account
	MaxTimeout = time.Hour        // a client that is still there asks again; one that crashed holds up others for no longer
	maxWait    = 20 * time.Second // of a lock for writes that are under way
)

// Lock is one lock.
type Lock struct {
	Token      string        `json:"token"`
	Root       []string      `json:"root"`                 // the names of the path, below the home of files
	Collection bool          `json:"collection,omitempty"` // whether the root is one
	Deep       bool          `json:"deep,omitempty"`       // Depth: infinity
	Shared     bool          `json:"shared,omitempty"`
	Owner      string        `json:"owner,omitempty"` // the DAV:owner element that the client sent, verbatim
	By         holdfast.ID   `json:"by,omitzero"`     // the account whose client it is; zero: the one in whose tree the lock is
	Timeout    time.Duration `json:"timeout"`
	Until      time.Time     `json:"until"`
}

// covers tells whether the lock is on a path, by itself or from above.
func (l *Lock) covers(path []string) bool {
	return len(path) == len(l.Root) && slices.Equal(path, l.Root) || l.Deep && within(path, l.Root)
}

// within tells whether a path is that of a collection, or below it.
func within(path, top []string) bool {
	return len(path) >= len(top) && slices.Equal(path[:len(top)], top)
}

// Keys are what a client shows to get past locks. A token is good for a lock of the client's own account alone (RFC 4918 section 6.4): others may have read it.
type Keys struct {
	Who    holdfast.ID // the account
	Tokens []string
}

// open tells whether they open a lock.
func (k *Keys) open(l *Lock) bool { return k.Who == l.By && slices.Contains(k.Tokens, l.Token) }

// Touch is what a write changes: a path, or everything below it too. Who adds a member to a collection, or takes one away, touches the collection.
type Touch struct {
	Path []string
	Deep bool
}

// meets tells whether a lock stands in the way of a write.
func (t *Touch) meets(l *Lock) bool {
	return l.covers(t.Path) || t.Deep && within(l.Root, t.Path)
}

// Held is the error of a write that shows no token of a lock on what it touches, or of a lock that another one stands in the way of. Locks are those, of one account.
type Held struct {
	Account holdfast.ID
	Locks   []Lock
}

// Error implements error.
func (h *Held) Error() string {
	return fmt.Sprintf("%s is locked until %s", "/"+strings.Join(h.Locks[0].Root, "/"), h.Locks[0].Until.UTC().Format("15:04:05 UTC"))
}

// opposed returns the locks whose token a write would have to show and does not. On a resource with several locks, which are shared then, the token of one is enough.
func opposed(all []Lock, touched []Touch, keys *Keys) (out []Lock) {
	for i := range touched {
		for j := range all {
			l := &all[j]
			if touched[i].meets(l) && !touched[i].allowed(l, all, keys) && !slices.ContainsFunc(out, func(o Lock) bool { return o.Token == l.Token }) {
				out = append(out, *l)
			}
		}
	}
	return out
}

// allowed tells whether a token is shown of a lock, or of a shared one that is on all of what a shared lock and the write have in common.
func (t *Touch) allowed(l *Lock, all []Lock, keys *Keys) bool {
	if keys.open(l) || !l.Shared {
		return keys.open(l)
	}
	top := l.Root
	if l.covers(t.Path) {
		top = t.Path
	}
	return slices.ContainsFunc(all, func(s Lock) bool {
		return s.covers(top) && (s.Deep || !l.Deep || !t.Deep) && keys.open(&s)
	})
}

// conflicts returns the locks that stand in the way of a new one (RFC 4918 section 6.2): any of an exclusive one, exclusive ones of a shared one.
func conflicts(all []Lock, want *Lock) (out []Lock) {
	t := Touch{want.Root, want.Deep}
	for i := range all {
		if l := &all[i]; t.meets(l) && !(l.Shared && want.Shared) {
			out = append(out, *l)
		}
	}
	return out
}

func fail(kind holdfast.ErrorKind, ref, text string) error {
	return &holdfast.Error{Op: "locks", Kind: kind, Ref: ref, Text: text}
}
