package web

import (
	"context"
	"net/http"
	"time"
)

// RecoveryKey is a recovery key that was just made, as it is shown to its owner, once.
type RecoveryKey struct {
	Key       string // secret
	CheckWord string
	Store     string
	Made      time.Time
}

// GoString keeps the key out of %#v.
func (RecoveryKey) GoString() string { return "recovery key" }

// String keeps the key out of %v.
func (RecoveryKey) String() string { return "recovery key" }

// newRecovery makes the store's recovery key, if it has none and this server can; nil: there is nothing to show. That it failed is no reason to keep an owner from the new account: the overview and the log go on
// asking for one.
func (s *Server) newRecovery(ctx context.Context) *RecoveryKey {
	if s.Recovery == nil {
		return nil
	}
	k, err := s.Recovery(ctx)
	if err != nil {
		s.Log.Error("no recovery key could be made at the set-up; make one with `holdfast key init --out FILE`", "err", err)
		return nil
	}
	return k
}

// showRecovery shows a recovery key. The page is stored nowhere (see secure), and asking again does not show it again.
func (s *Server) showRecovery(w http.ResponseWriter, r *http.Request, k *RecoveryKey) {
	s.show(w, r, http.StatusOK, "recovery", view{Title: "Your recovery key", Data: k})
}
