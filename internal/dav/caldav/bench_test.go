package caldav_test

import (
	"fmt"
	"testing"
	"time"

	"holdfast/internal/core"
)

// eventsOf puts n events as a phone writes them into ada's calendar, over ten years; a tenth of them recurs.
func (s *server) eventsOf(n int) {
	s.T.Helper()
	who := s.Principal()
	loc, err := s.Core.Locate(s.T.Context(), who, s.Ada.ID, []string{"calendars", "default"})
	if err != nil {
		s.T.Fatal(err)
	}
	for i := range n {
		uid := fmt.Sprintf("5F1B7E0A-1F5D-4C0E-9C5B-%012d", i)
		at := time.Date(2018, 1, 1, 8+i%10, 0, 0, 0, time.UTC).Add(time.Duration(i) * (10 * 365 * 24 * time.Hour / time.Duration(n)))
		rule := "PRIORITY:5"
		if i%10 == 0 {
			rule = "RRULE:FREQ=WEEKLY;COUNT=30"
		}
		body := ics("BEGIN:VTIMEZONE", "TZID:Europe/Vienna", "BEGIN:DAYLIGHT", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "DTSTART:19810329T020000", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "END:DAYLIGHT",
			"BEGIN:STANDARD", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "DTSTART:19961027T030000", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", "END:STANDARD", "END:VTIMEZONE",
			"BEGIN:VEVENT", "UID:"+uid, "DTSTAMP:20260101T000000Z", "DTSTART;TZID=Europe/Vienna:"+at.Format("20060102T150405"), "DURATION:PT1H", rule,
			fmt.Sprintf("SUMMARY:Meeting number %d about something", i), "LOCATION:Room 12, second floor", "CLASS:PUBLIC", "STATUS:CONFIRMED", "SEQUENCE:0", "END:VEVENT")
		q := core.PutRequest{Place: core.Place{Owner: s.Ada.ID, Collection: loc.Collection.ID, Name: uid + ".ics"}, ContentType: "text/calendar", Body: []byte(body)}
		if _, _, err := s.Core.Put(s.T.Context(), who, q); err != nil {
			s.T.Fatal(err)
		}
	}
}

// BenchmarkMonth asks for one month of 5,000 events, a tenth of which recur: aligned to months of UTC, and as a client in another zone asks.
func BenchmarkMonth(b *testing.B) {
	s := newServer(b)
	s.eventsOf(5000)
	for _, c := range []struct{ name, start, end string }{{"aligned", "20220501T000000Z", "20220601T000000Z"}, {"shifted", "20220430T220000Z", "20220531T220000Z"}} {
		for _, p := range []struct{ name, prop string }{{"data", plain}, {"etags", `<prop><getetag/></prop>`}} {
			body := query(p.prop, during("VEVENT", c.start, c.end))
			b.Run(c.name+"/"+p.name, func(b *testing.B) {
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					n = len(s.Want(207, "REPORT", s.events, body, "Depth: 1").Body)
				}
				b.ReportMetric(float64(n), "octets")
			})
		}
	}
}

// BenchmarkJudge judges what a PUT brings.
func BenchmarkJudge(b *testing.B) {
	s := newServer(b)
	s.eventsOf(1)
	body := s.Want(200, "GET", s.events+"5F1B7E0A-1F5D-4C0E-9C5B-000000000000.ics", "").Body
	b.ReportAllocs()
	for b.Loop() {
		s.put(s.events+"5F1B7E0A-1F5D-4C0E-9C5B-000000000000.ics", body)
	}
}
