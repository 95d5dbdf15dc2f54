package salvage

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/transfer"
)

// Result is what became of an item.
type Result string

// The results.
const (
	Already  Result = "already"  // all that it says is there
	Older    Result = "older"    // an earlier version of an item that is there said all of it
	Restored Result = "restored" // it is there now
	Offered  Result = "offered"  // somebody deleted it; it comes back only if that is asked for
	Conflict Result = "conflict" // the account has it in another version; this one is beside it, as a copy
	Refused  Result = "refused"  // it cannot be stored
)

// Request says what is salvaged.
type Request struct {
	Account     holdfast.ID
	Into        string // path of the collection that takes what it can take; empty: the default for each kind
	From        string // whose files they are, for the names of conflict copies; empty: that of the file
	WithDeleted bool   // what was deleted comes back too
	DryRun      bool
	MaxOctets   int64 // of one file; 0: no limit
}

// Item is what became of one item of a file.
type Item struct {
	File   string `json:"file"`
	Item   int    `json:"item"` // its number in the file; 0: not an item
	Line   int    `json:"line"`
	Kind   string `json:"kind"` // in a word
	UID    string `json:"uid,omitempty"`
	Title  string `json:"title,omitempty"`
	Result Result `json:"result"`
	Path   string `json:"path,omitempty"` // where it is, or was
	Of     string `json:"of,omitempty"`   // of a conflict copy: the item that the account has
	What   string `json:"mended,omitempty"`
	// Of what was deleted, or stands for something that was:
	Deleted *time.Time `json:"deleted,omitempty"`
	By      string     `json:"by,omitempty"` // the account; empty: the operator
	Device  string     `json:"device,omitempty"`
	Edited  bool       `json:"edited,omitempty"` // it came back because no version says all that it says
	// Of what was refused:
	Precondition string `json:"precondition,omitempty"`
	Why          string `json:"why,omitempty"`
	Octets       []byte `json:"octets,omitempty"` // as they stand in the file
}

// Counts are how many items of each result there are.
type Counts struct {
	Items    int `json:"items"`
	Contacts int `json:"contacts"` // among them
	Already  int `json:"already"`
	Older    int `json:"older"`
	Restored int `json:"restored"`
	Offered  int `json:"offered"`
	Conflict int `json:"conflict"`
	Refused  int `json:"refused"`
}

func (c *Counts) count(r Result) {
	n := map[Result]*int{Already: &c.Already, Older: &c.Older, Restored: &c.Restored, Offered: &c.Offered, Conflict: &c.Conflict, Refused: &c.Refused}[r]
	*n++
}

// Event is what a run says as it goes on. One of its fields is set.
type Event struct {
	Item     *Item          `json:"item,omitempty"`
	Note     *transfer.Note `json:"note,omitempty"`
	Progress *Counts        `json:"progress,omitempty"`
}

// Run is one salvage: an account's history, and what was found in files so far. What was stored stays, whatever happens then; the same again changes nothing more.
type Run struct {
	s      *core.Service
	past   *core.Past
	q      Request
	emit   func(Event) error
	known  *index
	paths  []string
	books  []holdfast.Collection
	made   []holdfast.ID // of these, by this run
	groups []*group
	counts Counts
}

// group is what waits for a collection.
type group struct {
	path   string
	c      holdfast.Collection
	items  []core.Item
	told   []*Item
	raw    [][]byte
	octets int
}

// The bounds of a group, as an import has them.
const (
	groupItems  = 256
	groupOctets = 4 << 20
)

// New reads the account's history. Errors: NotFound (the account, the collection), Invalid (it takes nothing of the sort), Unavailable.
func New(ctx context.Context, s *core.Service, q Request, emit func(Event) error) (*Run, error) {
	past, err := s.PastOf(ctx, q.Account)
	if err != nil {
		return nil, err
	}
	r := &Run{s: s, past: past, q: q, emit: emit}
	if r.paths, r.books, err = past.Books(ctx); err != nil {
		return nil, err
	}
	if into := strings.Trim(q.Into, "/"); into != "" && !slices.Contains(r.paths, into) && !slices.Contains(standards, into) {
		have := slices.Sorted(slices.Values(r.paths))
		return nil, fail(holdfast.NotFound, into, "there is no address book or calendar "+into+"; there are "+strings.Join(have, ", "))
	}
	r.known, err = readIndex(ctx, past)
	return r, err
}

// standards are the paths of what every account has of itself: it is made anew where it was deleted and something comes into it.
var standards = []string{transfer.Standard("VCARD"), transfer.Standard("VEVENT"), transfer.Standard("VTODO"), transfer.Standard("VJOURNAL")}

func fail(kind holdfast.ErrorKind, ref, text string) error {
	return &holdfast.Error{Op: "salvage", Kind: kind, Ref: ref, Text: text}
}

