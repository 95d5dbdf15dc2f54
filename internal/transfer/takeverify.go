package transfer

import (
	"context"
	"maps"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davclient"
)

// rounds is how often what changes over there meanwhile is taken over once more.
const rounds = 3

// verify looks at a collection once more, on both sides: over there for what changed meanwhile, which is taken over too; here for the octets, each of which is
// read back and hashed.
func (t *takeover) verify(ctx context.Context, j *job) error {
	if !j.failed {
		if err := t.fails(ctx, j, t.lookAgain(ctx, j)); err != nil {
			return err
		}
	}
	if t.q.DryRun {
		return nil
	}
	return t.readBack(ctx, j)
}

// lookAgain lists a collection over there once more.
func (t *takeover) lookAgain(ctx context.Context, j *job) error {
	for n := 1; ; n++ {
		members, err := t.client.List(ctx, &j.remote)
		if err != nil {
			return err
		}
		changed := j.moved(members)
		j.report.Listed, j.tags = len(members), tagsOf(members)
		if len(changed) == 0 {
			break
		}
		if n == rounds {
			for _, m := range changed {
				j.report.Moving++
				j.report.Changed = odd(j.report.Changed, m.Name, "it changes over there again and again")
			}
			break
		}
		for _, m := range changed { // it is counted anew, as what it has become
			if x, ok := j.taken[m.Name]; ok {
				j.report.Accepted--
				*x.count--
				delete(j.taken, m.Name)
			}
			delete(j.bad, m.Name+"\x00")
		}
		if err := t.members(ctx, j, changed); err != nil {
			return err
		}
	}
	for name := range j.taken {
		if _, ok := j.tags[name]; !ok && !strings.Contains(name, "\x00") {
			j.report.Moving++
			j.report.Changed = odd(j.report.Changed, name, "it was deleted over there meanwhile, and stays here")
		}
	}
	return nil
}

func odd(list []Odd, name, why string) []Odd {
	if len(list) >= maxOdd {
		return list
	}
	return append(list, Odd{name, why})
}

// moved returns the members that are not as they were when they were taken.
func (j *job) moved(members []davclient.Member) (out []davclient.Member) {
	for _, m := range members {
		if before, listed := j.tags[m.Name]; !listed || m.ETag != before {
			out = append(out, m)
		}
	}
	return out
}

// expected is what must lie under a name.
type expected struct {
	sum  holdfast.Hash
	kept bool
	from string
}

// readBack reads each item that was taken over from the store, and compares it with what came.
func (t *takeover) readBack(ctx context.Context, j *job) error {
	want := map[holdfast.ID]map[string]expected{j.target.c.ID: {}}
	for from, x := range j.taken {
		if want[x.collection] == nil {
			want[x.collection] = map[string]expected{}
		}
		want[x.collection][x.name] = expected{x.sum, x.kept, from}
	}
	for id, items := range want {
		if err := t.compare(ctx, j, id, items); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(items)) {
			j.differs(name, "it is not here any more")
		}
	}
	return nil
}

func (j *job) differs(name, why string) {
	j.report.Unequal++
	j.report.Differs = odd(j.report.Differs, name, why)
}

// compare reads a collection in pages and takes out of items what it found.
func (t *takeover) compare(ctx context.Context, j *job, id holdfast.ID, items map[string]expected) error {
	for after, more := "", true; more; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n := 0
		err := t.s.Read(ctx, t.p, t.q.Account, func(r *core.Reader) error {
			return r.List(id, after, pageItems, core.WithBody, func(m *holdfast.Resource) error {
				n++
				after = m.Name
				if id == j.target.c.ID {
					j.report.Here++
				}
				x, ok := items[m.Name]
				if ok {
					delete(items, m.Name)
					j.judge(m, x)
				}
				if _, listed := j.tags[m.Name]; !ok && !listed && id == j.target.c.ID {
					j.report.Alone++
				}
				return nil
			})
		})
		if err != nil {
			return err
		}
		more = n == pageItems
	}
	return nil
}

// judge compares stored octets with those that came.
func (j *job) judge(m *holdfast.Resource, x expected) {
	sum := holdfast.HashOf(m.Body)
	switch {
	case m.Blob != nil:
		sum = m.Blob.Hash
	case sum != m.ETag:
		j.differs(m.Name, "its stored octets do not match their hash; run `holdfast doctor`")
		return
	}
	switch {
	case sum == x.sum:
		j.report.Verified++
	case x.kept: // was said
	default:
		j.differs(m.Name, "it was changed here since")
	}
}
