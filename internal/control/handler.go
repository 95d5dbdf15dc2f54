package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
)

// maxJSON bounds the body of a small request.
const maxJSON = 64 << 10

// Options wires a handler.
type Options struct {
	Core *core.Service
	// Hash makes the argon2id hash of a password for the pages. Its error says what is wrong with the password.
	Hash func(ctx context.Context, login, password string) (string, error)
	// SetPassword replaces the password of an account's pages, and ends its sessions. Its error says what is wrong with the password.
	SetPassword func(ctx context.Context, actor holdfast.Actor, account holdfast.ID, password string) error
	// NewSecret makes an app password, and the SHA-256 by which it is known.
	NewSecret func() (password string, secret holdfast.Hash, err error)
	// TakeSecret returns the SHA-256 by which an app password is known that a device has from elsewhere. Its error says what is wrong with it.
	TakeSecret func(password string) (holdfast.Hash, error)
	// Status fills in what the process knows of itself: URL, since, checks. nil: nothing.
	Status    func(*Status)
	MaxImport int64 // octets of one imported file
	// TakeoverDir is where it is remembered how far the takeover of another server came; empty: nowhere.
	TakeoverDir string
	Log         *slog.Logger
	Vaults      Vaults // nil: the process does not look after any
	Keys        Keys   // likewise
	Erasures    Erasures
	Drills      Drills
	Scrubs      Scrubs
	Notices     Notices         // nil: nobody is told of anything
	Arriving    func() Arriving // nil: files do not arrive in chunks
	Returning   func() Returning
	Photos      Photos  // nil: no service runs that shows them
	Refused     Refused // what devices sent and were refused; nil: nothing is kept of it
	// Repair brings into the store what it lacks and a vault has, and calls fn with each thing that was wrong. nil: the process cannot.
	Repair func(ctx context.Context, q RepairRequest, fn func(Repaired)) (RepairReport, error)
	// Explain looks in all vaults for what the devices of an incident have seen. nil: the process cannot.
	Explain func(ctx context.Context, x core.Doubt) (Cause, error)
	// Closed returns why nothing is read or changed now but status, vaults and keys; nil: it is. The function may be nil.
	Closed func() error
	// Stopping is closed when the process is about to end: imports, which go on where they were when they are run again, end then. nil: never.
	Stopping <-chan struct{}
	// Patience is how long an import, export or check waits for others that are running, before it is refused; default 30 s. One that was interrupted ends a moment after its command did.
	Patience time.Duration
}

type handler struct {
	Options
	imports chan struct{} // one place for each import, export or check at a time
	waiting chan struct{} // and one for each that waits
}

// heavy is how many imports, exports and checks may run at once.
const heavy = 2

// maxWaiting is how many more may wait.
const maxWaiting = 8

