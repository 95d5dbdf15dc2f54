package control

import (
	"context"
	"net/http"
)

// line is one line of the answer to work that takes a while: something that happened on the way, or how it ended.
type line[E, D any] struct {
	Event *E       `json:"event,omitempty"`
	Done  *D       `json:"done,omitempty"`
	Error *Problem `json:"error,omitempty"`
}

// tellLines answers with what happens as it happens, and with how it ended.
func tellLines[E, D any](w http.ResponseWriter, work func(tell func(E)) (D, error)) {
	out := newLines(w)
	done, err := work(func(e E) { _ = out.write(line[E, D]{Event: &e}) })
	last := line[E, D]{Done: &done}
	if err != nil {
		last = line[E, D]{Error: problemOf(err)}
	}
	_ = out.write(last)
}

// hearLines asks for such work, and calls fn with what happens.
func hearLines[E, D any](ctx context.Context, c *Client, path string, in any, fn func(E)) (done D, err error) {
	ended := false
	err = stream(ctx, c, path, in, func(l *line[E, D]) error {
		switch {
		case l.Error != nil:
			return l.Error.Err()
		case l.Event != nil:
			fn(*l.Event)
		case l.Done != nil:
			done, ended = *l.Done, true
		}
		return nil
	})
	if err == nil && !ended {
		err = errAborted
	}
	return done, err
}
