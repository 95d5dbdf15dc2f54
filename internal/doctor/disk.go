package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"holdfast/internal/vfs"
)

func (d *doctor) directory(context.Context) Check {
	there, err := d.o.Marker()
	d.there, d.refused = there, err != nil
	switch {
	case err != nil:
		return failed(err.Error(), "The service does not start, so that nothing is written over what may be somebody's data.",
			"Name the right data directory with --data, or bring back what is missing.")
	case !there:
		return warn("there is no store in "+d.c.Data+" yet", "Nothing is kept here so far.", "Start `holdfast serve`, or name another directory with --data.")
	}
	return ok(d.c.Data + " has its identity marker")
}

// noStore is what comes of a check that needs a store: where one is refused, nothing is known of it.
func (d *doctor) noStore() Check {
	if d.refused {
		return unknown("the store was not looked at: see the data directory above", "Mend that, then run it again.")
	}
	return skipped("there is no store yet", "Run it again when there is one.")
}

func (d *doctor) permissions(context.Context) Check {
	st, err := os.Stat(d.c.Data)
	if errors.Is(err, fs.ErrNotExist) {
		return skipped("the directory is not there yet", "Nothing: it will be made for its owner alone.")
	}
	if err != nil {
		return failed(err.Error(), "The data cannot be used.", "Give the user that runs Holdfast the right to it.")
	}
	if mode := st.Mode().Perm(); mode&0o077 != 0 {
		return warn(fmt.Sprintf("%s has the mode %04o", d.c.Data, mode), "Other users of this machine may be able to look into people's data.", "chmod 700 "+d.c.Data)
	}
	return ok("only the owner can open " + d.c.Data)
}

func (d *doctor) fileSystem(context.Context) Check {
	kind, err := answered(func() (string, error) { return vfs.Filesystem(d.c.Data), nil })
	switch {
	case err != nil:
		return unknown(d.c.Data+": "+err.Error(), "Look whether the disk, or the server that it lies on, is there.")
	case vfs.VolatileKind(kind):
		return failed("the data directory lies in memory ("+kind+")", "A restart of the machine empties it.", "Move it to a disk and name that with --data.")
	case slices.Contains([]string{"nfs", "cifs", "smb2", "fuse", "9p"}, kind):
		return warn("the data directory lies on "+kind, "Whether locks and fsync hold there depends on the server behind it.", "Keep the data on a disk of this machine.")
	}
	return ok("the data directory lies on " + kind)
}

// blockSize is what is written before each fsync: about what a small commit writes.
const blockSize = 4096

// fsync times how long it takes until the drive says that a block is safe. What answers faster than any drive can be is not believed.
func (d *doctor) fsync(ctx context.Context) Check {
	if !d.there {
		return d.noStore()
	}
	times, err := d.timeFsync(ctx)
	if err != nil {
		return failed("fsync: "+err.Error(), "Nothing can be promised to be on disk.", "Look at the disk (dmesg, smartctl), and at the rights on the data directory.")
	}
	slices.Sort(times)
	median, worst := times[len(times)/2], times[len(times)-1]
	detail := fmt.Sprintf("%d times: median %v, worst %v", len(times), median.Round(time.Microsecond), worst.Round(time.Microsecond))
	switch {
	case median < d.c.Doctor.FsyncFast:
		return warn(detail+": suspicious", "No drive is so fast: something between here and the drive says \"stored\" before it is. A power cut may lose what was acknowledged.",
			"Turn off write caching without battery in the hypervisor, the RAID controller or the mount options (nobarrier, eatmydata).")
	case median > d.c.Doctor.FsyncSlow:
		return warn(detail+": plausible, and slow", "Each change of a phone waits so long.", "Use an SSD, or a disk that is less busy.")
	}
	return ok(detail + ": plausible")
}

func (d *doctor) timeFsync(ctx context.Context) (times []time.Duration, err error) {
	f, err := os.CreateTemp(d.c.Data, ".doctor.tmp*")
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	}()
	block := make([]byte, blockSize)
	for i := range d.c.Doctor.Fsyncs {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		block[0] = byte(i)
		if _, err := f.WriteAt(block, 0); err != nil {
			return nil, err
		}
		began := d.o.Clock.Now()
		if err := f.Sync(); err != nil {
			return nil, err
		}
		times = append(times, d.o.Clock.Now().Sub(began))
	}
	return times, nil
}
