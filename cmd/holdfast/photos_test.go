package main

import (
	"testing"

	"holdfast/internal/library"
	"holdfast/internal/photo"
)

// TestAboutPhoto: a line says where a photo was taken, and names its camera once.
func TestAboutPhoto(t *testing.T) {
	lat, lon := 43.467448, 11.885127
	x := library.Photo{Width: 640, Height: 480, Camera: &photo.Camera{Make: "Canon", Model: "Canon EOS"}, Place: &library.Place{Lat: &lat, Lon: &lon}, State: library.Waiting}
	if got, want := aboutPhoto(&x), "640×480, Canon EOS, 43.4674,11.8851, no thumbnail yet"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	x.Place.Name, x.State, x.Camera, x.Seconds = "Arezzo", library.Ready, nil, 2.1
	if got, want := aboutPhoto(&x), "640×480, film of 3 s, Arezzo"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
