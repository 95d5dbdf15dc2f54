// Package decode makes thumbnails of photos and films.
//
// Decoders are the part of a program that hostile octets reach first, so none runs in the server. A Pool keeps a few child processes (`holdfast
// decode-worker`, which calls Serve); each takes one request after the other on standard input and answers on standard output. A child may use so much
// memory and processor time, writes no file and opens none, and is killed when it does not answer in time. What happens to it concerns the photo that it was
// at, and no other: that one is Undecodable, with why.
package decode

import (
	"fmt"

	"holdfast/internal/photo"
)

// Sizes of what is made.
const (
	SquareSide = 256  // the square is cut out of the middle
	LargeSide  = 1600 // the longer side; what is smaller stays as it is
)

// Limits of what is decoded.
const (
	MaxOctets = 128 << 20 // of one file
	MaxPixels = 220 << 20 // of one JPEG
	maxOthers = 100 << 20 // pixels of the other kinds, which take more memory for each
)

// Thumbs are what a photo looks like, turned as it is to be seen. Both pictures are JPEG.
type Thumbs struct {
	Square, Large           []byte
	LargeWidth, LargeHeight int
	Hash                    []byte // its thumbhash: about 25 octets for a blurred placeholder
}

// Undecodable is the answer for a photo of which no thumbnail can be made, now and later.
type Undecodable struct{ Why string }

func (e *Undecodable) Error() string { return "photo: no thumbnail: " + e.Why }

func undecodable(format string, a ...any) error {
	return &Undecodable{fmt.Sprintf(format, a...)}
}

// request is what a child is asked: these octets follow it.
type request struct {
	Kind        photo.Kind
	Orientation int
	Octets      int64
	TurnAt      int64  // photo.Info's: this turn is to be taken out, and Orientation done instead; 0 if there is none
	Profile     []byte // of its colours: those of the thumbnails are the same
}

// answer is what a child says: these octets follow it, in the order of Thumbs.
type answer struct {
	Why           string `json:",omitempty"` // undecodable
	Square, Large int
	Hash          []byte
	Width, Height int
}
