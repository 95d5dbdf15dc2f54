package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"slices"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/salvage"
)

// SalvageRequest says what is brought back from files that a device exported.
type SalvageRequest struct {
	Account     string
	Into        string // path of a collection; empty: the account's default for each kind of item
	Device      string // whose files they are, by its id or by what its owner calls it; empty: nobody says
	WithDeleted bool
	DryRun      bool
	Refused     bool // what is kept of what devices sent and were refused, in place of files
}

// SalvageEvent is one line of the answer.
type SalvageEvent struct {
	salvage.Event
	Sent   *SentInVain  `json:"sent,omitempty"`
	Octets []byte       `json:"octets,omitempty"` // of what is refused, in pieces, before its item
	Done   *SalvageDone `json:"done,omitempty"`
	Error  *Problem     `json:"error,omitempty"`
}

// SalvageDone is how it ended.
type SalvageDone struct {
	salvage.Counts
	DryRun bool   `json:"dry_run"`
	Device string `json:"device,omitempty"` // what its owner calls it
	Held   bool   `json:"held"`             // the device waited for what it has seen
	Ended  bool   `json:"ended"`            // and does so no more: what it had was brought in
	Lacks  string `json:"lacks,omitempty"`  // of what the device holds, or may, and the files do not have: contacts, calendars, a path; it waits on for that
}

// maxPiece bounds the octets in one line.
const maxPiece = 256 << 10

// salvage compares files, which are the parts of the request's body, with an account's history, adds what it lacks, and answers with one event a line.
func (h *handler) salvage(w http.ResponseWriter, r *http.Request) {
	ctx, done := h.untilStop(r)
	defer done()
	a, err := h.Core.Account(ctx, r.PathValue("ref"))
	if err != nil {
		writeProblem(w, err)
		return
	}
	v := r.URL.Query()
	from, err := h.salvaged(ctx, a, v.Get("device"))
	if err != nil {
		writeProblem(w, err)
		return
	}
	files, err := r.MultipartReader()
	if err != nil {
		writeProblem(w, fail(holdfast.Invalid, "", "the request holds no files: %v", err))
		return
	}
	out := newLines(w)
	if v.Get("refused") == "true" {
		h.salvageRefused(ctx, a, from, v, out)
		return
	}
	q := salvage.Request{Account: a.ID, Into: v.Get("into"), From: from.name, WithDeleted: v.Get("with_deleted") == "true", DryRun: v.Get("dry_run") == "true", MaxOctets: h.MaxImport}
	named := map[string]bool{}
	end, err := h.salvageFiles(ctx, q, files, func(e salvage.Event) error {
		if e.Item != nil && e.Item.Path != "" {
			named[e.Item.Path] = true
		}
		return tellSalvage(out, e)
	})
	if err == nil {
		err = h.letGo(ctx, a.ID, from, &end, byCollection(named))
	}
	if err != nil {
		level := slog.LevelWarn
		if holdfast.IsKind(err, holdfast.NotFound) { // it never began
			level = slog.LevelDebug
		}
		h.Log.Log(ctx, level, "a salvage did not come to its end; run it again to go on", "account", a.Email, "err", err)
		_ = out.write(SalvageEvent{Error: problemOf(err)})
		return
	}
	_ = out.write(SalvageEvent{Done: &end})
}

// letGo ends the hold on the device whose files were taken: not while something was refused, and not if the files lack a collection, or most of an address book, that the device is known to hold or may hold. It would list that anew too, and drop it.
func (h *handler) letGo(ctx context.Context, account holdfast.ID, from exporter, end *SalvageDone, named map[string]int64) error {
	if end.Device, end.Held = from.name, from.held; !from.held {
		return nil
	}
	holds, err := h.Core.Holds(ctx, account, from.id)
	if err != nil {
		return err
	}
	end.Lacks = holds.Lacks(end.Contacts, end.Items-end.Contacts, named)
	if end.DryRun || end.Refused > 0 || end.Lacks != "" {
		return nil
	}
	err = h.Core.Dismiss(ctx, account, from.id, core.Salvaged)
	end.Ended = err == nil
	return err
}

func (h *handler) salvageFiles(ctx context.Context, q salvage.Request, files *multipart.Reader, tell func(salvage.Event) error) (SalvageDone, error) {
	end := SalvageDone{DryRun: q.DryRun}
	run, err := salvage.New(ctx, h.Core, q, tell)
	if err != nil {
		return end, err
	}
	for {
		part, err := files.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = run.File(ctx, part.Header.Get(fileHeader), part)
		}
		if err != nil {
			return end, errors.Join(context.Cause(ctx), err)
		}
	}
	end.Counts, err = run.Finish(ctx)
	return end, err
}

