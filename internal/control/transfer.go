package control

import (
	"context"
	"log/slog"
	"net/http"

	"holdfast"
	"holdfast/internal/davclient"
	"holdfast/internal/transfer"
)

// untilStop is a request's context that ends too when the process is about to. done must be called.
func (h *handler) untilStop(r *http.Request) (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(r.Context())
	if h.Stopping != nil {
		go func() {
			select {
			case <-h.Stopping:
				cancel(fail(holdfast.Unavailable, "", "the server is stopping; what was stored stays, run it again to go on"))
			case <-ctx.Done():
			}
		}()
	}
	return ctx, func() { cancel(nil) }
}

// importFile stores what is in one file, which is the request's body, and answers with one event a line.
func (h *handler) importFile(w http.ResponseWriter, r *http.Request) {
	a, err := h.Core.Account(r.Context(), r.PathValue("ref"))
	if err != nil {
		writeProblem(w, err)
		return
	}
	v := r.URL.Query()
	q := transfer.Request{Account: a.ID, Into: v.Get("into"), File: v.Get("file"), Replace: v.Get("replace") == "true", DryRun: v.Get("dry_run") == "true",
		MaxOctets: h.MaxImport}
	out := newLines(w)
	ctx, done := h.untilStop(r)
	defer done()
	err = transfer.Import(ctx, h.Core, q, r.Body, func(e transfer.Event) error { return out.write(ImportEvent{Event: e}) })
	if err != nil {
		level := slog.LevelWarn
		if holdfast.IsKind(err, holdfast.Invalid) { // it never began
			level = slog.LevelDebug
		}
		h.Log.Log(r.Context(), level, "an import did not come to its end; run it again to go on", "account", a.Email, "file", q.File, "err", err)
		_ = out.write(ImportEvent{Error: problemOf(err)})
	}
}

// takeOver copies what another server has for a person, and answers with one event a line. The password stands in the request's body alone, and is not logged.
func (h *handler) takeOver(w http.ResponseWriter, r *http.Request) {
	a, err := h.Core.Account(r.Context(), r.PathValue("ref"))
	if err != nil {
		writeProblem(w, err)
		return
	}
	var q TakeoverRequest
	if err := decode(r, &q); err != nil {
		writeProblem(w, err)
		return
	}
	out := newLines(w)
	t := transfer.TakeoverRequest{Account: a.ID, Shared: q.Shared, Replace: q.Replace, DryRun: q.DryRun, Dir: h.TakeoverDir,
		Remote: davclient.Options{URL: q.URL, User: q.User, Password: q.Password, Hosts: q.Hosts, InsecureHTTP: q.InsecureHTTP}}
	ctx, done := h.untilStop(r)
	defer done()
	err = transfer.TakeOver(ctx, h.Core, t, func(e transfer.TakeoverEvent) error { return out.write(TakeoverEvent{TakeoverEvent: e}) })
	if err != nil {
		level := slog.LevelWarn
		switch holdfast.KindOf(err) {
		case holdfast.Invalid, holdfast.Forbidden, holdfast.Unauthorized, holdfast.NotFound: // it never began
			level = slog.LevelDebug
		}
		h.Log.Log(r.Context(), level, "the takeover of another server did not come to its end; run it again to go on", "account", a.Email, "from", t.Remote.Host(), "err", err)
		_ = out.write(TakeoverEvent{Error: problemOf(err)})
		return
	}
	h.Log.Info("another server was taken over", "account", a.Email, "from", t.Remote.Host(), "dry_run", q.DryRun)
}

// export streams an account. An error aborts the connection: a stream that is cut short must not look whole.
func (h *handler) export(w http.ResponseWriter, r *http.Request) {
	a, err := h.Core.Account(r.Context(), r.PathValue("ref"))
	if err != nil {
		writeProblem(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-tar")
	late := &lateWriter{ResponseWriter: w}
	if err := transfer.Export(r.Context(), h.Core, a.ID, late); err != nil {
		h.Log.Warn("an export did not come to its end", "account", a.Email, "err", err)
		if !late.wrote {
			writeProblem(w, err)
			return
		}
		panic(http.ErrAbortHandler)
	}
}

// lateWriter remembers whether an answer has begun.
type lateWriter struct {
	http.ResponseWriter
	wrote bool
}

func (l *lateWriter) Write(p []byte) (int, error) {
	l.wrote = true
	return l.ResponseWriter.Write(p)
}
