package dav

import (
	"net/http"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
	"holdfast/internal/locks"
)

// syncTokenScheme begins the state tokens that can be true, beside those of locks. DAV:no-lock never is (RFC 4918 section 10.4.8).
const syncTokenScheme = "urn:holdfast:sync:"

// ifHeader reads the If header of RFC 4918 section 10.4.
func (q *request) ifHeader() (davxml.If, error) {
	return davxml.ParseIf(strings.Join(q.r.Header.Values("If"), " "))
}

// hashOf reads an entity tag of ours. What is weak or not ours matches nothing: the zero hash is no resource's.
func hashOf(t davxml.ETag) holdfast.Hash {
	if t.Weak {
		return holdfast.Hash{}
	}
	h, err := holdfast.ParseHash(t.Opaque)
	if err != nil {
		return holdfast.Hash{}
	}
	return h
}

// precondition turns If-Match and If-None-Match (RFC 9110 section 13.1) into what the core judges inside the commit.
func (q *request) precondition() (holdfast.Precondition, error) {
	var p holdfast.Precondition
	match, err := davxml.ParseETagList(q.r.Header.Values("If-Match"))
	if err != nil {
		return p, err
	}
	none, err := davxml.ParseETagList(q.r.Header.Values("If-None-Match"))
	if err != nil {
		return p, err
	}
	switch {
	case match.Any && none.Any:
		return p, &holdfast.Error{Op: "dav.precondition", Kind: holdfast.PreconditionFailed, Text: "If-Match and If-None-Match are both *: that can never hold"}
	case match.Any:
		p.Exists = holdfast.Present
	case none.Any:
		p.Exists = holdfast.Absent
	}
	for _, t := range match.Tags {
		p.Match = append(p.Match, hashOf(t))
	}
	for _, t := range none.Tags {
		t.Weak = false // If-None-Match compares weakly
		p.NoneMatch = append(p.NoneMatch, hashOf(t))
	}
	return p, nil
}

// unmodified adds what If-Unmodified-Since demands: the version that is not newer than the date must still be there inside the commit.
func (q *request) unmodified(p *holdfast.Precondition) error {
	v := q.r.Header.Get("If-Unmodified-Since")
	if v == "" {
		return nil
	}
	since, err := http.ParseTime(v)
	if err != nil || len(p.Match) > 0 || p.Exists == holdfast.Present || q.where != AtMember {
		return nil // RFC 9110 section 13.1.4: ignored beside If-Match, and where it is no date
	}
	return q.read(func(r *core.Reader) error {
		x, err := r.Resource(q.loc.Collection.ID, q.loc.Rest[0], 0)
		switch {
		case holdfast.IsKind(err, holdfast.NotFound):
			return nil
		case err != nil:
			return err
		case x.Modified.Truncate(time.Second).After(since):
			return &holdfast.Error{Op: "dav.precondition", Kind: holdfast.PreconditionFailed, Ref: x.Name}
		}
		p.Seq = x.Seq
		return nil
	})
}

// conditions resolves the If header for the core: which item each condition is about, and which are decided already.
func (q *request) conditions() (core.Conditions, error) {
	h, err := q.ifHeader()
	if err != nil || !h.Present() {
		return nil, err
	}
	out := make(core.Conditions, len(h.Lists))
	resolve := func(r *core.Reader) error {
		for i, l := range h.Lists {
			at, ok, err := q.tagged(r, l.Resource)
			if err != nil {
				return err
			}
			for _, c := range l.Conditions {
				k, err := q.resolveCondition(r, at, ok, c)
				if err != nil {
					return err
				}
				out[i] = append(out[i], k)
			}
		}
		return nil
	}
	if len(h.Tokens()) == 0 {
		return out, resolve(nil)
	}
	return out, q.read(resolve)
}

// tagged finds the resource that a list is about, inside of a read with its reader. ok is false for one that has no state: above accounts, below what is not there,
// elsewhere. An error is a fault, of which nothing can be concluded.
func (q *request) tagged(r *core.Reader, tag string) (at place, ok bool, err error) {
	at = q.place
	if tag != "" {
		path, err := parseRef(tag, q.ours)
		if err == nil {
			at, err = q.lookup(r, path)
		}
		if err != nil && !nowhere(err) {
			return at, false, err
		}
		if err != nil {
			return at, false, nil
		}
	}
	return at, at.where&InTree != 0, nil
}

