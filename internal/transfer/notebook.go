package transfer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"holdfast"
)

// notebook is what a takeover remembers of an earlier one of the same account, server and user: which item it stored for which member, and in which version. It is
// a file of lines in the data directory, and nothing hangs on it: where it is lost or torn, items are asked for once more and met by their UID.
type notebook struct {
	path  string // empty: nothing is kept
	file  *os.File
	out   *bufio.Writer
	items map[noteKey]remembered
	into  map[string]holdfast.ID // where the items of a collection over there went last
	lines int
}

type noteKey struct{ collection, name string }

// remembered is an item that was stored.
type remembered struct {
	Tag        string        `json:"tag"` // the ETag over there
	Collection holdfast.ID   `json:"collection"`
	Name       string        `json:"name"`
	Sum        holdfast.Hash `json:"sum"` // SHA-256 of the octets that were stored: our ETag
}

// noteLine is one line of the file; the first one has a schema alone.
type noteLine struct {
	Schema string `json:"schema,omitempty"`
	From   string `json:"from,omitempty"` // path of the collection over there
	Member string `json:"member,omitempty"`
	remembered
}

const (
	notebookSchema = "holdfast.takeover/1"
	maxNotebook    = 1 << 30 // octets; a larger file is begun anew
)

// openNotebook reads what is known.
func openNotebook(q TakeoverRequest) (*notebook, error) {
	m := &notebook{items: map[noteKey]remembered{}, into: map[string]holdfast.ID{}}
	if q.Dir == "" {
		return m, nil
	}
	sum := holdfast.HashOf(fmt.Appendf(nil, "%s\n%s\n%s", q.Account, strings.TrimRight(q.Remote.URL, "/"), q.Remote.User)).String()
	m.path = filepath.Join(q.Dir, sum[:32]+".jsonl")
	whole := m.read()
	if q.DryRun {
		m.path = ""
		return m, nil
	}
	if err := os.MkdirAll(q.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("takeover: %w", err)
	}
	mode := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if !whole {
		mode = os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	}
	f, err := os.OpenFile(m.path, mode, 0o600)
	if err != nil {
		return nil, fmt.Errorf("takeover: %w", err)
	}
	m.file, m.out = f, bufio.NewWriterSize(f, 64<<10)
	if !whole {
		return m, m.rewrite()
	}
	return m, nil
}

// read takes in the lines that are whole. It tells whether the file may be added to.
func (m *notebook) read() bool {
	f, err := os.Open(m.path)
	if err != nil {
		return false
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || st.Size() > maxNotebook {
		return false
	}
	in := bufio.NewReaderSize(f, 64<<10)
	for first := true; ; first = false {
		b, err := in.ReadBytes('\n')
		if err == io.EOF && len(b) == 0 {
			return !first
		}
		var l noteLine
		if err != nil || json.Unmarshal(bytes.TrimSpace(b), &l) != nil || first && l.Schema != notebookSchema {
			return false
		}
		if !first {
			m.items[noteKey{l.From, l.Member}] = l.remembered
			m.into[l.From] = l.Collection
			m.lines++
		}
	}
}

func (m *notebook) get(collection, name string) (remembered, bool) {
	x, ok := m.items[noteKey{collection, name}]
	return x, ok
}

func (m *notebook) put(collection, name string, x remembered) {
	m.items[noteKey{collection, name}] = x
	m.into[collection] = x.Collection
	if m.out != nil {
		m.write(noteLine{From: collection, Member: name, remembered: x})
		m.lines++
	}
}

func (m *notebook) write(l noteLine) {
	b, err := json.Marshal(l)
	if err == nil {
		_, _ = m.out.Write(append(b, '\n')) // the writer keeps the error for flush
	}
}

// flush hands over to the system what was noted: it survives the end of this process.
func (m *notebook) flush() error {
	if m.out == nil {
		return nil
	}
	if err := m.out.Flush(); err != nil {
		return fmt.Errorf("takeover: %w", err)
	}
	return nil
}

// rewrite begins the file anew with what is known.
func (m *notebook) rewrite() error {
	if err := m.file.Truncate(0); err != nil {
		return fmt.Errorf("takeover: %w", err)
	}
	if _, err := m.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("takeover: %w", err)
	}
	m.write(noteLine{Schema: notebookSchema})
	for k, x := range m.items {
		m.write(noteLine{From: k.collection, Member: k.name, remembered: x})
	}
	m.lines = len(m.items)
	return m.flush()
}

// compact shortens a file that says much twice.
func (m *notebook) compact() error {
	if m.out == nil || m.lines < 2*len(m.items)+1000 {
		return nil
	}
	return m.rewrite()
}

func (m *notebook) close() {
	if m.file != nil {
		_ = m.out.Flush() // what is lost is asked for again
		_ = m.file.Close()
	}
}
