package bucket_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/bucket"
)

// TestAnAnswerThatIsNotAStores: a page that answers everything with success is no empty bucket, and has taken nothing.
func TestAnAnswerThatIsNotAStores(t *testing.T) {
	for what, page := range map[string]string{"a page": "<!DOCTYPE html>\n<html><body><p>Welcome. Sign in to go on</p></body></html>", "nothing": "", "text": "OK", "an error": "<Error><Code>InternalError</Code></Error>"} {
		t.Run(what, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(w, page)
			}))
			defer srv.Close()
			b, err := bucket.Open(bucket.Options{URL: srv.URL + "/bucket/some/prefix", Key: own, Pause: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			ctx := t.Context()
			large := octets(bucket.Part + 1)
			for call, err := range map[string]error{
				"check": b.Check(ctx),
				"list":  b.List(ctx, "", "", func(bucket.Info) error { return errors.New("something is listed") }),
				"dirs":  b.Dirs(ctx, "", func(string) error { return errors.New("something is listed") }),
				"any":   second(b.Any(ctx, "a", "")),
				"facts": first(b.Facts(ctx)),
				"put":   put(b, "a", []byte("octets"), bucket.Put{}),
				"new":   put(b, "a", []byte("octets"), bucket.Put{New: true}),
				"parts": put(b, "a", large, bucket.Put{New: true}),
				"stat":  first(b.Stat(ctx, "a")),
				"get":   first(b.Get(ctx, "a", 0, -1)),
				"part":  first(b.Get(ctx, "a", 2, 2)),
				"gone":  b.Remove(ctx, "a"),
				"all":   b.RemoveMany(ctx, "", func(string) bool { return true }),
			} {
				if !holdfast.IsKind(err, holdfast.Unavailable) {
					t.Errorf("%s: %v", call, err)
				}
			}
		})
	}
}

// TestALongSilenceBeforeTheAnswer: white space that a store sends while it works is no page of somebody else's.
func TestALongSilenceBeforeTheAnswer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`)
		_, _ = w.Write(bytes.Repeat([]byte(" \n"), 5000))
		_, _ = io.WriteString(w, `<ListBucketResult><Name>bucket</Name><Contents><Key>some/prefix/a</Key><Size>3</Size><ETag>"x"</ETag></Contents></ListBucketResult>`)
	}))
	defer srv.Close()
	b, err := bucket.Open(bucket.Options{URL: srv.URL + "/bucket/some/prefix", Key: own})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if name, ok, err := b.Any(t.Context(), "", ""); name != "a" || !ok || err != nil {
		t.Errorf("%q, %v, %v", name, ok, err)
	}
}

func first[T any](_ T, err error) error { return err }

func second[T, U any](_ T, _ U, err error) error { return err }
