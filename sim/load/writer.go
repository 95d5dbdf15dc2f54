package load

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Account is where and as whom a client works.
type Account struct {
	Email    string
	Password string // empty: no Authorization is sent
	Book     string // path of the address book or calendar, with its slash: /dav/addressbooks/ID/default/
}

// Item is a contact or event as it was acknowledged.
type Item struct {
	UID     string
	Version int    // its octets are those of Kind.Append
	ETag    string // with quotes
	Seq     uint64 // of the receipt; 0: none was given
	Gone    bool   // it was deleted
}

// change is one request that is on its way.
type change struct {
	at   int // in items; len(items): a new one
	item Item
}

// Writer is one device of one account that nobody else writes to.
type Writer struct {
	Conn    *Conn
	Account Account
	Kind    Kind // what it writes; contacts, unless something else is set before its first change
	// Strict asks of each answer what Holdfast promises: the ETag is the SHA-256 of the octets, and the receipts' numbers go on without a gap.
	Strict bool
	// Guarded lets the server write down, between two changes, that this device overwrites or deletes much.
	Guarded bool
	// Deletes is how many of 100 changes are deletions. The others are creations and updates, as many of each.
	Deletes int

	rand    *rand.Rand
	stream  uint64
	next    uint64 // UIDs handed out
	items   []Item
	pending *change
	seq     uint64 // newest receipt
	records int    // changes that the server made itself: see maxRecords
	auth    string
	host    string
	request []byte
	body    []byte
}

// maxRecords is how many records a server may add of one writer: it is one device, and a burst of overwritings is noted once an hour.
const maxRecords = 2

// NewWriter makes a writer. What it does follows from seed and stream; stream must differ between writers.
func NewWriter(c *Conn, a Account, seed, stream uint64) *Writer {
	w := &Writer{Conn: c, Account: a, Kind: Contacts(), rand: rand.New(rand.NewPCG(seed, stream)), stream: mix(seed) + stream, host: c.RemoteAddr().String()}
	if a.Password != "" {
		w.auth = "Authorization: " + Basic(a.Email, a.Password) + "\r\n"
	}
	return w
}

// Items returns what was acknowledged so far: the newest version of each contact. It belongs to the writer.
func (w *Writer) Items() []Item { return w.items }

// Seq returns the number of the newest receipt.
func (w *Writer) Seq() uint64 { return w.seq }

// Step makes one change and returns the status of its answer. A status below 300 means that it was acknowledged and noted; any other that it was
// refused and nothing was noted; 503, that the next step sends the same again. An error means that it is not known what became of it: see Settle.
func (w *Writer) Step() (int, error) {
	if w.pending == nil {
		w.pending = w.choose()
	}
	return w.try()
}

// Create is Step for a new contact.
func (w *Writer) Create() (int, error) {
	if w.pending == nil {
		w.pending = w.create()
	}
	return w.try()
}

// unavailablePause is how long a writer waits before it sends a change again that was answered by 503.
const unavailablePause = 20 * time.Millisecond

// try sends what is pending.
func (w *Writer) try() (int, error) {
	a, err := w.send(w.pending)
	if err != nil {
		return 0, err
	}
	ch := w.pending
	if a.Status == http.StatusServiceUnavailable { // what became of it is not known: it is sent again, as clients do
		time.Sleep(unavailablePause)
		return a.Status, nil
	}
	w.pending = nil
	if a.Status >= 300 {
		return a.Status, nil
	}
	return a.Status, w.note(ch, a)
}

func (w *Writer) choose() *change {
	if len(w.items) > 0 && w.rand.IntN(100) < w.Deletes {
		if ch := w.old(); ch != nil {
			ch.item.Gone = true
			return ch
		}
	}
	if w.rand.IntN(2) == 0 {
		if ch := w.old(); ch != nil {
			ch.item.Version++
			return ch
		}
	}
	return w.create()
}

func (w *Writer) create() *change {
	w.next++
	return &change{at: len(w.items), item: Item{UID: UID(w.stream, w.next), Version: 1}}
}

// old returns a change of a contact that is there, nil where there is none at hand.
func (w *Writer) old() *change {
	if len(w.items) == 0 {
		return nil
	}
	at := w.rand.IntN(len(w.items))
	if w.items[at].Gone {
		return nil
	}
	return &change{at: at, item: w.items[at]}
}

// start begins w.request.
func (w *Writer) start(method, uid string) {
	b := append(append(append(append(append(w.request[:0], method...), ' '), w.Account.Book...), uid...), w.Kind.Ext...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	w.request = append(append(append(b, w.host...), "\r\nUser-Agent: Phone/1.0\r\n"...), w.auth...)
}

func (w *Writer) send(ch *change) (Answer, error) {
	condition := "If-None-Match: *\r\n"
	if ch.at < len(w.items) {
		condition = "If-Match: " + w.items[ch.at].ETag + "\r\n"
	}
	if ch.item.Gone {
		w.start("DELETE", ch.item.UID)
		w.request = append(append(w.request, condition...), "\r\n"...)
		return w.Conn.Do(w.request)
	}
	w.body = w.Kind.Append(w.body[:0], ch.item.UID, ch.item.Version)
	w.start("PUT", ch.item.UID)
	b := append(append(append(append(w.request, condition...), "Content-Type: "...), w.Kind.Type...), "\r\nContent-Length: "...)
	b = append(strconv.AppendInt(b, int64(len(w.body)), 10), "\r\n\r\n"...)
	w.request = append(b, w.body...)
	return w.Conn.Do(w.request)
}

// note keeps an acknowledged change. The error is a broken promise.
func (w *Writer) note(ch *change, a Answer) error {
	ch.item.ETag, ch.item.Seq = string(a.ETag), ReceiptSeq(a.Receipt)
	last := w.seq
	w.seq = ch.item.Seq
	if ch.at == len(w.items) {
		w.items = append(w.items, ch.item)
	} else {
		w.items[ch.at] = ch.item
	}
	if !w.Strict {
		return nil
	}
	if !ch.item.Gone {
		if want := ETag(w.body); ch.item.ETag != want {
			return w.broken(ch.item, "the answer has the ETag %s, its octets are %s", ch.item.ETag, want)
		}
	}
	if w.seq == 0 {
		return w.broken(ch.item, "the answer has no receipt: %q", a.Receipt)
	}
	if w.Guarded && last != 0 && w.seq == last+2 && w.records < maxRecords { // the server noticed that this device overwrites much, and wrote that down
		w.records++
		return nil
	}
	if last != 0 && w.seq != last+1 {
		return w.broken(ch.item, "after change %d the receipt says %d", last, w.seq)
	}
	return nil
}

// ErrBroken is in every error that says that a server broke its word.
var ErrBroken = errors.New("a broken promise")

func (w *Writer) broken(it Item, format string, args ...any) error {
	return fmt.Errorf("%w: %s, %s%s, version %d: %s", ErrBroken, w.Account.Email, it.UID, w.Kind.Ext, it.Version, fmt.Sprintf(format, args...))
}

// ETag returns the strong ETag of octets, as Holdfast makes it.
func ETag(b []byte) string {
	sum := sha256.Sum256(b)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// ReceiptSeq returns the number in a receipt; 0: there is none.
func ReceiptSeq(receipt []byte) uint64 {
	_, rest, ok := bytes.Cut(receipt, []byte("seq="))
	if !ok {
		return 0
	}
	end := bytes.IndexByte(rest, ',')
	if end < 0 {
		end = len(rest)
	}
	n, err := strconv.ParseUint(string(rest[:end]), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
