package fleet

import (
	"testing"
	"time"
)

// step is one thing that happens to a person's only item, which two devices hold.
type step struct {
	edit int
	what string // made, sent, acknowledged, refused, unknown
}

// TestWhatADropIsHeldAgainst: a device may drop an item if a deletion of it was on its way, or came, since what it holds was acknowledged.
func TestWhatADropIsHeldAgainst(t *testing.T) {
	made := []step{{0, "made"}, {0, "sent"}, {0, "acknowledged"}}
	for _, x := range []struct {
		name  string
		steps []step // edit 0 creates, 1 deletes, 2 creates it again or changes it
		holds int
		meant bool
	}{
		{"nobody deleted it", made, 0, false},
		{"a deletion was made, and not sent yet", append(made[:3:3], step{1, "made"}), 0, false},
		{"a deletion is under way", append(made[:3:3], step{1, "made"}, step{1, "sent"}), 0, true},
		{"a deletion was acknowledged", append(made[:3:3], step{1, "made"}, step{1, "sent"}, step{1, "acknowledged"}), 0, true},
		{"a deletion was refused", append(made[:3:3], step{1, "made"}, step{1, "sent"}, step{1, "refused"}), 0, false},
		{"nobody knows what became of a deletion", append(made[:3:3], step{1, "made"}, step{1, "sent"}, step{1, "unknown"}), 0, true},
		{"it was made again after the deletion, and the device holds that", append(made[:3:3], step{1, "made"}, step{1, "sent"}, step{1, "acknowledged"}, step{2, "made"}, step{2, "sent"}, step{2, "acknowledged"}), 2, false},
		{"it was made again after the deletion, and the device holds what was before", append(made[:3:3], step{1, "made"}, step{1, "sent"}, step{1, "acknowledged"}, step{2, "made"}, step{2, "sent"},
			step{2, "acknowledged"}), 0, true},
		{"an edit that was never sent stands on what was deleted", append(made[:3:3], step{1, "made"}, step{1, "sent"}, step{1, "acknowledged"}, step{2, "made"}), 2, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			p := newPerson("alice", 0, &planner{kind: []bool{true}, edits: 3}, &findings{}, time.Now)
			d := NewDevice("phone", DAVx5, Wire{}, p)
			item := func(n int) *Item {
				if n == 1 {
					return &Item{Href: "/a", Deleted: true, Edit: 1}
				}
				return &Item{Href: "/a", Body: contact("u", 0, n), Dirty: true}
			}
			for _, s := range x.steps {
				switch s.what {
				case "made":
					p.remember(act{edit: s.edit, op: map[int]op{0: create, 1: remove, 2: change}[s.edit]}, d, "/a", s.edit-2)
				case "sent":
					p.Sending(d, item(s.edit))
				default:
					p.Answered(d, item(s.edit), Receipt{Outcome: map[string]Outcome{"acknowledged": Acknowledged, "refused": Refused, "unknown": Unknown}[s.what]})
				}
			}
			held := item(x.holds)
			held.Dirty = false
			p.Dropped(d, held, "an answer")
			if meant := p.report.drops.n == 0; meant != x.meant {
				t.Errorf("meant: %v, not %v", meant, x.meant)
			}
		})
	}
}
