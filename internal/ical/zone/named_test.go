package zone

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"holdfast/internal/ical/civil"
)

func TestName(t *testing.T) {
	for _, c := range []struct{ tzid, want string }{
		{"Europe/Berlin", "Europe/Berlin"},
		{"europe/berlin", "Europe/Berlin"},
		{"EUROPE/BERLIN ", "Europe/Berlin"},
		{"\"Europe/Berlin\"", "Europe/Berlin"},
		{"/freeassociation.sourceforge.net/Europe/Berlin", "Europe/Berlin"},
		{"/freeassociation.sourceforge.net/Tzfile/America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"},
		{"/mozilla.org/20050126_1/America/New_York", "America/New_York"},
		{"/softwarestudio.org/Olson_20011030_5/Australia/Sydney", "Australia/Sydney"},
		{"tzone://Microsoft/Utc", "UTC"},
		{"W. Europe Standard Time", "Europe/Berlin"},
		{"w. europe standard time", "Europe/Berlin"},
		{"AUS Eastern Standard Time", "Australia/Sydney"},
		{"UTC-11", "Etc/GMT+11"},
		{"America/New York", "America/New_York"},
		{"US/Eastern", "US/Eastern"},
		{"GMT", "GMT"},
		{"utc", "Etc/UTC"},
		{"Etc/GMT-14", "Etc/GMT-14"},
		{"", ""},
		{"/", ""},
		{"Local", ""},
		{"../../etc/passwd", ""},
		{"Mars/Phobos", ""},
		{"Europe/Berlin/", ""},
		{"tzone://Microsoft/Custom", ""},
		{strings.Repeat("x/", 200) + "UTC", ""},
	} {
		if got, ok := Name(c.tzid); got != c.want || ok != (c.want != "") {
			t.Errorf("%q: %q, %v; want %q", c.tzid, got, ok, c.want)
		}
	}
}

func TestNamesOfOffsets(t *testing.T) {
	for tzid, want := range map[string]int64{
		"UTC+01:00": 3600, "GMT-5": -5 * 3600, "gmt+0530": 19800, "UTC+1": 3600, "GMT+00:00": 0,
		"GMT+": -1, "UTC+15": -1, "UTC+01:0": -1, "UTC01": -1, "UTC+1:00:00": -1, "GMT+-1": -1, "PST+8": -1,
	} {
		z, ok := Named(tzid)
		if ok != (want != -1) || ok && int64(z.Local(0)) != want {
			t.Errorf("%s: %v, %v", tzid, z, ok)
		}
	}
}

func TestEveryNameLoads(t *testing.T) {
	for _, name := range database() {
		if _, ok := Named(name); !ok {
			t.Errorf("%s does not load", name)
		}
	}
	for from, to := range windows() {
		if got, ok := database()[strings.ToLower(to)]; !ok || got != to {
			t.Errorf("%s stands for %s, which is no zone", from, to)
		}
	}
	if len(database()) != 597 || len(windows()) != 145 {
		t.Errorf("%d names, %d of Windows", len(database()), len(windows()))
	}
}

// Package time is the oracle for instants; the wall clock is sought by trying every second's minute.
func TestNamedAgreesWithTime(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "Pacific/Apia", "Europe/Dublin",
		"Asia/Kathmandu", "America/St_Johns", "Africa/Monrovia", "Asia/Manila", "Antarctica/Troll", "UTC", "Etc/GMT+12", "Pacific/Kiritimati"} {
		z, ok := Named(name)
		if !ok {
			t.Fatal(name)
		}
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for range 4000 {
			unix := rnd.Int64N(9000*31556952) - 62135596800 + 86400*400
			if rnd.IntN(3) > 0 {
				unix = rnd.Int64N(4102444800 * 2)
			}
			at := time.Unix(unix, 0).In(loc)
			if _, end := at.ZoneBounds(); !end.IsZero() && rnd.IntN(2) == 0 {
				unix = end.Unix() + rnd.Int64N(4*3600) - 2*3600
				at = time.Unix(unix, 0).In(loc)
			}
			local := civil.Of(at.Year(), int(at.Month()), at.Day(), at.Hour(), at.Minute(), at.Second())
			if got := z.Local(unix); got != local {
				t.Fatalf("%s %d: %v, want %v", name, unix, got, local)
			}
			check(t, name, z, loc, local+civil.Time(rnd.Int64N(3)-1)*1800)
		}
	}
}

// check seeks the instants that show local by trying every offset that holds within a day of it.
func check(t *testing.T, name string, z Zone, loc *time.Location, local civil.Time) {
	t.Helper()
	offset := func(unix int64) int64 {
		_, o := time.Unix(unix, 0).In(loc).Zone()
		return int64(o)
	}
	var first int64
	exists := false
	for u := int64(local) - 26*3600; u < int64(local)+26*3600; u += 900 {
		o := offset(u)
		if got := int64(local) - o; offset(got) == o && (!exists || got < first) {
			first, exists = got, true
		}
	}
	if z.Exists(local) != exists {
		t.Fatalf("%s %v: exists %v, want %v", name, local, z.Exists(local), exists)
	}
	if got := z.Instant(local); exists && got != first {
		t.Fatalf("%s %v: %d, want %d", name, local, got, first)
	}
}

func TestGapAndFold(t *testing.T) {
	for _, c := range []struct {
		zone, local, utc string
		exists           bool
	}{
		{"America/New_York", "20070311T023000", "20070311T073000", false}, // RFC 5545, section 3.3.5
		{"America/New_York", "20071104T013000", "20071104T053000", true},
		{"Europe/Berlin", "20260329T020000", "20260329T010000", false},
		{"Europe/Berlin", "20260329T030000", "20260329T010000", true},
		{"Europe/Berlin", "20261025T023000", "20261025T003000", true},
		{"Australia/Lord_Howe", "20261004T021500", "20261003T154500", false},
		{"Australia/Lord_Howe", "20260405T014500", "20260404T144500", true},
		{"Pacific/Apia", "20111230T120000", "20111230T220000", false}, // a day that was left out
		{"Pacific/Apia", "20111231T120000", "20111230T220000", true},
		{"America/Santiago", "20260906T003000", "20260906T043000", false},
	} {
		z, _ := Named(c.zone)
		local, _, _ := civil.ParseDateTime(c.local)
		if got := civil.Time(z.Instant(local)); got.String() != c.utc || z.Exists(local) != c.exists {
			t.Errorf("%s %s: %v, %v; want %s, %v", c.zone, c.local, got, z.Exists(local), c.utc, c.exists)
		}
	}
}

func BenchmarkNamedInstant(b *testing.B) {
	z, _ := Named("Europe/Berlin")
	at := civil.Of(2026, 11, 26, 9, 0, 0)
	for b.Loop() {
		z.Instant(at)
	}
}

func BenchmarkNamed(b *testing.B) {
	for b.Loop() {
		Named("Europe/Berlin")
	}
}
