package restore

import (
	"bufio"
	"io"
	"os"

	"holdfast"
	"holdfast/internal/journal"
)

// later keeps changes on disk until all accounts are there.
type later struct {
	f *os.File
	w *bufio.Writer
	b []byte
}

func newLater(name string) (*later, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fail("Spool", holdfast.Full, name, "what is sorted on the way cannot be written down", err)
	}
	return &later{f: f, w: bufio.NewWriterSize(f, 256<<10)}, nil
}

func (l *later) add(list []holdfast.Change) error {
	for i := range list {
		l.b = journal.AppendLine(l.b[:0], &list[i], journal.Stored{At: list[i].At})
		if _, err := l.w.Write(l.b); err != nil {
			return fail("Spool", holdfast.Full, l.f.Name(), "what is sorted on the way cannot be written down", err)
		}
	}
	return nil
}

// each calls fn with the changes, whole groups, in bounded pieces.
func (l *later) each(fn func([]holdfast.Change) error) error {
	err := l.w.Flush()
	if err == nil {
		_, err = l.f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	lines := journal.NewLines(l.f)
	var list []holdfast.Change
	for {
		line, err := lines.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		c, _, err := journal.ParseLine(line)
		if err != nil {
			return err
		}
		if list = append(list, c); c.More == 0 && len(list) >= maxApplyChanges {
			if err := fn(list); err != nil {
				return err
			}
			list = nil
		}
	}
	if len(list) == 0 {
		return nil
	}
	return fn(list)
}

func (l *later) close() {
	l.f.Close()
	os.Remove(l.f.Name())
}
