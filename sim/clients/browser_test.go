package clients

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// browser keeps cookies, follows redirects, and fills forms in, as far as the pages need it.
type browser struct {
	t     *testing.T
	agent string
	http  *http.Client
}

func newBrowser(t *testing.T, agent string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, agent: agent, http: &http.Client{Jar: jar}}
}

// page is what a browser shows.
type page struct {
	url    *url.URL
	status int
	header http.Header
	text   string
}

// open loads a page; it must be there.
func (b *browser) open(address string) page {
	b.t.Helper()
	p := b.do("GET", address, nil)
	if p.status != http.StatusOK {
		b.t.Fatalf("GET %s: %d\n%s", address, p.status, p.text)
	}
	return p
}

func (b *browser) do(method, address string, form url.Values) page {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("User-Agent", b.agent)
	r.Header.Set("Sec-Fetch-Site", "none")
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	a, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return page{a.Request.URL, a.StatusCode, a.Header, string(text)}
}

var (
	formTag  = regexp.MustCompile(`(?s)<form[^>]*method="post" action="([^"]+)"[^>]*>(.*?)</form>`)
	inputTag = regexp.MustCompile(`<input[^>]* name="([^"]+)"`)
)

// fill fills in the form of a page that has all the fields of values, and sends it.
func (b *browser) fill(p page, values map[string]string) page {
	b.t.Helper()
	for _, f := range formTag.FindAllStringSubmatch(p.text, -1) {
		form := url.Values{}
		for _, i := range inputTag.FindAllStringSubmatch(f[2], -1) {
			if v, ok := values[i[1]]; ok {
				form.Set(i[1], v)
			}
		}
		if len(form) == len(values) && (len(values) > 0 || !strings.Contains(f[1], "signout")) {
			return b.do("POST", b.resolve(p, f[1]), form)
		}
	}
	b.t.Fatalf("no form on %s has the fields %v:\n%s", p.url, values, p.text)
	return page{}
}

func (b *browser) resolve(p page, ref string) string {
	b.t.Helper()
	u, err := p.url.Parse(html.UnescapeString(ref))
	if err != nil {
		b.t.Fatal(err)
	}
	return u.String()
}

// find returns what stands in a page at the parentheses of an expression, as a person would read it.
func (p page) find(t *testing.T, expression string) string {
	t.Helper()
	m := regexp.MustCompile(expression).FindStringSubmatch(p.text)
	if m == nil {
		t.Fatalf("%s: nothing looks like %s\n%s", p.url, expression, p.text)
	}
	return html.UnescapeString(m[1])
}
