package fleet

import "fmt"

// syncVdirsyncer lists both sides and compares them with what it remembers of the last time. It has no tokens. In a conflict it is set to let the server's copy win.
func (d *Device) syncVdirsyncer(s *session, c *Collection) error {
	l, err := d.fullListing(s, c, "PROPFIND", "1", askTyped)
	if err != nil {
		return err
	}
	remote := map[string]string{}
	for i := range l.members {
		if r := &l.members[i]; r.etag != "" && r.status < 300 {
			remote[r.href] = r.etag
		}
	}
	known := 0
	for _, it := range c.Items {
		if it.Known {
			known++
		}
	}
	if len(remote) == 0 && known > 0 { // a side that was emptied is refused (row "207 with no items")
		return fmt.Errorf("%s is empty, and %d items are known: refused", l.what, known)
	}
	if err := d.vdirDownload(s, c, &l); err != nil {
		return err
	}
	return d.vdirRest(s, c, &l, remote)
}

// vdirDownload gets what is new or changed there, all at once. One that is listed and then not given ends the sync of the pair, before it does anything.
func (d *Device) vdirDownload(s *session, c *Collection, l *listed) error {
	get := l.differs(c)
	if len(get) == 0 {
		return nil
	}
	got, err := d.multiget(s, c, get, 0, "")
	if err != nil {
		return err
	}
	for _, href := range get {
		if r := got[href]; r == nil || r.data == "" {
			return fmt.Errorf("%s is listed, and a multiget does not give it: the sync of %s ends", href, c.Href)
		}
	}
	for _, href := range get {
		d.take(s, c, got[href])
	}
	return nil
}

// vdirRest deletes here what was deleted there, unless it was edited here; then it sends what is new, changed and deleted here.
func (d *Device) vdirRest(s *session, c *Collection, l *listed, remote map[string]string) error {
	for _, it := range c.sorted() {
		_, there := remote[it.Href]
		switch {
		case it.Known && !there && it.Dirty && !it.Deleted: // deleted there, changed here: it is uploaded as new
			it.ETag = ""
		case it.Known && !there:
			d.drop(s, c, it, l.reason(it))
			continue
		}
		if err := d.vdirSend(s, c, it); err != nil {
			return err
		}
	}
	return nil
}

func (d *Device) vdirSend(s *session, c *Collection, it *Item) error {
	var a *answer
	var err error
	switch {
	case it.Deleted:
		if a, err = d.remove(s, it, ifSeen(it)...); err == nil && a.status < 300 {
			delete(c.Items, it.Href)
			s.changed = true
		}
	case it.Dirty:
		a, err = d.put(s, c, it, ifMatch(it)...)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	if a.status >= 300 && a.status != 412 { // 412: it has changed since the listing, and the next sync sees that
		return d.wire.fail("upload of "+it.Href, a)
	}
	return nil
}
