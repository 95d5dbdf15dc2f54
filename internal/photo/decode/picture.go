package decode

import (
	"bytes"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"holdfast/internal/photo"

	"github.com/gen2brain/avif"
	"github.com/gen2brain/heic"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// picture decodes. The size is read first, and what is too large is not decoded: a bomb is a small file of a large picture.
func picture(b []byte, q request) (image.Image, error) {
	var config func(io.Reader) (image.Config, error)
	var decode func(io.Reader) (image.Image, error)
	most := int64(maxOthers)
	switch q.Kind {
	case photo.JPEG:
		config, decode, most = jpeg.DecodeConfig, jpeg.Decode, MaxPixels
	case photo.PNG:
		config, decode = png.DecodeConfig, png.Decode
	case photo.GIF:
		config, decode = gif.DecodeConfig, gif.Decode
	case photo.WebP:
		config, decode = webp.DecodeConfig, webp.Decode
	case photo.TIFF:
		config, decode = tiff.DecodeConfig, tiff.Decode
	case photo.HEIC:
		decode = heic.Decode // its size is in the boxes, and the pool has read it
	case photo.AVIF:
		decode = avif.Decode
	default:
		return nil, undecodable("%q cannot be decoded", q.Kind)
	}
	if config != nil {
		c, err := config(bytes.NewReader(b))
		if err != nil {
			return nil, undecodable("it is damaged: %v", err)
		}
		if err := checkSize(c.Width, c.Height, most); err != nil {
			return nil, err
		}
	}
	m, err := decode(bytes.NewReader(b))
	if err != nil {
		return nil, undecodable("it is damaged, or of a sort that is not known: %v", err)
	}
	if r := m.Bounds(); r.Dx() <= 0 || r.Dy() <= 0 {
		return nil, undecodable("it has no pixels")
	}
	return m, nil
}

func checkSize(w, h int, most int64) error {
	if w <= 0 || h <= 0 {
		return undecodable("it has no pixels")
	}
	if int64(w) > most/int64(h) {
		return undecodable("%d x %d pixels are more than are decoded (%d million)", w, h, most>>20)
	}
	return nil
}
