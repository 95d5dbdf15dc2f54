package transfer

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/ical"
)

func zoned(tzid, offset, uid string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example.org//x//EN\r\nBEGIN:VTIMEZONE\r\nTZID:" + tzid + "\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:" + offset +
		"\r\nTZOFFSETTO:" + offset + "\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:" + uid + "\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID=" + tzid + ":20260301T100000\r\n" +
		"RRULE:FREQ=DAILY;COUNT=3\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:" + uid + "\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID;TZID=" + tzid + ":20260302T100000\r\nDTSTART;TZID=" + tzid +
		":20260302T110000\r\nX-ODD;X-A=\"b,c\":kept as it is\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

// TestExportMerged holds that one file of each collection can be taken in again, and has each zone once.
func TestExportMerged(t *testing.T) {
	h := newHouse(t)
	for _, text := range []string{card("a") + strings.TrimRight(card("b"), "\r\n"), zoned("Europe/Berlin", "+0100", "e1"), zoned("Europe/Berlin", "+0100", "e2"), zoned("Europe/Berlin", "+0200", "e3"),
		zoned("Mine", "+0100", "e4"), zoned("Mine", "+0300", "e5"), zoned("Mine", "+0300", "e6"), calendarFile([3]string{kindTodo, "t", ""})} {
		if got, err := h.take(t, t.Context(), Request{}, strings.NewReader(text)); err != nil || got.done.Refused > 0 {
			t.Fatal(got, err)
		}
	}
	stream := h.export(t)
	for _, name := range []string{"out", "out.zip"} {
		to := filepath.Join(t.TempDir(), name)
		target, err := OpenTarget(to)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Unpack(t.Context(), bytes.NewReader(stream), target, true, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if err := target.Commit(); err != nil {
			t.Fatal(err)
		}
		if left, _ := os.ReadDir(filepath.Dir(to)); len(left) != 1 {
			t.Errorf("left behind: %v", left)
		}
		if len(m.Merged) != 3 || m.Merged[0].Items != 2 || m.Merged[1].Items != 6 {
			t.Errorf("manifest: %+v", m.Merged)
		}
		for _, f := range m.Merged {
			if text := readFrom(t, to, f.Path); holdfast.HashOf([]byte(text)) != f.SHA256 || int64(len(text)) != f.Octets {
				t.Errorf("%s is not as the manifest says", f.Path)
			}
		}
		if !strings.Contains(readFrom(t, to, ManifestName), `"path": "merged/calendars/default.ics"`) {
			t.Error("the manifest on disk names no merged file")
		}
		text := readFrom(t, to, "merged/calendars/default.ics")
		c, err := ical.Parse([]byte(text), ical.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		zones := map[string]string{}
		for _, z := range c.Each("VTIMEZONE") {
			zones[z.Prop("TZID").Value] += z.Each("STANDARD")[0].Prop("TZOFFSETTO").Value
		}
		if got := fmt.Sprint(zones); got != "map[Europe/Berlin:+0100 Mine:+0100 Mine (2):+0300]" {
			t.Errorf("zones: %s", got)
		}
		for _, e := range c.Each("VEVENT") {
			want := map[string]string{"e4": "Mine", "e5": "Mine (2)", "e6": "Mine (2)"}[e.Prop("UID").Value]
			if got := e.Prop("DTSTART").First("TZID"); want != "" && got != want {
				t.Errorf("%s is in the zone %q, want %q", e.Prop("UID").Value, got, want)
			}
		}
		if !strings.Contains(text, "X-WR-CALNAME:Calendar\r\n") || strings.Count(text, "X-ODD;X-A=\"b,c\":kept as it is\r\n") != 6 || strings.Count(text, "BEGIN:VCALENDAR") != 1 {
			t.Errorf("%s", text)
		}
		into := newHouse(t)
		for _, f := range m.Merged {
			got, err := into.take(t, t.Context(), Request{File: f.Path}, strings.NewReader(readFrom(t, to, f.Path)))
			if err != nil || got.done.Created != f.Items || got.done.Refused > 0 || len(got.mended) > 0 {
				t.Errorf("%s taken in again: %+v, %v, %v", f.Path, got.done, got.mended, err)
			}
		}
	}
	// Without it nothing is added.
	target, err := OpenTarget(filepath.Join(t.TempDir(), "plain"))
	if err != nil {
		t.Fatal(err)
	}
	defer target.Discard()
	if m, err := Unpack(t.Context(), bytes.NewReader(stream), target, false, quiet); err != nil || len(m.Merged) != 0 {
		t.Errorf("%+v, %v", m, err)
	}
	// A stream that breaks off leaves nothing.
	dir := t.TempDir()
	target, err = OpenTarget(filepath.Join(dir, "cut"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Unpack(t.Context(), io.LimitReader(bytes.NewReader(stream), 3000), target, true, quiet); err == nil {
		t.Error("a stream that broke off was believed")
	}
	target.Discard()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}
