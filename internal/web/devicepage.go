package web

import (
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// deviceCookie holds what shows that this browser was the first to open a device's link. Its path is the link's.
const deviceCookie = "holdfast-device"

// devicePage is what a device opens: by the QR code, or by the link.
func (s *Server) devicePage(w http.ResponseWriter, r *http.Request) {
	l, ok := s.claimed(w, r)
	if !ok {
		return
	}
	client := s.Proxy.Client(r)
	where, err := parseServer(client.Base)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, "device", view{Title: "Set up " + l.name, Data: struct {
		Name    string
		Email   string
		Profile string
		DAVx5   template.URL
		Manual  manual
		Apple   bool
		Android bool
		Local   bool
		HTTPS   bool
		Host    string
		Expires time.Time
	}{l.name, l.login, "/d/" + l.token + "/holdfast.mobileconfig", template.URL(where.davxLink(l.login, l.password)), manualOf(client, l),
		isApple(r), isAndroid(r), client.Local(), client.HTTPS, client.Host, l.expires}})
}

// profile is the configuration profile for an iPhone, an iPad or a Mac.
func (s *Server) profile(w http.ResponseWriter, r *http.Request) {
	l, ok := s.claimed(w, r)
	if !ok {
		return
	}
	where, err := parseServer(s.Proxy.Client(r).Base)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	body := where.profile(l.account, l.login, l.password)
	w.Header().Set("Content-Type", profileType)
	w.Header().Set("Content-Disposition", `attachment; filename="holdfast.mobileconfig"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

// claimed returns the link that a request names if this browser may see it: the first that opens it, and no other. If not, it has already answered. A request
// that only looks ahead (HEAD, or a browser's prefetch) opens nothing.
func (s *Server) claimed(w http.ResponseWriter, r *http.Request) (link, bool) {
	w.Header().Set("Referrer-Policy", "no-referrer")
	if r.Method == http.MethodHead || strings.Contains(r.Header.Get("Sec-Purpose")+r.Header.Get("Purpose"), "prefetch") {
		w.WriteHeader(http.StatusNoContent)
		return link{}, false
	}
	owner := ""
	if c, err := r.Cookie(deviceCookie); err == nil {
		owner = c.Value
	}
	l, found, mine := s.links.claim(r.PathValue("token"), owner)
	switch {
	case !found:
		s.problem(w, r, http.StatusNotFound, "This link is not good any more", trouble{
			Text: "A device's link works for ten minutes. On the computer where you began, revoke the device and add it again: that makes a new link.",
			Link: "/devices", LinkText: "To the devices"})
		return link{}, false
	case !mine:
		s.problem(w, r, http.StatusGone, "", trouble{
			Text: "Another browser has opened this link before, and it works only once. If that was not you, revoke this device now: whoever opened the link has its app password. " +
				"If it was you, in another browser, go on there, or revoke the device and add it again.",
			Link: "/devices", LinkText: "To the devices"})
		return link{}, false
	}
	if owner != l.owner {
		age := int(l.expires.Sub(s.Now())/time.Second) + 1 // not Expires: a phone's clock may be wrong
		http.SetCookie(w, &http.Cookie{Name: deviceCookie, Value: l.owner, Path: "/d/" + l.token, MaxAge: age, HttpOnly: true,
			Secure: s.Proxy.Client(r).HTTPS, SameSite: http.SameSiteLaxMode})
		s.Log.Info("a device's link was opened", "account", l.account, "device", l.device, "addr", s.Proxy.Client(r).Addr)
	}
	return l, true
}

func isApple(r *http.Request) bool {
	ua := r.UserAgent()
	return strings.Contains(ua, "iPhone") || strings.Contains(ua, "iPad") || strings.Contains(ua, "Macintosh")
}

func isAndroid(r *http.Request) bool { return strings.Contains(r.UserAgent(), "Android") }
