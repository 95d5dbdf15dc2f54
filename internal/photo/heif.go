package photo

import "slices"

// heif is the meta box of a picture (ISO/IEC 23008-12): items, where they lie, and what they are.
type heif struct {
	primary uint64
	kinds   map[uint64]string // item to kind: "hvc1", "grid", "Exif", "mime"
	mimes   map[uint64]string
	places  map[uint64]extent // items of one extent in the file
	about   map[uint64][]int  // item to its properties, from 1
	props   []property
	idat    box
}

type extent struct {
	at, n  int64
	inIDAT bool
}

// property is one of those that matter: a size, or a turn.
type property struct {
	kind string
	a, b int64
	box  box
}

const mostItems = 4096

// readHEIF reads the meta box of HEIC and AVIF.
func (f *facts) readHEIF() {
	found := false
	boxes(f.src, 0, f.src.size, func(b box) bool {
		if b.kind == "meta" {
			found = true
			f.readMeta(b)
		}
		return !found
	})
	if !found {
		f.problem("the picture has no meta box")
	}
}

func (f *facts) readMeta(meta box) {
	h := &heif{kinds: map[uint64]string{}, mimes: map[uint64]string{}, places: map[uint64]extent{}, about: map[uint64][]int{}}
	s := f.src
	boxes(s, meta.at+4, meta.end, func(b box) bool {
		r := s.reader(b)
		switch b.kind {
		case "pitm":
			h.primary = r.uint(wide(r.uint(4)>>24 == 0, 2, 4))
		case "iinf":
			h.readItems(s, b)
		case "iloc":
			h.readPlaces(r)
		case "iprp":
			boxes(s, b.at, b.end, func(b box) bool {
				switch b.kind {
				case "ipco":
					h.readProps(s, b)
				case "ipma":
					h.readAbout(s.reader(b))
				}
				return true
			})
		case "idat":
			h.idat = b
		}
		return true
	})
	f.fromHEIF(h)
}

func wide(small bool, a, b int) int {
	if small {
		return a
	}
	return b
}

// readItems reads the kinds of items.
func (h *heif) readItems(s *source, iinf box) {
	r := s.reader(iinf)
	r.skip(int64(4 + wide(r.uint(1) == 0, 2, 4) - 1))
	boxes(s, r.at, iinf.end, func(b box) bool {
		if b.kind != "infe" || len(h.kinds) >= mostItems {
			return b.kind == "infe"
		}
		r := s.reader(b)
		version := r.uint(4) >> 24
		if version < 2 {
			return true
		}
		id := r.uint(wide(version == 2, 2, 4))
		r.skip(2)
		kind := r.kind()
		if kind == "mime" {
			r.text() // its name
			h.mimes[id] = r.text()
		}
		if !r.broken {
			h.kinds[id] = kind
		}
		return true
	})
}

// readPlaces reads where items lie. Those in several pieces are of no use to us.
func (h *heif) readPlaces(r *reader) {
	version := r.uint(4) >> 24
	sizes := r.uint(2)
	offsetSize, lengthSize, baseSize, indexSize := int(sizes>>12), int(sizes>>8&15), int(sizes>>4&15), int(sizes&15)
	if version == 0 {
		indexSize = 0
	}
	if max(offsetSize, lengthSize, baseSize, indexSize) > 8 {
		return
	}
	count := r.uint(wide(version < 2, 2, 4))
	for i := uint64(0); i < count && i < mostItems && !r.broken && r.s.entry(); i++ {
		id, method := r.uint(wide(version < 2, 2, 4)), uint64(0)
		if version > 0 {
			method = r.uint(2) & 15
		}
		r.skip(2)
		base, extents := r.int(baseSize), r.uint(2)
		for e := uint64(0); e < extents && !r.broken && r.s.entry(); e++ {
			r.uint(indexSize)
			at, n := r.int(offsetSize), r.int(lengthSize)
			if extents == 1 && method < 2 && !r.broken && base >= 0 && at >= 0 && n > 0 && base+at >= 0 {
				h.places[id] = extent{base + at, n, method == 1}
			}
		}
	}
}

