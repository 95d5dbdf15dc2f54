//go:build !linux

package decode

import "errors"

// BecomeFilm is there on Linux alone, where what becomes of this process can be confined.
func BecomeFilm(string) error {
	return errors.New("decode-worker: films are decoded on Linux only")
}

// ShutsIn tells whether the system can shut ffmpeg in: without that it is not run.
func ShutsIn() bool { return false }
