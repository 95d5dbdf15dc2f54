package transfer

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/ical"
	"holdfast/internal/ical/zone"
)

// mergedDir is where the merged files of an export lie. No home of an account has this name.
const mergedDir = "merged"

// merger makes, beside the verbatim files of an export, one file of each calendar and of each address book, as other programs import them. It holds one item in
// memory at a time; what it gathers waits in a file beside the target.
//
// A calendar's file has each time zone once. Where items define one of the same name differently, the first definition of a name that is known to the world
// stands for all; another name gets a number. The verbatim files are the truth.
type merger struct {
	t     *Target
	file  *os.File
	out   *bufio.Writer
	n     int64 // octets written
	parts []*part
	now   *part
}

// part is what was gathered of one collection.
type part struct {
	path       string // of the collection
	start, end int64
	items      int
	left       int
	zones      map[string]string // TZID as it is spelled in the file, to the octets of its definition
}

func newMerger(t *Target) (*merger, error) {
	f, err := t.scratch()
	if err != nil {
		return nil, err
	}
	return &merger{t: t, file: f, out: bufio.NewWriterSize(f, 256<<10)}, nil
}

// wants tells of which collection a file of an export is, if that is one that is merged.
func (m *merger) wants(name string) (collection string, ok bool) {
	if m == nil {
		return "", false
	}
	i := strings.LastIndexByte(name, '/')
	if i < 0 || strings.Count(name, "/") != 2 {
		return "", false
	}
	home, _, _ := strings.Cut(name, "/")
	return name[:i], home == holdfast.HomeCalendars || home == holdfast.HomeAddressbooks
}

// add takes in one item of a collection. The items of a collection come one after another.
func (m *merger) add(collection string, octets []byte) error {
	if m.now == nil || m.now.path != collection {
		m.now = &part{path: collection, start: m.n, end: m.n, zones: map[string]string{}}
		m.parts = append(m.parts, m.now)
	}
	if strings.HasPrefix(collection, holdfast.HomeAddressbooks) {
		m.now.items++
		return m.write(lineEnded(octets))
	}
	c, err := ical.Parse(octets, ical.Limits{Octets: len(octets) + 1, LineOctets: len(octets) + 1})
	if err != nil { // it was judged when it was stored: this is a file that somebody put there otherwise
		m.now.left++
		return nil
	}
	m.now.items++
	names := map[string]string{} // TZIDs that got another name
	for _, x := range c.Each("VTIMEZONE") {
		if err := m.zone(x, names); err != nil {
			return err
		}
	}
	for _, x := range c.Children {
		if x.Is("VTIMEZONE") {
			continue
		}
		if len(names) > 0 {
			rename(x, names)
		}
		if err := m.write(lineEnded(x.Append(nil))); err != nil {
			return err
		}
	}
	return nil
}

// zone writes a time zone that is not there yet. names notes what it is called in this file, where that is another name.
func (m *merger) zone(x *ical.Component, names map[string]string) error {
	id := x.Prop("TZID")
	if id == nil {
		return nil
	}
	original, text := id.Value, string(x.Append(nil))
	_, known := zone.Named(original)
	name := original
	for n := 2; ; n++ {
		old, there := m.now.zones[name]
		if !there {
			m.now.zones[name] = text
			id.SetValue(name)
			if err := m.write(lineEnded(x.Append(nil))); err != nil {
				return err
			}
			break
		}
		if old == text || known {
			break
		}
		name = fmt.Sprintf("%s (%d)", original, n)
	}
	if name != original {
		names[original] = name
	}
	return nil
}

// rename gives the times of a component the names that their zones have in this file.
func rename(c *ical.Component, names map[string]string) {
	for i := range c.Lines {
		l := &c.Lines[i]
		if name, ok := names[l.First("TZID")]; ok {
			l.DropParam("TZID")
			l.AddParam(ical.NewParam("TZID", name))
		}
	}
	for _, x := range c.Children {
		rename(x, names)
	}
}

// lineEnded ends octets with a line end.
func lineEnded(b []byte) []byte {
	if len(b) == 0 || b[len(b)-1] == '\n' {
		return b
	}
	return append(b[:len(b):len(b)], "\r\n"...)
}

func (m *merger) write(b []byte) error {
	n, err := m.out.Write(b)
	m.n += int64(n)
	m.now.end = m.n
	return err
}

// finish writes the merged files into the target, and notes them in the manifest.
func (m *merger) finish(manifest *Manifest, modified time.Time) error {
	if err := m.out.Flush(); err != nil {
		return err
	}
	labels := map[string]string{}
	for _, c := range manifest.Collections {
		labels[c.Path] = c.Name
	}
	slices.SortFunc(m.parts, func(a, b *part) int { return cmp.Compare(a.path, b.path) })
	for _, p := range m.parts {
		var head, tail, ext = "", "", ".vcf"
		if strings.HasPrefix(p.path, holdfast.HomeCalendars) {
			head, tail, ext = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Holdfast//export//EN\r\n", "END:VCALENDAR\r\n", ".ics"
			if label := labels[p.path]; label != "" {
				name := ical.NewLine("X-WR-CALNAME", ical.Escape(label))
				head = string(name.Append([]byte(head)))
			}
		}
		f := ManifestMerged{Path: mergedDir + "/" + p.path + ext, Of: p.path, Items: p.items, Left: p.left}
		sum, n := sha256.New(), new(counting)
		body := io.NewSectionReader(m.file, p.start, p.end-p.start)
		all := io.TeeReader(io.MultiReader(strings.NewReader(head), body, strings.NewReader(tail)), io.MultiWriter(sum, n))
		if err := m.t.add(f.Path, modified, all); err != nil {
			return fmt.Errorf("export %s: %w", f.Path, err)
		}
		f.SHA256, f.Octets = holdfast.Hash(sum.Sum(nil)), int64(*n)
		manifest.Merged = append(manifest.Merged, f)
	}
	return nil
}

type counting int64

func (c *counting) Write(p []byte) (int, error) { *c += counting(len(p)); return len(p), nil }

// copyMerging writes a file of an export into the target, and gathers it too where it is of a collection that is merged.
func (m *merger) copyMerging(t *Target, name string, modified time.Time, in io.Reader) error {
	collection, ok := m.wants(name)
	if !ok {
		return t.add(name, modified, in)
	}
	b, err := io.ReadAll(io.LimitReader(in, maxMerged+1))
	if err != nil {
		return err
	}
	if len(b) > maxMerged {
		return fmt.Errorf("an item of more than %d octets is not merged; export without --merged", maxMerged)
	}
	if err := m.add(collection, b); err != nil {
		return err
	}
	return t.add(name, modified, bytes.NewReader(b))
}

// maxMerged bounds one item in memory.
const maxMerged = 256 << 20
