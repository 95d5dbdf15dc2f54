package control

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/content"
	"holdfast/internal/core"
)

// HistoryRequest says which part of an account's history is asked for.
type HistoryRequest struct {
	Account string
	Path    string // of a collection or an item, also of a deleted one; empty: all
	Before  uint64 // only changes below this one; 0: from the newest
	Limit   int
}

// History is some of an account's history, newest first.
type History struct {
	Account string    `json:"account"`
	Path    string    `json:"path,omitempty"`
	Changes []Version `json:"changes"`
	More    bool      `json:"more"` // there is more below the last one
}

// Version is one change of one item.
type Version struct {
	Seq      uint64         `json:"seq"`
	Time     time.Time      `json:"time"`
	Op       string         `json:"op"` // put, delete
	Kind     string         `json:"kind"`
	Path     string         `json:"path,omitempty"`    // of the item as it is or was last; empty: a record of the account
	Name     string         `json:"name,omitempty"`    // that people call it
	Account  string         `json:"account,omitempty"` // that did it; empty: the operator
	Device   string         `json:"device,omitempty"`
	Size     int64          `json:"size"`
	ETag     *holdfast.Hash `json:"etag,omitempty"`
	Pruned   bool           `json:"pruned"` // its octets were let go of
	Replaced *Replaced      `json:"replaced,omitempty"`
	Reversal *holdfast.ID   `json:"reversal,omitempty"` // that it belongs to
	Burst    *holdfast.ID   `json:"burst,omitempty"`    // likewise
}

// Replaced is the version that was there before.
type Replaced struct {
	Seq    uint64         `json:"seq"`
	ETag   *holdfast.Hash `json:"etag,omitempty"` // none: it had been deleted
	Size   int64          `json:"size"`
	Pruned bool           `json:"pruned"`
}

// History returns what was done to an account, or to one thing in it, newest first.
func (c *Client) History(ctx context.Context, q HistoryRequest) (h History, err error) {
	v := url.Values{"path": {q.Path}, "before": {strconv.FormatUint(q.Before, 10)}, "limit": {strconv.Itoa(q.Limit)}}
	err = c.call(ctx, "GET", of(q.Account, "/history?"+v.Encode()), nil, &h)
	return h, err
}

func (h *handler) history(r *http.Request) (any, error) {
	a, err := h.Core.Account(r.Context(), r.PathValue("ref"))
	if err != nil {
		return nil, err
	}
	past, err := h.Core.PastOf(r.Context(), a.ID)
	if err != nil {
		return nil, err
	}
	q := core.HistoryQuery{Path: strings.Trim(r.FormValue("path"), "/")}
	if q.Before, err = strconv.ParseUint(r.FormValue("before"), 10, 64); err != nil {
		return nil, fail(holdfast.Invalid, r.FormValue("before"), "the number of a change was expected")
	}
	if q.Limit, err = strconv.Atoi(r.FormValue("limit")); err != nil {
		return nil, fail(holdfast.Invalid, r.FormValue("limit"), "a number of lines was expected")
	}
	lines, more, err := past.History(r.Context(), q)
	if err != nil {
		return nil, err
	}
	out := History{Account: a.Email, Path: q.Path, Changes: []Version{}, More: more}
	for i := range lines {
		out.Changes = append(out.Changes, showVersion(&lines[i]))
	}
	return out, nil
}

func showVersion(v *core.Version) Version {
	out := Version{Seq: v.Seq, Time: v.At.UTC(), Op: "put", Kind: v.Kind.String(), Path: v.Path, Name: nameOf(v), Account: v.By, Device: v.Device, Size: v.Size, Pruned: v.Pruned}
	if out.ETag = &v.ETag; v.Op == holdfast.OpDelete {
		out.Op, out.ETag = "delete", nil
	}
	if w := v.Was; w != nil {
		out.Replaced = &Replaced{Seq: w.Seq, Size: w.Size, Pruned: w.Pruned}
		if w.Op == holdfast.OpPut {
			out.Replaced.ETag = &w.ETag
		}
	}
	if v.Reversal != nil {
		out.Reversal = &v.Reversal.ID
	}
	if !v.Burst.IsZero() {
		out.Burst = &v.Burst
	}
	return out
}

// nameOf is what people call what a change is about, as far as that is cheap to know.
func nameOf(v *core.Version) string {
	switch v.Kind {
	case holdfast.KindAddress:
		return content.FirstValue(v.Text, "FN")
	case holdfast.KindEvent, holdfast.KindTodo, holdfast.KindJournal:
		return content.FirstValue(v.Text, "SUMMARY")
	case holdfast.KindReference:
		return referenceName(v.Text)
	case holdfast.KindCollection:
		props := v.Properties
		if v.Op == holdfast.OpDelete && v.Was != nil {
			props = v.Was.Properties
		}
		return props.Text("DAV:", "displayname")
	case holdfast.KindDevice:
		d, err := holdfast.DecodeDevice(v.Text)
		if err != nil {
			return ""
		}
		return d.Name
	case holdfast.KindBurst:
		b, err := holdfast.DecodeBurst(v.Text)
		if err != nil {
			return ""
		}
		return fmt.Sprintf("burst %s: %d deleted, %d overwritten by one device from change %d on, when it was noticed", b.ID, b.Deleted, b.Overwritten, b.First)
	case holdfast.KindReversal:
		if v.Reversal != nil {
			return nameOfReversal(v.Reversal)
		}
	}
	return ""
}

// referenceName is what the photo was called that was put into an album.
func referenceName(body []byte) string {
	ref, err := holdfast.DecodeReference(body)
	if err != nil {
		return ""
	}
	return ref.Name
}

// nameOfReversal says what a reversal was.
func nameOfReversal(r *holdfast.ReversalRecord) string {
	text := "undo of change " + strconv.FormatUint(r.Seq, 10)
	switch {
	case r.What == holdfast.Rewind && !r.To.IsZero():
		text = "rewind to " + r.To.UTC().Format(time.RFC3339)
	case r.What == holdfast.Rewind:
		text = "rewind to change " + strconv.FormatUint(r.Seq, 10)
	case !r.Of.IsZero():
		text = "undo of reversal " + r.Of.String()
	case !r.Burst.IsZero():
		text = "undo of burst " + r.Burst.String()
	}
	if !r.Done {
		text += ", unfinished"
	}
	return text
}
