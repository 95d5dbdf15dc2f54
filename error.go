package holdfast

import (
	"errors"
	"strings"
	"time"
)

// ErrorKind says what sort of failure an [Error] is. Every face has one table from ErrorKind to its status codes; every engine answers with the
// same kind for the same cause (S9).
type ErrorKind uint8

// The kinds of failure. The comment is what the caller may conclude.
const (
	Internal           ErrorKind = iota // a fault of ours; nothing is known about the outcome
	NotFound                            // the thing does not exist, now or at that moment
	Exists                              // something else holds that name
	PreconditionFailed                  // a condition of the request does not hold; nothing was changed
	UIDConflict                         // another resource of the collection has this UID; Ref names it
	Quota                               // the account's allowance is used up
	Forbidden                           // the principal may not
	Invalid                             // the input is malformed or breaks a rule; Precondition code in Rule
	TooLarge                            // over a stated limit
	BadToken                            // a sync token that is not ours, or no longer usable
	InDoubt                             // the store may lack what a device has seen: answer 503, never an empty listing
	Unavailable                         // try again later; Retry says when
	Busy                                // another process holds the data directory
	Full                                // the disk is full; reads still work
	Fenced                              // this store lost the right to write
	Corrupt                             // stored octets do not match their hash
	Unauthorized                        // who asks is not known
)

var errorKindText = [...]string{"internal error", "not found", "already exists", "precondition failed", "UID conflict", "quota exceeded",
	"forbidden", "invalid", "too large", "invalid sync token", "in doubt", "unavailable", "busy", "disk full", "fenced", "corrupt", "unauthorized"}

// String returns the kind in words.
func (k ErrorKind) String() string {
	if int(k) < len(errorKindText) {
		return errorKindText[k]
	}
	return "unknown error"
}

// Error is the one error type that crosses package borders.
type Error struct {
	Op    string        // the operation: "store.Commit"
	Kind  ErrorKind     // what sort of failure
	Ref   string        // the thing: a path, a name, a login
	Rule  string        // the RFC's name of the precondition that was violated, where there is one: "no-uid-conflict"
	Text  string        // one sentence for a person: what is wrong and what to do
	Retry time.Duration // when to try again, for Unavailable and InDoubt; 0: the face's default
	Err   error         // the cause, for logs only
}

// Error says operation, thing, kind, sentence and cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Ref != "" {
		b.WriteString(" " + e.Ref)
	}
	b.WriteString(": " + e.Kind.String())
	if e.Text != "" {
		b.WriteString(": " + e.Text)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Cause says to a person what led to the error, without what Text says already; empty where that is all.
func (e *Error) Cause() string {
	var words []string
	for err := e.Err; err != nil; {
		var inner *Error
		if !errors.As(err, &inner) {
			if said := err.Error(); !strings.Contains(e.Text, said) {
				words = append(words, said)
			}
			break
		}
		said := inner.Text
		if said == "" && inner.Err == nil {
			said = inner.Kind.String()
		}
		if said != "" && !strings.Contains(e.Text, said) {
			words = append(words, said)
		}
		err = inner.Err
	}
	return strings.Join(words, ": ")
}

// KindOf returns the kind of the outermost [Error] in err's chain; Internal where there is none.
func KindOf(err error) ErrorKind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// IsKind tells whether err is an [Error] of kind k.
func IsKind(err error, k ErrorKind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == k
}