// File takes what is in one file.
func (r *Run) File(ctx context.Context, name string, in io.Reader) error {
	any := false
	err := transfer.Each(in, name, int(r.s.Limits().Resource), r.q.MaxOctets, func(f transfer.Found) error {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if f.Note != "" {
			return r.emit(Event{Note: &transfer.Note{File: name, What: f.Note}})
		}
		any = true
		return r.take(ctx, name, f)
	})
	if err == nil && !any {
		err = r.refuse(&Item{File: name}, nil, fail(holdfast.Invalid, "", "the file holds no contact and no calendar item"))
	}
	return err
}

// Finish stores what waits, and counts.
func (r *Run) Finish(ctx context.Context) (Counts, error) {
	for _, g := range r.groups {
		if err := r.flush(ctx, g); err != nil {
			return r.counts, err
		}
	}
	return r.counts, nil
}

// take decides what becomes of one item.
func (r *Run) take(ctx context.Context, file string, f transfer.Found) error {
	t := &Item{File: file, Item: f.Item, Line: f.Line, Kind: transfer.Word(f.Kind), UID: f.UID, What: f.What}
	if f.Item > 0 {
		r.counts.Items++
	}
	card := f.Kind == "VCARD"
	if card {
		r.counts.Contacts++
	}
	if f.Err != nil {
		return r.refuse(t, f.Raw, f.Err)
	}
	says, ok := factsOf(f.As.Body, card)
	if !ok {
		return r.refuse(t, f.Raw, fail(holdfast.Invalid, "", "it cannot be read"))
	}
	t.Title = says.title
	found := r.known.find(&says, card)
	if t.Result = found.result; found.item != nil {
		t.Path = found.item.path
	}
	switch found.result {
	case Already, Older:
		return r.tell(t)
	case Restored:
		home := holdfast.ID{}
		switch i := found.item; {
		case i == nil:
		case i.ghost(): // it is what was lost, under its own name
			home, f.As.Other, f.As.Name = i.collection, f.As.Name, i.name
		default:
			t.Edited, home = true, i.collection
			if err := r.deletion(ctx, t, found.item); err != nil {
				return err
			}
		}
		return r.queue(ctx, t, f.As, f.Raw, &says, card, home)
	case Offered:
		return r.offer(ctx, t, found, f, &says)
	}
	return r.copy(ctx, t, found.item, f, says, card)
}

// deletion says when and by whom an item was deleted, or what it lay in.
func (r *Run) deletion(ctx context.Context, t *Item, i *item) (err error) {
	d := i.deleted
	if d.seq == 0 {
		d = r.known.gone[i.collection]
	}
	if d.seq != 0 {
		at := d.at.UTC()
		t.Deleted = &at
		t.By, t.Device, err = r.past.Who(ctx, d.actor)
	}
	return err
}

// offer names what was deleted, and brings it back if that is asked for: as history has it.
func (r *Run) offer(ctx context.Context, t *Item, found finding, f transfer.Found, says *facts) error {
	if err := r.deletion(ctx, t, found.item); err != nil {
		return err
	}
	if !r.q.WithDeleted {
		return r.tell(t)
	}
	kind, body, err := r.past.Octets(ctx, found.of.seq)
	if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		return err
	}
	if back, ok := factsOf(body, f.Kind == "VCARD"); err == nil && ok { // otherwise retention let go of it, and the file's will do
		f.As = core.Item{Name: found.item.name, Other: f.As.Name, ContentType: kind, Body: body}
		says = &back
	}
	t.Result = Restored
	return r.queue(ctx, t, f.As, f.Raw, says, f.Kind == "VCARD", found.item.collection)
}

// copy stores an item beside the one that the account has in another version.
func (r *Run) copy(ctx context.Context, t *Item, of *item, f transfer.Found, says facts, card bool) error {
	uid := copyUID(&says)
	for _, made := range r.known.byUID[label{card, uid}] { // it was made before
		t.Of, t.Path, t.Result = of.path, made.path, Already
		if !made.present() {
			return r.offer(ctx, t, finding{Offered, made, made.newest()}, f, &says)
		}
		return r.tell(t)
	}
	from := cmp.Or(r.q.From, "file")
	body, err := copyOf(f, uid, mark(from, r.s.Now()), card)
	if err == nil {
		if says, ok := factsOf(body, card); ok {
			t.Of, t.UID, t.Title = of.path, uid, says.title
			ext := ".ics"
			if card {
				ext = ".vcf"
			}
			return r.queue(ctx, t, core.Item{Name: uid + ext, ContentType: f.As.ContentType, Body: body}, f.Raw, &says, card, of.collection)
		}
	}
	return r.refuse(t, f.Raw, fail(holdfast.Invalid, "", "no conflict copy can be made of it"))
}

func copyOf(f transfer.Found, uid, mark string, card bool) ([]byte, error) {
	if card {
		return copyCard(f.As.Body, uid, mark)
	}
	return copyObject(f.As.Body, f.Kind, uid, mark)
}

