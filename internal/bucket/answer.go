package bucket

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"slices"
)

// errForeign says that what answered is not the store: a page of a proxy, of a hotspot, of another service under the same name. Read as an answer it would be an empty bucket, an object that was made, a bucket that keeps no versions.
var errForeign = errors.New("what answered is no object store, or something stands before it")

// documents are what is asked for by a word in a request's query, and what a document is called that answers it.
var documents = []struct {
	method, word string
	roots        []string
}{
	{http.MethodGet, "list-type", []string{"ListBucketResult"}},
	{http.MethodGet, "versions", []string{"ListVersionsResult"}},
	{http.MethodGet, "versioning", []string{"VersioningConfiguration"}},
	{http.MethodGet, "object-lock", []string{"ObjectLockConfiguration"}},
	{http.MethodPost, "uploads", []string{"InitiateMultipartUploadResult"}},
	{http.MethodPost, "uploadId", []string{"CompleteMultipartUploadResult", "Error"}}, // which it may say after it has said 200
}

// objectWords are those of a query that is about an object or a part of one all the same.
var objectWords = []string{"partNumber", "uploadId", "versionId", "x-id"}

// checkAnswer refuses an answer of success that a store does not give: a document of another kind, or an object without an ETag. The body can be read as before.
func checkAnswer(resp *http.Response) error {
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent {
		return nil
	}
	r := resp.Request
	query := r.URL.Query()
	for _, d := range documents {
		if r.Method == d.method && query.Has(d.word) {
			root, err := rootOf(resp)
			if err == nil && !slices.Contains(d.roots, root) {
				err = errForeign
			}
			return err
		}
	}
	for word := range query {
		if !slices.Contains(objectWords, word) {
			return nil
		}
	}
	if r.Method == http.MethodPut || r.Method == http.MethodGet || r.Method == http.MethodHead {
		if resp.Header.Get("ETag") == "" {
			return errForeign
		}
	}
	return nil
}

// maxBeforeRoot is how much may stand before a document's first element: some stores send white space while they work.
const maxBeforeRoot = 256 << 10

// rootOf returns what the document of an answer is called; "" where it is none. Errors: those of the line.
func rootOf(resp *http.Response) (string, error) {
	var read bytes.Buffer
	body := resp.Body
	d := xml.NewDecoder(io.TeeReader(io.LimitReader(body, maxBeforeRoot), &read))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	d.Strict = false
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(&read, body), body}
	for {
		t, err := d.Token()
		var syntax *xml.SyntaxError
		switch e, is := t.(xml.StartElement); {
		case is:
			return e.Name.Local, nil
		case err == io.EOF || errors.As(err, &syntax):
			return "", nil // an empty body, or no document: no root that anybody waits for
		case err != nil:
			return "", err
		}
	}
}
