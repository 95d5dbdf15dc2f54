package doctor

import (
	"crypto/subtle"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// probeHeader asks a server to say what arrived of a request. Its value is a secret that is new with each start and that only the control socket tells: whoever knows it may look
// at the service anyway, and an answer proves that the public name leads to this very server.
const probeHeader = "Holdfast-Probe"

// echoTag is the entity tag of such an answer. Something on the way that compresses answers may change it.
const echoTag = `"holdfast"`

// Seen is what arrived of a request.
type Seen struct {
	Schema  string            `json:"schema"` // holdfast.probe/1
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Host    string            `json:"host"`
	Client  string            `json:"client"` // the address that asked, as far as it is known
	HTTPS   bool              `json:"https"`  // it asked over TLS, as far as that is known
	Headers map[string]string `json:"headers"`
	Octets  int64             `json:"octets"` // of the body
}

// telling are the headers that sync depends on.
var telling = []string{"Authorization", "Depth", "If-Match", "If-None-Match", "Destination", "Overwrite", "Content-Type"}

// Probes tells whether a request only asks what arrived of it.
func Probes(r *http.Request, secret string) bool {
	got := r.Header.Get(probeHeader)
	return got != "" && secret != "" && subtle.ConstantTimeCompare([]byte(got), []byte(secret)) == 1
}

// maxEcho bounds what is read of a probe's body.
const maxEcho = 64 << 10

// Echo answers a probe, whatever its method and path. client says who asks, and whether over TLS.
func Echo(client func(*http.Request) (addr string, https bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := Seen{Schema: "holdfast.probe/1", Method: r.Method, Path: r.URL.Path, Host: r.Host, Headers: map[string]string{}}
		s.Client, s.HTTPS = client(r)
		for _, name := range telling {
			if v := r.Header.Values(name); len(v) > 0 {
				s.Headers[name] = strings.Join(v, ", ")
			}
		}
		s.Octets, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxEcho)) // what was not read did not arrive
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("ETag", echoTag)
		_ = json.NewEncoder(w).Encode(s) // nothing is left to tell it to
	})
}
