package davtest

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Client sends requests to a handler.
type Client struct {
	T       testing.TB
	Handler http.Handler
}

// Answer is what came back.
type Answer struct {
	Code   int
	Header http.Header
	Body   string
}

// Do sends a request; headers are "Name: value".
func (c *Client) Do(method, target, body string, headers ...string) Answer {
	c.T.Helper()
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	req.Host = "cloud.example.org"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	rec := httptest.NewRecorder()
	c.Handler.ServeHTTP(rec, req)
	return Answer{rec.Code, rec.Header(), rec.Body.String()}
}

// Want sends a request that must be answered so.
func (c *Client) Want(code int, method, target, body string, headers ...string) Answer {
	c.T.Helper()
	a := c.Do(method, target, body, headers...)
	if a.Code != code {
		c.T.Fatalf("%s %s: %d, want %d: %s", method, target, a.Code, code, a.Body)
	}
	return a
}

// Names tells whether a precondition, "C:name" or "D:name", stands in the answer. "" always does.
func (a Answer) Names(cond string) bool {
	return cond == "" || strings.Contains(a.Body, "<"+cond+"/>") || strings.Contains(a.Body, "<"+cond+">")
}

// Refused sends a request that must be answered with a status and a precondition, "C:name" or "D:name".
func (c *Client) Refused(code int, cond, method, target, body string, headers ...string) {
	c.T.Helper()
	if a := c.Do(method, target, body, headers...); a.Code != code || !a.Names(cond) {
		c.T.Errorf("%s %s %.200q: %d, want %d with %s: %s", method, target, body, a.Code, code, cond, a.Body)
	}
}

// Put stores an object of a media type and returns its ETag.
func (c *Client) Put(mediaType, target, body string, headers ...string) string {
	c.T.Helper()
	a := c.Do("PUT", target, body, append(headers, "Content-Type: "+mediaType)...)
	if a.Code != http.StatusCreated && a.Code != http.StatusNoContent {
		c.T.Fatalf("PUT %s: %d %s\n%s", target, a.Code, a.Body, body)
	}
	return a.Header.Get("ETag")
}

// Report sends a REPORT that must be answered 207, and reads it.
func (c *Client) Report(target, body string, headers ...string) []Response {
	c.T.Helper()
	return c.Parse(c.Want(http.StatusMultiStatus, "REPORT", target, body, headers...).Body)
}

// Response is a DAV:response as a client reads it.
type Response struct {
	Href   string `xml:"DAV: href"`
	Status string `xml:"DAV: status"`
	Error  struct {
		Inner string `xml:",innerxml"`
	} `xml:"DAV: error"`
	Stats []struct {
		Status string `xml:"DAV: status"`
		Prop   struct {
			ETag    string `xml:"DAV: getetag"`
			Event   *Data  `xml:"urn:ietf:params:xml:ns:caldav calendar-data"`
			Contact *Data  `xml:"urn:ietf:params:xml:ns:carddav address-data"`
			Inner   string `xml:",innerxml"`
		} `xml:"DAV: prop"`
	} `xml:"DAV: propstat"`
}

// Data is an object's text in a listing.
type Data struct {
	Text    string `xml:",chardata"`
	Version string `xml:"version,attr"`
}

// Data gives the calendar or address data of a response with status 200.
func (r Response) Data() string {
	for _, s := range r.Stats {
		for _, d := range []*Data{s.Prop.Event, s.Prop.Contact} {
			if d != nil && s.Status == "HTTP/1.1 200 OK" {
				return d.Text
			}
		}
	}
	return ""
}

// ETag gives the DAV:getetag of a response.
func (r Response) ETag() string {
	for _, s := range r.Stats {
		if s.Prop.ETag != "" {
			return s.Prop.ETag
		}
	}
	return ""
}

// Props gives what stands in the prop of a status.
func (r Response) Props(status int) string {
	for _, s := range r.Stats {
		if strings.HasPrefix(s.Status, fmt.Sprintf("HTTP/1.1 %d ", status)) {
			return s.Prop.Inner
		}
	}
	return ""
}

// Parse reads a DAV:multistatus.
func (c *Client) Parse(body string) []Response {
	c.T.Helper()
	var m struct {
		XMLName   xml.Name   `xml:"DAV: multistatus"`
		Responses []Response `xml:"DAV: response"`
	}
	if err := xml.NewDecoder(strings.NewReader(body)).Decode(&m); err != nil {
		c.T.Fatalf("%v in %s", err, body)
	}
	return m.Responses
}

// Hrefs writes DAV:href for each address.
func Hrefs(hrefs ...string) string {
	var b strings.Builder
	for _, h := range hrefs {
		b.WriteString("<href>")
		xml.EscapeText(&b, []byte(h))
		b.WriteString("</href>")
	}
	return b.String()
}
