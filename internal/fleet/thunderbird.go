package fleet

import (
	"errors"
	"hash/fnv"

	"holdfast/internal/davxml"
)

// tbPage is how many members a calendar of Thunderbird gets at once.
const tbPage = 100

// syncTBCalendar: a look at the start of the program, edits that wait, then sync-collection.
func (d *Device) syncTBCalendar(s *session, c *Collection) error {
	if c.disabled {
		return nil // until its program is started again; all is kept
	}
	if !c.started {
		_, err := d.wire.ask(s, "PROPFIND", c.Href, "0", askState)
		var e *statusError
		if errors.As(err, &e) && e.status < 500 { // a 4xx at the start disables the calendar (row 401)
			c.disabled = true
		}
		if err != nil {
			return err
		}
		c.started = true
	}
	if err := d.tbUpload(s, c); err != nil {
		return err
	}
	const props = "<getcontenttype/><getetag/>"
	l, token, err := d.changes(s, c, "1", props)
	var e *statusError
	if errors.As(err, &e) && c.token != "" && e.status >= 400 && e.status < 500 && e.status != 401 { // a 4xx on the REPORT drops the token; everything is listed
		c.token = ""
		l, token, err = d.changes(s, c, "1", props)
	}
	if err != nil {
		return err
	}
	if err := d.tbApply(s, c, &l); err != nil {
		return err
	}
	c.token = token
	return nil
}

// tbApply deletes what is missing, dirty or not, then downloads; what is listed with a new ETag and then 404 is deleted (its row).
func (d *Device) tbApply(s *session, c *Collection, l *listed) error {
	for _, it := range l.missing(c) {
		d.drop(s, c, it, l.reason(it))
	}
	return d.fetchOrDrop(s, c, l.differs(c), "1")
}

// fetchOrDrop gets members; a 404 of one deletes it here.
func (d *Device) fetchOrDrop(s *session, c *Collection, hrefs []string, depth string) error {
	got, err := d.multiget(s, c, hrefs, tbPage, depth)
	for _, href := range hrefs {
		r := got[href]
		switch {
		case r == nil:
		case r.gone():
			if it := c.Items[href]; it != nil {
				d.drop(s, c, it, "listed with another ETag, and the multiget says 404 of it")
			}
		case r.data != "":
			d.take(s, c, r)
		}
	}
	return err
}

// tbUpload sends what waits, with conditions, and reads each item back. On 412 it asks its person, who sometimes insists. What is refused otherwise stays.
func (d *Device) tbUpload(s *session, c *Collection) error {
	for _, it := range c.sorted() {
		var err error
		switch {
		case it.Deleted:
			err = d.removeOrKeep(s, c, it)
		case it.Dirty:
			err = d.tbPut(s, c, it)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Device) tbPut(s *session, c *Collection, it *Item) error {
	a, err := d.put(s, c, it, ifMatch(it)...)
	if err == nil && a.status == 412 {
		if !insists(it.Body) {
			d.out.Overwritten(d, it, "412 on its PUT, and its person takes the server's copy")
			it.Dirty = false
			return d.fetchOrDrop(s, c, []string{it.Href}, "1")
		}
		a, err = d.put(s, c, it)
	}
	switch {
	case err != nil:
		return err
	case a.status >= 500:
		return d.wire.fail("PUT "+it.Href, a)
	case a.status >= 300:
		return nil
	}
	return d.fetchOrDrop(s, c, []string{it.Href}, "1")
}

// insists is a person's answer to "someone else has changed this": the same for the same edit.
func insists(body string) bool {
	h := fnv.New32a()
	h.Write([]byte(body))
	return h.Sum32()%2 == 0
}

// removeOrKeep deletes on the server what is deleted here, if it is what was seen. Gone already is as good. After 412 the deletion is given up, and the server's copy
// comes; after any other error it waits.
func (d *Device) removeOrKeep(s *session, c *Collection, it *Item) error {
	a, err := d.remove(s, it, ifSeen(it)...)
	switch {
	case err != nil:
		return err
	case a.status < 300 || a.status == 404 || a.status == 410:
		delete(c.Items, it.Href)
		s.changed = true
	case a.status == 412:
		it.Deleted = false
		return d.fetchOrDrop(s, c, []string{it.Href}, "1")
	case a.status >= 500:
		return d.wire.fail("DELETE "+it.Href, a)
	}
	return nil
}

// syncTBContacts: edits that wait, then changes with their octets; without a token, everything.
func (d *Device) syncTBContacts(s *session, c *Collection) error {
	if err := d.tbBlindUpload(s, c); err != nil {
		return err
	}
	if c.token == "" {
		return d.tbContactsAll(s, c)
	}
	l, token, err := d.changes(s, c, "1", "<getetag/><CARD:address-data/>")
	var e *statusError
	if errors.As(err, &e) && e.status == 400 { // row "invalid token": 400 makes it list everything; 403 leaves it stuck, with all that it has
		c.token = ""
		return d.tbContactsAll(s, c)
	}
	if err != nil {
		return err
	}
	for _, it := range l.missing(c) {
		d.drop(s, c, it, l.reason(it))
	}
	for i := range l.members {
		r := &l.members[i]
		if it := c.Items[r.href]; r.data != "" && (it == nil || it.ETag != r.etag) {
			d.take(s, c, r)
		}
	}
	c.token = token
	return nil
}

// tbContactsAll lists everything, gets what is new all at once, keeps what then says 404, deletes what is not listed, and asks for a token.
func (d *Device) tbContactsAll(s *session, c *Collection) error {
	l, err := d.fullListing(s, c, "PROPFIND", "1", askMembers)
	if err != nil {
		return err
	}
	for _, it := range l.missing(c) {
		d.drop(s, c, it, l.reason(it))
	}
	if get := l.differs(c); len(get) > 0 {
		got, err := d.multiget(s, c, get, 0, "1")
		if err != nil {
			return err
		}
		for _, href := range get {
			if r := got[href]; r != nil && r.data != "" {
				d.take(s, c, r)
			}
		}
	}
	m, err := d.wire.ask(s, "PROPFIND", c.Href, "0", askToken)
	if err != nil {
		return err
	}
	if r := m.of(c.Href); r != nil {
		c.token = r.text(davxml.DSyncToken)
	}
	return nil
}

// tbBlindUpload sends without conditions: whatever is there is overwritten (note 7). Each contact is read back.
func (d *Device) tbBlindUpload(s *session, c *Collection) error {
	for _, it := range c.sorted() {
		if !it.Deleted && !it.Dirty {
			continue
		}
		if it.Deleted {
			a, err := d.remove(s, it)
			if err != nil {
				return err
			}
			if a.status >= 300 && a.status != 404 && a.status != 410 {
				return d.wire.fail("DELETE "+it.Href, a)
			}
			delete(c.Items, it.Href)
			s.changed = true
			continue
		}
		a, err := d.put(s, c, it)
		if err != nil {
			return err
		}
		if a.status >= 500 {
			return d.wire.fail("PUT "+it.Href, a)
		}
		if a.status >= 300 {
			continue // refused; it stays
		}
		got, err := d.multiget(s, c, []string{it.Href}, 0, "1")
		if err != nil {
			return err
		}
		if r := got[it.Href]; r != nil && r.data != "" {
			d.take(s, c, r)
		}
	}
	return nil
}
