package transfer

import (
	"encoding/xml"
	"strings"
)

// textProperty is the XML of a property that holds text alone, so that it stands by itself.
func textProperty(space, local, text string) []byte {
	var b strings.Builder
	b.WriteString("<P:" + local + ` xmlns:P="`)
	_ = xml.EscapeText(&b, []byte(space)) // a Builder never fails
	b.WriteString(`">`)
	_ = xml.EscapeText(&b, []byte(text))
	b.WriteString("</P:" + local + ">")
	return []byte(b.String())
}
