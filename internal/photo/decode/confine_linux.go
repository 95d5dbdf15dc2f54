package decode

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"

	"golang.org/x/sys/unix"
)

// What a child may use. Decoding 48 megapixels of HEIC takes a gigabyte.
const (
	mostMemory  = 2048 << 20 // that it can write to
	mostAddress = 6 << 30    // that it can name: Go and WebAssembly reserve much more than they use
	mostSeconds = 900        // of processor time in its whole life; the pool begins a new one long before
)

// Confine takes from the process what a decoder has no use for, for good: files (those that are open stay), memory and time without bound, new rights.
// It also steps back behind everything else that wants the processor.
func Confine() error {
	err := confine(0)
	if errors.Is(err, errNoLandlock) {
		return limitAll(0) // no file can be opened all the same
	}
	return err
}

// confine leaves so many files to be open at a time, and what is below these paths to be opened.
func confine(files uint64, readable ...string) error {
	// Where memory runs out it is to be this process that ends, not the service. Without /proc the limits below have to do.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	if err := everyThread(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("decode-worker: give up new rights: %w", err)
	}
	if err := everyThread(unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, 0, 10, 0, 0); err != nil {
		return fmt.Errorf("decode-worker: step back: %w", err)
	}
	// A decoder that can have no descriptor does without the filter where there is none; ffmpeg does not.
	if err := filterCalls(); err != nil && (files > 0 || !errors.Is(err, errNoFilter)) {
		return fmt.Errorf("decode-worker: shut the decoder in: %w", err)
	}
	if err := shutIn(readable...); err != nil {
		return fmt.Errorf("decode-worker: shut the decoder in: %w", err)
	}
	return limitAll(files)
}

// limitAll sets the limits, which are the whole process's.
func limitAll(files uint64) error {
	debug.SetMemoryLimit(mostMemory * 3 / 4) // the garbage is collected before the limit is met
	for _, l := range limits(files) {
		if err := syscall.Setrlimit(l.what, &syscall.Rlimit{Cur: l.most, Max: l.most}); err != nil {
			return fmt.Errorf("decode-worker: set limit %d to %d: %w", l.what, l.most, err)
		}
	}
	return nil
}

type limit struct {
	what int
	most uint64
}

// limits are the child's, with so many open files.
func limits(files uint64) []limit {
	return []limit{
		{unix.RLIMIT_FSIZE, 0},
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_CPU, mostSeconds},
		{unix.RLIMIT_DATA, mostMemory},
		{unix.RLIMIT_AS, mostAddress},
		{unix.RLIMIT_NOFILE, files},
	}
}
