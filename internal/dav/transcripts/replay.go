package transcripts

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"text/template"
)

// World is what a transcript is replayed against.
type World struct {
	Handler http.Handler
	Start   string // the path that the user types, often "/"
	Login   string
	Files   map[string]string // by variable: the home of files in both of its forms, and where large ones arrive
	Bases   map[string]string // the path of the collection for each kind that is given, with a slash at its end
	Owner   http.Handler      // somebody else, who shares a calendar with the user
	Shared  string            // where it is for its owner; Bases["shared"] is where it is for the user
}

// maxRedirects is how many redirects in a row a client follows.
const maxRedirects = 5

// Replay sends the transcript's requests in order. The error names the first step that did not get what its client needs, with the answer.
func (t *Transcript) Replay(w World) error {
	r := &replay{w: w, t: t, put: map[string]string{}, live: map[string][]string{}, made: map[string]int{}, vars: map[string]any{"start": w.Start, "login": w.Login}}
	for name, path := range w.Files {
		r.vars[name] = path
	}
	for i, g := range t.Given {
		if i == 0 {
			r.vars["base"] = w.Bases[g.Kind]
		}
		if err := r.change("add", g.Count, g.Kind); err != nil {
			return fmt.Errorf("%s: the given %s: %w", t.Name, g.Kind, err)
		}
	}
	for i := range t.Steps {
		if err := r.step(&t.Steps[i]); err != nil {
			return fmt.Errorf("%s:%d: %s: %w", t.Name, t.Steps[i].Line, t.Steps[i].Title, err)
		}
	}
	return nil
}

type replay struct {
	w    World
	t    *Transcript
	vars map[string]any
	put  map[string]string   // path to the body that was last PUT there
	live map[string][]string // by kind: paths of what other devices made and did not delete
	made map[string]int      // by kind: how many they made
}

func (r *replay) step(s *Step) error {
	if s.Verb != "" {
		return r.change(s.Verb, s.Count, s.Kind)
	}
	head, err := r.fill(s.Head)
	if err != nil {
		return err
	}
	body, err := r.fill(s.Body)
	if err != nil {
		return err
	}
	method, target, header, err := readHead(head)
	if err != nil {
		return err
	}
	if t := header.Get("Content-Type"); strings.HasPrefix(t, "text/vcard") || strings.HasPrefix(t, "text/calendar") {
		body = strings.ReplaceAll(body, "\n", "\r\n")
	}
	if r.t.Agent != "" {
		header.Set("User-Agent", r.t.Agent)
	}
	a, err := r.send(method, target, header, body, s.Status)
	if err != nil {
		return err
	}
	for _, c := range s.Checks {
		line, err := r.fill(c.Text)
		if err == nil {
			err = r.check(a, line)
		}
		if err != nil {
			return fmt.Errorf("line %d: %s: %w\n%s", c.Line, c.Text, err, a.dump())
		}
	}
	return nil
}

// send does one request, redirects followed, and reads the answer.
func (r *replay) send(method, target string, header http.Header, body string, want []int) (*answer, error) {
	for range maxRedirects {
		a, err := r.do(method, target, header, body)
		if err != nil {
			return nil, err
		}
		place := a.header.Get("Location")
		if slices.Contains(want, a.status) {
			return a, nil
		}
		if a.status/100 != 3 || place == "" {
			return nil, fmt.Errorf("the status is %d, not one of %v\n%s", a.status, want, a.dump())
		}
		from, _ := url.Parse(target)
		to, err := from.Parse(place)
		if err != nil {
			return nil, fmt.Errorf("redirect to %q: %w", place, err)
		}
		target = to.EscapedPath()
	}
	return nil, errors.New("redirects lead nowhere")
}

func (r *replay) do(method, target string, header http.Header, body string) (*answer, error) {
	return r.as(r.w.Handler, target, method, target, header, body)
}

// as does so as somebody, for whom the target is at another path.
func (r *replay) as(who http.Handler, at, method, target string, header http.Header, body string) (*answer, error) {
	req := httptest.NewRequest(method, at, strings.NewReader(body))
	req.Host = "cloud.example.org"
	req.Header = header.Clone()
	rec := httptest.NewRecorder()
	who.ServeHTTP(rec, req)
	a := &answer{status: rec.Code, header: rec.Header(), body: rec.Body.Bytes(), target: target}
	if a.status == http.StatusMultiStatus {
		var err error
		if a.root, err = readXML(a.body); err != nil {
			return nil, fmt.Errorf("the body of %s %s: %w\n%s", method, target, err, a.dump())
		}
	}
	switch {
	case a.status/100 == 2 && method == http.MethodPut:
		r.put[target] = body
	case a.status/100 == 2 && method == http.MethodDelete:
		delete(r.put, target)
	}
	return a, nil
}

// dump shows an answer to whoever reads a failure.
func (a *answer) dump() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "answer: %d\n", a.status)
	a.header.Write(&b)
	b.WriteString("\n" + strings.ReplaceAll(string(a.body[:min(len(a.body), 6000)]), "\r", ""))
	return b.String()
}

// readHead reads a request line and headers.
func readHead(head string) (method, target string, header http.Header, err error) {
	line, rest, _ := strings.Cut(head, "\n")
	f := strings.Fields(line)
	if len(f) < 2 {
		return "", "", nil, fmt.Errorf("%q is not a method and a target", line)
	}
	header = http.Header{}
	for l := range strings.SplitSeq(strings.TrimSpace(rest), "\n") {
		if l == "" {
			continue
		}
		name, value, ok := strings.Cut(l, ":")
		if !ok {
			return "", "", nil, fmt.Errorf("%q is not a header", l)
		}
		header.Add(textproto.CanonicalMIMEHeaderKey(name), strings.TrimSpace(value))
	}
	return f[0], f[1], header, nil
}

// fill puts variables into a text.
func (r *replay) fill(text string) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	t, err := template.New("").Option("missingkey=error").Funcs(template.FuncMap{"xml": escape}).Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, r.vars)
	return b.String(), err
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a Builder never fails
	return b.String()
}
