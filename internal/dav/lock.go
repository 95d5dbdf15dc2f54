package dav

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
	"holdfast/internal/locks"
)

// lockable tells whether a place can have locks: folders and files do. Address books and calendars do without: their clients name the version that they replace.
func (h *Handler) lockable(at *place) bool {
	return h.o.Locks != nil && at.path.Area == holdfast.HomeFiles && (at.where == 0 || at.where&InTree != 0) && !at.owner.IsZero()
}

// lock answers LOCK (RFC 4918 section 9.10).
func (q *request) lock() error {
	if !q.h.lockable(&q.place) {
		return q.notAllowed()
	}
	switch {
	case q.where == 0:
		return q.missingParent(&q.place)
	case q.where == AtMember && q.path.Slash:
		return &Refusal{Status: http.StatusMethodNotAllowed, Allow: "OPTIONS, MKCOL", Text: "a name that ends in a slash is a collection's; make those with MKCOL"}
	case q.loc.Access < core.Writes:
		return &holdfast.Error{Op: "dav.LOCK", Kind: holdfast.Forbidden, Ref: q.path.Href(), Rule: "need-privileges", Text: "this is shared with you to read, not to change; ask its owner"}
	}
	timeout, err := parseTimeout(q.r.Header.Get("Timeout"))
	if err != nil {
		return err
	}
	root, err := q.xmlBody()
	if err != nil {
		return err
	}
	if root == nil {
		return q.refresh(timeout)
	}
	want, err := parseLockInfo(root)
	if err != nil {
		return err
	}
	depth, err := q.depth(davxml.DepthInfinity)
	if err != nil || depth == davxml.DepthOne {
		return orElse(err, badPath("the Depth of a LOCK is 0 or infinity"))
	}
	want.Root, want.Timeout = q.spot().names, timeout
	want.Collection = q.where != AtMember
	want.Deep = depth == davxml.DepthInfinity && want.Collection // of a file both say the same
	return q.give(want)
}

func orElse(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// give gives a new lock. Where nothing is, an empty file is made (section 7.3), so that the name is taken.
func (q *request) give(want locks.Lock) error {
	there, err := q.lockedThing()
	if err != nil {
		return err
	}
	keys, err := q.keys()
	if err != nil {
		return err
	}
	var adds []locks.Touch
	if !there {
		adds = append(adds, locks.Touch{Path: q.spot().above()})
	}
	all := q.h.locksAt(q.spot())
	got, err := all.Lock(q.r.Context(), want, adds, keys)
	if err != nil {
		return q.heldBy(err, davxml.DNoConflictingLock)
	}
	status := http.StatusOK
	if !there {
		made, err := q.makeEmpty()
		if err != nil {
			if undo := all.Unlock(got.Root, got.By, got.Token); undo != nil {
				q.h.o.Log.Error("a lock that was not given could not be taken back; it ends with its time", "account", q.owner, "err", undo)
			}
			return err
		}
		if made {
			status = http.StatusCreated
		}
	}
	q.w.Header().Set("Lock-Token", "<"+got.Token+">")
	return q.sendLock(&got, status)
}

// lockedThing judges the request's conditions, and tells whether there is something to lock.
func (q *request) lockedThing() (there bool, err error) {
	pre, err := q.precondition()
	if err != nil {
		return false, err
	}
	err = q.read(func(r *core.Reader) error {
		if err := q.condition4918(r); err != nil || q.where != AtMember {
			there = true
			return err
		}
		x, err := r.Resource(q.loc.Collection.ID, q.loc.Rest[0], 0)
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			return err
		}
		if there = err == nil; !pre.Check(there, x.ETag, x.Seq) {
			return &holdfast.Error{Op: "dav.LOCK", Kind: holdfast.PreconditionFailed, Ref: q.path.Href()}
		}
		return nil
	})
	return there, err
}

