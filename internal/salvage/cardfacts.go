package salvage

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"

	"holdfast/internal/content"
	"holdfast/internal/vcard"
)

// silent are properties of contacts that are about the record and not about whom it describes, or that programs make out of others.
var silent = []string{"BEGIN", "END", "VERSION", "PRODID", "PROFILE", "MAILER", "REV", "UID", "SOURCE", "SORT-STRING", "X-ABUID", "X-ABSHOWAS", "X-GENERATOR", "X-MS-OL-DEFAULT-POSTAL-ADDRESS", "X-MS-OL-DESIGN",
	"X-EVOLUTION-FILE-AS", "X-EVOLUTION-BOOK-URI", "X-EVOLUTION-REV", "X-EVOLUTION-WEBDAV-HREF", "X-EVOLUTION-WEBDAV-ETAG", "X-COUCHDB-APPLICATION-ANNOTATIONS"}

// usual are values of contacts that say what is so without them.
var usual = map[string]string{"CLASS": "PUBLIC", "X-MOZILLA-HTML": "FALSE"}

// relations are what programs call people of a contact, by what the others call them.
var relations = map[string]string{"X-EVOLUTION-SPOUSE": "spouse", "X-MS-SPOUSE": "spouse", "X-SPOUSE": "spouse", "X-EVOLUTION-MANAGER": "manager", "X-MS-MANAGER": "manager", "X-MANAGER": "manager",
	"X-EVOLUTION-ASSISTANT": "assistant", "X-MS-ASSISTANT": "assistant", "X-ASSISTANT": "assistant"}

// chats are properties that are one address for instant messages each, by what its URI begins with.
var chats = map[string]string{"X-AIM": "aim", "X-ICQ": "icq", "X-JABBER": "xmpp", "X-MSN": "msnim", "X-YAHOO": "ymsgr", "X-SKYPE": "skype", "X-SKYPE-USERNAME": "skype", "X-GADUGADU": "gg", "X-QQ": "qq"}

func factsOfCard(octets []byte) (f facts, ok bool) {
	index, refusal := vcard.Judge(octets, vcard.Limits{})
	if refusal != nil {
		return f, false
	}
	f.kind, f.uid, f.title = "VCARD", index.UID, index.FN
	for _, version := range []string{"4.0", "3.0"} { // by way of 4.0, which has one name for what 3.0 has many for
		if same, refusal := vcard.Convert(octets, version); refusal == nil {
			octets = same
		}
	}
	card, err := vcard.Parse(octets, vcard.Limits{})
	if err != nil {
		return f, false
	}
	x := cardFacts{f: &f, labels: labelsOf(card), places: placesOf(card)}
	for i := range card.Lines {
		x.line(&card.Lines[i])
	}
	f.name = strings.ToLower(words(f.title))
	return f, true
}

// cardFacts are the facts of a contact as they are gathered.
type cardFacts struct {
	f      *facts
	labels map[string]string // by group: what the properties of it are called, where that has a meaning of its own
	places string            // all addresses
}

// labelsOf returns what the groups of a contact are called, of which everybody knows the meaning.
func labelsOf(card *vcard.Card) map[string]string {
	out := map[string]string{}
	for i := range card.Lines {
		l := &card.Lines[i]
		if known, ok := strings.CutPrefix(strings.ToLower(l.Value), "_$!<"); ok && l.Group != "" && l.Is("X-ABLABEL") {
			out[strings.ToLower(l.Group)] = strings.TrimSuffix(known, ">!$_")
		}
	}
	return out
}

func placesOf(card *vcard.Card) string {
	var out []string
	for i := range card.Lines {
		if l := &card.Lines[i]; l.Is("ADR") {
			out = append(out, bits(plainText(l.Value))...)
		}
	}
	return " " + strings.Join(out, " ") + " "
}

// bits are the words of an address.
func bits(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return strings.ContainsRune(" ,;\t\r\n", r) })
}

