package doctor

import (
	"context"
	"fmt"
	"time"

	"holdfast/internal/clock"
)

// uploads says what has come of files that are not whole yet, and whether more can.
func (d *doctor) uploads(ctx context.Context) Check {
	if !d.there {
		return d.noStore()
	}
	if err := d.connect(ctx); err != nil {
		return unknown("the store cannot be asked", "See above.")
	}
	a := d.status.Arriving
	text := "no file is on its way in chunks"
	if a.Uploads > 0 {
		text = fmt.Sprintf("on their way: %d files, %s in %d chunks", a.Uploads, size(a.Octets), a.Chunks)
		if a.Quiet >= int64(time.Hour/time.Second) {
			text += fmt.Sprintf("; with one nobody went on for %s, it is let go of after %s", clock.Words(time.Duration(a.Quiet)*time.Second), clock.Words(d.c.Uploads.Keep))
		}
	}
	if a.Room < 0 {
		return warn(text+"; the disk has no room for what is not whole yet", "Files of more than 64 KiB are refused (507); phones and programs keep them and try again.", "Make room on the disk of the data directory; what is on its way and not gone on with goes by itself (uploads.keep).")
	}
	if a.Room > 0 {
		text += fmt.Sprintf("; %s more may come", size(a.Room))
	}
	return ok(text)
}
