package journal

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"holdfast"
)

// Stored is where a change stood in a vault: in which batch of its store's stream, and when the vault's place had it.
type Stored struct {
	Batch uint64
	At    time.Time
}

// kinds are the names of kinds in a line. A kind without one is its number.
var kinds = func() map[holdfast.Kind]string {
	out := map[holdfast.Kind]string{}
	for k := range holdfast.Kind(math.MaxUint8) {
		if name, ok := k.Name(); ok {
			out[k] = name
		}
	}
	return out
}()

// kindsByName is the inverse of kinds.
var kindsByName = func() map[string]holdfast.Kind {
	out := map[string]holdfast.Kind{}
	for k, name := range kinds {
		out[name] = k
	}
	return out
}()

const timeLayout = "2006-01-02T15:04:05.999999Z07:00"

// AppendLine appends the line of a change, with its newline. c is as an engine hands it out: sealed, with octets and properties.
func AppendLine(dst []byte, c *holdfast.Change, at Stored) []byte {
	b := append(dst, `{"account":`...)
	b = appendID(b, c.Account)
	b = appendUint(b, `,"epoch":`, c.Epoch)
	b = appendUint(b, `,"seq":`, c.Seq)
	b = appendUint(b, `,"group_end":`, c.GroupEnd())
	b = appendUint(b, `,"batch":`, at.Batch)
	b = appendTime(b, `,"stored":`, at.At)
	b = append(b, `,"id":`...)
	b = appendID(b, c.ID)
	b = append(b, `,"op":"put"`...)
	if c.Op == holdfast.OpDelete {
		b = append(b[:len(b)-len(`"put"`)], `"delete"`...)
	}
	b = append(b, `,"kind":`...)
	if name, ok := kinds[c.Kind]; ok {
		b = append(append(append(b, '"'), name...), '"')
	} else {
		b = strconv.AppendUint(b, uint64(c.Kind), 10)
	}
	b = append(b, `,"collection":`...)
	b = appendID(b, c.Collection)
	b = appendString(append(b, `,"name":`...), c.Name)
	if c.ContentType != "" {
		b = appendOctets(b, `,"type`, "", c.ContentType)
	}
	if c.Op == holdfast.OpPut {
		b = appendBody(b, c)
	}
	b = appendProperties(b, c.Properties)
	if c.Actor.Account != c.Account {
		b = appendID(append(b, `,"actor":`...), c.Actor.Account)
	}
	if !c.Actor.Device.IsZero() {
		b = appendID(append(b, `,"device":`...), c.Actor.Device)
	}
	b = appendTime(b, `,"at":`, c.At)
	if c.Prev != 0 {
		b = appendUint(b, `,"prev":`, c.Prev)
	}
	return append(b, "}\n"...)
}

func appendBody(b []byte, c *holdfast.Change) []byte {
	switch {
	case c.Blob != nil:
		b = append(b, `,"blob":true`...)
	case c.Pruned:
		b = append(b, `,"pruned":true`...)
	default:
		b = appendOctets(b, `,"`, "text", c.Body)
	}
	b = appendUint(b, `,"size":`, uint64(c.Size))
	return appendHash(append(b, `,"sha256":`...), c.ETag)
}

func appendProperties(b []byte, ps holdfast.Properties) []byte {
	for i, p := range ps {
		b = append(b, map[bool]string{true: `,"properties":[`, false: `,`}[i == 0]...)
		b = appendString(append(b, `{"space":`...), p.Space)
		b = appendString(append(b, `,"name":`...), p.Local)
		b = append(appendOctets(b, `,"`, "xml", p.XML), '}')
	}
	if len(ps) > 0 {
		b = append(b, ']')
	}
	return b
}

// appendOctets appends a field of octets: as text under before+plain where they are UTF-8, otherwise in base64 under before+"base64" (with "_base64" if plain is empty).
func appendOctets[T string | []byte](b []byte, before, plain string, v T) []byte {
	b = append(b, before...)
	if utf8.Valid([]byte(v)) {
		b = append(b, plain...)
		return appendString(append(b, `":`...), v)
	}
	if plain == "" {
		b = append(b, '_')
	}
	b = append(b, `base64":"`...)
	b = base64.StdEncoding.AppendEncode(b, []byte(v))
	return append(b, '"')
}

// appendString appends a JSON string. v is UTF-8.
func appendString[T string | []byte](b []byte, v T) []byte {
	b = append(b, '"')
	from := 0
	for i := range len(v) {
		c := v[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, v[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		}
	}
	b = append(b, v[from:]...)
	return append(b, '"')
}

func appendID(b []byte, id holdfast.ID) []byte {
	b, _ = id.AppendText(append(b, '"')) // it never fails
	return append(b, '"')
}

func appendHash(b []byte, h holdfast.Hash) []byte {
	return append(hex.AppendEncode(append(b, '"'), h[:]), '"')
}

func appendUint(b []byte, key string, v uint64) []byte {
	return strconv.AppendUint(append(b, key...), v, 10)
}

func appendTime(b []byte, key string, t time.Time) []byte {
	b = append(append(b, key...), '"')
	return append(t.UTC().AppendFormat(b, timeLayout), '"')
}

// Extend computes the chain at a change, given the one before it.
func Extend(c *holdfast.Change, prev holdfast.Hash) {
	c.Chain = holdfast.ChainHash(c.Account, c.Epoch, c.Seq, prev, c.Hash)
}