// line takes one property of a contact in. Order, groups, folding and encoding are no difference, nor is how a number is spaced.
func (x *cardFacts) line(l *vcard.Line) {
	f, name := x.f, content.Upper(l.Name)
	if l.Blank() || slices.Contains(silent, name) || strings.Trim(l.Value, "; \t") == "" || usual[name] != "" && usual[name] == content.Upper(l.Value) {
		return
	}
	types, label := kinds(name, l.Param("TYPE")), x.labels[strings.ToLower(l.Group)]
	switch name {
	case "PHOTO", "LOGO": // phones scale pictures: whether there is one counts
		f.photo = f.photo || name == "PHOTO"
	case "FN", "N":
		if w := words(strings.ReplaceAll(plainText(l.Value), ";", " ")); w != "" {
			f.add("NAME", w)
		}
	case "TEL":
		n := number(l.Value)
		f.typed(name, types, n)
		f.keys = append(f.keys, key(name, n))
	case "EMAIL":
		n := strings.ToLower(strings.TrimSpace(content.Unescape(l.Value)))
		f.typed(name, types, n)
		f.keys = append(f.keys, key(name, n))
	case "NICKNAME", "CATEGORIES":
		for _, v := range content.SplitEscaped(l.Value, ',') {
			f.add(name, text(v))
		}
	case "BDAY":
		f.add(name, theDay(l.Value))
	case "SOUND", "KEY":
		b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(l.Value), ""))
		f.add(name, cmp.Or(string(b), l.Value), errText(err))
	case "LABEL": // an address as it is written on a letter: nothing new where all its words are in one
		if slices.ContainsFunc(bits(text(l.Value)), func(w string) bool { return !strings.Contains(x.places, " "+w+" ") }) {
			f.add(name, strings.Join(bits(text(l.Value)), " "))
		}
	case "IMPP", "X-MS-IMADDRESS":
		f.chat(l.Value)
	case "X-ABLABEL":
		if label == "" {
			f.add(name, text(l.Value))
		}
	case "X-ABDATE":
		f.add(name, label, theDay(l.Value))
	case "X-ABRELATEDNAMES":
		f.add("RELATED", label, text(l.Value))
	default:
		switch {
		case chats[name] != "":
			f.chat(chats[name] + ":" + l.Value)
		case relations[name] != "":
			f.add("RELATED", relations[name], text(l.Value))
		default:
			f.typed(name, types, plainText(l.Value))
		}
	}
}

// typed takes a value in, and what it is called where that is said: some programs leave it out, and say nothing new then.
func (f *facts) typed(name, types, value string) {
	f.add(name, "", value)
	if types != "" {
		f.add(name, types, value)
	}
}

// chat takes an address for instant messages in. Some programs leave out for which service.
func (f *facts) chat(uri string) {
	uri = strings.ToLower(text(uri))
	service, address, ok := strings.Cut(uri, ":")
	if !ok {
		service, address = "", uri
	}
	f.typed("IMPP", service, address)
}

// theDay is a date without its separators, and without the time.
func theDay(v string) string {
	day, _, _ := strings.Cut(strings.ReplaceAll(v, "-", ""), "T")
	return day
}

func errText(err error) string {
	if err != nil {
		return "not base64"
	}
	return ""
}

// key is a phone number or an address, for comparing.
func key(parts ...string) uint64 { return new(facts).add(parts...) }

// kinds are the types of a property that tell anything.
func kinds(name string, types []string) string {
	none := []string{"voice", "internet", "pref", "other", ""}
	if name == "ADR" {
		none = append(none, "intl", "postal", "parcel")
	}
	var out []string
	for _, list := range types {
		for t := range strings.SplitSeq(strings.ToLower(list), ",") { // a quoted list
			if t = strings.TrimSpace(t); !slices.Contains(none, t) {
				out = append(out, t)
			}
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ",")
}

// number is a phone number without how it was written.
func number(v string) string {
	v = strings.TrimPrefix(strings.ToLower(content.Unescape(v)), "tel:")
	out := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || strings.ContainsRune("+*#,;pwx", r) {
			return r
		}
		return -1
	}, v)
	return cmp.Or(out, strings.TrimSpace(v))
}

// text is a text value with its escapes resolved and its white space as one reads it.
func text(v string) string { return strings.Join(strings.Fields(content.Unescape(v)), " ") }

// plainText is text of a structured value, without the empty parts at its end.
func plainText(v string) string {
	parts := content.SplitEscaped(v, ';')
	for i := range parts {
		parts[i] = text(parts[i])
	}
	return strings.TrimRight(strings.Join(parts, ";"), ";")
}

// words are the words of a name, in an order that does not hang on how it is written: "Doe, Jane" is "Jane Doe".
func words(name string) string {
	list := strings.FieldsFunc(name, func(r rune) bool { return r == ' ' || r == ',' || r == ';' || r == '\t' || r == '\n' })
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}
