package fleet

import (
	"fmt"
	"maps"
	"slices"
)

// judge compares what the server and the devices have with what the person did. reader is a device that has just listed everything.
func (p *Person) judge(reader *Device) {
	server := map[string]*Item{}
	for _, c := range reader.cols {
		maps.Copy(server, c.Items)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, href := range slices.Sorted(maps.Keys(p.before)) {
		if server[href] == nil {
			p.gone(href, "it was there before the run, and nobody deleted it", nil)
		}
	}
	for item, href := range p.hrefs {
		if href != "" {
			p.judgeItem(item, server[href])
		}
	}
	for _, d := range p.devices {
		p.judgeDevice(d, server)
	}
}

func (p *Person) gone(href, because string, e *edit) {
	f := p.finding(nil, href, because, e)
	f.Device = "server"
	p.report.dropped(f)
}

// judgeItem: of the acknowledged edits and deletions those count that no later acknowledged one supersedes. What the server has must be one of them, or one that may have
// come after them though its answer did not arrive.
func (p *Person) judgeItem(item int, has *Item) {
	var last []*edit
	for _, n := range p.of[item] {
		if e := &p.edits[n]; e.acked && !p.superseded(item, e) {
			last = append(last, e)
		}
	}
	if len(last) == 0 || slices.ContainsFunc(last, func(e *edit) bool { return p.shows(has, e) }) {
		return
	}
	for _, n := range p.of[item] {
		if e := &p.edits[n]; e.unsure() && p.shows(has, e) && !slices.ContainsFunc(last, func(l *edit) bool { return before(e, l) }) {
			return
		}
	}
	href := p.hrefs[item]
	for _, e := range last {
		because := "it was acknowledged, and the server has " + p.describe(has)
		if e.op == remove { // what a person deleted is there again: nothing is lost
			p.report.to(&p.report.odd, p.serverFinding(href, "a deletion was acknowledged, and the server has "+p.describe(has), e))
			continue
		}
		p.report.to(&p.report.lost, p.serverFinding(href, because, e))
		if has == nil {
			p.gone(href, "the server does not have it, and nobody deleted it", e)
		}
	}
}

func (p *Person) serverFinding(href, because string, e *edit) Finding {
	f := p.finding(nil, href, because, e)
	f.Device = p.devices[e.device].Name
	f.Kind = p.devices[e.device].Kind
	return f
}

func (p *Person) describe(has *Item) string {
	if has == nil {
		return "nothing there"
	}
	if n := markOf(has.Body, p.number); n >= 0 {
		return fmt.Sprintf("edit %d, ETag %s", n, has.ETag)
	}
	return "octets that nobody here wrote, ETag " + has.ETag
}

// superseded tells whether a later acknowledged edit or deletion came over e. One that was made without having seen e overwrote it by its client's rules.
func (p *Person) superseded(item int, e *edit) bool {
	var next *edit
	for _, n := range p.of[item] {
		f := &p.edits[n]
		if f != e && f.acked && before(e, f) && (next == nil || before(f, next)) {
			next = f
		}
	}
	if next == nil {
		return false
	}
	if next.op != remove && e.op != remove && !e.given && !p.descends(next, e) {
		e.given = true
		d := p.devices[next.device]
		p.report.overwritten(p.finding(d, p.hrefs[item], "its edit was written over one that it had not seen; both were acknowledged", e))
	}
	return true
}

// descends tells whether f was made from what e made, over however many edits.
func (p *Person) descends(f, e *edit) bool {
	for n := f.base; n >= 0; n = p.edits[n].base {
		if &p.edits[n] == e {
			return true
		}
	}
	return false
}

// shows tells whether what the server has is what an edit left.
func (p *Person) shows(has *Item, e *edit) bool {
	if e.op == remove || has == nil {
		return e.op == remove && has == nil
	}
	n := markOf(has.Body, p.number)
	return n >= 0 && n < len(p.edits) && &p.edits[n] == e
}

// judgeDevice names what a device has and the server has not: no client sends it again by itself.
func (p *Person) judgeDevice(d *Device, server map[string]*Item) {
	for _, c := range d.cols {
		for _, it := range c.sorted() {
			if server[it.Href] != nil || it.Deleted {
				continue
			}
			because := "kept here, and not uploaded: the server does not have it"
			switch {
			case it.Dirty:
				because = "an edit waits here, and does not get through"
			case p.deliberate(it):
				because = "kept here although a person deleted it elsewhere"
			}
			p.report.to(&p.report.kept, p.finding(d, it.Href, because, nil))
			p.report.onlyOn(p, d, it)
		}
	}
}
