package web

import (
	"net/http"
	"strings"

	"holdfast"
)

// signInData is the data of the sign-in page.
type signInData struct {
	Email string
	Next  string
	Empty bool // no account exists
	Out   bool // just signed out
}

func (s *Server) signInForm(w http.ResponseWriter, r *http.Request) {
	next := safeNext(r.FormValue("next"))
	if _, err := s.Auth.Session(r); err == nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	s.showSignIn(w, r, http.StatusOK, signInData{Next: next, Out: r.FormValue("out") != ""}, "")
}

func (s *Server) showSignIn(w http.ResponseWriter, r *http.Request, status int, d signInData, problem string) {
	d.Empty = s.Core.Stats().Accounts == 0
	s.show(w, r, status, "signin", view{Title: "Sign in", Problem: problem, Data: d})
}

func (s *Server) signInDo(w http.ResponseWriter, r *http.Request) {
	d := signInData{Email: r.PostFormValue("email"), Next: safeNext(r.PostFormValue("next"))}
	person, err := s.Auth.SignIn(r.Context(), s.Proxy.Client(r), d.Email, r.PostFormValue("password"))
	switch {
	case holdfast.IsKind(err, holdfast.Unauthorized):
		// 422, not 401: a 401 has to name a scheme, and browsers would then open a window of their own.
		s.showSignIn(w, r, http.StatusUnprocessableEntity, d, "Name and password do not fit. (A device's app password does not work here.)")
	case err != nil:
		status, text := s.describe(w, r, err)
		s.showSignIn(w, r, status, d, text)
	default:
		s.enter(w, r, person.ID.String(), d.Next)
	}
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, s.Auth.SignOut(r))
	http.Redirect(w, r, "/signin?out=1", http.StatusSeeOther)
}

// safeNext returns a path of ours to go on to after sign-in; "/" for anything else.
func safeNext(next string) string {
	if next == "/devices" || next == "/safety" || next == "/password" || strings.HasPrefix(next, "/devices/") && !strings.ContainsAny(next, "\\\r\n?#") && !strings.Contains(next, "//") {
		return next
	}
	return "/"
}

func (s *Server) passwordForm(w http.ResponseWriter, r *http.Request) {
	if x, ok := s.signedIn(w, r); ok {
		s.show(w, r, http.StatusOK, "password", s.private(r, x, "Change your password", nil))
	}
}

// passwordDo changes the password; the old one is asked for again, slowed like a sign-in.
func (s *Server) passwordDo(w http.ResponseWriter, r *http.Request) {
	x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	again := func(status int, problem string) {
		v := s.private(r, x, "Change your password", nil)
		v.Problem = problem
		s.show(w, r, status, "password", v)
	}
	if r.PostFormValue("password") != r.PostFormValue("again") {
		again(http.StatusUnprocessableEntity, "The two new passwords are not the same. Please type them again.")
		return
	}
	_, err := s.Auth.SignIn(r.Context(), s.Proxy.Client(r), x.Person.ID.String(), r.PostFormValue("old"))
	if holdfast.IsKind(err, holdfast.Unauthorized) {
		again(http.StatusUnprocessableEntity, "The present password is not right.")
		return
	}
	if err == nil {
		err = s.Auth.SetPassword(r.Context(), x.Principal().Actor(), x.Person.ID, r.PostFormValue("password"))
	}
	if err != nil {
		again(s.describe(w, r, err))
		return
	}
	s.enter(w, r, x.Person.ID.String(), "/?password=changed")
}
