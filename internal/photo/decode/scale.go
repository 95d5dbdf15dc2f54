package decode

import (
	"image"
	"image/color"

	"golang.org/x/image/draw"
)

// fit makes a picture whose longer side is at most side. Most of the way goes by averages over blocks, which leave no moiré and touch each pixel once; the
// rest, less than half, by interpolation between the four nearest.
func fit(m image.Image, side int) *image.RGBA {
	m = shrink(m, max(m.Bounds().Dx(), m.Bounds().Dy())/side)
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	if long := max(w, h); long > side {
		w, h = max(1, (w*side+long/2)/long), max(1, (h*side+long/2)/long)
	}
	to := image.NewRGBA(image.Rect(0, 0, w, h))
	if w == m.Bounds().Dx() && h == m.Bounds().Dy() {
		draw.Draw(to, to.Rect, m, m.Bounds().Min, draw.Src)
		return to
	}
	draw.ApproxBiLinear.Scale(to, to.Rect, m, m.Bounds(), draw.Src, nil)
	return to
}

// shrink makes one pixel of each block of n by n.
func shrink(m image.Image, n int) image.Image {
	if n < 2 {
		return m
	}
	switch m := m.(type) {
	case *image.YCbCr:
		return shrinkYCbCr(m, n)
	case *image.RGBA:
		return shrinkRGBA(m, n)
	case *image.Gray:
		r := m.Rect
		to := image.NewGray(image.Rect(0, 0, max(1, r.Dx()/n), max(1, r.Dy()/n)))
		shrinkPlane(to.Pix, to.Stride, to.Rect.Dx(), to.Rect.Dy(), m.Pix[m.PixOffset(r.Min.X, r.Min.Y):], m.Stride, r.Dx(), r.Dy(), n, n)
		return to
	}
	return shrinkAny(m, n)
}

// shrinkYCbCr averages each plane by itself; what comes out has a colour for each pixel.
func shrinkYCbCr(m *image.YCbCr, n int) image.Image {
	r := m.Rect
	sx, sy := 1, 1 // pixels to a colour
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio420:
		sx, sy = 2, 2
	case image.YCbCrSubsampleRatio422:
		sx = 2
	case image.YCbCrSubsampleRatio440:
		sy = 2
	case image.YCbCrSubsampleRatio444:
	default:
		return shrinkAny(m, n)
	}
	if r.Min != (image.Point{}) {
		return shrinkAny(m, n)
	}
	if sx > 1 || sy > 1 {
		n &^= 1 // whole colours; the interpolation does the rest
	}
	w, h := max(1, r.Dx()/n), max(1, r.Dy()/n)
	to := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio444)
	cw, ch := (r.Dx()+sx-1)/sx, (r.Dy()+sy-1)/sy
	shrinkPlane(to.Y, to.YStride, w, h, m.Y, m.YStride, r.Dx(), r.Dy(), n, n)
	shrinkPlane(to.Cb, to.CStride, w, h, m.Cb, m.CStride, cw, ch, n/sx, n/sy)
	shrinkPlane(to.Cr, to.CStride, w, h, m.Cr, m.CStride, cw, ch, n/sx, n/sy)
	return to
}

// shrinkPlane averages blocks of nx by ny octets.
func shrinkPlane(to []byte, toStride, w, h int, from []byte, stride, fw, fh, nx, ny int) {
	sums := make([]uint32, w)
	for y := range h {
		clear(sums)
		rows := uint32(0)
		for dy := 0; dy < ny && y*ny+dy < fh; dy++ {
			row := from[(y*ny+dy)*stride:][:fw]
			addRow(sums, row, nx)
			rows++
		}
		out := to[y*toStride:][:w]
		for x := range out {
			count := rows * uint32(max(1, min(nx, fw-x*nx)))
			out[x] = byte((sums[x] + count/2) / max(1, count))
		}
	}
}

func addRow(sums []uint32, row []byte, nx int) {
	switch nx {
	case 1:
		for x := range sums[:min(len(sums), len(row))] {
			sums[x] += uint32(row[x])
		}
	case 2:
		n := min(len(sums), len(row)/2)
		for x := range n {
			sums[x] += uint32(row[2*x]) + uint32(row[2*x+1])
		}
		if n < len(sums) && 2*n < len(row) {
			sums[n] += uint32(row[2*n])
		}
	default:
		for x := range sums {
			for _, v := range row[min(x*nx, len(row)):min((x+1)*nx, len(row))] {
				sums[x] += uint32(v)
			}
		}
	}
}

