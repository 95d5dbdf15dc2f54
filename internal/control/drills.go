package control

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"holdfast"
	"holdfast/internal/drill"
)

// Drills are the operations that prove that vaults restore, for who wires them.
type Drills interface {
	// RunDrill runs one, and calls fn now and then with how far it is. It waits for one that runs. Errors: NotFound (there is no such vault or account), Unavailable.
	RunDrill(ctx context.Context, q DrillRequest, fn func(DrillProgress)) (drill.Result, error)
	// ListDrills returns up to limit results, newest first.
	ListDrills(ctx context.Context, limit int) ([]drill.Result, error)
	// ShowDrill returns one result. Errors: NotFound.
	ShowDrill(ctx context.Context, id string) (drill.Result, error)
}

// DrillRequest says what is drilled.
type DrillRequest struct {
	Account string `json:"account,omitempty"` // login or id; empty: as many as are chosen
	Vault   string `json:"vault,omitempty"`   // empty: the one whose last proof is oldest
	All     bool   `json:"all,omitempty"`     // all accounts, however many there are
	Key     string `json:"key,omitempty"`     // secret: the text of the recovery key, to be used alone; empty: the server's own key
}

// DrillProgress is how far a drill is.
type DrillProgress struct {
	Changes int64 `json:"changes"` // restored so far
	Octets  int64 `json:"octets"`  // of large files, that were read so far
}

func noDrills() error {
	return fail(holdfast.Unavailable, "", "this process runs no drills")
}

// runDrill answers with how far it is, and the result in the end. It takes no place of other heavy work: one drill runs at a time.
func (h *handler) runDrill(w http.ResponseWriter, r *http.Request) {
	if h.Drills == nil {
		writeProblem(w, noDrills())
		return
	}
	var q DrillRequest
	if err := decode(r, &q); err != nil {
		writeProblem(w, err)
		return
	}
	tellLines(w, func(tell func(DrillProgress)) (drill.Result, error) {
		return h.Drills.RunDrill(r.Context(), q, tell)
	})
}

// maxDrills bounds the results of one answer.
const maxDrills = 1000

func (h *handler) drills(r *http.Request) (any, error) {
	if h.Drills == nil {
		return nil, noDrills()
	}
	n, err := strconv.Atoi(r.FormValue("limit"))
	if err != nil || n <= 0 || n > maxDrills {
		n = maxDrills
	}
	return h.Drills.ListDrills(r.Context(), n)
}

func (h *handler) drill(r *http.Request) (any, error) {
	if h.Drills == nil {
		return nil, noDrills()
	}
	return h.Drills.ShowDrill(r.Context(), r.PathValue("id"))
}

// RunDrill runs a drill, and calls fn now and then with how far it is.
func (c *Client) RunDrill(ctx context.Context, q DrillRequest, fn func(DrillProgress)) (res drill.Result, err error) {
	return hearLines[DrillProgress, drill.Result](ctx, c, "/v1/drills", q, fn)
}

// Drills returns up to limit results, newest first.
func (c *Client) Drills(ctx context.Context, limit int) (out []drill.Result, err error) {
	err = c.call(ctx, "GET", "/v1/drills?limit="+strconv.Itoa(limit), nil, &out)
	return out, err
}

// Drill returns one result.
func (c *Client) Drill(ctx context.Context, id string) (out drill.Result, err error) {
	err = c.call(ctx, "GET", "/v1/drills/"+url.PathEscape(id), nil, &out)
	return out, err
}
