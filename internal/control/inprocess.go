package control

import (
	"errors"
	"io"
	"net/http"
)

// errAborted is what a reader gets when the handler gave up in the middle of its answer.
var errAborted = errors.New("the answer broke off")

// InProcess returns a client that speaks to a handler of this very process, as if over a connection: bodies stream both ways, and the request's context
// ends the handler.
func InProcess(h http.Handler) *Client {
	return &Client{http: &http.Client{Transport: inProcess{h}}}
}

type inProcess struct{ h http.Handler }

// RoundTrip runs the handler beside the caller and returns as soon as the handler's answer begins.
func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	r := req.Clone(req.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	body, out := io.Pipe()
	w := &pipeWriter{header: http.Header{}, out: out, began: make(chan struct{})}
	go func() {
		defer r.Body.Close()
		defer w.finish()
		t.h.ServeHTTP(w, r)
	}()
	select {
	case <-w.began:
	case <-req.Context().Done():
		body.CloseWithError(req.Context().Err())
		return nil, req.Context().Err()
	}
	return &http.Response{StatusCode: w.code, Status: http.StatusText(w.code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: body, ContentLength: -1, Request: req}, nil
}

// pipeWriter is the ResponseWriter of a handler in this process.
type pipeWriter struct {
	header, sent http.Header
	code         int
	out          *io.PipeWriter
	began        chan struct{}
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(code int) {
	if w.code != 0 || code < http.StatusOK { // an answer that is only announced
		return
	}
	w.code, w.sent = code, w.header.Clone()
	close(w.began)
}

func (w *pipeWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.out.Write(p)
}

// Flush does nothing: a pipe holds nothing back.
func (w *pipeWriter) Flush() {}

// finish ends the answer. A handler that panicked breaks it off, like a connection that is cut.
func (w *pipeWriter) finish() {
	p := recover()
	if p != nil && w.code == 0 {
		w.header = http.Header{}
		w.WriteHeader(http.StatusInternalServerError)
	}
	w.WriteHeader(http.StatusOK)
	if p != nil {
		w.out.CloseWithError(errAborted)
		return
	}
	w.out.Close()
}