// makeEmpty makes an empty file. made is false where another one came first.
func (q *request) makeEmpty() (made bool, err error) {
	r, _, err := q.h.o.Core.PutFile(q.r.Context(), q.p, core.FileRequest{Place: q.loc.Place(), Octets: strings.NewReader(""), If: holdfast.Precondition{Exists: holdfast.Absent}})
	if holdfast.IsKind(err, holdfast.PreconditionFailed) {
		return false, nil
	}
	if err == nil {
		q.receipt(r)
	}
	return r.Created, err
}

// refresh lets a lock begin its time anew (section 9.10.2): the If header names it.
func (q *request) refresh(timeout time.Duration) error {
	keys, err := q.keys()
	if err != nil {
		return err
	}
	if len(keys.Tokens) != 1 {
		return badPath("a LOCK without a body refreshes the one lock that its If header names")
	}
	if err := q.read(q.condition4918); err != nil {
		return err
	}
	at := q.spot()
	got, err := q.h.locksAt(at).Refresh(at.names, q.p.Account, keys.Tokens[0], timeout)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return Refuse(http.StatusPreconditionFailed, davxml.DLockTokenMatchesRequestUri, "there is no such lock on this; it ended, or was given back")
	}
	if err != nil {
		return err
	}
	return q.sendLock(&got, http.StatusOK)
}

// unlock answers UNLOCK (section 9.11).
func (q *request) unlock() error {
	if !q.h.lockable(&q.place) {
		return q.notAllowed()
	}
	if q.where == 0 {
		return q.nothing()
	}
	token, ok := strings.CutPrefix(strings.TrimSpace(q.r.Header.Get("Lock-Token")), "<")
	if token, ok = strings.CutSuffix(token, ">"); !ok || token == "" {
		return badPath("an UNLOCK names its lock in a Lock-Token header")
	}
	at := q.spot()
	err := q.h.locksAt(at).Unlock(at.names, q.p.Account, token)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return Refuse(http.StatusConflict, davxml.DLockTokenMatchesRequestUri, "there is no such lock on this; it ended, or was given back")
	}
	if err != nil {
		return err
	}
	return q.done(http.StatusNoContent)
}

// parseLockInfo reads a DAV:lockinfo (section 14.11).
func parseLockInfo(root *davxml.Element) (l locks.Lock, err error) {
	if root.Name != davxml.DLockInfo {
		return l, root.Errorf("the body of a LOCK is a DAV:lockinfo, or there is none")
	}
	scope, kind := root.Child(davxml.DLockScope), root.Child(davxml.DLockType)
	if scope == nil || kind == nil || kind.Child(davxml.DWrite) == nil {
		return l, root.Errorf("a DAV:lockinfo holds a DAV:lockscope, and DAV:write in a DAV:locktype")
	}
	l.Shared = scope.Child(davxml.DShared) != nil
	if l.Shared == (scope.Child(davxml.DExclusive) != nil) {
		return l, scope.Errorf("the scope of a lock is DAV:exclusive or DAV:shared")
	}
	if owner := root.Child(davxml.DOwner); owner != nil {
		l.Owner = string(owner.Standalone())
	}
	if len(l.Owner) > locks.MaxOwner {
		return l, &Refusal{Status: http.StatusRequestEntityTooLarge, Text: "what a lock says of its owner has at most " + strconv.Itoa(locks.MaxOwner) + " octets"}
	}
	return l, nil
}

// parseTimeout reads a Timeout header (section 10.7): the first time that is understood. Nothing, and Infinite, is the longest that there is.
func parseTimeout(v string) (time.Duration, error) {
	if len(v) > 1000 {
		return 0, badPath("the Timeout header is too long")
	}
	for s := range strings.SplitSeq(v, ",") {
		digits, ok := strings.CutPrefix(strings.TrimSpace(s), "Second-")
		if n, err := strconv.ParseUint(digits, 10, 32); ok && err == nil && n > 0 {
			return min(time.Duration(n)*time.Second, locks.MaxTimeout), nil
		}
		if s != "" {
			break
		}
	}
	return locks.MaxTimeout, nil
}

