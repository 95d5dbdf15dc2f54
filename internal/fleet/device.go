package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Item is a contact or event as a device has it.
type Item struct {
	Href    string
	ETag    string // as the server last gave it; empty: none yet, or the client has forgotten it on purpose
	Body    string
	Dirty   bool // an edit waits for its upload
	Deleted bool // a deletion does
	Known   bool // it came from the server, or the server has taken it
	Edit    int  // the number of the edit or deletion that its person made last here
}

// Collection is an address book or calendar as a device has it.
type Collection struct {
	Href     string
	Contacts bool
	ReadOnly bool // the server gave no privilege to write
	Items    map[string]*Item

	state    string // of a client that compares before it asks for more: CTag or token
	token    string // of sync-collection
	started  bool   // it was looked at since the client's start
	disabled bool   // the client has stopped syncing it
}

// sorted gives the items in the order of their hrefs: what a device does must not hang on the order of a map.
func (c *Collection) sorted() []*Item {
	list := make([]*Item, 0, len(c.Items))
	for _, href := range slices.Sorted(maps.Keys(c.Items)) {
		list = append(list, c.Items[href])
	}
	return list
}

// waits tells whether something is to be uploaded.
func (c *Collection) waits() bool {
	for _, it := range c.Items {
		if it.Dirty || it.Deleted {
			return true
		}
	}
	return false
}

// Outcome is what became of an upload.
type Outcome int

// An upload was acknowledged, refused by an answer, or nobody knows: the answer did not come, or said 5xx.
const (
	Acknowledged Outcome = iota
	Refused
	Unknown
)

// Receipt is what the answer to an upload says.
type Receipt struct {
	Outcome Outcome
	Status  int
	ETag    string
	Seq     uint64 // of Holdfast-Receipt; 0: there is none
}

// Witness hears what a device does with what it holds.
type Witness interface {
	// Sending is told before an edit or deletion is sent, Answered after: once each time.
	Sending(d *Device, it *Item)
	Answered(d *Device, it *Item, r Receipt)
	// Dropped is told when an item leaves a device's store and its person did not do that there. because names the answer and the rule.
	Dropped(d *Device, it *Item, because string)
	// Overwritten is told when the client's own rules give up an edit that was never acknowledged.
	Overwritten(d *Device, it *Item, because string)
}

// Device is one client with its local store. Its methods may be called one at a time.
type Device struct {
	Name string // login, kind and number
	Kind Kind
	// Speed is how much faster than life it lives: its own waits are shortened by it.
	Speed float64

	wire      *Wire
	out       Witness
	habits    habits
	cols      []*Collection
	found     bool
	notBefore time.Time // a server asked for patience
	undue     int       // items that it dropped though nobody had deleted them
	seen      seen
}

// NewDevice makes a device with an empty store.
func NewDevice(name string, kind Kind, w Wire, out Witness) *Device {
	d := &Device{Name: name, Kind: kind, Speed: 1, wire: &w, out: out, habits: habitsOf(kind)}
	d.wire.agent = d.habits.agent
	return d
}

// Collections are what it has found.
func (d *Device) Collections() []*Collection { return d.cols }

// collection is the first one for contacts, or for events; nil: there is none.
func (d *Device) collection(contacts bool) *Collection {
	for _, c := range d.cols {
		if c.Contacts == contacts {
			return c
		}
	}
	return nil
}

// Create, Change and Delete are edits of its person. The next sync sends them.
func (d *Device) Create(c *Collection, href, body string) *Item {
	it := &Item{Href: href, Body: body, Dirty: true}
	c.Items[href] = it
	return it
}

// Change gives an item other octets.
func (d *Device) Change(it *Item, body string) { it.Body, it.Dirty = body, true }

// Delete marks an item as deleted; one that the server has never seen is gone.
func (d *Device) Delete(c *Collection, it *Item) {
	it.Deleted = true
	if !it.Known && it.ETag == "" {
		delete(c.Items, it.Href)
	}
}

// Restart is its program ended and begun again: what a client forgets then is forgotten.
func (d *Device) Restart() {
	for _, c := range d.cols {
		c.started, c.disabled = false, false
	}
}

// Reset is an account taken away and set up again: the store is empty.
func (d *Device) Reset() {
	d.cols, d.found, d.notBefore = nil, false, time.Time{}
	d.seen.holds.Store(0)
}

// Waits tells until when a server's request for patience holds it back; the zero time, or one that is past: it does not.
func (d *Device) Waits() time.Time { return d.notBefore }

// session is one sync of a device.
type session struct {
	context.Context
	changed bool // something was sent, stored or dropped
}

// Sync syncs all collections once, as the client does by itself. It reports whether anything moved. On an error the device has kept what its client keeps.
func (d *Device) Sync(ctx context.Context) (changed bool, err error) {
	defer d.watch(&err)()
	if d.wire.Clock.Now().Before(d.notBefore) {
		return false, nil
	}
	s := &session{Context: ctx}
	if !d.found {
		if err := d.discover(s); err != nil {
			return s.changed, d.patience(err)
		}
	}
	var bad []error
	for _, c := range slices.Clone(d.cols) {
		start := d.wire.Clock.Now()
		err := d.habits.sync(d, s, c)
		if ctx.Err() != nil {
			return s.changed, context.Cause(ctx)
		}
		d.wire.Stats.sync(err, d.wire.Clock.Now().Sub(start))
		if err != nil {
			bad = append(bad, d.patience(err))
		}
	}
	return s.changed, errors.Join(bad...)
}

