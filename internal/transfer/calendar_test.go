package transfer

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/core"
)

// calendarFile is a calendar of components: kind, UID and lines of each.
func calendarFile(components ...[3]string) string {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example.org//x//EN\r\nMETHOD:PUBLISH\r\n")
	for _, c := range components {
		uid := ""
		if c[1] != "" {
			uid = "UID:" + c[1] + "\r\n"
		}
		b.WriteString("BEGIN:" + c[0] + "\r\n" + uid + "DTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Europe/Berlin:20260301T100000\r\n" + c[2] + "END:" + c[0] + "\r\n")
	}
	b.WriteString("END:VCALENDAR\r\n")
	return b.String()
}

func placedAs(list []Placed) string {
	var out []string
	for _, p := range list {
		out = append(out, fmt.Sprintf("%s %d", p.Path, p.Items))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// TestImportSeparatesKinds holds where items go, and what is said of it.
func TestImportSeparatesKinds(t *testing.T) {
	mixed := calendarFile([3]string{kindEvent, "a", ""}, [3]string{kindTodo, "b", ""}, [3]string{kindJournal, "c", ""}, [3]string{kindEvent, "", "SUMMARY:no UID\r\n"},
		[3]string{kindEvent, "a", "RECURRENCE-ID;TZID=Europe/Berlin:20260301T100000\r\n"})
	for name, x := range map[string]struct {
		into, placed string
		notes        []string
	}{
		"by default":       {"", "calendars/default 2, calendars/notes 1, calendars/tasks 1", nil},
		"into a calendar":  {"calendars/default", "calendars/default 2, calendars/notes 1, calendars/tasks 1", []string{"1 to-do went into calendars/tasks: calendars/default takes no to-dos", "1 note went into calendars/notes: calendars/default takes no notes"}},
		"into a task list": {"/calendars/tasks/", "calendars/default 2, calendars/notes 1, calendars/tasks 1", []string{"2 events went into calendars/default: calendars/tasks takes no events", "1 note went into calendars/notes: calendars/tasks takes no notes"}},
	} {
		h := newHouse(t)
		for n := range 2 { // twice: nothing doubles
			got, err := h.take(t, t.Context(), Request{File: "f", Into: x.into}, strings.NewReader(mixed))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if d := got.done; d.Items != 4 || d.Accepted != 4 || d.Created != 4-4*n || d.Already != 4*n || d.Refused != 0 {
				t.Errorf("%s, %d: %+v, %v", name, n, d, got.refused)
			}
			var notes []string
			for _, x := range got.notes {
				notes = append(notes, x.What)
			}
			if p := placedAs(got.placed); p != x.placed || !slices.Equal(notes, x.notes) {
				t.Errorf("%s: into %s; %q", name, p, notes)
			}
			if len(got.mended) == 0 || !strings.Contains(fmt.Sprint(got.mended), "METHOD") {
				t.Errorf("%s: mended %+v", name, got.mended)
			}
		}
		if a := h.holds(t, "calendars/default")["a.ics"]; strings.Count(a, "BEGIN:VEVENT") != 2 || strings.Contains(a, "METHOD") {
			t.Errorf("%s: the event and its exception are %q", name, a)
		}
	}
}

func TestImportMakesWhatIsMissing(t *testing.T) {
	h := newHouse(t)
	remove := func(path ...string) {
		t.Helper()
		at, err := h.s.Locate(t.Context(), h.p, h.a.ID, path)
		if err != nil || len(at.Rest) > 0 {
			t.Fatal(at, err)
		}
		if _, err := h.s.Delete(t.Context(), h.p, core.Place{Owner: h.a.ID, Collection: at.Collection.ID}, holdfast.Precondition{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	remove("calendars", "notes")
	text := calendarFile([3]string{kindJournal, "c", ""})
	got, err := h.take(t, t.Context(), Request{DryRun: true}, strings.NewReader(text))
	if err != nil || len(got.notes) != 1 || !strings.Contains(got.notes[0].What, "would be made") || got.done.Created != 1 || h.holds(t, "calendars/notes") != nil {
		t.Errorf("dry run: %+v, %v", got, err)
	}
	got, err = h.take(t, t.Context(), Request{}, strings.NewReader(text))
	if err != nil || len(got.notes) != 1 || got.notes[0].What != "calendars/notes was not there, and was made" || len(h.holds(t, "calendars/notes")) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	remove("addressbooks", "default")
	if got, err = h.take(t, t.Context(), Request{}, strings.NewReader(card("a"))); err != nil || got.done.Created != 1 || placedAs(got.placed) != "addressbooks/default 1" {
		t.Errorf("%+v, %v", got, err)
	}
	// Nothing takes it.
	got, err = h.take(t, t.Context(), Request{}, strings.NewReader(strings.ReplaceAll(calendarFile([3]string{"VFREEBUSY", "f", ""}), "METHOD:PUBLISH\r\n", "")))
	if err != nil || len(got.refused) != 1 || got.refused[0].Precondition != "supported-calendar-component" {
		t.Errorf("free-busy: %+v, %v", got, err)
	}
}

func TestImportTellsFilesApart(t *testing.T) {
	h := newHouse(t)
	event := calendarFile([3]string{kindEvent, "a", ""})
	for name, x := range map[string]struct {
		file, text, into string
		kind             holdfast.ErrorKind // Internal: none
		refused          string
	}{
		"a calendar called a contact": {"x.vcf", event, "", 0, ""},
		"a contact called a calendar": {"x.ics", card("a"), "", 0, ""},
		"letters first":               {"x", strings.Repeat("some words\n", 500) + event, "", 0, "supported-calendar-data"},
		"a contact for a calendar":    {"x", card("b"), "calendars/default", holdfast.Invalid, ""},
		"a calendar for contacts":     {"x", event, "addressbooks/default", holdfast.Invalid, ""},
		"into nothing":                {"x", event, "calendars/nowhere", holdfast.Invalid, ""},
		"into a home":                 {"x", event, "calendars", holdfast.Invalid, ""},
		"into the inbox":              {"x", event, "calendars/inbox", holdfast.Invalid, ""},
		"nothing in a .ics":           {"x.ics", "", "", 0, "valid-calendar-data"},
		"nothing in a .vcf":           {"x.vcf", "", "", 0, "valid-address-data"},
		"an empty calendar":           {"x.ics", calendarFile(), "", 0, "valid-calendar-data"},
		"garbage in a .ics":           {"x.ics", strings.Repeat("\x00\xff garbage \r\n", 100_000), "", 0, "supported-calendar-data"},
	} {
		got, err := h.take(t, t.Context(), Request{File: x.file, Into: x.into}, strings.NewReader(x.text))
		if x.kind != 0 {
			if !holdfast.IsKind(err, x.kind) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var rules []string
		for _, r := range got.refused {
			rules = append(rules, r.Precondition)
		}
		if err != nil || strings.Join(rules, " ") != x.refused {
			t.Errorf("%s: %v, refused %v", name, err, got.refused)
		}
	}
}

// manyEvents is a file of n events that is made while it is read.
func manyEvents(n int) io.Reader {
	r, w := io.Pipe()
	go func() {
		_, err := io.WriteString(w, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n")
		for i := 0; i < n && err == nil; i++ {
			_, err = fmt.Fprintf(w, "BEGIN:VEVENT\r\nUID:u%d\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T%02d0000Z\r\nEND:VEVENT\r\n", i, i%24)
		}
		if err == nil {
			_, err = io.WriteString(w, "END:VCALENDAR\r\n")
		}
		w.CloseWithError(err)
	}()
	return r
}

func TestImportOfManyEventsGoesOn(t *testing.T) {
	h := newHouse(t)
	const n = 3000
	got, err := h.take(t, t.Context(), Request{}, manyEvents(n))
	if err != nil || got.done.Created != n {
		t.Fatalf("%+v, %v", got.done, err)
	}
	got, err = h.take(t, t.Context(), Request{}, manyEvents(n+1))
	if err != nil || got.done.Created != 1 || got.done.Already != n {
		t.Errorf("again: %+v, %v", got.done, err)
	}
	if _, err := h.take(t, t.Context(), Request{MaxOctets: 100_000}, manyEvents(n)); !holdfast.IsKind(err, holdfast.TooLarge) {
		t.Errorf("bounded: %v", err)
	}
	stopped := errors.New("the disk broke")
	r := io.MultiReader(manyEvents(0), &broken{stopped})
	if _, err := h.take(t, t.Context(), Request{}, r); !errors.Is(err, stopped) {
		t.Errorf("a file that cannot be read to its end: %v", err)
	}
}

type broken struct{ err error }

func (b *broken) Read([]byte) (int, error) { return 0, b.err }

// TestCalendarCorpus holds what becomes of real files of other programs, each in an account of its own.
func TestCalendarCorpus(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "corpus", "calendars")
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*.ics"))
	if len(files) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the corpus is not at %s", dir)
		}
		t.Skipf("real calendars are not tried: corpus not found at %s: no .ics files", dir)
	}
	sum, rules := Totals{}, map[string]int{}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		h := newHouse(t)
		var first Totals
		for n := range 2 {
			got, err := h.take(t, t.Context(), Request{File: filepath.Base(name)}, strings.NewReader(string(b)))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if n == 1 {
				if got.done.Created > 0 || got.done.Accepted != first.Accepted || got.done.Refused != first.Refused {
					t.Errorf("%s, again: %+v, first %+v", name, *got.done, first)
				}
				continue
			}
			first = *got.done
			sum.Add(first)
			for _, r := range got.refused {
				rules[r.Precondition]++
			}
		}
	}
	sum.Octets = 0
	want := Totals{Items: 1666, Accepted: 1661, Created: 1661, Mended: 1115, Refused: 6}
	if sum != want {
		t.Errorf("%d files: %+v, want %+v", len(files), sum, want)
	}
	if got := fmt.Sprint(slices.Sorted(maps.Keys(rules)), rules); got != "[supported-calendar-component valid-calendar-data] map[supported-calendar-component:2 valid-calendar-data:4]" {
		t.Errorf("refused: %s", got)
	}
}

func FuzzImportCalendar(f *testing.F) {
	f.Add([]byte(calendarFile([3]string{kindEvent, "a", ""}, [3]string{kindTodo, "b", ""})))
	f.Add([]byte("BEGIN:VCALENDAR\nBEGIN:VEVENT\nBEGIN:VEVENT\nEND:VCALENDAR"))
	f.Add([]byte("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\nBEGIN:VCARD\r\n"))
	f.Add([]byte(calendarFile([3]string{kindEvent, "a", "RRULE:FREQ=SECONDLY\r\n"}, [3]string{kindEvent, "a", ""})))
	f.Fuzz(func(t *testing.T, b []byte) {
		h := newHouse(t)
		first, err := h.take(t, t.Context(), Request{File: "f.ics"}, strings.NewReader(string(b)))
		if err != nil {
			t.Fatal(err)
		}
		d := first.done
		if d.Accepted != d.Created+d.Already+d.Replaced || d.Accepted > d.Items || len(first.refused) != d.Refused {
			t.Fatalf("%+v", d)
		}
		again, err := h.take(t, t.Context(), Request{File: "f.ics"}, strings.NewReader(string(b)))
		if err != nil || again.done.Created != 0 || again.done.Accepted != d.Accepted {
			t.Fatalf("again: %+v, first %+v, %v", again.done, d, err)
		}
	})
}
