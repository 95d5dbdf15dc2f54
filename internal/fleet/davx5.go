package fleet

import (
	"errors"
	"time"

	"holdfast/internal/davxml"
)

// davx5Page is how many members DAVx5 gets at once.
const davx5Page = 10

// syncDAVx5: where it stands, uploads, then what changed. Any error ends it, and all that is left stays (rows of 5xx, 401, and 403, 404, 410 in a sync).
func (d *Device) syncDAVx5(s *session, c *Collection) error {
	state, err := d.davx5State(s, c)
	if err != nil {
		return err
	}
	forced := d.davx5Reset(s, c)
	sent, err := d.davx5Upload(s, c)
	if err != nil { // uploads come before the listing: 503 on a PUT stops the sync before it deletes anything (note 6)
		return err
	}
	if state != "" && state == c.state && !sent && !forced { // nothing is new: it stops here (note 1)
		return nil
	}
	if c.Contacts {
		return d.davx5Contacts(s, c)
	}
	if sent {
		if state, err = d.davx5State(s, c); err != nil {
			return err
		}
	}
	if err := d.davx5Events(s, c); err != nil {
		return err
	}
	c.state = state
	return nil
}

// davx5State asks for token and CTag; the token is preferred.
func (d *Device) davx5State(s *session, c *Collection) (string, error) {
	ask := askStateCal
	if c.Contacts {
		ask = askStateBook
	}
	m, err := d.wire.ask(s, "PROPFIND", c.Href, "0", ask)
	if err != nil {
		return "", err
	}
	if len(m.responses) == 0 {
		return "", nil
	}
	r := &m.responses[0]
	if t := r.text(davxml.DSyncToken); t != "" {
		return t, nil
	}
	return r.text(davxml.CSGetCTag), nil
}

// davx5Reset takes unsynced edits back where the server gives no privilege to write (note 5): new items go, deletions are undone, edits are downloaded over.
func (d *Device) davx5Reset(s *session, c *Collection) (forced bool) {
	if !c.ReadOnly {
		return false
	}
	for _, it := range c.sorted() {
		switch {
		case it.Deleted:
			it.Deleted, it.ETag, forced = false, "", true
		case it.Dirty && !it.Known:
			d.drop(s, c, it, "the privileges of "+c.Href+" do not let it write: new items are taken back")
		case it.Dirty:
			d.out.Overwritten(d, it, "the privileges of "+c.Href+" do not let it write: edits are taken back")
			it.Dirty, it.ETag, forced = false, "", true
		}
	}
	if forced {
		c.token = "" // it must be listed to be downloaded
	}
	return forced
}

func (d *Device) davx5Upload(s *session, c *Collection) (sent bool, err error) {
	for _, it := range c.sorted() {
		if !it.Deleted {
			continue
		}
		// Whatever HTTP says to a DELETE is passed over, and the copy here goes; the item comes back with a listing that has it (note 4).
		if _, err := d.remove(s, it, ifSeen(it)...); err != nil {
			return sent, err
		}
		delete(c.Items, it.Href)
		sent, s.changed = true, true
	}
	for _, it := range c.sorted() {
		if !it.Dirty {
			continue
		}
		if err := d.davx5Put(s, c, it, ifMatch(it)); err != nil {
			return sent, err
		}
		sent = true
	}
	return sent, nil
}

// davx5Put is note 3: 404 and 410 of what it has an ETag of: sent again as new; 412 and 409: the edit is not dirty any more, and the server's copy comes over it with
// the listing, or the listing says that it was deleted.
func (d *Device) davx5Put(s *session, c *Collection, it *Item, condition []string) error {
	a, err := d.put(s, c, it, condition...)
	switch {
	case err != nil:
		return err
	case a.status < 300:
		return nil
	case (a.status == 404 || a.status == 410) && condition[0] == "If-Match":
		it.ETag = ""
		return d.davx5Put(s, c, it, ifMatch(it))
	case a.status == 409 || a.status == 412:
		d.out.Overwritten(d, it, d.wire.fail("PUT", a).Error()+": not dirty any more")
		it.Dirty, it.ETag, s.changed = false, "", true
		return nil
	}
	return d.wire.fail("PUT "+it.Href, a) // the edit stays dirty
}

// davx5Contacts syncs by token. A token that the server does not know makes it list everything.
func (d *Device) davx5Contacts(s *session, c *Collection) error {
	l, token, err := d.changes(s, c, "0", "<getetag/>")
	var e *statusError
	if errors.As(err, &e) && c.token != "" && (e.status == 403 || e.status == 409 || e.status == 410) && e.condition("valid-sync-token") {
		c.token = ""
		l, token, err = d.changes(s, c, "0", "<getetag/>")
	}
	if err != nil {
		return err
	}
	if err := d.davx5Apply(s, c, &l); err != nil {
		return err
	}
	c.token, c.state = token, token
	return nil
}

// davx5Events lists what is not long past, each time in full: the default limit of 90 days forbids tokens (note 1).
func (d *Device) davx5Events(s *session, c *Collection) error {
	since := d.wire.Clock.Now().UTC().AddDate(0, 0, -90).Truncate(24 * time.Hour).Format("20060102T150405Z")
	l, err := d.fullListing(s, c, "REPORT", "1", eventsSince(since))
	if err != nil {
		return err
	}
	return d.davx5Apply(s, c, &l)
}

// davx5Apply downloads, then deletes. In a full listing what is dirty outlives not being listed; in changes a 404 deletes also what is dirty (note 3).
func (d *Device) davx5Apply(s *session, c *Collection, l *listed) error {
	got, err := d.multiget(s, c, l.differs(c), davx5Page, "0")
	if err != nil {
		return err
	}
	for i := range l.members {
		r := got[l.members[i].href]
		switch {
		case r == nil || r.gone(): // listed with a new ETag and then 404: it keeps what it has
		case r.etag == "" || r.data == "":
			return errors.New("a multiget of " + c.Href + " gives no ETag or no data of " + r.href)
		default:
			d.take(s, c, r)
		}
	}
	for _, it := range l.missing(c) {
		if l.full && it.Dirty {
			continue
		}
		d.drop(s, c, it, l.reason(it))
	}
	return nil
}
