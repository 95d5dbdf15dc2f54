// Package bucket is a bucket of an object store that speaks the protocol of Amazon S3, as vaults and blobs need it: objects that are made once, read in parts, listed in order and removed with all their versions.
//
// # What is asked of the store
//
// A create that says If-None-Match: * never overwrites, also where two come at the same moment; a listing shows what was put before; what was answered is durable; nothing goes by itself. Each request carries the SHA-256 and, as the store's own checksum,
// the CRC-32C of what it brings: the store compares both, whatever lies between.
//
// # What a broken connection leaves
//
// Each call is tried a few times. A create whose answer got lost may be there: who finds its name taken looks whether it is by itself, and then it was made. A read goes on where it broke.
package bucket

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/line"
)

// Key is a credential of an object store.
type Key struct {
	ID     string
	Secret string // in no error and no log
}

// Options say where a bucket is and how it is spoken to. Zero values mean the defaults.
type Options struct {
	URL       string            // https://HOST[:PORT]/BUCKET[/PREFIX]; the prefix is that of all names
	Region    string            // default us-east-1
	Key       Key               //
	Prune     Key               // with which is removed; default Key
	CA        string            // certificates in PEM that the server's is judged by; empty: the system's roots
	Stall     time.Duration     // a connection on which nothing moves for so long is given up; default 30 s
	Pause     time.Duration     // before a request is sent a second time; each time after it is twice as long; default 100 ms
	Transport http.RoundTripper // default a transport of the bucket's own
	Log       *slog.Logger
}

// Bucket is a bucket, or a part of one. All methods may be called from many goroutines. Errors are *holdfast.Error; kinds: NotFound, Exists, Forbidden (the credential may not, or the object is locked), Unauthorized (the credential is not known), Full, TooLarge,
// Invalid (the store found the octets inconsistent, or the options are), Unavailable.
type Bucket struct {
	o      Options
	host   string
	name   string
	prefix string // of all names: empty, or ends in a slash
	api    *minio.Core
	prune  *minio.Core
	close  func()

	skew  atomic.Int64 // how far the store's clock is ahead of this machine's, in nanoseconds
	dated atomic.Bool  // that is known

	mu     sync.Mutex
	facts  Facts
	looked time.Time // when facts were; zero: never
}

// Place is where a bucket is, as a URL says it.
type Place struct {
	Host   string
	Plain  bool // HTTP without TLS
	Bucket string
	Prefix string // empty, or ends in a slash
}

// ParseURL reads https://HOST[:PORT]/BUCKET[/PREFIX]. Plain HTTP is for this machine alone. Errors: Invalid.
func ParseURL(text string) (p Place, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return p, fail("Open", holdfast.Invalid, "", "where a bucket is, is said by a URL like https://s3.example.net/BUCKET/PREFIX", nil)
	}
	if u.Scheme == "http" && !line.Loopback(u.Hostname()) {
		return p, fail("Open", holdfast.Invalid, text, "without TLS others could read along and take part; use https", nil)
	}
	bucket, prefix, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if prefix != "" {
		prefix += "/"
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(bucket+"/"+prefix, "/"), "/") {
		if part == "" || part[0] == '.' || strings.ContainsFunc(part, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
		}) {
			return p, fail("Open", holdfast.Invalid, text, "the URL names no bucket, or its name or prefix has a character that makes trouble: take letters, digits, - and _", nil)
		}
	}
	return Place{Host: u.Host, Plain: u.Scheme == "http", Bucket: bucket, Prefix: prefix}, nil
}

// Open returns the bucket behind a URL. It does not speak to the store yet. Errors: Invalid.
func Open(o Options) (*Bucket, error) {
	o.Region = cmp.Or(o.Region, "us-east-1")
	o.Stall = cmp.Or(o.Stall, 30*time.Second)
	o.Pause = cmp.Or(o.Pause, 100*time.Millisecond)
	o.Prune = cmp.Or(o.Prune, o.Key)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p, err := ParseURL(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Key.ID == "" || o.Key.Secret == "" || o.Prune.ID == "" || o.Prune.Secret == "" {
		return nil, fail("Open", holdfast.Invalid, o.URL, "an object store needs a credential: an access key and its secret", nil)
	}
	b := &Bucket{o: o, host: p.Host, name: p.Bucket, prefix: p.Prefix, close: func() {}}
	if o.Transport == nil {
		trust, err := trustOf(o.CA)
		if err != nil {
			return nil, err
		}
		t := line.Transport(trust, o.Stall)
		b.o.Transport, b.close = t, t.CloseIdleConnections
	}
	if b.api, err = b.client(p, o.Key); err != nil {
		return nil, err
	}
	b.prune, err = b.client(p, o.Prune)
	return b, err
}

// client makes a client that tries each request once: trying again is ours, as it must know what it sends again.
func (b *Bucket) client(p Place, k Key) (*minio.Core, error) {
	c, err := minio.NewCore(p.Host, &minio.Options{Creds: credentials.NewStaticV4(k.ID, k.Secret, ""), Secure: !p.Plain, Region: b.o.Region, Transport: dating{b}, BucketLookup: minio.BucketLookupPath, MaxRetries: 1})
	if err != nil {
		return nil, fail("Open", holdfast.Invalid, b.o.URL, "the object store's address cannot be used", err)
	}
	return c, nil
}

// trustOf says whose certificates are taken.
func trustOf(ca string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca == "" {
		return c, nil
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM([]byte(ca)) {
		return nil, fail("Open", holdfast.Invalid, "", "the certificates of the authority are no PEM", nil)
	}
	return c, nil
}

// dating learns the store's time from its answers, and looks whether they are a store's.
type dating struct{ b *Bucket }

func (d dating) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.b.o.Transport.RoundTrip(r)
	if err != nil {
		return resp, err
	}
	resp.Body = line.Body(resp.Body, d.b.o.Stall)
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		d.b.skew.Store(int64(at.Sub(clock.System.Now())))
		d.b.dated.Store(true)
	}
	if err := checkAnswer(resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// Now asks for the store's own time.
func (b *Bucket) Now(ctx context.Context) (time.Time, error) {
	if err := b.Check(ctx); err != nil {
		return time.Time{}, err
	}
	return b.now(), b.clocked(ctx)
}

// clocked makes sure that the store's time is known.
func (b *Bucket) clocked(ctx context.Context) error {
	if b.dated.Load() {
		return nil
	}
	if err := b.Check(ctx); err != nil || b.dated.Load() {
		return err
	}
	return fail("Now", holdfast.Unavailable, b.host, "the object store's answers do not say its time", nil)
}

// now is the store's time, as far as it is known.
func (b *Bucket) now() time.Time {
	return clock.System.Now().Add(time.Duration(b.skew.Load())).UTC()
}

// Check asks whether the bucket is there. Errors: Unavailable, Unauthorized, Forbidden.
func (b *Bucket) Check(ctx context.Context) error {
	_, _, err := b.Any(ctx, "", "") // not by HEAD, whose answer has no body that says what is wrong
	return err
}

// Host returns the store's address, without a port that says nothing.
func (b *Bucket) Host() string { return b.host }

// String names the bucket for people.
func (b *Bucket) String() string {
	return strings.TrimSuffix("bucket "+b.name+" at "+b.host+"/"+b.prefix, "/")
}

// Close lets go of idle connections.
func (b *Bucket) Close() error { b.close(); return nil }

func (b *Bucket) key(name string) string { return b.prefix + name }
