package web

import (
	"net/http"

	"holdfast"
)

// setupData is the data of the set-up page.
type setupData struct {
	Token string
	Email string
	Place string
	Vault bool // there is a second copy
}

func (s *Server) setupForm(w http.ResponseWriter, r *http.Request) {
	if !s.setupOpen(r.PathValue("token")) {
		s.setupShut(w, r)
		return
	}
	s.showSetup(w, r, http.StatusOK, "", "")
}

func (s *Server) showSetup(w http.ResponseWriter, r *http.Request, status int, email, problem string) {
	s.show(w, r, status, "setup", view{Title: "Set up Holdfast", Problem: problem,
		Data: setupData{Token: r.PathValue("token"), Email: email, Place: s.Place, Vault: len(s.copies()) > 1}})
}

// setupOpen tells whether a link's token is good and there is still no account.
func (s *Server) setupOpen(token string) bool {
	return s.Setup != nil && s.Setup.Valid(token) && s.Core.Stats().Accounts == 0
}

func (s *Server) setupShut(w http.ResponseWriter, r *http.Request) {
	if s.Core.Stats().Accounts > 0 {
		s.problem(w, r, http.StatusNotFound, "This server is set up", trouble{
			Text: "The set-up link has done its work: there is an account. Further accounts are made on the server with: holdfast account add EMAIL",
			Link: "/signin", LinkText: "Sign in"})
		return
	}
	s.problem(w, r, http.StatusNotFound, "This set-up link is not good any more", trouble{
		Text: "A set-up link works for 30 minutes. The server prints a new one when the old one ends: look at its newest line that begins with “holdfast: setup”, " +
			"or start the server again. You can also make the account on the server with: holdfast account add EMAIL"})
}

// setupDo makes the first account, signs its owner in, and goes straight on to the first device.
func (s *Server) setupDo(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	if !s.setupOpen(token) {
		s.setupShut(w, r)
		return
	}
	email, password, again := r.PostFormValue("email"), r.PostFormValue("password"), r.PostFormValue("again")
	if password != again {
		s.showSetup(w, r, http.StatusUnprocessableEntity, email, "The two passwords are not the same. Please type them again.")
		return
	}
	hash, err := s.Auth.HashPassword(r.Context(), email, password)
	if err == nil {
		err = s.Setup.Use(token, func() error { return s.firstAccount(r, email, hash) })
	}
	switch {
	case holdfast.IsKind(err, holdfast.NotFound), holdfast.IsKind(err, holdfast.Exists):
		s.setupShut(w, r)
	case err != nil:
		status, text := s.describe(w, r, err)
		s.showSetup(w, r, status, email, text)
	default:
		key := s.newRecovery(r.Context())
		if key == nil {
			s.enter(w, r, email, "/devices/new")
		} else if s.signIn(w, r, email) {
			s.showRecovery(w, r, key)
		}
	}
}

func (s *Server) firstAccount(r *http.Request, email, hash string) error {
	if s.Core.Stats().Accounts > 0 { // made by a command meanwhile
		s.Setup.Close()
		return &holdfast.Error{Op: "web.setup", Kind: holdfast.Exists}
	}
	_, _, err := s.Core.CreateAccount(r.Context(), holdfast.Actor{}, email, hash)
	return err
}

// enter begins a session of an account whose password was just checked or set.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, login, next string) {
	if s.signIn(w, r, login) {
		http.Redirect(w, r, next, http.StatusSeeOther)
	}
}

// signIn sets the cookie of a session. Where that fails it has answered.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request, login string) bool {
	person, err := s.Core.Person(r.Context(), login)
	if err != nil {
		s.fail(w, r, err)
		return false
	}
	c, err := s.Auth.Cookie(person, s.Proxy.Client(r).HTTPS)
	if err != nil {
		s.fail(w, r, err)
		return false
	}
	http.SetCookie(w, c)
	return true
}
