package load

import (
	"bytes"
	"fmt"
)

// Reconnect goes on over another connection.
func (w *Writer) Reconnect(c *Conn) {
	w.Conn, w.host = c, c.RemoteAddr().String()
}

// Pending tells whether a change was sent whose answer never came.
func (w *Writer) Pending() bool { return w.pending != nil }

// Settle finds out what became of the change whose answer never came, as a phone does: it sends it again. stored tells whether it had been stored
// the first time. In both cases the change is there once, and acknowledged, when Settle returns without an error.
func (w *Writer) Settle() (stored bool, err error) {
	ch := w.pending
	if ch == nil {
		return false, nil
	}
	if stored, err = w.isStored(ch.item); err != nil {
		return stored, err
	}
	if stored && ch.item.Gone { // there is nothing left to send it to, and so no receipt
		w.pending = nil
		w.seq++
		ch.item.Seq = w.seq
		w.items[ch.at] = ch.item
		return true, nil
	}
	status, err := w.Step()
	if err == nil && status >= 300 {
		err = w.broken(ch.item, "sent again after its answer was lost, it is refused with %d (it was stored before: %t)", status, stored)
	}
	return stored, err
}

// isStored tells whether the server has exactly this version.
func (w *Writer) isStored(it Item) (bool, error) {
	a, err := w.get(it.UID)
	if err != nil {
		return false, err
	}
	if it.Gone || a.Status != 200 {
		return it.Gone && absent(a.Status), nil
	}
	w.body = w.Kind.Append(w.body[:0], it.UID, it.Version)
	return bytes.Equal(a.Body, w.body), nil
}

func absent(status int) bool { return status == 404 || status == 410 }

func (w *Writer) get(uid string) (Answer, error) {
	w.start("GET", uid)
	w.request = append(w.request, "\r\n"...)
	return w.Conn.Do(w.request)
}

// Verify reads one resource and compares it with what was acknowledged, octet for octet. An error that is no ErrBroken means that it could not be read.
func (w *Writer) Verify(it Item) error {
	a, err := w.get(it.UID)
	if err != nil {
		return fmt.Errorf("%s: %w", w.Account.Email, err)
	}
	if it.Gone {
		if !absent(a.Status) {
			return w.broken(it, "it was deleted by change %d, and GET answers %d", it.Seq, a.Status)
		}
		return nil
	}
	w.body = w.Kind.Append(w.body[:0], it.UID, it.Version)
	switch {
	case a.Status != 200:
		return w.broken(it, "it was stored by change %d, and GET answers %d", it.Seq, a.Status)
	case !bytes.Equal(a.Body, w.body):
		return w.broken(it, "other octets: %d of them, stored were %d", len(a.Body), len(w.body))
	case string(a.ETag) != it.ETag:
		return w.broken(it, "the ETag is %s, acknowledged was %s", a.ETag, it.ETag)
	}
	return nil
}

// VerifyListing compares a listing of the address book with what was acknowledged: nothing is missing, nothing is there that should not be.
func (w *Writer) VerifyListing() error {
	list, err := (&Phone{Conn: w.Conn, Account: w.Account}).List()
	if err != nil {
		return err
	}
	have := make(map[string]string, len(list))
	for _, m := range list {
		have[m.Href] = m.ETag
	}
	for _, it := range w.items {
		href := w.Account.Book + it.UID + w.Kind.Ext
		etag, there := have[href]
		delete(have, href)
		switch {
		case it.Gone && there:
			return w.broken(it, "it was deleted by change %d and is listed", it.Seq)
		case !it.Gone && !there:
			return w.broken(it, "it was stored by change %d and is not listed", it.Seq)
		case !it.Gone && etag != it.ETag:
			return w.broken(it, "it is listed with the ETag %s, acknowledged was %s", etag, it.ETag)
		}
	}
	for href := range have {
		return fmt.Errorf("%w: %s: %s is listed and was never acknowledged", ErrBroken, w.Account.Email, href)
	}
	return nil
}

// IsPending tells whether the change whose answer never came is one of this contact.
func (w *Writer) IsPending(uid string) bool { return w.pending != nil && w.pending.item.UID == uid }
