package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/control"
	"holdfast/internal/notice"
)

// health judges whether the service can do its work, and remembers since when.
type health struct {
	s *server

	mu     sync.Mutex
	checks map[string]control.Check
}

func newHealth(s *server) *health { return &health{s: s, checks: map[string]control.Check{}} }

// look judges now. The order of the checks is fixed.
func (h *health) look() (ready bool, checks []control.Check) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := h.s.store.engine.Info()
	ready = true
	judge := func(name string, ok, works bool, detail string) {
		c, known := h.checks[name]
		if !known || c.OK != ok {
			c = control.Check{Name: name, OK: ok, Since: clock.System.Now().UTC().Truncate(time.Second)}
		}
		c.Warning, c.Detail = !ok && works, detail
		h.checks[name] = c
		checks, ready = append(checks, c), ready && works
	}
	note := func(name string, ok bool, detail string) { judge(name, ok, ok, detail) }
	if i.Failed != nil {
		note("engine", false, "stopped: "+oneLine(i.Failed))
	} else {
		note("engine", true, fmt.Sprintf("%s, %s", i.Engine, count(i.Accounts, "account")))
	}
	if i.ReadOnly {
		note("disk", false, "the disk is full: what is there can be read, nothing is stored; make room")
	} else {
		note("disk", true, octets(i.Octets)+" used by the database")
	}
	safe, works, text := h.s.copies()
	judge("copies", safe, works, text)
	if nag := h.s.store.keeper.nag(); nag != "" {
		note("recovery key", true, nag)
	} else {
		note("recovery key", true, "there is one")
	}
	if h.s.tls != nil {
		ok, detail := h.s.tls.look()
		note("tls", ok, detail)
	}
	for _, o := range h.s.store.board.Conditions() { // what is wrong, and need not keep anybody from being served
		if o.Severity == notice.Info { // the check of the copies says it, and "ok" before a thing that is to be known is read as praise
			continue
		}
		checks = append(checks, control.Check{Name: o.Key, Warning: o.Severity == notice.Warning, Since: o.Since, Detail: o.Title + ". " + o.Text})
	}
	return ready, checks
}

// livez says that the process answers, nothing more.
func livez(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }

// readyz says whether the service can do its work: 200 or 503, with the checks if ?verbose asks.
func (h *health) readyz(w http.ResponseWriter, r *http.Request) {
	ready, checks := h.look()
	code := http.StatusOK
	if !ready {
		code = http.StatusServiceUnavailable
	}
	w.Header().Set("Cache-Control", "no-store")
	if !r.URL.Query().Has("verbose") {
		w.WriteHeader(code)
		fmt.Fprintln(w, map[bool]string{true: "ready", false: "not ready"}[ready])
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(struct {
		Ready  bool            `json:"ready"`
		Checks []control.Check `json:"checks"`
	}{ready, checks})
}
