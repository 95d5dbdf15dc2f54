package davxml

import "slices"

// PropMode says which properties a request asks for.
type PropMode uint8

const (
	NoProps    PropMode = iota // the request says nothing of properties: a report that may leave them out
	NamedProps                 // those in PropSet.Names
	AllProp                    // DAV:allprop, and those in PropSet.Include
	PropNames                  // DAV:propname: which there are, without values
)

// PropSet is what a PROPFIND or a report asks for.
type PropSet struct {
	Mode     PropMode
	Names    []Name     // NamedProps: each once, in the order of the request; may be empty
	Elements []*Element // parallel to Names: for properties that are asked for with parameters, as CARDDAV:address-data
	Include  []Name     // AllProp: RFC 4918, section 14.8
}

// Asks reports whether the property is named, by prop or by include.
func (p PropSet) Asks(n Name) bool {
	return slices.Contains(p.Names, n) || slices.Contains(p.Include, n)
}

// Element gives the element that names the property, nil where none does.
func (p PropSet) Element(n Name) *Element {
	if i := slices.Index(p.Names, n); i >= 0 {
		return p.Elements[i]
	}
	return nil
}

// ParsePropFind reads DAV:propfind (RFC 4918, section 14.20). A body that is empty (ErrEmpty) means allprop; that is
// the caller's to say.
func ParsePropFind(root *Element, lim Limits) (PropSet, error) {
	if err := wantRoot(root, DPropFind); err != nil {
		return PropSet{}, err
	}
	set, err := parsePropSet(root, lim.orDefault())
	if err == nil && set.Mode == NoProps {
		return PropSet{}, root.Errorf("DAV:propfind holds none of DAV:prop, DAV:allprop and DAV:propname")
	}
	return set, err
}

// wantRoot refuses another root than one of those that the function reads.
func wantRoot(root *Element, names ...Name) error {
	if root == nil {
		return &Error{Kind: Malformed, Msg: "the body is empty where " + names[0].String() + " was expected"}
	}
	if !slices.Contains(names, root.Name) {
		return root.Errorf("the body is a %s where %s was expected", short(root.Name.String()), names[0])
	}
	return nil
}

// parsePropSet reads the choice of prop, allprop and propname among the children of e. In CardDAV's reports these
// three are in DAV: too.
func parsePropSet(e *Element, lim Limits) (PropSet, error) {
	var set PropSet
	for _, c := range e.Children {
		mode := NoProps
		switch c.Name {
		case DProp:
			mode = NamedProps
		case DAllProp:
			mode = AllProp
		case DPropName:
			mode = PropNames
		default:
			continue
		}
		if set.Mode != NoProps {
			return PropSet{}, c.Errorf("only one of DAV:prop, DAV:allprop and DAV:propname may be asked for")
		}
		set.Mode = mode
		if mode == NamedProps {
			var err error
			if set.Names, set.Elements, err = propNames(c, lim); err != nil {
				return PropSet{}, err
			}
		}
	}
	if set.Mode != AllProp {
		return set, nil
	}
	var err error
	if include := e.Child(DInclude); include != nil {
		set.Include, _, err = propNames(include, lim)
	}
	return set, err
}

// propNames gives the names of the children of a DAV:prop or DAV:include, each once.
func propNames(prop *Element, lim Limits) ([]Name, []*Element, error) {
	if len(prop.Children) > lim.Props {
		return nil, nil, prop.refuse(TooLarge, "more than %d properties are named", lim.Props)
	}
	names := make([]Name, 0, len(prop.Children))
	elements := make([]*Element, 0, len(prop.Children))
	seen := make(map[Name]bool, len(prop.Children))
	for _, c := range prop.Children {
		if !seen[c.Name] {
			seen[c.Name] = true
			names, elements = append(names, c.Name), append(elements, c)
		}
	}
	return names, elements, nil
}

// PropOp is one instruction of a PROPPATCH or one property of an extended MKCOL.
type PropOp struct {
	Remove  bool
	Name    Name
	Value   []byte   // for a set: the property's element as a fragment, by Standalone; nil for a removal
	Element *Element // the property's element in the body
}

// ParsePropPatch reads DAV:propertyupdate (RFC 4918, section 14.19). The instructions are in the order of the body and
// are to be executed in that order, all or none. The values together may not exceed Limits.Octets.
func ParsePropPatch(root *Element, lim Limits) ([]PropOp, error) {
	if err := wantRoot(root, DPropertyUpdate); err != nil {
		return nil, err
	}
	ops, err := parsePropOps(root, lim.orDefault())
	if err == nil && len(ops) == 0 {
		return nil, root.Errorf("DAV:propertyupdate sets and removes nothing")
	}
	return ops, err
}

// ParseMkCol reads the body of an extended MKCOL (RFC 5689) or of a MKCALENDAR (RFC 4791, section 9.2): the properties
// that the new collection is to have. Which of the two it is, root.Name says.
func ParseMkCol(root *Element, lim Limits) ([]PropOp, error) {
	if err := wantRoot(root, DMkCol, CMkCalendar); err != nil {
		return nil, err
	}
	if remove := root.Child(DRemove); remove != nil {
		return nil, remove.Errorf("a collection that is being made has no properties to remove")
	}
	return parsePropOps(root, lim.orDefault())
}

func parsePropOps(root *Element, lim Limits) ([]PropOp, error) {
	var ops []PropOp
	var octets int64
	for _, step := range root.Children {
		if step.Name != DSet && step.Name != DRemove {
			continue
		}
		prop := step.Child(DProp)
		if prop == nil {
			return nil, step.Errorf("DAV:%s holds no DAV:prop", step.Name.Local)
		}
		for prop := range step.All(DProp) {
			for _, c := range prop.Children {
				op := PropOp{Remove: step.Name == DRemove, Name: c.Name, Element: c}
				if !op.Remove {
					op.Value = c.Standalone()
				}
				if octets += int64(len(op.Value)); octets > lim.Octets {
					return nil, c.refuse(TooLarge, "the properties together are larger than %d octets", lim.Octets)
				}
				if ops = append(ops, op); len(ops) > lim.Props {
					return nil, c.refuse(TooLarge, "more than %d properties are set or removed", lim.Props)
				}
			}
		}
	}
	return ops, nil
}
