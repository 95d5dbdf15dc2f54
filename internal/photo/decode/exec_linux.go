package decode

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// BecomeFilm confines this process and turns it into ffmpeg, which may open the libraries that it is linked with.
func BecomeFilm(ffmpeg string) error {
	if err := confine(64); err != nil {
		return err
	}
	return fmt.Errorf("decode-worker: run %s: %w", ffmpeg, unix.Exec(ffmpeg, append([]string{"ffmpeg"}, FilmArgs()...), []string{"LC_ALL=C", "HOME=/nonexistent"}))
}
