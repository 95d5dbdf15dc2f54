package davxml

// Limits bound what a request body may cost. A zero field means the default, so Limits{} is DefaultLimits().
type Limits struct {
	Octets     int64 // of the body as it is sent; also of all property values that one PROPPATCH sets, as fragments
	Depth      int   // of nested elements, at most MaxDepth
	Elements   int   // in the body
	Attrs      int   // of one element, declarations of namespaces included
	Name       int   // octets of a name with its prefix, and of a namespace
	Namespaces int   // declarations in scope at one element
	Props      int   // properties that one request may name
	Hrefs      int   // hrefs of one multiget
	Conditions int   // filters and matches in one query or search, of all levels together
}

// MaxDepth is the depth that Limits cannot exceed: functions that walk a tree may recurse this deep.
const MaxDepth = 1000

// DefaultLimits gives bounds that every known client stays far below: 4 MiB, 64 levels, 100,000 elements, multigets
// of 10,000 hrefs.
func DefaultLimits() Limits { return Limits{}.orDefault() }

// orDefault fills the zero fields.
func (l Limits) orDefault() Limits {
	if l.Octets <= 0 {
		l.Octets = 4 << 20
	}
	for _, f := range []struct {
		field *int
		value int
	}{
		{&l.Depth, 64}, {&l.Elements, 100_000}, {&l.Attrs, 64}, {&l.Name, 1024}, {&l.Namespaces, 64},
		{&l.Props, 1000}, {&l.Hrefs, 10_000}, {&l.Conditions, 500},
	} {
		if *f.field <= 0 {
			*f.field = f.value
		}
	}
	l.Depth = min(l.Depth, MaxDepth)
	return l
}