// byCollection counts paths under their collections.
func byCollection(paths map[string]bool) map[string]int64 {
	out := map[string]int64{}
	for p := range paths {
		out[path.Dir(p)]++
	}
	return out
}

// tellSalvage writes an event; the octets of what was refused come before it, in lines of a bounded length.
func tellSalvage(out *lines, e salvage.Event) error {
	if e.Item != nil {
		for piece := range slices.Chunk(e.Item.Octets, maxPiece) {
			if err := out.write(SalvageEvent{Octets: piece}); err != nil {
				return err
			}
		}
		e.Item.Octets = nil
	}
	return out.write(SalvageEvent{Event: e})
}

// exporter is the device whose files are salvaged.
type exporter struct {
	id   holdfast.ID
	name string
	held bool
}

// salvaged finds the device that files are of, among those that are held and those that the account has.
func (h *handler) salvaged(ctx context.Context, a holdfast.Account, ref string) (exporter, error) {
	if ref == "" {
		return exporter{}, nil
	}
	var found []exporter
	for _, x := range h.Core.Doubts() {
		if x.Account != a.ID {
			continue
		}
		for _, d := range heldOf(h.incident(ctx, map[holdfast.ID]string{}, x)) {
			if d.ID.String() == ref || d.Name == ref {
				found = append(found, exporter{d.ID, d.Name, true})
			}
		}
	}
	list, err := h.Core.Devices(ctx, a.ID)
	if err != nil {
		return exporter{}, err
	}
	for _, d := range list {
		known := slices.ContainsFunc(found, func(x exporter) bool { return x.id == d.ID })
		if (d.ID.String() == ref || d.Name == ref) && !known {
			found = append(found, exporter{d.ID, d.Name, false})
		}
	}
	switch len(found) {
	case 0:
		return exporter{}, fail(holdfast.NotFound, ref, "%s has no device %q; `holdfast app-password list %s` and `holdfast incident show %s` name those that there are", a.Email, ref, a.Email, a.Email)
	case 1:
		return found[0], nil
	}
	return exporter{}, fail(holdfast.Invalid, ref, "%d devices are called %q; name one by its id", len(found), ref)
}

// heldOf returns the devices of an incident that wait.
func heldOf(i Incident) []IncidentDevice {
	return slices.DeleteFunc(i.Devices, func(d IncidentDevice) bool { return d.State != "held" })
}

// fileHeader is the header of a part that names its file.
const fileHeader = "Holdfast-File"

// Salvage sends files and calls fn with each event. files calls its argument with each, in order. The last event is Done; without it there is an error.
func (c *Client) Salvage(ctx context.Context, q SalvageRequest, files func(add func(name string, r io.Reader) error) error, fn func(SalvageEvent) error) error {
	v := url.Values{"into": {q.Into}, "device": {q.Device}, "with_deleted": {fmt.Sprint(q.WithDeleted)}, "dry_run": {fmt.Sprint(q.DryRun)}, "refused": {fmt.Sprint(q.Refused)}}
	r, w := io.Pipe()
	defer r.Close()
	parts := multipart.NewWriter(w)
	failed := make(chan error, 1)
	go func() {
		err := files(func(name string, from io.Reader) error {
			p, err := parts.CreatePart(map[string][]string{fileHeader: {name}})
			if err == nil {
				_, err = io.Copy(p, from)
			}
			return err
		})
		failed <- err // first: who hears that the request broke off asks why
		w.CloseWithError(cmp.Or(err, parts.Close()))
	}()
	why := func(err error) error {
		select {
		case mine := <-failed:
			if mine != nil && err != nil && !errors.Is(mine, io.ErrClosedPipe) {
				return mine
			}
		default:
		}
		return err
	}
	in, err := c.sendTyped(ctx, "POST", of(q.Account, "/salvage?"+v.Encode()), parts.FormDataContentType(), r)
	if err != nil {
		return why(err)
	}
	defer in.Close()
	done := false
	err = eachLine(in, func(e *SalvageEvent) error {
		if e.Error != nil {
			return e.Error.Err()
		}
		done = done || e.Done != nil
		return fn(*e)
	})
	return errors.Join(context.Cause(ctx), why(unfinished(err, done)))
}
