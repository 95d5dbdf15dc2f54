package salvage

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/content"
	"holdfast/internal/ical"
	"holdfast/internal/vcard"
)

// copyUID is the UID of the conflict copy of what says what f says. It hangs on that alone, not on which item it stands beside: the same is copied once, also where another item is the nearest by then.
func copyUID(f *facts) string {
	b := []byte("conflict copy\n" + f.kind)
	for _, n := range f.set {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	sum := holdfast.HashOf(b)
	return "salvage-" + hex.EncodeToString(sum[:16])
}

// mark is what a conflict copy's name ends with.
func mark(from string, at time.Time) string {
	return fmt.Sprintf(" (conflict copy, from %s, %s)", strings.Join(strings.Fields(from), " "), at.UTC().Format(time.DateOnly))
}

// copyCard makes a conflict copy of a contact. People see it in every list: what is shown as the name (FN) says so, and so does the suffix of the name's parts (N), from which some phones make what they show.
func copyCard(octets []byte, uid, mark string) ([]byte, error) {
	card, err := vcard.Parse(octets, vcard.Limits{})
	if err != nil {
		return nil, err
	}
	var out []byte
	for i := range card.Lines {
		l := &card.Lines[i]
		switch content.Upper(l.Name) {
		case "UID":
			out = content.AppendFolded(out, "UID:"+uid)
		case "FN":
			out = content.AppendFolded(out, head(l.Raw, l.Value)+l.Value+content.Escape(mark))
		case "N":
			parts := content.SplitEscaped(l.Value, ';')
			for len(parts) < 5 {
				parts = append(parts, "")
			}
			parts[4] = strings.TrimLeft(parts[4]+content.Escape(mark), " ")
			out = content.AppendFolded(out, head(l.Raw, l.Value)+strings.Join(parts, ";"))
		default:
			out = append(out, l.Raw...)
		}
	}
	return out, nil
}

// head is what stands before a line's value: name and parameters, unfolded.
func head(raw, value string) string {
	flat := strings.NewReplacer("\r\n ", "", "\r\n\t", "", "\n ", "", "\n\t", "").Replace(raw)
	flat = strings.TrimRight(flat, "\r\n")
	return strings.TrimSuffix(flat, value)
}

// copyObject makes a conflict copy of a calendar object: each of its components has the UID, and says so in its summary.
func copyObject(octets []byte, kind, uid, mark string) ([]byte, error) {
	root, err := ical.Parse(octets, ical.Limits{})
	if err != nil {
		return nil, err
	}
	for _, c := range root.Each(kind) {
		if l := c.Prop("UID"); l != nil {
			*l = again(l, uid)
		}
		if l := c.Prop("SUMMARY"); l != nil {
			*l = again(l, l.Value+content.Escape(mark))
		} else {
			c.Add(ical.NewLine("SUMMARY", content.Escape(strings.TrimSpace(mark))))
		}
	}
	return root.Append(nil), nil
}

// again is a line with another value, in its place.
func again(l *ical.Line, value string) ical.Line {
	out := ical.NewLine(l.Name, value, l.Params...)
	out.No = l.No
	return out
}
