package fleet

import (
	"strconv"
	"strings"
)

// put sends an item. condition is a header and its value, or nothing.
func (d *Device) put(s *session, c *Collection, it *Item, condition ...string) (*answer, error) {
	typ := "text/calendar; charset=utf-8"
	if c.Contacts {
		typ = "text/vcard; charset=utf-8"
	}
	a, err := d.upload(s, it, "PUT", it.Body, append(condition, "Content-Type", typ)...)
	if err == nil && a.status < 300 {
		it.ETag, it.Dirty, it.Known = a.header.Get("ETag"), false, true
		s.changed = true
	}
	return a, err
}

// remove sends a deletion. What the client does with its copy then is its own rule.
func (d *Device) remove(s *session, it *Item, condition ...string) (*answer, error) {
	return d.upload(s, it, "DELETE", "", condition...)
}

func (d *Device) upload(s *session, it *Item, method, body string, headers ...string) (*answer, error) {
	d.out.Sending(d, it)
	a, err := d.wire.do(s, method, it.Href, body, headers...)
	r := Receipt{Outcome: Unknown}
	if err == nil {
		r = Receipt{Status: a.status, ETag: a.header.Get("ETag"), Seq: receiptSeq(a.header.Get("Holdfast-Receipt"))}
		switch {
		case a.status < 300:
		case a.status < 500:
			r.Outcome = Refused
		default:
			r.Outcome = Unknown
		}
	}
	d.out.Answered(d, it, r)
	return a, err
}

// ifMatch is the condition of a client that compares: new items must not exist, others must be what it has seen.
func ifMatch(it *Item) []string {
	if it.ETag == "" {
		return []string{"If-None-Match", "*"}
	}
	return []string{"If-Match", it.ETag}
}

// ifSeen is the condition of a deletion.
func ifSeen(it *Item) []string {
	if it.ETag == "" {
		return nil
	}
	return []string{"If-Match", it.ETag}
}

// receiptSeq is the number in a receipt; 0: there is none.
func receiptSeq(receipt string) uint64 {
	for part := range strings.SplitSeq(receipt, ",") {
		if v, ok := strings.CutPrefix(strings.TrimSpace(part), "seq="); ok {
			n, err := strconv.ParseUint(v, 10, 64)
			if err == nil {
				return n
			}
		}
	}
	return 0
}
