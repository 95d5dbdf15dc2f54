package occur

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"holdfast/internal/ical/zone"
)

// Objects and zones are used by many at once.
func TestManyAtOnce(t *testing.T) {
	cache := zone.NewCache(2)
	shared, err := Compile(calendar(t, abcd2), Options{Zones: cache})
	if err != nil {
		t.Fatal(err)
	}
	want := instances(t, shared, "-", "+")
	names := []string{"Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Sydney"}
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range 50 {
				if got := instances(t, shared, "-", "+"); got != want {
					t.Error(got)
				}
				body := fmt.Sprintf("DTSTART;TZID=%s:26000701T090000", names[(n+i)%len(names)])
				for _, text := range []string{vevent(body), strings.ReplaceAll(abcd2, "US/Eastern", fmt.Sprint("zone ", i%4))} {
					o, err := Compile(calendar(t, text), Options{Zones: cache})
					if err != nil {
						t.Error(err)
						continue
					}
					o.Times()
					o.PropertyOverlaps(o.Calendar().Children[len(o.Calendar().Children)-1].Prop("DTSTART"), 0, 1, nil)
				}
			}
		})
	}
	wg.Wait()
}