func (h *heif) readProps(s *source, ipco box) {
	boxes(s, ipco.at, ipco.end, func(b box) bool {
		p := property{kind: b.kind, box: b}
		r := s.reader(b)
		switch b.kind {
		case "ispe":
			r.skip(4)
			p.a, p.b = r.int(4), r.int(4)
		case "irot":
			p.a = r.int(1) & 3
		case "imir":
			p.a = r.int(1) & 1
		}
		h.props = append(h.props, p)
		return len(h.props) < mostItems
	})
}

// readAbout reads which properties items have.
func (h *heif) readAbout(r *reader) {
	head := r.uint(4)
	version, wideIndex := head>>24, head&1 == 1
	count := r.uint(4)
	for i := uint64(0); i < count && i < mostItems && !r.broken && r.s.entry(); i++ {
		id, n := r.uint(wide(version == 0, 2, 4)), r.uint(1)
		for range n {
			index := int(r.uint(wide(!wideIndex, 1, 2)))
			if wideIndex {
				index &= 0x7fff
			} else {
				index &= 0x7f
			}
			if !r.broken && len(h.about[id]) < 256 {
				h.about[id] = append(h.about[id], index)
			}
		}
	}
}

// fromHEIF takes what the items say. The boxes say how to turn; EXIF's orientation is for readers that do not know them (ISO/IEC 23008-12, annex A).
func (f *facts) fromHEIF(h *heif) {
	f.Orientation, f.turned = 1, true
	turns := 0
	for _, i := range h.about[h.primary] {
		if i < 1 || i > len(h.props) {
			continue
		}
		switch p := h.props[i-1]; p.kind {
		case "ispe":
			f.size(p.a, p.b)
		case "colr":
			f.heifProfile(p.box)
		case "irot":
			for range p.a {
				f.Orientation = turnLeft[f.Orientation]
			}
			turns++
			f.TurnAt = p.box.at
		case "imir":
			turns += 2
			f.Orientation = mirror[p.a][f.Orientation]
		}
	}
	if turns != 1 || f.Kind != HEIC {
		f.TurnAt = 0
	}
	if f.stored.w == 0 {
		f.problem("the picture's main item has no size")
	}
	var ids []uint64
	for id, kind := range h.kinds {
		if kind == "Exif" || kind == "mime" && h.mimes[id] == "application/rdf+xml" {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids[:min(len(ids), 8)] {
		f.heifItem(h, id)
	}
}

func (f *facts) heifProfile(colr box) {
	r := f.src.reader(colr)
	if kind := r.kind(); kind == "prof" || kind == "rICC" {
		f.setProfile(f.src.bytes(r.at, int(min(r.end-r.at, 8<<10))))
	}
}

// turnLeft and mirror say which orientation comes of one by a further step: a quarter turn against the clock; top and bottom (0) or left and right (1)
// exchanged, as libavif and libheif read what the standard's editions say in two ways.
var (
	turnLeft = [9]int{0, 8, 5, 6, 7, 4, 1, 2, 3}
	mirror   = [2][9]int{{0, 4, 3, 2, 1, 8, 7, 6, 5}, {0, 2, 1, 4, 3, 6, 5, 8, 7}}
)

func (f *facts) heifItem(h *heif, id uint64) {
	e, ok := h.places[id]
	end := f.src.size
	if e.inIDAT {
		e.at, end = e.at+h.idat.at, h.idat.end
	}
	if !ok || e.at > end || e.n > end-e.at {
		f.problem("what the picture says of itself lies outside of the file")
		return
	}
	if h.kinds[id] == "mime" {
		f.readXMP(e.at, e.n)
		return
	}
	skip, ok := f.src.u32(e.at) // where the TIFF header begins
	if !ok || int64(skip)+4 > e.n {
		f.problem("EXIF has no TIFF header")
		return
	}
	f.readEXIF(e.at+4+int64(skip), e.at+e.n)
}
