package decode

import (
	"image"
	"math"
)

// hashSide is the longest side of what a thumbhash is made of.
const hashSide = 100

// Hash makes the thumbhash of a picture of at most 100 by 100 pixels: its average colour and the first terms of its cosine transform, in about 25 octets
// (the algorithm is Evan Wallace's, https://evanw.github.io/thumbhash/).
func Hash(m *image.NRGBA) []byte {
	c := split(m)
	w, h := c.w, c.h
	limit := 7.0
	if c.alpha {
		limit = 5 // its own terms want room
	}
	long := float64(max(w, h))
	lx := max(1, int(math.Round(limit*float64(w)/long)))
	ly := max(1, int(math.Round(limit*float64(h)/long)))
	l := c.transform(c.l, max(3, lx), max(3, ly))
	p := c.transform(c.p, 3, 3)
	q := c.transform(c.q, 3, 3)

	short, landscape := lx, uint32(0)
	if w > h {
		short, landscape = ly, 1
	}
	alpha := uint32(0)
	if c.alpha {
		alpha = 1
	}
	head := round(63*l.dc) | round(31.5+31.5*p.dc)<<6 | round(31.5+31.5*q.dc)<<12 | round(31*l.scale)<<18 | alpha<<23
	more := uint32(short) | round(63*p.scale)<<3 | round(63*q.scale)<<9 | landscape<<15
	hash := []byte{byte(head), byte(head >> 8), byte(head >> 16), byte(more), byte(more >> 8)}
	terms := append(append(l.ac, p.ac...), q.ac...)
	if c.alpha {
		a := c.transform(c.a, 5, 5)
		hash = append(hash, byte(round(15*a.dc)|round(15*a.scale)<<4))
		terms = append(terms, a.ac...)
	}
	for i, f := range terms {
		if i%2 == 0 {
			hash = append(hash, 0)
		}
		hash[len(hash)-1] |= byte(round(15*f) << (4 * (i % 2)))
	}
	return hash
}

func round(f float64) uint32 { return uint32(max(0, math.Floor(f+0.5))) }

// channels are a picture's luminance, its two differences of colour, and its alpha.
type channels struct {
	w, h       int
	l, p, q, a []float64
	alpha      bool
}

// split puts the picture on its average colour, and takes it apart.
func split(m *image.NRGBA) channels {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	c := channels{w: w, h: h}
	pixel := func(i int) (r, g, b, a float64) {
		p := m.Pix[i/w*m.Stride+i%w*4:][:4]
		return float64(p[0]) / 255, float64(p[1]) / 255, float64(p[2]) / 255, float64(p[3]) / 255
	}
	var ar, ag, ab, aa float64
	for i := range w * h {
		r, g, b, a := pixel(i)
		ar, ag, ab, aa = ar+a*r, ag+a*g, ab+a*b, aa+a
	}
	if aa > 0 {
		ar, ag, ab = ar/aa, ag/aa, ab/aa
	}
	c.alpha = aa < float64(w*h)
	c.l, c.p, c.q, c.a = make([]float64, w*h), make([]float64, w*h), make([]float64, w*h), make([]float64, w*h)
	for i := range w * h {
		r, g, b, a := pixel(i)
		r, g, b = ar*(1-a)+a*r, ag*(1-a)+a*g, ab*(1-a)+a*b
		c.l[i], c.p[i], c.q[i], c.a[i] = (r+g+b)/3, (r+g)/2-b, r-g, a
	}
	return c
}

// spectrum is a channel's mean, and the first terms of its cosine transform from 0 to 1.
type spectrum struct {
	dc, scale float64
	ac        []float64
}

func (c channels) transform(channel []float64, nx, ny int) spectrum {
	var s spectrum
	fx := make([]float64, c.w)
	for cy := range ny {
		for cx := 0; cx*ny < nx*(ny-cy); cx++ {
			for x := range fx {
				fx[x] = math.Cos(math.Pi / float64(c.w) * float64(cx) * (float64(x) + 0.5))
			}
			f := 0.0
			for y := range c.h {
				fy := math.Cos(math.Pi / float64(c.h) * float64(cy) * (float64(y) + 0.5))
				for x := range fx {
					f += channel[x+y*c.w] * fx[x] * fy
				}
			}
			f /= float64(c.w * c.h)
			if cx == 0 && cy == 0 {
				s.dc = f
				continue
			}
			s.ac = append(s.ac, f)
			s.scale = max(s.scale, math.Abs(f))
		}
	}
	for i := range s.ac {
		if s.scale > 0 {
			s.ac[i] = 0.5 + 0.5/s.scale*s.ac[i]
		}
	}
	return s
}
