package clock

import (
	"fmt"
	"time"
)

// Words says a length of time to a person: "365 days" and not "8760h0m0s". What
// is longer than two of a unit is rounded to it.
func Words(d time.Duration) string {
	if d < 0 {
		return "-" + Words(-d)
	}
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		return plural(d, day, "day")
	case d >= 2*time.Hour || d == time.Hour:
		return plural(d, time.Hour, "hour")
	case d >= 2*time.Minute || d == time.Minute:
		return plural(d, time.Minute, "minute")
	case d >= 2*time.Second || d == time.Second:
		return plural(d, time.Second, "second")
	case d == 0:
		return "0 seconds"
	}
	return fmt.Sprintf("%.2g seconds", d.Seconds())
}

func plural(d, unit time.Duration, one string) string {
	n := int64((d + unit/2) / unit)
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
