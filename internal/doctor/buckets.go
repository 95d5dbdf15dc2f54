package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"holdfast/internal/clock"
)

// buckets says of the vaults in object stores whether who has the store's credential can remove them.
func (d *doctor) buckets(ctx context.Context) Check {
	if !d.there {
		return d.noStore()
	}
	if err := d.connect(ctx); err != nil {
		return unknown("the store cannot be asked", "See above.")
	}
	var locked, open, dark []string
	for _, v := range d.vaults.Vaults {
		b := v.Bucket
		switch {
		case b == nil:
		case b.Locks == "unknown" || b.Versions == "unknown":
			dark = append(dark, v.Name)
		case b.LockSeconds > 0:
			locked = append(locked, fmt.Sprintf("%s locks objects for %s", v.Name, clock.Words(time.Duration(b.LockSeconds)*time.Second)))
		case b.Versions == "yes":
			open = append(open, v.Name+" locks nothing, and keeps versions of what is removed")
		default:
			open = append(open, v.Name+" neither locks objects nor keeps versions")
		}
	}
	switch {
	case len(open) > 0:
		return warn(strings.Join(open, "; "), "Whoever has the credential that this machine has may be able to remove that copy together with the data.",
			"Make a bucket with object lock, add it as another vault, and retire this one once that is whole; or give this machine a credential that may not remove versions, and keep --prune-credential in mind.")
	case len(dark) > 0:
		return unknown("whether objects are locked is not known of "+strings.Join(dark, ", "), "Let the credential ask for that (s3:GetBucketVersioning, s3:GetBucketObjectLockConfiguration), and look whether the store is reached: holdfast vault status")
	case len(locked) == 0:
		return skipped("no vault lies in a bucket", "Nothing: this looks at what object stores promise.")
	}
	return ok(strings.Join(locked, "; "))
}
