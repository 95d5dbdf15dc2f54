package rehearse

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"holdfast/internal/clock"
)

// Entry is one change that a service acknowledged, as the phone that sent it could have written it down.
type Entry struct {
	Number  int       `json:"number"`
	Time    time.Time `json:"time"`    // when the answer was there
	Account string    `json:"account"` // the login
	Phone   string    `json:"phone"`
	Op      string    `json:"op"` // put, delete
	Href    string    `json:"href"`
	Name    string    `json:"name,omitempty"`   // what people call it
	SHA256  string    `json:"sha256,omitempty"` // of the octets that were sent
	ETag    string    `json:"etag,omitempty"`   // as answered
	Epoch   uint64    `json:"epoch"`            // from here on: of the receipt; nothing where there was none
	Seq     uint64    `json:"seq"`
	Hash    string    `json:"hash,omitempty"` // the account's chain at seq
	Copies  []string  `json:"copies,omitempty"`
	Policy  string    `json:"policy,omitempty"`
}

// key is what makes two answers speak of one change: a retry that met its own write is told of it again.
func (e *Entry) key() string {
	return fmt.Sprintf("%s %d %d %s %s %s", e.Account, e.Epoch, e.Seq, e.Op, e.Href, e.SHA256)
}

// Book writes down what a service acknowledges. It stands between phones and network, lies in a file of its own, and knows nothing of the service but its answers.
type Book struct {
	next   http.RoundTripper
	clock  clock.Clock
	phones map[string]string // by app password

	mu      sync.Mutex
	file    *os.File
	entries []Entry
	known   map[string]bool
	names   map[string]string // by href
	bad     error             // that the file could not be written
}

// NewBook begins a book in a file. phones gives the name of each phone by its app password.
func NewBook(name string, phones map[string]string, next http.RoundTripper, k clock.Clock) (*Book, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the book of acknowledged changes: %w", err)
	}
	return &Book{next: next, clock: k, phones: phones, file: f, known: map[string]bool{}, names: map[string]string{}}, nil
}

// RoundTrip implements [http.RoundTripper].
func (b *Book) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPut && r.Method != http.MethodDelete {
		return b.next.RoundTrip(r)
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	res, err := b.next.RoundTrip(r)
	if err == nil && res.StatusCode < 300 {
		b.write(r, body, res.Header)
	}
	return res, err
}

func (b *Book) write(r *http.Request, body []byte, h http.Header) {
	login, password, _ := r.BasicAuth()
	e := Entry{Time: b.clock.Now().UTC(), Account: login, Phone: b.phones[password], Op: "delete", Href: r.URL.Path, ETag: h.Get("ETag")}
	if r.Method == http.MethodPut {
		sum := sha256.Sum256(body)
		e.Op, e.SHA256 = "put", hex.EncodeToString(sum[:])
	}
	e.read(h.Get("Holdfast-Receipt"))
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.Name = nameIn(body); strings.HasPrefix(e.Href, "/dav/files/") {
		e.Name = path.Base(e.Href)
	}
	if e.Name != "" {
		b.names[e.Href] = e.Name
	}
	e.Name = b.names[e.Href]
	if b.known[e.key()] {
		return
	}
	b.known[e.key()] = true
	e.Number = len(b.entries) + 1
	b.entries = append(b.entries, e)
	line, err := json.Marshal(e)
	if err == nil {
		_, err = b.file.Write(append(line, '\n'))
	}
	if err != nil && b.bad == nil {
		b.bad = fmt.Errorf("the book of acknowledged changes: %w", err)
	}
}

// read takes a receipt apart: `epoch=1, seq=412, hash=:BASE64:, copies=("engine" "local"), policy="engine+local"`.
func (e *Entry) read(receipt string) {
	for part := range strings.SplitSeq(receipt, ", ") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "epoch":
			e.Epoch, _ = strconv.ParseUint(value, 10, 64)
		case "seq":
			e.Seq, _ = strconv.ParseUint(value, 10, 64)
		case "hash":
			if h, err := base64.StdEncoding.DecodeString(strings.Trim(value, ":")); err == nil {
				e.Hash = hex.EncodeToString(h)
			}
		case "copies":
			for c := range strings.FieldsSeq(strings.Trim(value, "()")) {
				e.Copies = append(e.Copies, strings.Trim(c, `"`))
			}
		case "policy":
			e.Policy = strings.Trim(value, `"`)
		}
	}
}

// nameIn is what people call what the octets describe.
func nameIn(body []byte) string {
	for line := range bytes.Lines(body) {
		for _, p := range []string{"FN:", "SUMMARY:"} {
			if v, ok := bytes.CutPrefix(line, []byte(p)); ok {
				return string(bytes.TrimSpace(v))
			}
		}
	}
	return ""
}

// Count is how many changes were acknowledged.
func (b *Book) Count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.entries)
}

// Close ends the book and returns what stands in it.
func (b *Book) Close() ([]Entry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.file.Close()
	if b.bad != nil {
		err = b.bad
	}
	return b.entries, err
}
