package dav

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"

	"holdfast/internal/davxml"
)

// checksum is what a client says of the octets that it sends.
type checksum struct {
	name string
	want []byte
	hash.Hash
}

// makers of the hashes that have a name in OC-Checksum, and in Content-Digest (RFC 9530). Of what is not known here nothing can be checked.
var checksums = map[string]func() hash.Hash{"MD5": md5.New, "SHA1": sha1.New, "SHA256": sha256.New, "sha-256": sha256.New, "sha-512": sha512.New}

// olderNames are those that the hashes had in Digest (RFC 3230), which Content-Digest has replaced.
var olderNames = map[string]string{"md5": "MD5", "sha": "SHA1", "sha-256": "sha-256", "sha-512": "sha-512"}

// checksums reads what the request says of its body: OC-Checksum ("SHA1:hex"), Content-Digest and Repr-Digest ("sha-256=:base64:"), and what older programs send: Digest ("SHA-256=base64") and Content-MD5 (RFC 1864). One that cannot
// be read is refused: it was to be looked at.
func (q *request) checksums() (out []checksum, err error) {
	add := func(name string, want []byte, bad error) error {
		fresh := checksums[name]
		if fresh == nil {
			return nil
		}
		if h := fresh(); bad == nil && len(want) == h.Size() {
			out = append(out, checksum{name, want, h})
			return nil
		}
		return badPath("the checksum of kind " + name + " in the headers cannot be read; nothing was stored")
	}
	for _, s := range strings.Fields(q.r.Header.Get("OC-Checksum")) {
		name, digits, _ := strings.Cut(s, ":")
		want, bad := hex.DecodeString(digits)
		if err := add(strings.ToUpper(name), want, bad); err != nil {
			return nil, err
		}
	}
	for _, header := range []string{"Content-Digest", "Repr-Digest"} {
		for s := range strings.SplitSeq(strings.Join(q.r.Header.Values(header), ","), ",") {
			name, text, _ := strings.Cut(strings.TrimSpace(s), "=")
			text, _, _ = strings.Cut(text, ";") // parameters
			want, bad := base64.StdEncoding.DecodeString(strings.Trim(text, ":"))
			if err := add(name, want, bad); err != nil {
				return nil, err
			}
		}
	}
	for s := range strings.SplitSeq(strings.Join(q.r.Header.Values("Digest"), ","), ",") {
		name, text, _ := strings.Cut(strings.TrimSpace(s), "=")
		want, bad := base64.StdEncoding.DecodeString(text)
		if err := add(olderNames[strings.ToLower(name)], want, bad); err != nil {
			return nil, err
		}
	}
	if text := strings.TrimSpace(q.r.Header.Get("Content-MD5")); text != "" {
		want, bad := base64.StdEncoding.DecodeString(text)
		if err := add("MD5", want, bad); err != nil {
			return nil, err
		}
	}
	if len(out) > 8 {
		return nil, badPath("these are more checksums than one body needs")
	}
	return out, nil
}

// check refuses octets that are not those that were meant: what was damaged on its way is sent again, and never acknowledged.
func check(sums []checksum) error {
	for _, s := range sums {
		if !bytes.Equal(s.Sum(nil), s.want) {
			return Refuse(http.StatusBadRequest, davxml.Name{Space: NSHoldfast, Local: "checksum"}, "the octets that came do not have the "+s.name+" that was sent with them; nothing was stored, send them again")
		}
	}
	return nil
}
