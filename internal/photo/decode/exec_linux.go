package decode

import (
	"fmt"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// BecomeFilm confines this process and turns it into ffmpeg. Unlike the other decoders that is a program in C with all rights of its user, so it is run only
// where the kernel can shut it in: it may read programs and libraries, and nothing of anybody's.
func BecomeFilm(ffmpeg string) error {
	runtime.LockOSThread() // the one that becomes ffmpeg
	real, err := filepath.EvalSymlinks(ffmpeg)
	if err != nil {
		return fmt.Errorf("decode-worker: find %s: %w", ffmpeg, err)
	}
	if err := confine(64, real, "/usr", "/lib", "/lib64", "/nix/store", "/etc/ld.so.cache", "/dev/null", "/dev/urandom"); err != nil {
		return fmt.Errorf("%w: films have no posters on this machine", err)
	}
	return fmt.Errorf("decode-worker: run %s: %w", ffmpeg, unix.Exec(real, append([]string{"ffmpeg"}, FilmArgs()...), []string{"LC_ALL=C", "HOME=/nonexistent"}))
}
