package transfer

// Event is what an import says as it goes on. One of its fields is set.
type Event struct {
	Mended   *Mended     `json:"mended,omitempty"`
	Refused  *RefusedOne `json:"refused,omitempty"`
	Note     *Note       `json:"note,omitempty"`
	Progress *Totals     `json:"progress,omitempty"`
	Placed   *Placed     `json:"placed,omitempty"`
	Done     *Totals     `json:"done,omitempty"`
}

// Mended is an item whose octets were repaired before it was stored.
type Mended struct {
	File string `json:"file"`
	Item int    `json:"item"`           // its number in the file, from 1
	Line int    `json:"line"`           // where it begins
	Kind string `json:"kind,omitempty"` // in a word: contact, event, to-do, note
	UID  string `json:"uid,omitempty"`
	What string `json:"what"`
}

// RefusedOne is an item that was not stored.
type RefusedOne struct {
	File         string `json:"file"`
	Item         int    `json:"item"` // 0: not an item: text between them, or the file itself
	Line         int    `json:"line"`
	Kind         string `json:"kind,omitempty"`
	UID          string `json:"uid,omitempty"`
	Precondition string `json:"precondition"`
	Why          string `json:"why"`
}

// Note is what somebody should know who looks for all that was in a file: what was left out or went elsewhere, and why.
type Note struct {
	File string `json:"file"`
	What string `json:"what"`
}

// Placed tells how many of a file's items are in a collection now.
type Placed struct {
	Path  string `json:"path"`
	Items int    `json:"items"`
}

// Totals counts items. Accepted is Created, Already and Replaced together: those that are in the account now.
type Totals struct {
	Items    int   `json:"items"` // read from the file
	Accepted int   `json:"accepted"`
	Created  int   `json:"created"`
	Already  int   `json:"already"`
	Replaced int   `json:"replaced"`
	Mended   int   `json:"mended"`
	Refused  int   `json:"refused"`
	Octets   int64 `json:"octets"` // read from the file
}

// Add adds another file's totals.
func (t *Totals) Add(o Totals) {
	t.Items += o.Items
	t.Accepted += o.Accepted
	t.Created += o.Created
	t.Already += o.Already
	t.Replaced += o.Replaced
	t.Mended += o.Mended
	t.Refused += o.Refused
	t.Octets += o.Octets
}

// The kinds of items, by the names of their components.
const (
	kindCard    = "VCARD"
	kindEvent   = "VEVENT"
	kindTodo    = "VTODO"
	kindJournal = "VJOURNAL"
)

// word says a kind to a person; "item" where it is not known.
func word(kind string) string {
	switch kind {
	case kindCard:
		return "contact"
	case kindEvent:
		return "event"
	case kindTodo:
		return "to-do"
	case kindJournal:
		return "note"
	}
	return "item"
}

// plural is word for several, or one.
func plural(n int, kind string) string {
	if n == 1 {
		return word(kind)
	}
	return word(kind) + "s"
}
