package web

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"time"

	"holdfast"
	"holdfast/internal/auth"
	"holdfast/internal/clock"
	"holdfast/internal/core"
)

// undoneData is the data of the page that says what an undo did.
type undoneData struct {
	Back, Changed, Removed []string // what people call the items, up to listedItems of each
	BackN                  int
	ChangedN               int
	RemovedN               int
	Left                   []leftRow
	LeftN                  int
	Did                    string    // all of it in a sentence
	Undo                   *undoForm // that takes it back; nil: nothing was done
}

// leftRow is an item that was left as it is, and why.
type leftRow struct{ Name, Why string }

// listedItems is how many items of a kind a page names.
const listedItems = 50

// answerIn is how long the page that says what an undo did may take to be sent; the undo itself takes what it takes.
const answerIn = time.Minute

// undo takes back what a form names: what was done at once, a burst, or an undo.
func (s *Server) undo(w http.ResponseWriter, r *http.Request) {
	x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	q, ok := undoRequest(r)
	if !ok {
		s.notFound(w, r)
		return
	}
	past, err := s.Core.Past(r.Context(), x.Principal(), x.Person.ID)
	if err != nil {
		s.failAbout(w, r, x, err)
		return
	}
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(time.Time{})                               // a writer that knows no deadlines is a test's
	out, err := past.Undo(context.WithoutCancel(r.Context()), q, nil) // who closes the page does not leave half of it undone
	_ = c.SetWriteDeadline(clock.System.Now().Add(answerIn))
	rec := out.Record
	if !rec.ID.IsZero() {
		s.Log.Info("changes were taken back on a page", "account", x.Person.Email, "what", rec.What, "id", rec.ID, "seq", rec.Seq, "added", rec.Added, "changed", rec.Changed, "removed", rec.Removed,
			"collections", rec.Collections, "left", len(out.Left), "done", rec.Done, "request", s.requestID(r))
	}
	if err != nil && rec.ID.IsZero() {
		s.failAbout(w, r, x, err)
		return
	}
	s.showUndone(w, r, x, past, &out, err)
}

// undoRequest reads what is to be taken back.
func undoRequest(r *http.Request) (q core.UndoRequest, ok bool) {
	var err error
	switch {
	case r.PostFormValue("burst") != "":
		q.Burst, err = holdfast.ParseID(r.PostFormValue("burst"))
	case r.PostFormValue("reversal") != "":
		q.Reversal, err = holdfast.ParseID(r.PostFormValue("reversal"))
	default:
		q.Change, err = strconv.ParseUint(r.PostFormValue("change"), 10, 64)
	}
	return q, err == nil
}

// showUndone says what was done, also where it did not come to its end.
func (s *Server) showUndone(w http.ResponseWriter, r *http.Request, x auth.Session, past *core.Past, out *core.Reversed, failed error) {
	d := &undoneData{LeftN: len(out.Left)}
	err := d.steps(r.Context(), past, out.Steps)
	d.Did = did(d.BackN, d.ChangedN, d.RemovedN)
	if err == nil {
		err = d.leave(r.Context(), past, x.Person.Email, out.Left)
	}
	if err != nil {
		s.failAbout(w, r, x, err)
		return
	}
	if id := out.Record.ID; !id.IsZero() {
		d.Undo = &undoForm{"reversal", id.String(), "Undo that", "bring everything back to how it was before this undo"}
	}
	title := "Undone"
	if d.Undo == nil {
		title = "Nothing to undo"
	}
	v, status := s.private(r, x, title, d), http.StatusOK
	if failed != nil {
		status, v.Problem = s.describe(w, r, failed)
		v.Title, v.Problem = "Undone in part", v.Problem+" What is named below was done. Do the same again to go on, or take it back."
	}
	s.show(w, r, status, "undone", v)
}

// did says what an undo comes to.
func did(back, changed, removed int) string {
	var parts []string
	for _, x := range []struct {
		n    int
		what string
	}{{back, "there again"}, {changed, "as before"}, {removed, "gone again"}} {
		if x.n > 0 {
			parts = append(parts, count(int64(x.n), "item", "items")+" "+x.what)
		}
	}
	return sentence(listed(parts))
}

// steps names what was done.
func (d *undoneData) steps(ctx context.Context, past *core.Past, steps []core.Step) error {
	for _, x := range []struct {
		does core.Does
		list *[]string
		n    *int
	}{{core.Adds, &d.Back, &d.BackN}, {core.Changes, &d.Changed, &d.ChangedN}, {core.Removes, &d.Removed, &d.RemovedN}} {
		var some []core.Step
		var paths []string
		for _, p := range steps {
			if p.Does != x.does {
				continue
			}
			if *x.n++; *x.n <= listedItems {
				some, paths = append(some, p), append(paths, p.Path)
			}
		}
		lines, err := past.Newest(ctx, paths)
		if err != nil {
			return err
		}
		for i := range some {
			*x.list = append(*x.list, stepText(&some[i], &lines[i]))
		}
	}
	return nil
}

func stepText(p *core.Step, l *core.Line) string {
	if p.Kind == holdfast.KindCollection {
		text := "the collection " + p.Path
		if p.Does != core.Changes {
			text += ", with " + count(p.Items, "item", "items")
		}
		if p.Instead != "" {
			text += " (another is called " + p.Instead + " now)"
		}
		return text
	}
	if l.Seq == 0 {
		return p.Path
	}
	return "the " + noun(l.Kind) + " " + quoted(l)
}

// leave names what was left, and why.
func (d *undoneData) leave(ctx context.Context, past *core.Past, me string, left []core.Left) error {
	left = left[:min(len(left), listedItems)]
	var paths []string
	for _, l := range left {
		paths = append(paths, l.Path)
	}
	lines, err := past.Newest(ctx, paths)
	if err != nil {
		return err
	}
	for i, l := range left {
		row := leftRow{Name: cmp.Or(l.Path, "your account"), Why: sentence(l.Why)}
		if lines[i].Seq != 0 {
			row.Name = "the " + noun(lines[i].Kind) + " " + quoted(&lines[i])
		}
		if l.Since {
			row.Why = sentence(l.Why + ", by " + uncapital(doerText(me, l.By, l.Device)))
		}
		d.Left = append(d.Left, row)
	}
	return nil
}
