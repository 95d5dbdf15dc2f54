package occur

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/ical"
	"holdfast/internal/ical/civil"
)

// missing skips a test for want of something that this machine does not have; with CI=true it fails.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// pieces are the objects in the corpus that compile, by file.
func pieces(t *testing.T) map[string][][]byte {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "..", "shared", "corpus", "calendars")
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.ics"))
	if err != nil || len(files) == 0 {
		missing(t, "the calendar corpus not found at %s: %v", dir, err)
	}
	out := map[string][][]byte{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for p, err := range ical.Split(bytes.NewReader(data), ical.SplitLimits{}) {
			if err == nil && p.Kind == ical.ObjectPiece {
				out[filepath.Base(file)] = append(out[filepath.Base(file)], p.Octets)
			}
		}
	}
	return out
}

// oracle is a Python process that answers one object a line.
type oracle struct {
	in  *json.Encoder
	out *bufio.Scanner
}

func startOracle(t *testing.T) *oracle {
	t.Helper()
	const python = "/usr/bin/python3"
	if out, err := exec.Command(python, "-c", "import icalendar, recurring_ical_events").CombinedOutput(); err != nil {
		missing(t, "%s has no recurring_ical_events (scripts/need-tools.sh says how to get it): %v %s", python, err, out)
	}
	cmd := exec.Command(python, filepath.Join("testdata", "instances.py"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	o := &oracle{json.NewEncoder(in), bufio.NewScanner(out)}
	o.out.Buffer(nil, 64<<20)
	return o
}

// ask gives the instances in each range, or the oracle's complaint.
func (o *oracle) ask(t *testing.T, text []byte, ranges [][2]int64) ([][][2]int64, string) {
	t.Helper()
	if err := o.in.Encode(map[string]any{"text": string(text), "ranges": ranges}); err != nil {
		t.Fatal(err)
	}
	if !o.out.Scan() {
		t.Fatal("the oracle ended", o.out.Err())
	}
	var a struct {
		Instances [][][2]int64
		Error     string
	}
	if err := json.Unmarshal(o.out.Bytes(), &a); err != nil {
		t.Fatal(err)
	}
	return a.Instances, a.Error
}

// mine gives what Instances finds, sorted.
func mine(t *testing.T, o *Object, r [2]int64) [][2]int64 {
	t.Helper()
	list := [][2]int64{}
	err := o.Instances(r[0], r[1], nil, func(i *Instance) bool {
		list = append(list, [2]int64{i.Start, i.End})
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(list, func(a, b [2]int64) int { return slices.Compare(a[:], b[:]) })
	return list
}

func year(y, m int) int64 { return int64(civil.Of(y, m, 1, 0, 0, 0)) }

// Objects of which the oracle says something else, and why we do not.
var differ = map[string]string{
	"rfc5545-sec3.6.1.ics 3":     "DTEND is DTSTART, both dates; the oracle has days of no length, we have whole days",
	"Christian32Holidays.ics 22": "COUNT=1, and the start is not on the rule; it counts as the first instance (RFC 5545, section 3.3.10), and is an EXDATE",
	"korganizer_sample.ics 1":    "COUNT=12, and the start is not on the rule; it counts as the first instance",
	"korganizer_sample.ics 2":    "COUNT=12, and the start is not on the rule; it counts as the first instance",
	"schedule-unstable.ics 14":   "DTSTART is a date and DTEND a time in a zone; the oracle takes the zone off",
}

func TestCorpusInstances(t *testing.T) {
	all := pieces(t)
	oracle := startOracle(t)
	ranges := [][2]int64{{year(1995, 1), year(2031, 1)}, {year(2005, 3), year(2005, 4)}, {year(2006, 10) + 7200, year(2006, 11) + 7200},
		{year(2004, 12) - 3600, year(2005, 2)}, {year(2026, 11), year(2026, 12)}}
	same, complaints, refused, instances := 0, 0, 0, 0
	for i := 17; i < 70; i += 4 {
		differ[fmt.Sprintf("Earth32Seasons.ics %d", i)] = "its own zone has the clocks of before 2007, and the equinoxes are right by them; the oracle goes by the name"
	}
	known := map[string]bool{}
	for file, list := range all {
		for n, text := range list {
			id := fmt.Sprintf("%s %d", file, n+1)
			cal, err := ical.Parse(text, ical.Limits{})
			if err != nil {
				refused++
				continue
			}
			o, err := Compile(cal, Options{})
			if err != nil {
				refused++
				t.Logf("%s, object %d: %v", file, n+1, err)
				continue
			}
			if o.Kind() != event {
				continue
			}
			theirs, complaint := oracle.ask(t, text, ranges)
			if complaint != "" {
				complaints++
				t.Logf("%s, object %d: the oracle says %s", file, n+1, complaint)
				continue
			}
			for i, r := range ranges {
				got := mine(t, o, r)
				if instances += len(got); fmt.Sprint(got) == fmt.Sprint(theirs[i]) {
					same++
					continue
				}
				if known[id] = true; differ[id] != "" {
					continue
				}
				t.Errorf("%s, object %d, %s to %s:\n%s\nthe oracle has\n%s\n%s", file, n+1, utc(r[0]), utc(r[1]), show(got), show(theirs[i]), text)
			}
		}
	}
	for id, why := range differ {
		if !known[id] {
			t.Errorf("%s does not differ any more (%s)", id, why)
		}
	}
	if same < 8000 || complaints > 5 || refused > 6 {
		t.Error("too few objects were compared")
	}
	t.Logf("%d ranges agree, %d instances; %d objects were not read by the oracle, %d not by us", same, instances, complaints, refused)
}

func show(list [][2]int64) string {
	var b strings.Builder
	for i, x := range list {
		if i > 20 {
			b.WriteString("…")
			break
		}
		b.WriteString(utc(x[0]) + "/" + utc(x[1]) + " ")
	}
	return b.String()
}

// Random events, with exceptions and overrides, are what the oracle finds, too. Its starts alone are compared: it keeps the time of day of DTEND over
// a change of the clocks, where RFC 5545, section 3.8.5.3, has an exact duration.
func TestRandomInstances(t *testing.T) {
	oracle := startOracle(t)
	r := random{Rand: rand.New(rand.NewPCG(17, 19))}
	compared, instances := 0, 0
	for compared < 200 {
		body := r.object()
		if !plain(body) {
			continue
		}
		cal := calendar(t, body)
		o, err := Compile(cal, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var ranges [][2]int64
		for range 6 {
			from, to := r.window()
			if from, to = max(from, year(2017, 1)), min(to, year(2037, 1)); from < to {
				ranges = append(ranges, [2]int64{from, to})
			}
		}
		text := strings.ReplaceAll(string(cal.Append(nil)), "\n", "\r\n")
		theirs, complaint := oracle.ask(t, []byte(text), ranges)
		if complaint != "" {
			t.Logf("%s\n%s", complaint, text)
			continue
		}
		compared++
		for i, x := range ranges {
			got := mine(t, o, x)
			if instances += len(got); starts(got) != starts(theirs[i]) {
				t.Errorf("%s to %s:\n%s\nthe oracle has\n%s\n%s", utc(x[0]), utc(x[1]), show(got), show(theirs[i]), body)
				break
			}
		}
	}
	t.Logf("%d objects, %d instances", compared, instances)
}

// plain tells whether the oracle reads an object as RFC 5545 does: it does not know RANGE, days of no length, or that DTSTART counts; BYMONTHDAY has no
// meaning by weeks.
func plain(body string) bool {
	has := func(s string) bool { return strings.Contains(body, s) }
	if !strings.HasPrefix(body, "BEGIN:VEVENT") || has("THISANDFUTURE") || has("HOURLY") || has("WEEKLY") && has("BYMONTHDAY") || has("COUNT") && has(";BY") {
		return false
	}
	if has("VALUE=DATE") && strings.Count(body, "DURATION:P") != strings.Count(body, "END:VEVENT") || has("VALUE=DATE") && has("DURATION:PT") {
		return false
	}
	_, until, found := strings.Cut(body, "UNTIL=")
	_, start, _ := strings.Cut(body, "DTSTART")
	_, start, _ = strings.Cut(start, ":")
	return !found || start[:8] < until[:8]
}

func starts(list [][2]int64) string {
	var b strings.Builder
	for _, x := range list {
		fmt.Fprint(&b, x[0], " ")
	}
	return b.String()
}
