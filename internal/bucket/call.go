package bucket

import (
	"context"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/minio/minio-go/v7"

	"holdfast"
	"holdfast/internal/clock"
)

func fail(op string, kind holdfast.ErrorKind, ref, text string, err error) error {
	return &holdfast.Error{Op: "bucket." + op, Kind: kind, Ref: ref, Text: text, Err: err}
}

// tries is how often a request is sent. Each waits twice as long as the one before.
const tries = 6

// again makes a call that may be made again, until it succeeds or that is no use.
func (b *Bucket) again(ctx context.Context, op, ref string, call func() error) error {
	for n := 0; ; n++ {
		err := call()
		if err == nil || n+1 == tries || !passing(err) || ctx.Err() != nil {
			return b.fail(ctx, op, ref, err)
		}
		b.o.Log.Debug("an object store is asked again", "bucket", b.name, "op", op, "object", ref, "try", n+1, "err", cause(err))
		if err := b.pause(ctx, n); err != nil {
			return err
		}
	}
}

// pause waits before the next try, n having been made before this one.
func (b *Bucket) pause(ctx context.Context, n int) error {
	most := b.o.Pause << n
	return clock.Sleep(ctx, clock.System, most/2+time.Duration(rand.Int64N(int64(most))))
}

// answerOf returns the store's answer that is in an error; ok is false where none came.
func answerOf(err error) (a minio.ErrorResponse, ok bool) {
	return a, errors.As(err, &a) && a.StatusCode > 0
}

// passing tells whether an error may be over at the next try: no answer came, or one that says so.
func passing(err error) bool {
	var known *holdfast.Error
	if errors.As(err, &known) {
		return false
	}
	a, ok := answerOf(err)
	switch {
	case !ok:
		return true
	case slices.Contains([]string{"SlowDown", "RequestTimeout", "Throttling", "BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest", "IncompleteBody", "OperationAborted", "ConditionalRequestConflict"}, a.Code):
		return true
	case a.StatusCode == http.StatusNotImplemented || full(a):
		return false
	}
	return a.StatusCode >= 500 || a.StatusCode == http.StatusTooManyRequests || a.StatusCode == http.StatusConflict || a.StatusCode == http.StatusRequestTimeout
}

// taken tells whether an error says that a create found another object.
func taken(err error) bool {
	a, ok := answerOf(err)
	return ok && a.StatusCode == http.StatusPreconditionFailed
}

// unheard tells whether a request may have had its effect although it failed: no answer came, or one that says nothing about it.
func unheard(err error) bool {
	a, ok := answerOf(err)
	return !ok || a.StatusCode >= 500
}

func full(a minio.ErrorResponse) bool {
	return a.StatusCode == http.StatusInsufficientStorage || slices.Contains([]string{"QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "NoSpaceLeftOnDevice", "StorageFull"}, a.Code)
}

// cause leaves out of an error the request's address, which is said elsewhere.
func cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// unanswered says why no answer came, as far as somebody can do something about it.
func unanswered(err error) string {
	if _, is := errors.AsType[x509.UnknownAuthorityError](err); is {
		return "nobody whom this machine trusts has signed the object store's certificate; if it is your own store, name a file with that certificate (--ca FILE, or blobs.ca)"
	}
	return "the object store does not answer"
}

const noSuchBucket = "NoSuchBucket"

// fail makes an error of the client one of the bucket.
func (b *Bucket) fail(ctx context.Context, op, ref string, err error) error {
	var known *holdfast.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	a, ok := answerOf(err)
	if !ok && errors.Is(err, errForeign) {
		return fail(op, holdfast.Unavailable, b.host, "something answers there that is no object store, or stands before it: look at the URL, and at proxies", cause(err))
	}
	if !ok {
		return fail(op, holdfast.Unavailable, b.host, unanswered(err), cause(err))
	}
	kind, text := b.judge(a)
	if a.Code == noSuchBucket {
		ref = b.name
	}
	return fail(op, kind, ref, text, err)
}

// judge says what an answer means.
func (b *Bucket) judge(a minio.ErrorResponse) (holdfast.ErrorKind, string) {
	switch {
	case full(a):
		return holdfast.Full, "the object store is full, or a quota is used up; make room there"
	case a.Code == "InvalidAccessKeyId" || a.Code == "XAdminUserNotFound" || a.Code == "SignatureDoesNotMatch" || a.StatusCode == http.StatusUnauthorized:
		return holdfast.Unauthorized, "the object store does not take the credential: look at the access key, its secret, and the region"
	case a.Code == noSuchBucket:
		return holdfast.Unavailable, "there is no such bucket; make it first"
	case a.Code == "NoSuchKey" || a.Code == "NoSuchVersion":
		return holdfast.NotFound, "there is no such object"
	case a.StatusCode == http.StatusPreconditionFailed:
		return holdfast.Exists, "there is another object of this name; nothing is overwritten"
	case a.Code == "RequestTimeTooSkewed":
		return holdfast.Unavailable, "the clocks of this machine and of the object store are too far apart"
	case a.StatusCode == http.StatusForbidden || a.Code == "ObjectLocked":
		return holdfast.Forbidden, "the object store does not let the credential do that, or has the object locked"
	case a.Code == "EntityTooLarge":
		return holdfast.TooLarge, "the object store does not take objects of this size"
	case a.Code == "BadDigest" || a.Code == "XAmzContentSHA256Mismatch" || a.Code == "InvalidDigest":
		return holdfast.Invalid, "other octets arrive at the object store than were sent, again and again"
	case a.StatusCode == http.StatusNotImplemented:
		return holdfast.Unavailable, "the object store cannot do what is needed of it"
	}
	return holdfast.Unavailable, "the object store answers with an error"
}