// NewHandler returns the operations. It checks no rights: whoever reaches it may do everything.
func NewHandler(o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	h := &handler{Options: o, imports: make(chan struct{}, heavy), waiting: make(chan struct{}, maxWaiting)}
	if h.Patience <= 0 {
		h.Patience = 30 * time.Second
	}
	m := http.NewServeMux()
	m.HandleFunc("GET /v1/status", answer(h.status))
	m.HandleFunc("GET /v1/accounts", answer(h.accounts))
	m.HandleFunc("POST /v1/accounts", answer(h.createAccount))
	m.HandleFunc("GET /v1/accounts/{ref}", answer(h.account))
	m.HandleFunc("POST /v1/accounts/{ref}/state", answer(h.setState))
	m.HandleFunc("POST /v1/accounts/{ref}/login", answer(h.rename))
	m.HandleFunc("POST /v1/accounts/{ref}/password", answer(h.setPassword))
	m.HandleFunc("GET /v1/accounts/{ref}/devices", answer(h.devices))
	m.HandleFunc("POST /v1/accounts/{ref}/devices", answer(h.addDevice))
	m.HandleFunc("DELETE /v1/accounts/{ref}/devices/{id}", answer(h.revokeDevice))
	m.HandleFunc("POST /v1/accounts/{ref}/import", h.one(h.importFile))
	m.HandleFunc("POST /v1/accounts/{ref}/takeover", h.one(h.takeOver))
	m.HandleFunc("GET /v1/accounts/{ref}/export", h.one(h.export))
	m.HandleFunc("POST /v1/accounts/{ref}/salvage", h.one(h.salvage))
	m.HandleFunc("POST /v1/accounts/{ref}/shares", answer(h.share))
	m.HandleFunc("DELETE /v1/accounts/{ref}/shares", answer(h.unshare))
	m.HandleFunc("GET /v1/accounts/{ref}/history", answer(h.history))
	m.HandleFunc("POST /v1/accounts/{ref}/photos/{what}", answer(h.photos))
	m.HandleFunc("POST /v1/accounts/{ref}/undo", h.undo)
	m.HandleFunc("POST /v1/accounts/{ref}/rewind", h.rewind)
	m.HandleFunc("GET /v1/shares", answer(h.shares))
	m.HandleFunc("GET /v1/incidents", answer(h.incidents))
	m.HandleFunc("GET /v1/accounts/{ref}/cause", answer(h.cause))
	m.HandleFunc("POST /v1/accounts/{ref}/hold", answer(h.hold))
	m.HandleFunc("POST /v1/accounts/{ref}/release", answer(h.release))
	m.HandleFunc("POST /v1/accounts/{ref}/dismiss", answer(h.dismiss))
	m.HandleFunc("POST /v1/accounts/{ref}/erase", answer(h.erase))
	m.HandleFunc("GET /v1/erasures", answer(h.erasures))
	m.HandleFunc("GET /v1/notices", answer(h.notices))
	m.HandleFunc("POST /v1/notices/test", answer(h.testNotices))
	m.HandleFunc("GET /v1/check", h.one(h.check))
	m.HandleFunc("GET /v1/vaults", answer(h.vaultStatus))
	m.HandleFunc("POST /v1/vaults", answer(h.addVault))
	m.HandleFunc("DELETE /v1/vaults/{name}", answer(h.retireVault))
	m.HandleFunc("POST /v1/vaults/{name}/verify", h.one(h.verifyVault))
	m.HandleFunc("POST /v1/vaults/{name}/repair", h.one(h.repairVault))
	m.HandleFunc("POST /v1/vaults/{name}/prune", answer(h.pruneVault))
	m.HandleFunc("POST /v1/repair", h.one(h.repair))
	m.HandleFunc("POST /v1/drills", h.runDrill)
	m.HandleFunc("POST /v1/scrub", h.scrub)
	m.HandleFunc("GET /v1/drills", answer(h.drills))
	m.HandleFunc("GET /v1/drills/{id}", answer(h.drill))
	m.HandleFunc("GET /v1/keys", answer(h.keyState))
	m.HandleFunc("POST /v1/keys", h.one(h.addRecovery))
	m.HandleFunc("POST /v1/keys/{fingerprint}/checked", answer(h.keyChecked))
	return promptly(h.gated(m))
}

// gated refuses what reads or changes the store while that is closed.
func (h *handler) gated(m http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		free := r.URL.Path == "/v1/status" || strings.HasPrefix(r.URL.Path, "/v1/vaults") || strings.HasPrefix(r.URL.Path, "/v1/keys") || strings.HasPrefix(r.URL.Path, "/v1/notices")
		if h.Closed != nil && !free {
			if err := h.Closed(); err != nil {
				writeProblem(w, err)
				return
			}
		}
		m.ServeHTTP(w, r)
	})
}

// promptly says at once that the request has come (RFC 9110 section 15.2): whoever hears nothing knows that the server hangs, and need not guess how long the work may take.
func promptly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusProcessing)
		h.ServeHTTP(w, r)
	})
}

// answer makes a handler of a function that returns what is encoded as JSON.
func answer(fn func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := fn(r)
		if err != nil {
			writeProblem(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
}

// one keeps heavy work from crowding out a server's own.
func (h *handler) one(fn http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !h.turn(r.Context()) {
			writeProblem(w, fail(holdfast.Unavailable, "", "other imports, exports or checks are running; try again when they are done"))
			return
		}
		defer func() { <-h.imports }()
		fn(w, r)
	}
}

// turn waits for a place among the heavy work; false says that there was none in time.
func (h *handler) turn(ctx context.Context) bool {
	select {
	case h.imports <- struct{}{}:
		return true
	case h.waiting <- struct{}{}:
		defer func() { <-h.waiting }()
	default:
		return false
	}
	late := clock.System.NewTimer(h.Patience)
	defer late.Stop()
	select {
	case h.imports <- struct{}{}:
		return true
	case <-late.C():
	case <-ctx.Done():
	case <-h.Stopping:
	}
	return false
}

// decode reads the JSON body of a small request.
func decode(r *http.Request, v any) error {
	d := json.NewDecoder(io.LimitReader(r.Body, maxJSON))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &holdfast.Error{Op: "control", Kind: holdfast.Invalid, Text: "the request is not what this server expects; are command and server of one version?", Err: err}
	}
	return nil
}

