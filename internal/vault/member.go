package vault

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/journal"
)

// Member is a line of an index: contiguous changes of one account and epoch, and where they lie.
type Member struct {
	Account   holdfast.ID   `json:"account"`
	Epoch     uint64        `json:"epoch"`
	From      uint64        `json:"from"`
	To        uint64        `json:"to"`
	Before    holdfast.Hash `json:"before"` // the chain before From
	Chain     holdfast.Hash `json:"chain"`  // the chain at To
	Term      uint64        `json:"term"`   // in whose tail they came
	BatchFrom uint64        `json:"batch_from"`
	BatchTo   uint64        `json:"batch_to"`
	First     time.Time     `json:"first"` // when the vault had the first of them
	Last      time.Time     `json:"last"`
	Offset    int64         `json:"offset"`
	Length    int64         `json:"length"`
	SHA256    holdfast.Hash `json:"sha256"` // of the sealed octets
}

// compare orders members as an index has them: by account, then by where they stand in its history.
func (m *Member) compare(o *Member) int {
	return cmp.Or(m.Account.Compare(o.Account), cmp.Compare(m.Term, o.Term), cmp.Compare(m.BatchFrom, o.BatchFrom), cmp.Compare(m.Epoch, o.Epoch), cmp.Compare(m.From, o.From))
}

// maxIndexLine bounds a line of an index.
const maxIndexLine = 4096

// members reads an index.
type members struct {
	lines *bufio.Scanner
	last  Member
	any   bool
}

func newMembers(r io.Reader) *members {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, maxIndexLine), maxIndexLine) // small: a reader has one for each pack
	return &members{lines: s}
}

// next returns the next member; io.EOF behind the last. Errors: Corrupt.
func (x *members) next() (Member, error) {
	var m Member
	if !x.lines.Scan() {
		if err := x.lines.Err(); err != nil {
			return m, fail("Index", holdfast.Corrupt, "", "the index cannot be read", err)
		}
		return m, io.EOF
	}
	if err := json.Unmarshal(x.lines.Bytes(), &m); err != nil || m.Account.IsZero() || m.From == 0 || m.To < m.From || m.Length <= 0 || m.Offset < 0 || m.Epoch == 0 {
		return m, fail("Index", holdfast.Corrupt, "", "a line of the index cannot be read", err)
	}
	if x.any && x.last.compare(&m) > 0 {
		return m, fail("Index", holdfast.Corrupt, "", "the index is out of order", nil)
	}
	x.last, x.any = m, true
	return m, nil
}

// run is a member that is being made: its lines, plain.
type run struct {
	Member
	lines []byte
	open  bool // within a group
}

// maxMember bounds the plain octets of a member, unless one group is larger.
const maxMember = 4 << 20

// gather sorts the batches of a tail by account: contiguous changes of one account, epoch and line of the stream come into one run. What stands there twice comes once.
type gather struct {
	term  uint64
	open  map[holdfast.ID]*run
	done  []*run
	plain int64
	upto  uint64 // the newest batch that was taken in
	have  []BatchRange
	forks // of it
}

func newGather(term uint64) *gather {
	return &gather{term: term, open: map[holdfast.ID]*run{}, forks: newForks()}
}

// add takes a batch in, whose changes are chained. skip leaves accounts out.
func (g *gather) add(line journal.BatchLine, changes []holdfast.Change, skip func(holdfast.ID) bool) {
	if to := g.lineOf(line); to != nil {
		to.push(line, changes, skip)
	}
}

// push takes in a batch of this line.
func (g *gather) push(line journal.BatchLine, changes []holdfast.Change, skip func(holdfast.ID) bool) {
	g.note(line.Position)
	if n := len(g.have); n > 0 && g.upto+1 == line.Batch {
		g.have[n-1].To = line.Batch
	} else {
		g.have = append(g.have, BatchRange{g.term, line.Batch, line.Batch})
	}
	g.upto = line.Batch
	for i := range changes {
		c := &changes[i]
		if skip != nil && skip(c.Account) {
			continue
		}
		r := g.open[c.Account]
		if r == nil || r.Epoch != c.Epoch || r.To+1 != c.Seq || r.Chain != c.Before || len(r.lines) > maxMember && !r.open {
			if r != nil {
				g.done = append(g.done, r)
			}
			r = &run{Member: Member{Account: c.Account, Epoch: c.Epoch, From: c.Seq, Before: c.Before, Term: g.term, BatchFrom: line.Batch, First: line.Stored}}
			g.open[c.Account] = r
		}
		n := len(r.lines)
		r.lines = journal.AppendLine(r.lines, c, journal.Stored{Batch: line.Batch, At: line.Stored})
		g.plain += int64(len(r.lines) - n)
		r.open = c.More > 0
		r.To, r.Chain, r.BatchTo, r.Last = c.Seq, c.Chain, line.Batch, line.Stored
	}
}

// runs returns what was gathered, in the order of an index.
func (g *gather) runs() []*run {
	for _, r := range g.open {
		g.done = append(g.done, r)
	}
	g.open = map[holdfast.ID]*run{}
	slices.SortFunc(g.done, func(a, b *run) int { return a.compare(&b.Member) })
	return g.done
}

// indexOf returns the lines of an index.
func indexOf(list []Member) ([]byte, error) {
	var b bytes.Buffer
	for i := range list {
		line, err := json.Marshal(&list[i])
		if err != nil {
			return nil, err
		}
		b.Write(append(line, '\n'))
	}
	return b.Bytes(), nil
}

// maxAhead bounds the changes for which there is made room before the first is read: an index may say anything.
const maxAhead = 8192

// unfold reads the lines of a member, chains them on from Before, and judges that they are what the member says. Where they are not it returns those that are good, and Corrupt.
func (m *Member) unfold(r io.Reader) ([]Loaded, error) {
	out := make([]Loaded, 0, min(m.To-m.From+1, maxAhead))
	lines, prev := journal.NewLines(r), m.Before
	for seq := m.From; ; seq++ {
		line, err := lines.Next()
		if err == io.EOF {
			if seq-1 != m.To || prev != m.Chain {
				return out, fail("Member", holdfast.Corrupt, m.Account.String(), "a member does not lead to the chain that its index says", nil)
			}
			return out, nil
		}
		if err != nil {
			return out, err
		}
		c, at, err := journal.ParseLine(line)
		if err != nil {
			return out, err
		}
		if c.Account != m.Account || c.Epoch != m.Epoch || c.Seq != seq || seq > m.To {
			return out, fail("Member", holdfast.Corrupt, m.Account.String(), "a member holds other changes than its index says", nil)
		}
		c.Before = prev
		journal.Extend(&c, prev)
		prev = c.Chain
		out = append(out, Loaded{c, at.Batch, at.At})
	}
}