// queue lets an item wait for its collection, and remembers it as one that is there: what comes twice is stored once.
func (r *Run) queue(ctx context.Context, t *Item, as core.Item, raw []byte, says *facts, card bool, home holdfast.ID) error {
	g, err := r.group(ctx, t, says.kind, home)
	if err != nil {
		return err
	}
	if g == nil {
		return r.refuse(t, raw, fail(holdfast.Invalid, "", "no collection of this account takes "+transfer.Word(says.kind)+"s; make one"))
	}
	i := r.known.put(place{g.c.ID, as.Name}, says, card, 0)
	i.path, i.there = g.path+"/"+as.Name, true
	t.Path = i.path
	g.items, g.told, g.raw = append(g.items, as), append(g.told, t), append(g.raw, raw)
	if g.octets += len(as.Body) + len(raw); len(g.items) < groupItems && g.octets < groupOctets {
		return nil
	}
	return r.flush(ctx, g)
}

// group returns what waits for the collection that an item goes into: the one that was asked for, where the item or its sibling lies or lay, the default of its kind, which is made anew where it was deleted, any other. nil: none takes it.
func (r *Run) group(ctx context.Context, t *Item, kind string, home holdfast.ID) (*group, error) {
	into, standard := strings.Trim(r.q.Into, "/"), transfer.Standard(kind)
	if g := r.where(kind, func(k int) bool { return r.paths[k] == into }); g != nil {
		return g, nil
	}
	if into != standard {
		if g := r.where(kind, func(k int) bool { return r.books[k].ID == home }); g != nil {
			return g, nil
		}
	}
	if standard != "" && !slices.Contains(r.paths, standard) {
		if err := r.remake(ctx, t, standard); err != nil {
			return nil, err
		}
	}
	if g := r.where(kind, func(k int) bool { return r.paths[k] == standard }); g != nil {
		return g, nil
	}
	return r.where(kind, func(int) bool { return true }), nil
}

// where returns what waits for the first collection that fits and takes the kind.
func (r *Run) where(kind string, fits func(k int) bool) *group {
	for k := range r.books {
		if fits(k) && transfer.Takes(&r.books[k], kind) {
			return r.groupFor(k)
		}
	}
	return nil
}

// remake makes a default collection anew that was deleted. Where that may not be, something else has its name or there are too many, others take what comes.
func (r *Run) remake(ctx context.Context, t *Item, path string) error {
	c, err := r.past.Remake(ctx, path, r.q.DryRun)
	switch kind := holdfast.KindOf(err); {
	case err == nil:
	case kind == holdfast.Exists, kind == holdfast.TooLarge, kind == holdfast.NotFound, kind == holdfast.Forbidden:
		return nil
	default:
		return err
	}
	r.paths, r.books, r.made = append(r.paths, path), append(r.books, c), append(r.made, c.ID)
	what := path + " was deleted, and is made anew"
	if r.q.DryRun {
		what = path + " was deleted, and would be made anew"
	}
	return r.emit(Event{Note: &transfer.Note{File: t.File, What: what}})
}

func (r *Run) groupFor(k int) *group {
	i := slices.IndexFunc(r.groups, func(g *group) bool { return g.c.ID == r.books[k].ID })
	if i < 0 {
		i = len(r.groups)
		r.groups = append(r.groups, &group{path: r.paths[k], c: r.books[k]})
	}
	return r.groups[i]
}

func (r *Run) flush(ctx context.Context, g *group) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if len(g.items) == 0 {
		return nil
	}
	results, err := r.add(ctx, g)
	if err != nil {
		return err
	}
	for k, x := range results {
		t := g.told[k]
		switch x.Outcome {
		case core.Created, core.Same:
			t.Path = g.path + "/" + x.Name
			err = r.tell(t)
		default:
			err = r.refuse(t, g.raw[k], cmp.Or(x.Err, errors.New("it was not stored")))
		}
		if err != nil {
			return err
		}
	}
	g.items, g.told, g.raw, g.octets = nil, nil, nil, 0
	return nil
}

// add stores what waits. Of a collection that a dry run would make nothing is known but what it takes.
func (r *Run) add(ctx context.Context, g *group) ([]core.ItemResult, error) {
	if !r.q.DryRun || !slices.Contains(r.made, g.c.ID) {
		return r.past.Add(ctx, g.c.ID, g.items, r.q.DryRun)
	}
	out := make([]core.ItemResult, len(g.items))
	for i, x := range g.items {
		out[i] = core.ItemResult{Name: x.Name, Outcome: core.Created, Err: r.s.Judge(&g.c, x)}
		if out[i].Err != nil {
			out[i].Outcome = core.Refused
		}
	}
	return out, nil
}

func (r *Run) refuse(t *Item, raw []byte, err error) error {
	t.Result, t.Octets = Refused, raw
	t.Precondition, t.Why = transfer.WhyNot(err, t.Kind == "contact")
	return r.tell(t)
}

// progressEvery is after how many items it is said how far it is.
const progressEvery = 100

func (r *Run) tell(t *Item) error {
	r.counts.count(t.Result)
	if err := r.emit(Event{Item: t}); err != nil || r.counts.Items%progressEvery != 0 {
		return err
	}
	now := r.counts
	return r.emit(Event{Progress: &now})
}
