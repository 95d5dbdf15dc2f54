package bucket_test

import (
	"testing"

	"github.com/minio/minio-go/v7"

	"holdfast/internal/s3test"
)

var removeOptions minio.RemoveObjectOptions

// traces counts the versions and marks of what begins with a prefix.
func traces(t *testing.T, srv *s3test.Server, bucket, prefix string) (n int) {
	t.Helper()
	for st := range srv.API.ListObjectsIter(t.Context(), bucket, minio.ListObjectsOptions{Prefix: "some/prefix/" + prefix, Recursive: true, WithVersions: true}) {
		if st.Err != nil {
			t.Fatal(st.Err)
		}
		n++
	}
	return n
}

func every(string) bool { return true }
