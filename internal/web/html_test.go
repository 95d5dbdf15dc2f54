package web

import (
	"encoding/xml"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// checkPage checks what every page must have: language, title, one main and one h1, a label for each field, no script, no style of its own, headers, and well-formed markup.
func checkPage(t *testing.T, a answer) {
	t.Helper()
	bad := func(what string) { t.Helper(); t.Errorf("%s: %s", a.path, what) }
	for name, want := range map[string]string{"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "X-Frame-Options": "DENY"} {
		if !strings.Contains(a.Header.Get(name), want) {
			bad(name + " is " + a.Header.Get(name))
		}
	}
	if p := a.Header.Get("Referrer-Policy"); p != "same-origin" && !(strings.HasPrefix(a.path, "/d/") && p == "no-referrer") {
		bad("Referrer-Policy is " + p)
	}
	d := xml.NewDecoder(strings.NewReader(a.text))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	count, labels, ids := map[string]int{}, map[string]bool{}, map[string]bool{}
	var fields, refs []string
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			bad(err.Error())
			break
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		count[e.Name.Local]++
		at := map[string]string{}
		for _, x := range e.Attr {
			at[x.Name.Local] = x.Value
			if strings.HasPrefix(x.Name.Local, "on") || x.Name.Local == "style" || strings.HasPrefix(x.Value, "javascript:") || strings.Contains(x.Value, "ZgotmplZ") {
				bad("attribute " + x.Name.Local + "=" + x.Value)
			}
		}
		if at["id"] != "" && ids[at["id"]] {
			bad("the id " + at["id"] + " stands twice")
		}
		ids[at["id"]] = true
		refs = append(refs, strings.Fields(at["aria-describedby"]+" "+at["aria-labelledby"])...)
		switch e.Name.Local {
		case "html":
			if at["lang"] != "en" {
				bad("no language")
			}
		case "label":
			labels[at["for"]] = true
		case "input":
			if at["type"] != "hidden" {
				fields = append(fields, at["id"])
			}
		case "svg":
			if at["aria-hidden"] != "true" && (at["role"] != "img" || at["aria-label"] == "") {
				bad("a picture without words")
			}
		case "form":
			if at["method"] == "post" && !strings.HasPrefix(at["action"], "/") {
				bad("a form leads to " + at["action"])
			}
		}
	}
	for _, f := range fields {
		if f == "" || !labels[f] {
			bad("the field " + f + " has no label")
		}
	}
	for _, r := range refs {
		if !ids[r] {
			bad("nothing has the id " + r)
		}
	}
	if count["script"] != 0 || count["style"] != 0 || count["main"] != 1 || count["h1"] != 1 || count["title"] != 1 {
		bad("script, style, main, h1, title: " + strconv.Itoa(count["script"]) + strconv.Itoa(count["style"]) + strconv.Itoa(count["main"]) + strconv.Itoa(count["h1"]) + strconv.Itoa(count["title"]))
	}
	if strings.Contains(a.text, "<no value>") || strings.Contains(a.text, "<title> ·") {
		bad("something is missing:\n" + a.text)
	}
}

// palette reads the custom properties of a block of the style sheet.
func palette(css string) map[string]string {
	out := map[string]string{}
	for _, m := range regexp.MustCompile(`--([a-z-]+):\s*(#[0-9A-Fa-f]{6});`).FindAllStringSubmatch(css, -1) {
		out[m[1]] = m[2]
	}
	return out
}

// luminance and contrast are those of WCAG 2.2.
func luminance(hex string) float64 {
	n, _ := strconv.ParseUint(hex[1:], 16, 32)
	l := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := float64(n>>(16-8*i)&0xff) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		l += weight * c
	}
	return l
}

func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

// TestColours: the exact colours of the design, each text readable (4.5) and each border visible (3) on what it lies on.
func TestColours(t *testing.T) {
	body, err := files.ReadFile("static/holdfast.css")
	must(t, err)
	css := string(body)
	parts := strings.SplitN(css, "@media (prefers-color-scheme: dark)", 2)
	dark, _, _ := strings.Cut(parts[1], "\n}\n")
	names := []string{"bg", "surface", "ink", "muted", "line", "accent", "ok", "caution", "danger"}
	for scheme, c := range map[string]struct {
		got  map[string]string
		want string
	}{
		"light": {palette(parts[0]), "#FAF9F6 #FFFFFF #1C2321 #56615C #7C8782 #0B6B5D #1E6B3C #8A5A00 #A4262C"},
		"dark":  {palette(dark), "#121614 #1B211E #E6ECE8 #A5B0AA #71807A #5CC8B0 #7BD49A #F0BE5E #FF9A93"},
	} {
		for i, want := range strings.Fields(c.want) {
			if c.got[names[i]] != want {
				t.Errorf("%s: %s is %s, not %s", scheme, names[i], c.got[names[i]], want)
			}
		}
		check := func(front, back string, least float64) {
			if got := contrast(c.got[front], c.got[back]); got < least {
				t.Errorf("%s: %s on %s has a contrast of %.2f, less than %.1f", scheme, front, back, got, least)
			}
		}
		for _, back := range []string{"bg", "surface"} {
			for _, front := range []string{"ink", "muted", "accent", "ok", "caution", "danger"} {
				check(front, back, 4.5)
			}
			check("line", back, 3)
		}
		check("on-fill", "accent", 4.5)
		check("on-fill", "danger", 4.5)
	}
	if hexes := regexp.MustCompile(`#[0-9A-Fa-f]{3,8}\b`).FindAllString(regexp.MustCompile(`(?s)--[a-z-]+: [^;]*;`).ReplaceAllString(css, ""), -1); len(hexes) > 0 {
		t.Errorf("colours outside of the palette: %v", hexes)
	}
	if got := contrast("#000000", "#FFFFFF"); math.Abs(got-21) > 0.01 {
		t.Errorf("the ruler is wrong: black on white is %.2f", got)
	}
}