func fail(kind holdfast.ErrorKind, ref, format string, args ...any) error {
	return &holdfast.Error{Op: "control", Kind: kind, Ref: ref, Text: fmt.Sprintf(format, args...)}
}

func (h *handler) status(r *http.Request) (any, error) {
	s := h.Core.Stats()
	out := Status{Engine: s.Engine.Engine, Store: s.Engine.Store, Accounts: s.Accounts, Octets: s.Engine.Octets, Acknowledged: s.Acknowledged,
		InDoubt: s.AccountsInDoubt, Ready: s.Engine.Failed == nil, Checks: []Check{}}
	if newest, err := h.Core.Newest(r.Context()); err == nil && !newest.IsZero() { // how the service fares does not hang on it
		out.Newest = &newest
	}
	if h.Refused != nil {
		out.Refused, _ = h.Refused.Count()
	}
	if h.Photos != nil {
		if st, err := h.Photos.Status(r.Context()); err == nil { // nor on that
			out.Photos = &st
		}
	}
	if h.Arriving != nil {
		out.Arriving = h.Arriving()
	}
	if h.Returning != nil {
		out.Returning = h.Returning()
	}
	var err error
	if out.Ghosts, err = h.Core.Ghosts(r.Context()); err != nil {
		h.Log.Warn("how many items are known to be lost cannot be read", "err", err)
	}
	if h.Vaults != nil {
		v, err := h.Vaults.Status(r.Context())
		if err != nil {
			return nil, err
		}
		out.Copies, out.Domains, out.Verdict, out.Why = v.Copies, v.Domains, v.Verdict, v.Why
	}
	if h.Keys != nil {
		k, err := h.Keys.Show(r.Context())
		if err != nil {
			return nil, err
		}
		out.KeyNag = k.Nag
	}
	if h.Scrubs != nil {
		seen := h.Scrubs.Seen()
		out.EngineScrub = &seen
	}
	if h.Status != nil {
		h.Status(&out)
	}
	return out, nil
}

// lines writes one JSON object a line, each at once.
type lines struct {
	enc *json.Encoder
	rc  *http.ResponseController
}

func newLines(w http.ResponseWriter) *lines {
	w.Header().Set("Content-Type", "application/x-ndjson")
	rc := http.NewResponseController(w)
	_ = rc.EnableFullDuplex() // unsupported inside of the process, where it is not needed
	w.WriteHeader(http.StatusOK)
	_ = rc.Flush()
	return &lines{json.NewEncoder(w), rc}
}

func (l *lines) write(v any) error {
	if err := l.enc.Encode(v); err != nil {
		return err
	}
	if err := l.rc.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

func (h *handler) check(w http.ResponseWriter, r *http.Request) {
	out := newLines(w)
	names := map[holdfast.ID]string{}
	err := h.Core.Check(r.Context(), r.FormValue("octets") == "true", func(f core.Finding) {
		x := Finding{Name: f.Name, Seq: f.Seq, What: f.What, Lost: f.Lost}
		if !f.Account.IsZero() {
			x.Account = h.name(r.Context(), names, f.Account)
		}
		if !f.Collection.IsZero() {
			x.Collection = f.Collection.String()
		}
		_ = out.write(checkLine{Finding: &x})
	})
	last := checkLine{Done: err == nil}
	if err != nil {
		last.Error = problemOf(err)
	}
	_ = out.write(last)
}

// name returns an account's login, or its id where the account cannot be read.
func (h *handler) name(ctx context.Context, names map[holdfast.ID]string, id holdfast.ID) string {
	if n, ok := names[id]; ok {
		return n
	}
	names[id] = id.String()
	if a, err := h.Core.Account(ctx, id.String()); err == nil {
		names[id] = a.Email
	}
	return names[id]
}