// Discover looks at the list of collections again.
func (d *Device) Discover(ctx context.Context) (changed bool, err error) {
	defer d.watch(&err)()
	if d.wire.Clock.Now().Before(d.notBefore) {
		return false, nil
	}
	s := &session{Context: ctx}
	err = d.patience(d.discover(s))
	return s.changed, err
}

// patience: DAVx5 honours Retry-After of a 503, no less than a minute and no more than two hours, and a quarter of an hour where none is said (note 2 of the
// table). The others come again when they would have come anyway.
func (d *Device) patience(err error) error {
	var e *statusError
	if d.Kind != DAVx5 || !errors.As(err, &e) || e.status != 503 {
		return err
	}
	wait := e.retryAfter
	if wait == 0 {
		wait = 15 * time.Minute
	}
	wait = min(max(wait, time.Minute), 2*time.Hour)
	d.notBefore = d.wire.Clock.Now().Add(time.Duration(float64(wait) / d.Speed))
	return err
}

// multiget gets members with their octets, per at once; 0: all at once.
func (d *Device) multiget(s *session, c *Collection, hrefs []string, per int, depth string) (map[string]*response, error) {
	if per == 0 {
		per = max(len(hrefs), 1)
	}
	got := make(map[string]*response, len(hrefs))
	for part := range slices.Chunk(hrefs, per) {
		m, err := d.wire.ask(s, "REPORT", c.Href, depth, multigetBody(c.Contacts, part))
		if err != nil {
			return got, err
		}
		for i := range m.responses {
			got[m.responses[i].href] = &m.responses[i]
		}
	}
	return got, nil
}

// take stores what came of a member. An edit that waits there is given up: the server's copy comes over it.
func (d *Device) take(s *session, c *Collection, r *response) {
	it := c.Items[r.href]
	if it == nil {
		it = &Item{Href: r.href}
		c.Items[r.href] = it
	} else if (it.Dirty || it.Deleted) && it.Body != r.data {
		d.out.Overwritten(d, it, "the server's copy came over it")
	}
	*it = Item{Href: r.href, ETag: r.etag, Body: r.data, Known: true}
	s.changed = true
}

// drop removes an item because of an answer.
func (d *Device) drop(s *session, c *Collection, it *Item, because string) {
	delete(c.Items, it.Href)
	s.changed = true
	if it.Deleted { // its person wanted that
		return
	}
	d.out.Dropped(d, it, because)
}

// wipe drops a whole collection.
func (d *Device) wipe(s *session, c *Collection, because string) {
	for _, it := range c.sorted() {
		d.drop(s, c, it, because)
	}
}

// listed is a listing as a client works through it.
type listed struct {
	members []response
	full    bool   // what is not in it does not exist
	what    string // the answer, for the memory of what was dropped
}

// differs tells which members are to be fetched: a member with the ETag that the device holds is kept without a GET (row "listed with the SAME ETag").
func (l *listed) differs(c *Collection) (get []string) {
	for i := range l.members {
		r := &l.members[i]
		if r.status >= 300 || r.href == c.Href || strings.HasSuffix(r.href, "/") {
			continue
		}
		if it := c.Items[r.href]; it == nil || it.ETag != r.etag {
			get = append(get, r.href)
		}
	}
	return get
}

// missing gives what a listing says is not there: of a full one what it does not list, of changes what they say 404 of.
func (l *listed) missing(c *Collection) (list []*Item) {
	if !l.full {
		for i := range l.members {
			if r := &l.members[i]; r.gone() && c.Items[r.href] != nil {
				list = append(list, c.Items[r.href])
			}
		}
		return list
	}
	there := make(map[string]bool, len(l.members))
	for i := range l.members {
		there[l.members[i].href] = !l.members[i].gone()
	}
	for _, it := range c.sorted() {
		if !there[it.Href] && (it.Known || !it.Dirty) { // what waits for its first upload is nobody's but the device's
			list = append(list, it)
		}
	}
	return list
}

func (l *listed) reason(it *Item) string {
	if l.full {
		return fmt.Sprintf("%s lists %d members, and not this one", l.what, len(l.members))
	}
	return l.what + " says 404 of it"
}

// changes asks sync-collection, page by page. With an empty token the listing is full.
func (d *Device) changes(s *session, c *Collection, depth, props string) (l listed, token string, err error) {
	l, token = listed{full: c.token == "", what: "sync-collection of " + c.Href}, c.token
	for {
		m, err := d.wire.ask(s, "REPORT", c.Href, depth, syncBody(token, props))
		if err != nil {
			return l, "", err
		}
		for _, r := range m.responses {
			if r.href != c.Href {
				l.members = append(l.members, r)
			}
		}
		if m.token == "" {
			return l, "", fmt.Errorf("%s gives no token", l.what)
		}
		if !m.cut || m.token == token {
			return l, m.token, nil
		}
		token = m.token
	}
}

// fullListing asks for all members at once.
func (d *Device) fullListing(s *session, c *Collection, method, depth, body string) (listed, error) {
	m, err := d.wire.ask(s, method, c.Href, depth, body)
	if err != nil {
		return listed{}, err
	}
	l := listed{full: true, what: method + " of " + c.Href}
	for _, r := range m.responses {
		if r.href != c.Href {
			l.members = append(l.members, r)
		}
	}
	return l, nil
}
