package carddav

import (
	"bytes"
	"net/http"
	"strings"

	"holdfast"
	"holdfast/internal/dav"
	"holdfast/internal/davxml"
	"holdfast/internal/vcard"
)

// The versions of vCard that are spoken here.
const (
	version3 = "3.0"
	version4 = "4.0"
)

// form is how a client wants its cards (RFC 6352 section 10.4). The zero value is: as they are stored.
type form struct {
	version string // "" for the stored one
	props   []vcard.PropSel

	made *holdfast.Resource // the member that body was made of, by a report that had to know beforehand whether it can be made
	body []byte
}

// formOf reads what CARDDAV:address-data asks for; nil data is not asked for, and gives the zero form. The error names supported-address-data.
func (o Options) formOf(data *davxml.AddressData, h http.Header) (*form, error) {
	f := &form{}
	if data == nil {
		return f, nil
	}
	media, _, _ := strings.Cut(data.ContentType, ";")
	if !isVCard(strings.TrimSpace(media)) && media != "" {
		return nil, refuse("Report", ruleSupportedData, "address data are given as text/vcard only")
	}
	switch data.Version {
	case version3, version4:
		f.version = data.Version
	case "":
		if o.Reads3(h) {
			f.version = version3
		}
	default:
		return nil, refuse("Report", ruleSupportedData, "address data are given as vCard 3.0 and 4.0 only")
	}
	for _, p := range data.Props {
		f.props = append(f.props, vcard.PropSel{Name: p.Name, NoValue: p.NoValue})
	}
	return f, nil
}

// isVCard tells whether a media type without parameters means vCards.
func isVCard(media string) bool {
	return strings.EqualFold(media, "text/vcard") || strings.EqualFold(media, "text/x-vcard") || strings.EqualFold(media, "text/directory")
}

// verbatim tells whether every stored card is given as it is, whatever it holds.
func (f *form) verbatim() bool { return f.version == "" && len(f.props) == 0 }

// render gives a card in the form. The result shares the body's memory where nothing has to change.
func (f *form) render(body []byte) ([]byte, error) {
	if f.version != "" && f.version != versionOf(body) {
		made, refusal := vcard.Convert(body, f.version)
		if refusal != nil {
			return nil, refusal
		}
		body = made
	}
	if len(f.props) == 0 {
		return body, nil
	}
	card, err := vcard.Parse(body, vcard.Limits{Octets: len(body), LineOctets: len(body)})
	if err != nil {
		return nil, err
	}
	return vcard.Project(card, f.props), nil
}

// prepare renders a member beforehand, so that a report can answer for it with a condition where that is impossible.
func (f *form) prepare(r *holdfast.Resource) (err error) {
	f.made, f.body = nil, nil
	if r.Body != nil && !f.verbatim() {
		f.body, err = f.render(r.Body)
		f.made = r
	}
	return err
}

// versionOf finds the version of a stored card, which the judge has seen. It reads no further than it must: in version 4.0 it is the second line.
func versionOf(body []byte) string {
	const name = "VERSION:"
	for len(body) > len(name) {
		if asciiFold(body[:len(name)], name) {
			if bytes.HasPrefix(bytes.TrimLeft(body[len(name):], " \t"), []byte(version4)) {
				return version4
			}
			return version3
		}
		end := bytes.IndexByte(body, '\n')
		if end < 0 {
			break
		}
		body = body[end+1:]
	}
	return version3
}

// asciiFold compares without regard to letter case; upper is in capitals, and as long.
func asciiFold(b []byte, upper string) bool {
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != upper[i] {
			return false
		}
	}
	return true
}

// writeData writes CARDDAV:address-data. Reports of this package have put the form into q.Data; in the ground's sync-collection it is read here, from the
// element that asks.
func (o Options) writeData(w *davxml.Writer, q *dav.Query, t *dav.Target, ask *davxml.Element) {
	f, ours := q.Data.(*form)
	if !ours {
		var err error
		if f, err = o.formOfElement(ask, q); err != nil {
			q.Fail(err)
			return
		}
		if q.Data == nil {
			q.Data = f // for the members that follow
		}
	}
	if err := dav.Present(t.Resource); err != nil {
		q.Fail(err)
		return
	}
	body := t.Resource.Body
	if f.made == t.Resource && f.body != nil {
		body = f.body
	} else if made, err := f.render(body); err == nil {
		body = made // what cannot be made in the other form is given as it is: here the client cannot be told otherwise without losing all of the answer
	}
	if versionOf(body) == version4 {
		w.Start(davxml.CRAddressData, dataType4...)
	} else {
		w.Start(davxml.CRAddressData)
	}
	w.TextBytes(body)
	w.End()
}

// dataType4 says what the RFC does not take for granted; 3.0 is its default.
var dataType4 = []davxml.Attr{{Name: davxml.Name{Local: "content-type"}, Value: "text/vcard"}, {Name: davxml.Name{Local: "version"}, Value: version4}}

func (o Options) formOfElement(ask *davxml.Element, q *dav.Query) (*form, error) {
	if ask == nil {
		return o.formOf(&davxml.AddressData{}, q.Header)
	}
	set := davxml.PropSet{Mode: davxml.NamedProps, Names: []davxml.Name{davxml.CRAddressData}, Elements: []*davxml.Element{ask}}
	data, err := set.AddressData(q.Limits)
	if err != nil {
		return nil, err
	}
	return o.formOf(data, q.Header)
}
