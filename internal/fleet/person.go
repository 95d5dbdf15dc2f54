package fleet

import (
	"fmt"
	"math"
	"sync"
	"time"
)

// never is the end of what is still under way, or of which nobody knows whether it was done.
const never = math.MaxInt64

// edit is what is remembered of one act on an item.
type edit struct {
	item   int32
	device int32
	base   int32 // the edit that made what the device held then; -1: none
	op     op
	done   bool // the person did it; a planned edit of what the device does not have is not done
	acked  bool
	given  bool  // the client gave it up by its own rules
	maybe  bool  // an answer to it did not say what became of it
	sent   int64 // when it was first sent, in ticks; 0: it was not
	end    int64 // when it was last answered; never: it is under way, or an answer did not say what became of it
	seq    uint64
	etag   string
	at     time.Time // of the acknowledgement
}

// unsure tells whether it may have been done though nobody said so.
func (e *edit) unsure() bool { return !e.acked && e.sent > 0 && e.end == never }

// before tells whether a certainly came before b: it was over when b was first sent; where they overlapped, the receipts tell.
func before(a, b *edit) bool {
	switch {
	case a.end < b.sent:
		return true
	case b.end < a.sent:
		return false
	}
	return a.seq > 0 && b.seq > 0 && a.seq < b.seq
}

// Person is the memory of one account: what its person did on all devices, and what the server acknowledged of it. It lies outside of the devices, and hears what they do.
type Person struct {
	Login string

	number  int
	plan    *planner
	devices []*Device
	numbers map[*Device]int
	report  *findings
	now     func() time.Time

	mu     sync.Mutex
	tick   int64
	edits  []edit          // by number
	hrefs  []string        // by item; empty: not made yet
	items  map[string]int  // by href
	of     [][]int32       // the edits of each item, in the order in which they were made
	before map[string]bool // what was there before the first of them: watched, and never edited
}

func newPerson(login string, number int, p *planner, report *findings, now func() time.Time) *Person {
	return &Person{Login: login, number: number, plan: p, numbers: map[*Device]int{}, report: report, now: now, edits: make([]edit, p.edits), hrefs: make([]string, len(p.kind)),
		items: map[string]int{}, of: make([][]int32, len(p.kind)), before: map[string]bool{}}
}

// act does what the plan says, on a device. It reports whether there was anything to do it to.
func (p *Person) act(d *Device, a act, uid func(item int) string, day time.Time) bool {
	c := d.collection(p.plan.kind[a.item])
	if c == nil {
		return false
	}
	body := func() string {
		if c.Contacts {
			return contact(uid(a.item), p.number, a.edit)
		}
		return event(uid(a.item), p.number, a.edit, day)
	}
	p.mu.Lock()
	href := p.hrefs[a.item]
	p.mu.Unlock()
	base := -1
	if a.op == create {
		ext := ".ics"
		if c.Contacts {
			ext = ".vcf"
		}
		href = c.Href + uid(a.item) + ext
		p.remember(a, d, href, base)
		d.Create(c, href, body()).Edit = a.edit
		return true
	}
	it := c.Items[href]
	if href == "" || it == nil || it.Deleted {
		return false
	}
	p.remember(a, d, href, markOf(it.Body, p.number))
	it.Edit = a.edit
	if a.op == remove {
		d.Delete(c, it)
	} else {
		d.Change(it, body())
	}
	return true
}

func (p *Person) remember(a act, d *Device, href string, base int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.edits[a.edit] = edit{item: int32(a.item), device: int32(p.numbers[d]), base: int32(base), op: a.op, done: true}
	p.hrefs[a.item], p.items[href] = href, a.item
	p.of[a.item] = append(p.of[a.item], int32(a.edit))
}

// editOf is what is remembered of the edit that a device is about to send, or has sent; nil: it is none of this person's. Under the lock.
func (p *Person) editOf(it *Item) *edit {
	n := markOf(it.Body, p.number)
	if it.Deleted {
		n = it.Edit
	}
	if n < 0 || n >= len(p.edits) || !p.edits[n].done {
		return nil
	}
	return &p.edits[n]
}

// Sending implements [Witness].
func (p *Person) Sending(_ *Device, it *Item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tick++
	if e := p.editOf(it); e != nil {
		if e.sent == 0 {
			e.sent = p.tick
		}
		e.end = never
	}
}

// Answered implements [Witness].
func (p *Person) Answered(_ *Device, it *Item, r Receipt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tick++
	e := p.editOf(it)
	switch {
	case e == nil:
	case r.Outcome == Acknowledged:
		e.acked, e.given, e.end, e.seq, e.etag, e.at = true, false, p.tick, r.Seq, r.ETag, p.now()
	case r.Outcome == Unknown:
		e.maybe = true
	case !e.acked && !e.maybe:
		e.end = p.tick
	}
}

// Overwritten implements [Witness].
func (p *Person) Overwritten(d *Device, it *Item, because string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.editOf(it)
	if e == nil || e.acked || e.given {
		return
	}
	e.given = true
	p.report.overwritten(p.finding(d, it.Href, because, nil))
}

// Dropped implements [Witness]: at this very moment it is decided whether a person wanted that.
func (p *Person) Dropped(d *Device, it *Item, because string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.editOf(it)
	if e != nil && !e.acked && it.Dirty && !e.given {
		e.given = true
		p.report.overwritten(p.finding(d, it.Href, "an edit went with its item: "+because, nil))
	}
	if !p.deliberate(it) {
		d.undue++
		p.report.dropped(p.finding(d, it.Href, because, e))
	}
}

// deliberate tells whether a person deleted what a device drops, on some device, and not before what it holds was acknowledged. Under the lock.
func (p *Person) deliberate(it *Item) bool {
	item, ok := p.items[it.Href]
	if !ok {
		return false
	}
	held := p.editOf(&Item{Body: it.Body})
	for held != nil && !held.acked { // what was never acknowledged stands on something that was
		if held.base < 0 {
			held = nil
			break
		}
		held = &p.edits[held.base]
	}
	for _, n := range p.of[item] {
		e := &p.edits[n]
		if e.op == remove && e.sent > 0 && (e.acked || e.unsure()) && (held == nil || !before(e, held)) {
			return true
		}
	}
	return false
}

func (p *Person) finding(d *Device, href, because string, e *edit) Finding {
	f := Finding{Time: p.now().UTC(), Account: p.Login, Href: href, Because: because}
	if d != nil {
		f.Device, f.Kind = d.Name, d.Kind
	}
	if e != nil && e.acked {
		f.Receipt = receiptOf(e)
	}
	return f
}

func receiptOf(e *edit) *Acked {
	return &Acked{ETag: e.etag, Seq: e.seq, Time: e.at.UTC()}
}

// uidOf names a person's items: the run's start is in it, so that a second run into the same accounts does not meet the first.
func uidOf(seed uint64, start time.Time, person int) func(int) string {
	prefix := fmt.Sprintf("fleet-%x-%x-%d-", seed, start.Unix(), person)
	return func(item int) string { return fmt.Sprintf("%s%d", prefix, item) }
}
