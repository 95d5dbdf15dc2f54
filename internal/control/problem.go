package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"holdfast"
)

// Problem is an error on its way from the handler to the client.
type Problem struct {
	Op    string        `json:"op"`
	Kind  string        `json:"kind"`
	Ref   string        `json:"ref,omitempty"`
	Rule  string        `json:"rule,omitempty"`
	Text  string        `json:"text,omitempty"`
	Cause string        `json:"cause,omitempty"` // whoever may open the socket owns the data: nothing is hidden
	Retry time.Duration `json:"retry,omitempty"`
}

// problemOf describes any error.
func problemOf(err error) *Problem {
	var e *holdfast.Error
	if !errors.As(err, &e) {
		e = &holdfast.Error{Op: "control", Kind: holdfast.Internal, Err: err}
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			e.Kind, e.Text = holdfast.Unavailable, "the work was interrupted; run it again"
		}
	}
	p := &Problem{Op: e.Op, Kind: e.Kind.String(), Ref: e.Ref, Rule: e.Rule, Text: e.Text, Retry: e.Retry}
	p.Cause = e.Cause()
	return p
}

// Err returns the problem as the error that it was.
func (p *Problem) Err() error {
	e := &holdfast.Error{Op: p.Op, Kind: kindOf(p.Kind), Ref: p.Ref, Rule: p.Rule, Text: p.Text, Retry: p.Retry}
	if p.Cause != "" {
		e.Err = errors.New(p.Cause)
	}
	return e
}

// kindOf finds a kind by its words; what is not known is Internal.
func kindOf(words string) holdfast.ErrorKind {
	for k := holdfast.Internal; k <= holdfast.Unauthorized; k++ {
		if k.String() == words {
			return k
		}
	}
	return holdfast.Internal
}

// status is the one table from kinds to status codes. The client goes by the kind; the code is for those who look with other tools.
var status = map[holdfast.ErrorKind]int{
	holdfast.NotFound: 404, holdfast.Exists: 409, holdfast.PreconditionFailed: 412, holdfast.UIDConflict: 409, holdfast.Quota: 507,
	holdfast.Forbidden: 403, holdfast.Invalid: 400, holdfast.TooLarge: 413, holdfast.BadToken: 403, holdfast.InDoubt: 503,
	holdfast.Unavailable: 503, holdfast.Busy: 503, holdfast.Full: 507, holdfast.Fenced: 503, holdfast.Corrupt: 500, holdfast.Unauthorized: 401,
}

func writeProblem(w http.ResponseWriter, err error) {
	code, ok := status[holdfast.KindOf(err)]
	if !ok {
		code = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(problemOf(err)) // the reader is gone: nothing is left to tell it
}