// resolveCondition says what a condition is about; a constant false where it is about nothing that can be. An error is a fault, or a token of a lost history.
func (q *request) resolveCondition(r *core.Reader, at place, ok bool, c davxml.IfCondition) (holdfast.Condition, error) {
	out := holdfast.Condition{Not: c.Not, Const: true}
	if strings.HasPrefix(c.Token, syncTokenScheme) {
		if err := r.CheckToken(c.Token); err != nil && !holdfast.IsKind(err, holdfast.BadToken) {
			return out, err
		}
	}
	if !ok {
		return out, nil
	}
	if strings.HasPrefix(c.Token, locks.Scheme) {
		out.Value = q.h.lockable(&at) && q.h.locksAt(at.spot()).Holds(at.spot().names, c.Token)
		return out, nil
	}
	item := at.loc.Place()
	switch {
	case c.Token == "":
		h := hashOf(c.ETag)
		return holdfast.Condition{Not: c.Not, Collection: item.Collection, Name: item.Name, ETag: &h}, nil
	case strings.HasPrefix(c.Token, syncTokenScheme) && at.where != AtMember:
		if seq, ok := r.TokenSeq(&at.loc.Collection, c.Token); ok {
			return holdfast.Condition{Not: c.Not, Collection: item.Collection, Seq: seq}, nil
		}
	}
	return out, nil
}

// allConditions is the If header together with If-Match and If-None-Match, for methods where the core takes conditions alone.
func (q *request) allConditions() (core.Conditions, error) {
	lists, err := q.conditions()
	if err != nil {
		return nil, err
	}
	p, err := q.precondition()
	if err != nil || p.IsZero() {
		return lists, err
	}
	item := q.loc.Place()
	on := func(not bool, h holdfast.Hash) holdfast.Condition {
		return holdfast.Condition{Not: not, Collection: item.Collection, Name: item.Name, ETag: &h}
	}
	var also []holdfast.Condition
	if p.Exists == holdfast.Absent { // what is copied, moved or changed exists, or the request fails anyway
		also = append(also, holdfast.Condition{Const: true})
	}
	for _, h := range p.NoneMatch {
		also = append(also, on(true, h))
	}
	if len(lists) == 0 {
		lists = core.Conditions{nil}
	}
	if len(p.Match)*len(lists) > 1000 {
		return nil, badPath("the conditions of this request are too many")
	}
	var out core.Conditions
	for _, l := range lists {
		base := append(append([]holdfast.Condition(nil), l...), also...)
		if len(p.Match) == 0 {
			out = append(out, base)
		}
		for _, h := range p.Match {
			out = append(out, append(base[:len(base):len(base)], on(false, h)))
		}
	}
	if len(out) == 1 && len(out[0]) == 0 {
		return nil, nil
	}
	return out, nil
}

// condition4918 judges the If header of a read in its snapshot.
func (q *request) condition4918(r *core.Reader) error {
	h, err := q.ifHeader()
	if err != nil || !h.Present() {
		return err
	}
	var broken error
	holds := h.Holds(func(resource string, c davxml.IfCondition) bool {
		at, ok, err := q.tagged(r, resource)
		var k holdfast.Condition
		if err == nil {
			k, err = q.resolveCondition(r, at, ok, c)
		}
		if err != nil {
			broken = err
			return false
		}
		if k.Const {
			return k.Value
		}
		if k.ETag != nil {
			x, err := r.Resource(k.Collection, k.Name, 0)
			if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
				broken = err
			}
			return err == nil && x.ETag == *k.ETag
		}
		now, err := r.Collection(k.Collection)
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			broken = err
		}
		return err == nil && now.Seq == k.Seq
	})
	if broken != nil {
		return broken
	}
	if !holds {
		return &holdfast.Error{Op: "dav.If", Kind: holdfast.PreconditionFailed, Ref: q.path.Href()}
	}
	return nil
}
