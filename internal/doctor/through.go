package doctor

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
)

// client speaks to the public name at an address that answers. Certificates are judged elsewhere: here it is looked at what lies behind them, and what is sent is worth nothing to anybody.
func (d *doctor) client() *http.Client {
	t := &http.Transport{ForceAttemptHTTP2: true, DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, d.at[0].String())
		}}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// ask sends one request to a path of the public name.
func (d *doctor) ask(ctx context.Context, method, path, body string, headers map[string]string) (*http.Response, []byte, error) {
	ctx, cancel := d.within(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, d.base().String()+path, strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	for name, v := range headers {
		req.Header.Set(name, v)
	}
	resp, err := d.client().Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp, got, err
}

// question is the body of a probe: what phones begin with.
const question = `<?xml version="1.0"?><propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>`

// probe has the server say what of a request arrives; nil: it did not arrive there, and why says what answers instead.
func (d *doctor) probe(ctx context.Context, method string) (seen *Seen, tag, why string) {
	body := question
	if method == http.MethodGet || method == http.MethodOptions {
		body = ""
	}
	headers := d.sent()
	headers[probeHeader] = d.status.Probe
	resp, got, err := d.ask(ctx, method, "/dav/", body, headers)
	if err != nil {
		return nil, "", err.Error()
	}
	var s Seen
	if json.Unmarshal(got, &s) != nil || s.Schema != "holdfast.probe/1" {
		return nil, "", resp.Status
	}
	return &s, resp.Header.Get("ETag"), ""
}

// sent are the headers of a probe. Nobody can sign in with these.
func (d *doctor) sent() map[string]string {
	return map[string]string{"Authorization": "Basic cHJvYmU6cHJvYmU=", "Depth": "1", "If-Match": `"probe"`, "Destination": d.base().String() + "/dav/probe", "Overwrite": "F", "Content-Type": "application/xml"}
}

// used are the methods that phones and programs sync with (RFC 4918, 3253, 4791, 5689).
var used = []string{"OPTIONS", "GET", "PUT", "DELETE", "PROPFIND", "PROPPATCH", "REPORT", "MKCOL", "MKCALENDAR", "MOVE", "COPY"}

// lacking says what follows if a header does not arrive as it was sent.
var lacking = map[string]string{
	"Authorization": "No phone can sign in.", "Depth": "Phones are listed nothing, or too much.", "If-Match": "One device's change overwrites another's unseen.",
	"Destination": "Nothing can be moved or renamed.", "Overwrite": "A move overwrites what it should not.", "Content-Type": "Nothing can be stored by its kind.",
}

// wayThrough finds what a proxy on the way swallows or changes. The server itself says what arrives, so that it is known too that it is this one.
func (d *doctor) wayThrough(ctx context.Context) Check {
	if c, ok := d.running(ctx); !ok {
		return c
	}
	if len(d.at) == 0 {
		return noWay()
	}
	if d.status.Probe == "" {
		return unknown("the server does not answer probes", "Ask a server of this version: start it again.")
	}
	seen, tag, why := d.probe(ctx, "PROPFIND")
	if seen == nil {
		first := why
		if seen, tag, why = d.probe(ctx, http.MethodGet); seen == nil {
			return failed(fmt.Sprintf("under %s this server does not answer: PROPFIND of /dav/ gives %s, GET gives %s", d.base(), first, why), "Phones reach something else, or nothing.",
				"Look whether the name leads to this machine, and whether the proxy leads all paths to "+d.c.Listen+".")
		}
	}
	var lost []string
	for _, m := range used {
		if s, _, why := d.probe(ctx, m); s == nil || s.Method != m {
			lost = append(lost, m+" ("+orOther(why)+")")
		}
	}
	if len(lost) > 0 {
		return failed("a proxy on the way does not pass "+strings.Join(lost, ", "), "Phones cannot find, list or change what is theirs.", "Have the proxy pass every method as it came.")
	}
	return d.unchanged(seen, tag)
}

func orOther(why string) string {
	if why == "" {
		return "another method arrives"
	}
	return why
}

// unchanged compares what arrived with what was sent.
func (d *doctor) unchanged(seen *Seen, tag string) Check {
	const mend = "Have the proxy pass all headers as they came."
	var bad []string
	follows := ""
	for name, v := range d.sent() {
		if got := seen.Headers[name]; got != v {
			if got == "" {
				got = "nothing"
			}
			bad = append(bad, fmt.Sprintf("%s arrives as %s", name, got))
			follows = strings.TrimPrefix(follows+" "+lacking[name], " ")
		}
	}
	slices.Sort(bad)
	switch {
	case len(bad) > 0:
		return failed("a proxy on the way changes requests: "+strings.Join(bad, "; "), follows, mend)
	case seen.Path != "/dav/":
		return failed("/dav/ arrives as "+seen.Path, "Addresses that the server gives lead nowhere.", "Have the proxy pass paths as they came.")
	case seen.Octets != int64(len(question)):
		return failed(fmt.Sprintf("of a body of %d octets %d arrive", len(question), seen.Octets), "Nothing can be stored.", "Have the proxy pass bodies of every method.")
	case tag != echoTag:
		return failed("a proxy on the way changes ETag "+echoTag+" to "+tag, "Phones name versions that the server does not know: their changes are refused.", "Turn off compression of answers under /dav/ in the proxy.")
	case d.base().Scheme == "https" && !seen.HTTPS:
		return warn("the server takes this for a request without TLS", "Links that it makes may lead to http.", "Have the proxy set X-Forwarded-Proto, and name it with --trusted-proxy; or say --public-url.")
	}
	return ok(fmt.Sprintf("this server answers under %s; %d methods, %d headers and bodies arrive as they were sent", d.base(), len(used), len(d.sent())))
}

// discovery asks as a phone asks that knows the host name only (RFC 6764 section 5).
func (d *doctor) discovery(ctx context.Context) Check {
	if c, ok := d.running(ctx); !ok {
		return c
	}
	if len(d.at) == 0 {
		return noWay()
	}
	var bad []string
	for _, kind := range []string{"caldav", "carddav"} {
		for _, method := range []string{"PROPFIND", http.MethodGet} {
			err := d.redirects(ctx, method, "/.well-known/"+kind)
			if errors.Is(err, errLater) {
				return unknown(err.Error(), "Run it again when the service is ready.")
			}
			if err != nil {
				bad = append(bad, err.Error())
			}
		}
	}
	if len(bad) > 0 {
		return failed(strings.Join(bad, "; "), "Phones that know only the host name do not find their calendars and address books.", "Let the proxy pass /.well-known/caldav and /.well-known/carddav with every method, PROPFIND too, and Location as it is.")
	}
	return d.asksToSignIn(ctx)
}

// errLater is what comes of a service that is not ready.
var errLater = errors.New("the service answers 503: it is not ready, or a proxy does not reach it")

// redirects tells what is wrong with where discovery leads.
func (d *doctor) redirects(ctx context.Context, method, path string) error {
	resp, _, err := d.ask(ctx, method, path, "", map[string]string{"Depth": "0"})
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusServiceUnavailable {
		return errLater
	}
	where, err := resp.Location()
	switch u := d.base(); {
	case resp.StatusCode/100 != 3 || err != nil:
		return fmt.Errorf("%s %s answers %s", method, path, resp.Status)
	case where.Scheme != u.Scheme:
		return fmt.Errorf("%s %s leads from %s to %s", method, path, u.Scheme, where)
	case !strings.EqualFold(where.Hostname(), u.Hostname()) || portOf(where) != portOf(u):
		return fmt.Errorf("%s %s leads to another host, %s", method, path, where)
	case where.Path != "/dav/":
		return fmt.Errorf("%s %s leads to %s, not to /dav/", method, path, where.Path)
	}
	return nil
}

// asksToSignIn sees whether who comes without a password is asked for one, and by nobody else.
func (d *doctor) asksToSignIn(ctx context.Context) Check {
	resp, _, err := d.ask(ctx, "PROPFIND", "/dav/", question, map[string]string{"Depth": "0", "Content-Type": "application/xml"})
	if err != nil {
		return unknown(err.Error(), "Run it again.")
	}
	basic := strings.HasPrefix(strings.ToLower(resp.Header.Get("WWW-Authenticate")), "basic")
	switch {
	case resp.StatusCode == http.StatusServiceUnavailable:
		return unknown(errLater.Error(), "Run it again when the service is ready.")
	case resp.StatusCode != http.StatusUnauthorized:
		return failed("PROPFIND of /dav/ without a password answers "+resp.Status, "Phones are not asked for their password, and do not sync.", "Let the proxy neither sign people in nor show a page of its own under /dav/.")
	case !basic:
		return failed("the answer 401 has no WWW-Authenticate: Basic", "Phones are not asked for their password, and do not sync.", "Let the proxy pass the headers of answers as they are.")
	}
	return ok("/.well-known/caldav and carddav lead to " + d.base().String() + "/dav/, which asks to sign in")
}
