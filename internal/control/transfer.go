package control

import (
	"log/slog"
	"net/http"

	"holdfast"
	"holdfast/internal/transfer"
)

// importFile stores the contacts of one file, which is the request's body, and answers with one event a line.
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
	err = transfer.Import(r.Context(), h.Core, q, r.Body, func(e transfer.Event) error { return out.write(ImportEvent{Event: e}) })
	if err != nil {
		level := slog.LevelWarn
		if holdfast.IsKind(err, holdfast.Invalid) { // it never began
			level = slog.LevelDebug
		}
		h.Log.Log(r.Context(), level, "an import did not come to its end; run it again to go on", "account", a.Email, "file", q.File, "err", err)
		_ = out.write(ImportEvent{Error: problemOf(err)})
	}
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
