package transcripts

import (
	"fmt"
	"net/http"
	"strings"
)

// change is another device: it adds, edits or deletes n contacts.
func (r *replay) change(verb string, n int) error {
	var changed []string
	for i := range n {
		var err error
		path := ""
		switch verb {
		case "add":
			r.made++
			path = fmt.Sprintf("%sgiven-%04d.vcf", r.w.Base, r.made)
			err = r.putCard(path, card(r.made, "first"))
			r.cards = append(r.cards, path)
		case "edit", "delete":
			if i >= len(r.cards) {
				return fmt.Errorf("another device cannot %s %d of %d contacts", verb, n, len(r.cards))
			}
			path = r.cards[i]
			if verb == "edit" {
				var number int
				fmt.Sscanf(strings.TrimPrefix(path, r.w.Base), "given-%d.vcf", &number)
				err = r.putCard(path, card(number, "second"))
			} else {
				err = r.removeCard(path)
			}
		default:
			return fmt.Errorf("another device cannot %s", verb)
		}
		if err != nil {
			return err
		}
		changed = append(changed, path)
	}
	if verb == "delete" {
		r.cards = r.cards[n:]
	}
	r.vars["changed"] = changed
	return nil
}

// card makes a contact. Its lines are folded and hold what is not ASCII, so that octets can get lost on the way.
func card(number int, version string) string {
	lines := []string{
		"BEGIN:VCARD", "VERSION:3.0", fmt.Sprintf("UID:given-%04d", number),
		fmt.Sprintf("N:Müller %d;Zoë;;;", number), fmt.Sprintf("FN:Zoë Müller %d", number),
		fmt.Sprintf("item1.TEL;type=CELL:+49 30 %07d", number), "item1.X-ABLabel:_$!<Mobile>!$_",
		"NOTE:This is the " + version + " version & <it> has a line that is folded\\, a", "  nd a\\nbreak.", "END:VCARD",
	}
	return strings.Join(lines, "\r\n") + "\r\n"
}

func (r *replay) putCard(path, body string) error {
	a, err := r.do(http.MethodPut, path, http.Header{"Content-Type": {"text/vcard"}}, body)
	if err == nil && a.status != http.StatusCreated && a.status != http.StatusNoContent {
		err = fmt.Errorf("PUT %s: %s", path, a.dump())
	}
	return err
}

func (r *replay) removeCard(path string) error {
	a, err := r.do(http.MethodDelete, path, http.Header{}, "")
	if err == nil && a.status/100 != 2 {
		err = fmt.Errorf("DELETE %s: %s", path, a.dump())
	}
	return err
}
