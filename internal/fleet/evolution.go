package fleet

import (
	"errors"

	"holdfast/internal/davxml"
)

// syncEvolution: edits that wait, the CTag, then sync-collection where the server has tokens, and a full listing where it has none.
func (d *Device) syncEvolution(s *session, c *Collection) error {
	if err := d.evoUpload(s, c); err != nil {
		return err
	}
	m, err := d.wire.ask(s, "PROPFIND", c.Href, "0", askCTag)
	if err != nil {
		return err
	}
	ctag, token := "", ""
	if r := m.of(c.Href); r != nil {
		ctag, token = r.text(davxml.CSGetCTag), r.text(davxml.DSyncToken)
	}
	if ctag != "" && ctag == c.state {
		return nil
	}
	if c.token == "" {
		if err := d.evoAll(s, c); err != nil {
			return err
		}
		c.state, c.token = ctag, token // as of before the listing: what changed meanwhile is seen next time
		return nil
	}
	l, token, err := d.changes(s, c, "1", "<getetag/>")
	var e *statusError
	if errors.As(err, &e) && (e.status == 403 && e.condition("valid-sync-token") || e.status == 412) { // row "invalid token": only then does it list everything
		c.token, c.state = "", ""
		return d.syncEvolution(s, c)
	}
	if err != nil {
		return err
	}
	if err := d.evoApply(s, c, &l); err != nil {
		return err
	}
	c.state, c.token = ctag, token
	return nil
}

// evoAll lists everything: what is not listed is deleted.
func (d *Device) evoAll(s *session, c *Collection) error {
	method, body := "REPORT", askEvents
	if c.Contacts {
		method, body = "PROPFIND", askETags
	}
	l, err := d.fullListing(s, c, method, "1", body)
	if err != nil {
		return err
	}
	return d.evoApply(s, c, &l)
}

// evoApply deletes what is missing, then downloads; what is listed with a new ETag and then 404 is deleted (its row).
func (d *Device) evoApply(s *session, c *Collection, l *listed) error {
	for _, it := range l.missing(c) {
		d.drop(s, c, it, l.reason(it))
	}
	return d.fetchOrDrop(s, c, l.differs(c), "")
}

// evoUpload sends with conditions, and gets what was sent. On 412 the edit was made to something that is not there any more: the server's copy is taken.
func (d *Device) evoUpload(s *session, c *Collection) error {
	for _, it := range c.sorted() {
		if it.Deleted {
			if err := d.removeOrKeep(s, c, it); err != nil {
				return err
			}
			continue
		}
		if !it.Dirty {
			continue
		}
		a, err := d.put(s, c, it, ifMatch(it)...)
		switch {
		case err != nil:
			return err
		case a.status >= 500:
			return d.wire.fail("PUT "+it.Href, a)
		case a.status == 412:
			d.out.Overwritten(d, it, "412 on its PUT: out of date")
			it.Dirty = false
			if err := d.fetchOrDrop(s, c, []string{it.Href}, ""); err != nil {
				return err
			}
		case a.status < 300:
			if err := d.readBack(s, c, it); err != nil {
				return err
			}
		}
	}
	return nil
}

// readBack gets what was just sent, to have it as the server has it.
func (d *Device) readBack(s *session, c *Collection, it *Item) error {
	a, err := d.wire.do(s, "GET", it.Href, "")
	if err != nil {
		return err
	}
	if a.status == 200 {
		d.take(s, c, &response{href: it.Href, etag: a.header.Get("ETag"), data: string(a.body)})
	}
	return nil
}
