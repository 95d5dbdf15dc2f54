package rehearse

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"holdfast/internal/control"
)

// Loss is an acknowledged change that the service does not have any more.
type Loss struct {
	Entry
	Newest  bool     `json:"newest"`   // no later acknowledged change of the same item came: it was the item as its person knew it
	StillOn []string `json:"still_on"` // phones that hold these octets
	Because string   `json:"because"`
}

// Account is what came of one account.
type Account struct {
	Login        string `json:"account"`
	Acknowledged int    `json:"acknowledged"`
	Current      int    `json:"current"` // of these: what the service shows now, or a deletion that stands
	History      int    `json:"history"` // a version in its history
	Again        int    `json:"again"`   // lost, and sent again by a phone that still had it
	Lost         int    `json:"lost"`
	StillOn      int    `json:"still_on_phones"` // of these: octets that a phone still holds
}

// past is what a service tells of an account through its history and through DAV.
type past struct {
	versions map[string][]control.Version // by path, oldest first
	octets   map[string]string            // SHA-256 of what DAV gives, by path; empty: it says that there is nothing
}

// pathOf is an href's path below its account: /dav/addressbooks/ID/default/x.vcf is addressbooks/default/x.vcf.
func pathOf(href string) string {
	parts := strings.SplitN(strings.TrimPrefix(href, "/dav/"), "/", 3)
	if len(parts) < 3 {
		return href
	}
	path := parts[0] + "/" + parts[2]
	if p, err := url.PathUnescape(path); err == nil {
		return p
	}
	return path
}

const historyPage = 1000

// readPast asks for the whole history of an account, and for each item that the book knows through DAV.
func (r *rehearsal) readPast(ctx context.Context, c *control.Client, a *account, entries []Entry) (*past, error) {
	p := &past{versions: map[string][]control.Version{}, octets: map[string]string{}}
	q := control.HistoryRequest{Account: a.login, Limit: historyPage}
	for {
		h, err := c.History(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, v := range h.Changes {
			p.versions[v.Path] = append(p.versions[v.Path], v)
		}
		if !h.More || len(h.Changes) == 0 {
			break
		}
		q.Before = h.Changes[len(h.Changes)-1].Seq
	}
	for _, list := range p.versions {
		slices.SortFunc(list, func(a, b control.Version) int { return cmp.Compare(a.Seq, b.Seq) })
	}
	for i := range entries {
		path := pathOf(entries[i].Href)
		if _, ok := p.octets[path]; ok {
			continue
		}
		sum, err := r.get(ctx, a, entries[i].Href)
		if err != nil {
			return nil, err
		}
		p.octets[path] = sum
	}
	return p, nil
}

// maxItem bounds one item, in octets.
const maxItem = 16 << 20

// get reads one item as a phone does, and hashes it. Nothing: the service says that it is not there.
func (r *rehearsal) get(ctx context.Context, a *account, href string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.service.url()+href, nil)
	if err != nil {
		return "", fmt.Errorf("read back %s: %w", href, err)
	}
	req.SetBasicAuth(a.login, a.passwords[0])
	res, err := r.net.RoundTrip(req)
	if err != nil {
		return "", fmt.Errorf("read back %s: %w", href, err)
	}
	defer res.Body.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, io.LimitReader(res.Body, maxItem))
	switch {
	case err != nil:
		return "", fmt.Errorf("read back %s: %w", href, err)
	case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusForbidden || res.StatusCode == http.StatusGone:
		return "", nil
	case res.StatusCode != http.StatusOK:
		return fmt.Sprintf("an answer %d", res.StatusCode), nil
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// leaves tells whether a version is what an entry speaks of.
func leaves(v *control.Version, e *Entry) bool {
	return v.Op == e.Op && !v.Pruned && (e.Op == "delete" || v.ETag != nil && v.ETag.String() == e.SHA256)
}

// verdictOf an acknowledged change. The receipt says that at its seq the item was what was sent; so the history must say it too.
func (p *past) verdictOf(e *Entry) (where, because string) {
	list := p.versions[pathOf(e.Href)]
	at := -1
	for i := range list {
		if list[i].Seq <= e.Seq {
			at = i
		}
	}
	switch {
	case at >= 0 && leaves(&list[at], e) && at < len(list)-1:
		return "history", ""
	case at >= 0 && leaves(&list[at], e):
		want := e.SHA256
		if got := p.octets[pathOf(e.Href)]; got != want {
			return "lost", fmt.Sprintf("the history has it, and DAV gives %s", cmp.Or(got, "nothing"))
		}
		return "current", ""
	case slices.ContainsFunc(list, func(v control.Version) bool { return leaves(&v, e) }):
		return "again", ""
	case len(list) == 0:
		return "lost", "the service has never heard of it"
	}
	return "lost", fmt.Sprintf("the service has %d other versions, and not this one", len(list))
}

// reckon looks for every entry of one account's book. held says which phones hold which octets.
func (p *past) reckon(login string, entries []Entry, held map[string][]string) (a Account, losses []Loss) {
	a.Login = login
	last := map[string]*Entry{}
	for i := range entries {
		e := &entries[i]
		if l := last[e.Href]; l == nil || cmp.Or(cmp.Compare(l.Epoch, e.Epoch), cmp.Compare(l.Seq, e.Seq)) < 0 {
			last[e.Href] = e
		}
	}
	for i := range entries {
		e := &entries[i]
		a.Acknowledged++
		where, because := p.verdictOf(e)
		switch where {
		case "current":
			a.Current++
		case "history":
			a.History++
		case "again":
			a.Again++
		default:
			l := Loss{Entry: *e, Newest: last[e.Href] == e, StillOn: []string{}, Because: because}
			if e.Op == "put" && len(held[e.SHA256]) > 0 {
				l.StillOn = held[e.SHA256]
				a.StillOn++
			}
			a.Lost++
			losses = append(losses, l)
		}
	}
	return a, losses
}

// live lists what an account has now, by its history.
func (p *past) live() map[string]string {
	out := map[string]string{}
	for path, list := range p.versions {
		if v := list[len(list)-1]; v.Op == "put" && v.ETag != nil && (strings.HasSuffix(path, ".vcf") || strings.HasSuffix(path, ".ics")) {
			out[path] = v.ETag.String()
		}
	}
	return out
}

// Phone is what came of one phone.
type Phone struct {
	Name    string `json:"name"`
	Account string `json:"account"`
	Kind    string `json:"kind"`
	Before  int64  `json:"before"`  // items that it held when the service was lost
	Reset   bool   `json:"reset"`   // it was taken back to how it came out of its box
	Unsent  int    `json:"unsent"`  // of what was on it then: edits that no service had acknowledged
	After   int64  `json:"after"`   // items that it holds in the end
	Lacks   int    `json:"lacks"`   // of what its person has
	Missed  int    `json:"missed"`  // what it lacked by its own client's rules, and had once it was set up again
	Emptied int64  `json:"emptied"` // address books and calendars that lost all they held, though nobody had deleted that
	Deleted int64  `json:"deleted"` // items that it dropped though nobody had deleted them
	Failed  string `json:"failed"`  // why its last sync failed; empty: it did not
}

func isContact(path string) bool { return strings.HasPrefix(path, "addressbooks/") }
