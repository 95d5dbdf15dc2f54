package clients

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// todoman works on the directories of a device that runs vdirsyncer.
type todoman struct{ *planner }

func newTodoman(p *planner) todoman {
	p.t.Helper()
	put(p.t, p.dir, "todoman.py", `path = "`+p.dir+`/calendars/*"
date_format = "%Y-%m-%d"
time_format = "%H:%M"
default_list = "tasks"
default_due = 0
cache_path = "`+p.dir+`/todoman.db"
`)
	return todoman{p}
}

// do runs todoman; it must succeed.
func (k todoman) do(args ...string) string {
	k.t.Helper()
	out, err := tool{dir: k.dir, stdin: "y\n"}.run(k.t.Context(), "todoman", append([]string{"--colour", "never", "--config", filepath.Join(k.dir, "todoman.py")}, args...)...)
	if err != nil {
		k.t.Fatalf("todoman %s: %v\n%s", args[0], err, tail(out))
	}
	return out
}

// number is what todoman calls a to-do.
func (k todoman) number(title string) string {
	k.t.Helper()
	var list []struct {
		ID      int
		Summary string
	}
	if err := json.Unmarshal([]byte(k.do("--porcelain", "list", "-s", "ANY")), &list); err != nil {
		k.t.Fatal(err)
	}
	for _, x := range list {
		if strings.Contains(x.Summary, title) {
			return strconv.Itoa(x.ID)
		}
	}
	k.t.Fatalf("todoman does not list %q among %v", title, list)
	return ""
}

// TestTodoman makes to-dos with todoman on one device; todoman on the other sees them, does one, and deletes one.
func TestTodoman(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer", "todoman")
	h, m := newHouse(t), plans{}
	one, two := h.newPlanner("Laptop"), h.newPlanner("Workstation")
	m.fill(one, "tasks", "VTODO", 0, 4)
	one.sync()
	two.sync()
	here, there := newTodoman(one), newTodoman(two)
	agree := func(what string, count int) { t.Helper(); h.agree(what, one, two, "tasks", count) }
	here.do("new", "-l", "tasks", "-d", "2026-03-29", "--priority", "high", "Koupit mléko & chléb")
	here.do("new", "-l", "tasks", "Without a time")
	agree("after todoman new", 6)
	if out := there.do("list"); !strings.Contains(out, "2026-03-29 Koupit mléko & chléb") || !strings.Contains(out, "Without a time") {
		t.Errorf("todoman on the other device lists:\n%s", out)
	}
	h.sees(one.device, "20260328T230000Z", "20260329T010000Z", "VTODO", "Koupit", true)
	h.sees(one.device, "20990401T000000Z", "20990402T000000Z", "VTODO", "Koupit", false)
	h.sees(one.device, "20990401T000000Z", "20990402T000000Z", "VTODO", "Without a time", true) // from its creation on: RFC 4791 section 9.9

	there.do("done", there.number("mléko"))
	two.sync()
	agree("after todoman done", 6)
	if out := here.do("list", "-s", "COMPLETED"); !strings.Contains(out, "Koupit mléko & chléb") {
		t.Errorf("todoman on the first device does not see that it is done:\n%s", out)
	}
	there.do("edit", "-s", "2026-05-01 08:00", there.number("Without a time"))
	two.sync()
	agree("after todoman edit", 6)
	for _, title := range []string{"mléko", "Without a time"} {
		here.do("delete", "--yes", here.number(title))
	}
	agree("after todoman delete", 4)
	m.everywhere(t, h, one, two)
}
