package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"holdfast/internal/clock"
)

// wrongTimes follows from every clock that cannot be trusted.
const wrongTimes = "Times in the history are wrong, so that going back to a moment finds another one, and certificates are refused."

// keepTime is what to do about it.
const keepTime = "Set the clock, and let it be kept by NTP (timedatectl set-ntp true)."

// clock compares the clock with all that can be known of the time without asking anybody.
func (d *doctor) clock(ctx context.Context) Check {
	now := d.o.Clock.Now()
	says := "the clock says " + stamp(now)
	if !d.o.Built.IsZero() && now.Before(d.o.Built.Add(-24*time.Hour)) {
		return failed(says+", and this program was built on "+d.o.Built.UTC().Format(time.DateOnly), wrongTimes, keepTime)
	}
	for _, look := range []func(context.Context, time.Time) (Check, bool){d.newest, d.fileClock, d.jumps} {
		if c, bad := look(ctx, now); bad {
			c.Detail = says + "; " + c.Detail
			return c
		}
	}
	switch synced, known := d.o.NTP(); {
	case !known:
		return unknown(says+"; whether it is kept by NTP cannot be read here", "Look with timedatectl.")
	case !synced:
		return warn(says+", and is not synchronised", "It drifts: times in the history will be wrong, and certificates refused in the end.", "Let it be kept by NTP (timedatectl set-ntp true).")
	}
	return ok(says + " and is synchronised")
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// newest finds a clock that is behind what was stored by it.
func (d *doctor) newest(ctx context.Context, now time.Time) (Check, bool) {
	if !d.there || d.connect(ctx) != nil || d.status.Newest == nil {
		return Check{}, false
	}
	ahead := d.status.Newest.Sub(now)
	if ahead <= d.c.Doctor.ClockOff {
		return Check{}, false
	}
	return failed(fmt.Sprintf("the newest stored change is of %s, %v from now", stamp(*d.status.Newest), clock.Words(ahead)),
		"Either the clock was ahead when that was stored, or it is behind now. "+wrongTimes, "Compare the clock with another one. "+keepTime), true
}

// fileClock compares the clock with that of the file system, which is another machine's if the disk is.
func (d *doctor) fileClock(_ context.Context, now time.Time) (Check, bool) {
	if !d.there {
		return Check{}, false
	}
	t, err := d.o.FileTime(d.c.Data)
	if err != nil {
		return unknown("a file cannot be written to compare clocks: "+err.Error(), "Look at the data directory above."), true
	}
	off := t.Sub(now)
	if off.Abs() <= d.c.Doctor.ClockOff {
		return Check{}, false
	}
	return warn(fmt.Sprintf("a file that is written now is dated %s by the file system, %v off", stamp(t), clock.Words(off)),
		"The disk is another machine's, and one of both clocks is wrong. "+wrongTimes, "Have both machines keep their clocks by NTP, or keep the data on a disk of this machine."), true
}

// fileTime writes a small file and returns the time that the file system gives it.
func fileTime(dir string) (t time.Time, err error) {
	f, err := os.CreateTemp(dir, ".doctor.tmp*")
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := f.WriteString("what time is it?"); err != nil {
		return t, err
	}
	if err := f.Sync(); err != nil {
		return t, err
	}
	st, err := f.Stat()
	if err != nil {
		return t, err
	}
	return st.ModTime(), nil
}

// jumps finds out whether somebody set the clock since the server started: how much more or less it moved than time passed.
func (d *doctor) jumps(_ context.Context, now time.Time) (Check, bool) {
	s := d.status
	passed, known := d.o.SinceBoot()
	if !known || s.Since == nil || s.SinceBoot == 0 {
		return Check{}, false
	}
	since := time.Duration(s.SinceBoot * float64(time.Second))
	jumped := now.Sub(*s.Since) - (passed - since)
	if jumped.Abs() <= d.c.Doctor.ClockOff {
		return Check{}, false
	}
	way := "forward"
	if jumped < 0 {
		way = "back"
	}
	return warn(fmt.Sprintf("it was put %s by %v since the server started on %s", way, clock.Words(jumped.Abs()), stamp(*s.Since)),
		"What was stored before that is dated by the other time: going back to a moment may find another one.",
		"If this machine has no clock of its own that runs while it is off, start the service after the time is known (time-sync.target, as deploy/holdfast.service does). Otherwise find out who set it."), true
}

// vaultClocks asks the machines that keep vaults what time it is.
func (d *doctor) vaultClocks(ctx context.Context) Check {
	if !d.there {
		return d.noStore()
	}
	if d.o.VaultClocks == nil {
		return skipped("nobody was named who could be asked", "Run `holdfast doctor`.")
	}
	list, err := d.o.VaultClocks(ctx)
	if err != nil {
		return unknown(err.Error(), "See the store above.")
	}
	var same, off, silent []string
	for _, v := range list {
		away := v.Now.Sub(d.o.Clock.Now())
		switch {
		case v.Err != nil:
			silent = append(silent, v.Vault+": "+v.Err.Error())
		case away.Abs() > d.c.Doctor.ClockOff:
			off = append(off, fmt.Sprintf("at %s it is %s, %v off", v.Vault, stamp(v.Now), clock.Words(away)))
		default:
			same = append(same, v.Vault)
		}
	}
	switch {
	case len(off) > 0:
		return warn(strings.Join(off, "; "), "One of both clocks is wrong: here times in the history would be, there it lets go of what was replaced too early or too late.", "Have both machines keep their clocks by NTP.")
	case len(silent) > 0:
		return unknown("not asked: "+strings.Join(silent, "; "), "See the copies below.")
	case len(same) == 0:
		return skipped("there is no remote vault", "Nothing: this compares clocks with machines that keep a vault.")
	}
	return ok("the clocks of " + strings.Join(same, ", ") + " agree with this one")
}
