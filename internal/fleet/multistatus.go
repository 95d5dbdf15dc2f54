package fleet

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"holdfast/internal/davxml"
)

// response is one member of a multistatus.
type response struct {
	href   string
	status int // of the response itself; 0: it has properties instead
	etag   string
	data   string // address or calendar data
	props  []*davxml.Element
}

// prop is a property that came with 200.
func (r *response) prop(n davxml.Name) *davxml.Element {
	for _, p := range r.props {
		if c := p.Child(n); c != nil {
			return c
		}
	}
	return nil
}

func (r *response) text(n davxml.Name) string { return strings.Clone(r.prop(n).TrimText()) }

// gone tells whether the answer says of this member that it does not exist.
func (r *response) gone() bool { return r.status == 404 || r.status == 410 }

// multistatus is a 207 as a client reads it.
type multistatus struct {
	responses []response
	token     string
	cut       bool // 507 on the collection: there is more
}

// limits are those of a client that believes its server: a listing may be long.
func limits() davxml.Limits {
	return davxml.Limits{Octets: maxAnswer, Elements: 10_000_000, Hrefs: 1_000_000}
}

// parseMultistatus reads a 207. XML that is cut short or not well-formed is an error, on which every client keeps what it has.
func parseMultistatus(b []byte) (*multistatus, error) {
	root, err := davxml.Parse(bytes.NewReader(b), limits())
	if err != nil {
		return nil, err
	}
	if root.Name != davxml.DMultistatus {
		return nil, fmt.Errorf("%v stands where a multistatus belongs", root.Name)
	}
	m := &multistatus{token: strings.Clone(root.Child(davxml.DSyncToken).TrimText())}
	for e := range root.All(davxml.DResponse) {
		r := response{href: strings.Clone(e.Child(davxml.DHref).TrimText()), status: code(e.Child(davxml.DStatus).TrimText())}
		for ps := range e.All(davxml.DPropstat) {
			if p := ps.Child(davxml.DProp); p != nil && code(ps.Child(davxml.DStatus).TrimText()) == 200 {
				r.props = append(r.props, p)
			}
		}
		r.etag = r.text(davxml.DGetETag)
		for _, n := range []davxml.Name{davxml.CRAddressData, davxml.CCalendarData} {
			if d := r.prop(n); d != nil {
				r.data = strings.Clone(d.Text)
			}
		}
		m.cut = m.cut || r.status == 507
		m.responses = append(m.responses, r)
	}
	return m, nil
}

// code is the number in "HTTP/1.1 404 Not Found".
func code(s string) int {
	f := strings.Fields(s)
	if len(f) < 2 {
		return 0
	}
	n, err := strconv.Atoi(f[1])
	if err != nil {
		return 0
	}
	return n
}

// of is the response about one href; nil: there is none.
func (m *multistatus) of(href string) *response {
	for i := range m.responses {
		if m.responses[i].href == href {
			return &m.responses[i]
		}
	}
	return nil
}

// ask sends PROPFIND or REPORT and reads the 207. Every other status is a *statusError.
func (w *Wire) ask(ctx context.Context, method, href, depth, body string) (*multistatus, error) {
	headers := []string{"Content-Type", `application/xml; charset=utf-8`}
	if depth != "" {
		headers = append(headers, "Depth", depth)
	}
	a, err := w.do(ctx, method, href, body, headers...)
	if err != nil {
		return nil, err
	}
	if a.status != 207 {
		return nil, w.fail(method+" "+href, a)
	}
	m, err := parseMultistatus(a.body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, href, err)
	}
	return m, nil
}
