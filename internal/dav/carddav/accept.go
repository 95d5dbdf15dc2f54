package carddav

import (
	"net/http"
	"strconv"
	"strings"

	"holdfast"
)

// represent gives a card in the version that a GET asks for by Accept (RFC 6352 section 5.1.1.1). The stored octets are given unless another version is
// wanted more, and where the other one cannot be made.
func (o Options) represent(h http.Header, r *holdfast.Resource) (string, []byte, bool) {
	stored := versionOf(r.Body)
	want := wantedVersion(h.Values("Accept"), stored)
	if want == "" && o.Reads3(h) {
		want = version3
	}
	if want == "" || want == stored {
		return "", nil, false
	}
	body, err := (&form{version: want}).render(r.Body)
	if err != nil {
		return "", nil, false
	}
	return "text/vcard; version=" + want + "; charset=utf-8", body, true
}

// wantedVersion is the version that Accept prefers; "" where it has no preference, and the stored one wherever that is as good. The most specific range
// that fits decides on a version (RFC 9110 section 12.5.1).
func wantedVersion(accept []string, stored string) string {
	other := version4
	if stored == version4 {
		other = version3
	}
	var q, precise [2]float64 // of stored, of other; precise: of the range that decided
	named := false
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			media, version, weight := parseRange(item)
			rank := rankOf(media, version)
			if rank == 0 {
				continue
			}
			for i, v := range [2]string{stored, other} {
				if (version == "" || version == v) && rank > precise[i] {
					q[i], precise[i] = weight, rank
				}
			}
			named = named || version == stored || version == other
		}
	}
	switch {
	case q[1] > q[0]:
		return other
	case named:
		return stored
	}
	return ""
}

// rankOf says how specific a range is; 0 for one that no vCard fits.
func rankOf(media, version string) float64 {
	switch {
	case isVCard(media) && version != "":
		return 4
	case isVCard(media):
		return 3
	case strings.EqualFold(media, "text/*"):
		return 2
	case media == "*/*":
		return 1
	}
	return 0
}

// parseRange reads one media range with its version and weight. What cannot be read weighs nothing.
func parseRange(item string) (media, version string, weight float64) {
	media, params, _ := strings.Cut(item, ";")
	weight = 1
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		value = strings.Trim(value, `" `)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "version":
			version = value
		case "q":
			var err error
			if weight, err = strconv.ParseFloat(value, 64); err != nil || !(weight >= 0 && weight <= 1) {
				weight = 0
			}
		}
	}
	return strings.TrimSpace(media), version, weight
}