// keys are the tokens of locks that the request shows, wherever in its If header: that is enough to write (section 10.4.1).
func (q *request) keys() (locks.Keys, error) {
	out := locks.Keys{Who: q.p.Account}
	h, err := q.ifHeader()
	if err != nil {
		return out, err
	}
	for _, t := range h.Tokens() {
		if strings.HasPrefix(t, locks.Scheme) {
			out.Tokens = append(out.Tokens, t)
		}
	}
	return out, nil
}

// touches is what the request changes at a place: itself, what is below it, and the collection that gets or loses a member. Whether it gets one is looked at only where there are locks.
func (q *request) touches(at *place, s spot, deep, adds, removes bool) []locks.Touch {
	out := []locks.Touch{{Path: s.names, Deep: deep}}
	if removes || adds && (!q.h.locksAt(s).Any() || !q.occupied(at)) {
		out = append(out, locks.Touch{Path: s.above()})
	}
	return out
}

// occupied tells whether there is something at a place, for all that is known.
func (q *request) occupied(at *place) bool {
	if at.where != AtMember {
		return true
	}
	err := q.read(func(r *core.Reader) error {
		_, err := r.Resource(at.loc.Collection.ID, at.loc.Rest[0], 0)
		return err
	})
	return !holdfast.IsKind(err, holdfast.NotFound)
}

// writing notes that the request writes, if no lock stands in its way. end must be called when it has written, or not.
func (q *request) writing() (end func(), err error) {
	var ends []func()
	end = func() {
		for _, f := range ends {
			f()
		}
	}
	keys, err := q.keys()
	if err != nil {
		return end, err
	}
	for owner, touched := range q.touched() {
		f, err := q.h.o.Locks.Of(owner).Begin(touched, keys)
		if err != nil {
			end()
			return func() {}, q.heldBy(err, davxml.DLockTokenSubmitted)
		}
		ends = append(ends, f)
	}
	return end, nil
}

// unlocked tells before a body is read whether a lock stands in the way.
func (q *request) unlocked() error {
	keys, err := q.keys()
	if err != nil {
		return err
	}
	for owner, touched := range q.touched() {
		if err := q.h.o.Locks.Of(owner).Check(touched, keys); err != nil {
			return q.heldBy(err, davxml.DLockTokenSubmitted)
		}
	}
	return nil
}

// stillHolds judges the tokens of locks in the If header again, once the body has come: a lock may have ended meanwhile, and somebody else have written under it. What else is in the header
// the commit judges.
func (q *request) stillHolds() error {
	if keys, err := q.keys(); err != nil || len(keys.Tokens) == 0 {
		return err
	}
	return q.read(q.condition4918)
}

// touched is all that the request changes, by whose it is.
func (q *request) touched() map[holdfast.ID][]locks.Touch {
	out := map[holdfast.ID][]locks.Touch{}
	add := func(at *place, deep, adds, removes bool) {
		if at != nil && q.h.lockable(at) && at.where != 0 {
			s := at.spot()
			if at.loc.Binding && at.where == AtCollection { // it is taken out of the home, called otherwise there, or labelled
				s = at.hook()
			}
			out[s.account] = append(out[s.account], q.touches(at, s, deep, adds, removes)...)
		}
	}
	switch q.verb {
	case http.MethodPut:
		add(&q.place, false, true, false)
	case http.MethodPost, "PROPPATCH":
		add(&q.place, false, false, false)
	case "MKCOL":
		add(&q.place, false, true, false)
	case http.MethodDelete:
		add(&q.place, true, false, true)
	case "MOVE":
		add(&q.place, true, false, true)
		add(q.dest, true, true, false)
	case "COPY":
		add(q.dest, true, true, false)
	}
	return out
}

// gone ends the locks on what the request took away.
func (q *request) gone() {
	if !q.h.lockable(&q.place) || q.loc.Binding && q.where == AtCollection {
		return
	}
	at := q.spot()
	if err := q.h.locksAt(at).Drop(at.names); err != nil {
		q.h.o.Log.Error("locks on what is gone could not be removed; they end with their time", "account", q.owner, "err", err)
	}
}

