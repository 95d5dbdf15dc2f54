package davxml

import (
	"errors"
	"fmt"
	"strings"
)

// ErrEmpty is what Parse returns for a body without any octet but white space. A PROPFIND without a body asks for
// allprop (RFC 4918, section 9.1); a MKCOL without one makes a plain collection; a REPORT without one is wrong.
var ErrEmpty = errors.New("the body is empty")

// Kind says what is wrong with an input, and thereby which status answers it.
type Kind uint8

const (
	Malformed       Kind = iota + 1 // not the XML or the header that the standard asks for: 400
	TooLarge                        // a body over one of the Limits: 413
	BadEncoding                     // a character encoding that is not read here: 415
	HeaderTooLarge                  // a header over the bound: 431
	ReadFailed                      // the body could not be read; Unwrap gives the reader's error: 400
	ForbiddenEntity                 // a DOCTYPE: 403 with DAV:no-external-entities (RFC 4918, section 9.1.1, 16)
)

// String gives the kind as a word for logs.
func (k Kind) String() string {
	switch k {
	case Malformed:
		return "malformed"
	case TooLarge:
		return "too large"
	case BadEncoding:
		return "bad encoding"
	case HeaderTooLarge:
		return "header too large"
	case ReadFailed:
		return "read failed"
	case ForbiddenEntity:
		return "forbidden entity"
	}
	return "unknown"
}

// Status gives the HTTP status that answers an error of this kind.
func (k Kind) Status() int {
	switch k {
	case TooLarge:
		return 413
	case BadEncoding:
		return 415
	case HeaderTooLarge:
		return 431
	case ForbiddenEntity:
		return 403
	}
	return 400
}

// Error is what every function of this package that reads a client's input returns when it refuses it.
type Error struct {
	Kind   Kind
	Msg    string // one sentence for the client, without line or full stop
	Line   int    // line of the body, from 1; 0 where there is none (headers)
	Offset int64  // octet of the body as UTF-8, from 0; of the header's value for headers
	Err    error  // the cause, where there is one
}

// Error gives the sentence with its place.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Msg
	}
	return fmt.Sprintf("line %d, octet %d: %s", e.Line, e.Offset, e.Msg)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// errorAt places an error in a source text. It is called at most once for a body, so counting lines here is cheap.
func errorAt(kind Kind, src string, off int, format string, args ...any) *Error {
	off = min(off, len(src))
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...), Line: 1 + strings.Count(src[:off], "\n"), Offset: int64(off)}
}

// short cuts a client's text so that it can stand in a message.
func short(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}

// IsTooLarge reports whether the error says that a body or header is over its bound, so that a caller that answers
// 413 may also close the connection instead of reading the rest.
func IsTooLarge(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Kind == TooLarge || e.Kind == HeaderTooLarge)
}