// shrinkRGBA averages blocks of the four channels.
func shrinkRGBA(m *image.RGBA, n int) image.Image {
	r := m.Rect
	w, h := max(1, r.Dx()/n), max(1, r.Dy()/n)
	to := image.NewRGBA(image.Rect(0, 0, w, h))
	sums := make([][4]uint32, w)
	for y := range h {
		clear(sums)
		rows := 0
		for ; rows < n && y*n+rows < r.Dy(); rows++ {
			row := m.Pix[m.PixOffset(r.Min.X, r.Min.Y+y*n+rows):][:4*min(r.Dx(), w*n)]
			for x := range sums {
				block, s := row[4*x*n:min(4*(x+1)*n, len(row))], &sums[x]
				for i := 0; i+3 < len(block); i += 4 {
					s[0] += uint32(block[i])
					s[1] += uint32(block[i+1])
					s[2] += uint32(block[i+2])
					s[3] += uint32(block[i+3])
				}
			}
		}
		count := uint32(rows * min(n, r.Dx()))
		for x, s := range sums {
			for c, v := range s {
				to.Pix[y*to.Stride+4*x+c] = byte((v + count/2) / count)
			}
		}
	}
	return to
}

// shrinkAny averages blocks of any picture, a row of blocks at a time; what is transparent has no colour, because colours come multiplied.
func shrinkAny(m image.Image, n int) image.Image {
	r := m.Bounds()
	w, h := max(1, r.Dx()/n), max(1, r.Dy()/n)
	to := image.NewRGBA(image.Rect(0, 0, w, h))
	line := image.NewRGBA64(image.Rect(0, 0, min(r.Dx(), w*n), 1))
	sums := make([][5]uint64, w)
	for y := range h {
		clear(sums)
		for dy := 0; dy < n && y*n+dy < r.Dy(); dy++ {
			draw.Draw(line, line.Rect, m, image.Pt(r.Min.X, r.Min.Y+y*n+dy), draw.Src)
			for x := range line.Rect.Dx() {
				c, s := line.RGBA64At(x, 0), &sums[x/n]
				s[0] += uint64(c.R)
				s[1] += uint64(c.G)
				s[2] += uint64(c.B)
				s[3] += uint64(c.A)
				s[4]++
			}
		}
		for x := range sums {
			s, count := sums[x], max(1, sums[x][4])<<8
			to.SetRGBA(x, y, color.RGBA{R: byte(s[0] / count), G: byte(s[1] / count), B: byte(s[2] / count), A: byte(s[3] / count)})
		}
	}
	return to
}

// oriented turns as EXIF's orientation says.
func oriented(m *image.RGBA, o int) *image.RGBA {
	if o < 2 || o > 8 {
		return m
	}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	size := image.Rect(0, 0, w, h)
	if o >= 5 {
		size = image.Rect(0, 0, h, w)
	}
	to := image.NewRGBA(size)
	for y := range h {
		for x := range w {
			tx, ty := x, y
			if o == 2 || o == 3 || o == 7 || o == 8 { // these begin with the right column
				tx = w - 1 - x
			}
			if o == 3 || o == 4 || o == 6 || o == 7 { // and these with the lowest row
				ty = h - 1 - y
			}
			if o >= 5 {
				tx, ty = ty, tx
			}
			copy(to.Pix[to.PixOffset(tx, ty):][:4], m.Pix[m.PixOffset(x, y):][:4])
		}
	}
	return to
}

// squared cuts a square out of the middle and makes it that large; a smaller picture stays as small as it is.
func squared(m *image.RGBA, side int) *image.RGBA {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	short := min(w, h)
	cut := m.SubImage(image.Rect((w-short)/2, (h-short)/2, (w+short)/2, (h+short)/2))
	return fit(cut, side)
}

// flatten puts what is transparent on white: JPEG knows no transparency.
func flatten(m *image.RGBA) {
	for i := 0; i+3 < len(m.Pix); i += 4 {
		if a := m.Pix[i+3]; a != 255 {
			for c := i; c < i+3; c++ {
				m.Pix[c] += 255 - a // colours are multiplied with alpha already
			}
			m.Pix[i+3] = 255
		}
	}
}
