package dav

import (
	"errors"
	"net/http"
	"slices"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

// proppatch changes dead properties, all or none (RFC 4918 section 9.2). Values are kept verbatim.
func (q *request) proppatch() error {
	if err := q.exists(); err != nil {
		return err
	}
	if q.where&InTree == 0 {
		return q.notAllowed()
	}
	root, err := q.xmlBody()
	if err != nil {
		return err
	}
	ops, err := davxml.ParsePropPatch(root, q.h.o.Limits)
	if err != nil {
		return err
	}
	cond, err := q.allConditions()
	if err != nil {
		return err
	}
	t, err := q.patched()
	if err != nil {
		return err
	}
	if refused := q.h.refuse(t, ops, nil); refused != nil {
		return q.propstats(t, ops, refused)
	}
	end, err := q.writing()
	if err != nil {
		return err
	}
	defer end()
	r, err := q.h.o.Core.SetProperties(q.r.Context(), q.p, q.loc.Place(), cond, func(ps holdfast.Properties) (holdfast.Properties, error) {
		return apply(q.h.replaced(t, ps, ops), ops), nil
	})
	if err != nil {
		return err
	}
	q.receipt(r)
	if q.prefer().Minimal { // RFC 8144 section 2.2: nothing but the success is told
		q.w.Header().Set("Preference-Applied", "return=minimal")
		return q.done(http.StatusOK)
	}
	return q.propstats(t, ops, nil)
}

// patched returns the target of a PROPPATCH as it is before. It is looked at only for what it is, never for what it holds.
func (q *request) patched() (t *Target, err error) {
	err = q.read(func(r *core.Reader) error {
		x := &Query{Context: q.r.Context(), Reader: r, Principal: q.p, req: q, h: q.h}
		t, err = x.target(q.place)
		return err
	})
	return t, err
}

func apply(ps holdfast.Properties, ops []davxml.PropOp) holdfast.Properties {
	for _, op := range ops {
		ps = ps.With(op.Name.Space, op.Name.Local, op.Value)
	}
	return ps
}

// replaced leaves out what the properties that are set or removed replace.
func (h *Handler) replaced(t *Target, ps holdfast.Properties, ops []davxml.PropOp) holdfast.Properties {
	props := h.tableFor(placeOf(t)).props
	for _, op := range ops {
		p := props[op.Name]
		if p == nil {
			continue
		}
		for _, n := range p.Replaces {
			if !slices.ContainsFunc(ops, func(other davxml.PropOp) bool { return other.Name == n }) {
				ps = ps.With(n.Space, n.Local, nil)
			}
		}
	}
	return ps
}

// refusal is why one property cannot be set.
type refusal struct {
	status int
	cond   davxml.Condition
}

// refuse checks each instruction and returns those that cannot be done; nil if all can. allowed are names that may be set here though they are live.
func (h *Handler) refuse(t *Target, ops []davxml.PropOp, allowed []davxml.Name) map[davxml.Name]refusal {
	var out map[davxml.Name]refusal
	props := h.tableFor(placeOf(t)).props
	for _, op := range ops {
		p := props[op.Name]
		if p == nil || slices.Contains(allowed, op.Name) {
			continue
		}
		r := refusal{http.StatusForbidden, davxml.Condition{Name: davxml.DCannotModifyProtectedProperty}}
		if p.Accept != nil {
			err := p.Accept(t, op)
			if err == nil {
				continue
			}
			r = refusalOf(err)
		}
		if out == nil {
			out = map[davxml.Name]refusal{}
		}
		out[op.Name] = r
	}
	return out
}

func refusalOf(err error) refusal {
	var x *Refusal
	if errors.As(err, &x) && len(x.Conds) > 0 {
		return refusal{x.Status, x.Conds[0]}
	}
	var e *holdfast.Error
	if errors.As(err, &e) {
		return refusal{status: statusOf(e)}
	}
	return refusal{status: http.StatusForbidden}
}

// propstats answers a PROPPATCH: each property is 200, or, where some were refused, those have their status and the others 424.
func (q *request) propstats(t *Target, ops []davxml.PropOp, refused map[davxml.Name]refusal) error {
	s := q.newSpool()
	defer s.close()
	m := davxml.NewMultistatus(s)
	m.Response(t.Href)
	writeOutcome(ops, refused, func(status int, cond davxml.Condition, names []davxml.Name) {
		if cond.Name.IsZero() {
			m.Propstat(status)
		} else {
			m.Propstat(status, cond)
		}
		for _, n := range names {
			m.Empty(n)
		}
	})
	if err := m.Close(); err != nil {
		return err
	}
	q.w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	return s.send(q, http.StatusMultiStatus)
}

// writeOutcome groups properties by what became of them.
func writeOutcome(ops []davxml.PropOp, refused map[davxml.Name]refusal, group func(int, davxml.Condition, []davxml.Name)) {
	type key struct {
		status int
		cond   davxml.Name
	}
	var order []key
	names := map[key][]davxml.Name{}
	conds := map[key]davxml.Condition{}
	for _, op := range ops {
		k := key{status: http.StatusOK}
		if refused != nil {
			k.status = http.StatusFailedDependency
		}
		if r, ok := refused[op.Name]; ok {
			k = key{r.status, r.cond.Name}
			conds[k] = r.cond
		}
		if names[k] == nil {
			order = append(order, k)
		}
		if !slices.Contains(names[k], op.Name) {
			names[k] = append(names[k], op.Name)
		}
	}
	for _, k := range order {
		group(k.status, conds[k], names[k])
	}
}
