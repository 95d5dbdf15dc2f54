package dav

import (
	"mime"
	"net/http"
	"strings"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

// making is how a method makes collections: MKCOL, or the method of an extension.
type making struct {
	x            *Extension // of the method; nil: MKCOL
	body, answer davxml.Name
}

func (q *request) making() (making, error) {
	if q.r.Method == "MKCOL" {
		return making{nil, davxml.DMkCol, davxml.DMkColResponse}, nil
	}
	for i := range q.h.o.Extensions {
		if x := &q.h.o.Extensions[i]; x.Method == q.r.Method {
			q.maker = x // its rules name what is wrong
			return making{x, x.MethodBody, x.MethodAnswer}, nil
		}
	}
	return making{}, q.notAllowed()
}

// taken refuses to make a collection over something, as the method wants it said.
func (q *request) taken(how making) error {
	if how.x == nil {
		return q.notAllowed()
	}
	return Refuse(http.StatusForbidden, davxml.DResourceMustBeNull, "there is something at this address already")
}

// mkcol makes a collection: RFC 4918 section 9.3, and with a body RFC 5689; or RFC 4791 section 5.3.1, which does the same by a method of its own.
//
// In the home of files every collection is a folder. In another home an extended MKCOL says by DAV:resourcetype what it makes. A plain MKCOL there makes
// what the home is for, if its extension says so (an address book in the home of address books: that is what a person who makes a folder there with a plain
// WebDAV client wants, and nothing else could stand there).
func (q *request) mkcol() error {
	how, err := q.making()
	if err != nil {
		return err
	}
	parent, name, err := q.placeOfNew(how)
	if err != nil {
		return err
	}
	ops, err := q.mkcolBody(how)
	if err != nil {
		return err
	}
	if err := q.vacant(how); err != nil {
		return err
	}
	n := core.NewCollection{Owner: q.loc.Owner, Parent: parent, Name: name}
	x, err := q.typeOfNew(&n, ops, how)
	if err != nil {
		return err
	}
	if q.maker = x; x != nil && x.Make != nil {
		if ops, err = x.Make(&n, ops); err != nil {
			return err
		}
	}
	if refused := q.refuseNew(n.Type, ops); refused != nil {
		return q.mkcolResponse(how.answer, ops, refused)
	}
	for _, op := range ops {
		if op.Name != davxml.DResourceType {
			n.Properties = n.Properties.With(op.Name.Space, op.Name.Local, op.Value)
		}
	}
	if len(n.Properties) > holdfast.MaxProperties || len(n.Properties.Encode()) > holdfast.MaxPropertiesBytes {
		return &holdfast.Error{Op: "dav.MKCOL", Kind: holdfast.TooLarge, Ref: name, Text: "these are more properties than a collection can have"}
	}
	if n.Conditions, err = q.conditions(); err != nil {
		return err
	}
	end, err := q.writing()
	if err != nil {
		return err
	}
	defer end()
	_, r, err := q.h.o.Core.MakeCollection(q.r.Context(), q.p, n)
	if holdfast.IsKind(err, holdfast.Exists) {
		return q.taken(how)
	}
	if err != nil {
		return err
	}
	q.receipt(r)
	q.w.Header().Set("Cache-Control", "no-cache")
	return q.done(http.StatusCreated)
}

// vacant refuses to make a collection over a resource. The commit would too; here it is said with the right words.
func (q *request) vacant(how making) error {
	err := q.read(func(r *core.Reader) error {
		_, err := r.Resource(q.loc.Collection.ID, q.loc.Rest[0], 0)
		return err
	})
	switch {
	case err == nil:
		return q.taken(how)
	case holdfast.IsKind(err, holdfast.NotFound):
		return nil
	}
	return err
}

// mkcolBody reads the body: none, or DAV:mkcol or what the method has in its place. Another type of body is 415, as nobody here would know what it asks for.
func (q *request) mkcolBody(how making) ([]davxml.PropOp, error) {
	if ct := q.r.Header.Get("Content-Type"); ct != "" && q.r.ContentLength != 0 {
		kind, _, err := mime.ParseMediaType(ct)
		if err != nil || kind != "application/xml" && kind != "text/xml" && !strings.HasSuffix(kind, "+xml") {
			return nil, Refuse(http.StatusUnsupportedMediaType, davxml.Name{}, "the body of a "+q.r.Method+" is XML, or there is none")
		}
	}
	root, err := q.xmlBody()
	if err != nil || root == nil {
		return nil, err
	}
	if root.Name != how.body {
		return nil, Refuse(http.StatusUnsupportedMediaType, davxml.Name{}, "the body of a "+q.r.Method+" is a "+how.body.Local+", or there is none")
	}
	return davxml.ParseMkCol(root, q.h.o.Limits)
}

// typeOfNew decides what is made, and by whose rules.
func (q *request) typeOfNew(n *core.NewCollection, ops []davxml.PropOp, how making) (*Extension, error) {
	var asked *davxml.Element
	for _, op := range ops {
		if op.Name == davxml.DResourceType {
			asked = op.Element
		}
	}
	files := q.path.Area == holdfast.HomeFiles
	if asked == nil || len(asked.Children) == 1 && asked.Children[0].Name == davxml.DCollection {
		x := q.h.extensionFor(holdfast.TypeHome, q.path.Area)
		switch {
		case how.x != nil:
			n.Type = how.x.Type
			return how.x, nil
		case files:
			n.Type = holdfast.TypeFolder
			return nil, nil
		case x != nil && x.PlainMkCol:
			n.Type = x.Type
			return x, nil
		}
		return nil, Refuse(http.StatusForbidden, davxml.DValidResourceType, "say with DAV:resourcetype what is to be made here (RFC 5689)")
	}
	for i := range q.h.o.Extensions {
		x := &q.h.o.Extensions[i]
		if len(asked.Children) == 2 && asked.Child(davxml.DCollection) != nil && !x.ResourceType.IsZero() && asked.Child(x.ResourceType) != nil {
			n.Type = x.Type
			return x, nil
		}
	}
	return nil, Refuse(http.StatusForbidden, davxml.DValidResourceType, "a collection of this DAV:resourcetype cannot be made here")
}

// refuseNew finds the properties that a new collection cannot be given.
func (q *request) refuseNew(ct holdfast.CollectionType, ops []davxml.PropOp) map[davxml.Name]refusal {
	t := &Target{Where: AtCollection, Href: q.path.Href(), Collection: &holdfast.Collection{CollectionRecord: holdfast.CollectionRecord{Type: ct}}}
	return q.h.refuse(t, ops, []davxml.Name{davxml.DResourceType})
}

// mkcolResponse tells which property kept the collection from being made (RFC 5689 section 3.2). The status is 403, also where RFC 4791 section 5.3.1.1 has 207 for
// MKCALENDAR: a client that looks at the first digit alone would believe that its calendar was made.
func (q *request) mkcolResponse(root davxml.Name, ops []davxml.PropOp, refused map[davxml.Name]refusal) error {
	s := q.newSpool()
	defer s.close()
	w := davxml.NewWriter(s)
	w.Document()
	w.Start(root)
	writeOutcome(ops, refused, func(status int, cond davxml.Condition, names []davxml.Name) {
		w.Start(davxml.DPropstat)
		w.Start(davxml.DProp)
		for _, n := range names {
			w.Empty(n)
		}
		w.End()
		w.Element(davxml.DStatus, statusLine(status))
		if !cond.Name.IsZero() {
			w.WriteError("", cond)
		}
		w.End()
	})
	w.End()
	if err := w.Flush(); err != nil {
		return err
	}
	q.w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	return s.send(q, http.StatusForbidden)
}