// heldBy says which locks stand in the way. It is always 423, also where RFC 4918 has a 207 for what is below the request's resource: a client that looks at the first digit alone
// would believe that it was done.
func (q *request) heldBy(err error, cond davxml.Name) error {
	var held *locks.Held
	if !errors.As(err, &held) {
		return err
	}
	if h, e := q.ifHeader(); e == nil && h.Present() {
		if e := q.read(q.condition4918); e != nil { // what the request demands itself is said first
			return e
		}
	}
	base := q.heldAt(held)
	r := Refuse(http.StatusLocked, cond, "this is locked by a program that edits it, until "+held.Locks[0].Until.UTC().Format("15:04:05 UTC")+"; nothing was changed")
	for i := range held.Locks {
		r.Conds[0].Hrefs = append(r.Conds[0].Hrefs, lockRoot(base.path, base.spot(), &held.Locks[i]))
	}
	return r
}

// sendLock answers with a lock that was given.
func (q *request) sendLock(l *locks.Lock, status int) error {
	s := q.newSpool()
	defer s.close()
	w := davxml.NewWriter(s)
	w.Document()
	w.Start(davxml.DProp)
	w.Start(davxml.DLockDiscovery)
	writeLock(w, q.h.locksAt(q.spot()), q.p.Account, q.path, q.spot(), l)
	w.End()
	w.End()
	if err := w.Flush(); err != nil {
		return err
	}
	q.w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	q.w.Header().Set("Cache-Control", "no-cache")
	return s.send(q, status)
}

// writeLock writes a DAV:activelock for somebody. Its token is told to those who can use it.
func writeLock(w *davxml.Writer, all *locks.Account, who holdfast.ID, base Path, at spot, l *locks.Lock) {
	scope, depth := davxml.DExclusive, davxml.DepthZero
	if l.Shared {
		scope = davxml.DShared
	}
	if l.Deep {
		depth = davxml.DepthInfinity
	}
	w.Start(davxml.DActiveLock)
	w.Start(davxml.DLockType)
	w.Empty(davxml.DWrite)
	w.End()
	w.Start(davxml.DLockScope)
	w.Empty(scope)
	w.End()
	w.Element(davxml.DDepth, depth.String())
	if l.Owner != "" {
		w.Raw([]byte(l.Owner))
	}
	left := max(1, int64(all.Left(l)/time.Second))
	w.Element(davxml.DTimeout, "Second-"+strconv.FormatInt(left, 10))
	if who == l.By || who == at.account {
		w.Href(davxml.DLockToken, l.Token)
	}
	w.Href(davxml.DLockRoot, lockRoot(base, at, l))
	w.End()
}

// writeLockDiscovery tells which locks are on a resource.
func writeLockDiscovery(w *davxml.Writer, q *Query, t *Target, _ *davxml.Element) {
	w.Start(davxml.DLockDiscovery)
	if all := q.h.o.Locks.Of(t.Account.ID); all.Any() {
		p, err := ParsePath(t.Href)
		q.Fail(err)
		at := q.spotOf(t, p)
		for _, l := range all.On(at.names) {
			writeLock(w, all, q.Principal.Account, p, at, &l)
		}
	}
	w.End()
}

// writeSupportedLock tells which locks there are.
func writeSupportedLock(w *davxml.Writer, _ *Query, _ *Target, _ *davxml.Element) {
	w.Start(davxml.DSupportedLock)
	for _, scope := range []davxml.Name{davxml.DExclusive, davxml.DShared} {
		w.Start(davxml.DLockEntry)
		w.Start(davxml.DLockScope)
		w.Empty(scope)
		w.End()
		w.Start(davxml.DLockType)
		w.Empty(davxml.DWrite)
		w.End()
		w.End()
	}
	w.End()
}

// lockProperties are those that tell of locks.
func lockProperties() []Property {
	return []Property{
		{Name: davxml.DLockDiscovery, Where: InTree, All: true, Write: writeLockDiscovery},
		{Name: davxml.DSupportedLock, Where: InTree, All: true, Write: writeSupportedLock},
	}
}
