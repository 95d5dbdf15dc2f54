package bucket

import (
	"context"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"holdfast/internal/clock"
)

// Answer is what is known of a bucket.
type Answer string

// The answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown" // the credential may not ask
)

// Facts are what a bucket was made for.
type Facts struct {
	Versions Answer // it keeps what was overwritten or removed, until its own rules let that go; also where it did so once
	Locks    Answer // objects can be locked: nobody removes them before a moment, with whatever credential
}

// factsFor is how long facts are remembered.
const factsFor = 10 * time.Minute

// Facts asks what the bucket was made for. Errors: those of all calls.
func (b *Bucket) Facts(ctx context.Context) (f Facts, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if since := clock.System.Now().Sub(b.looked); !b.looked.IsZero() && since >= 0 && since < factsFor {
		return b.facts, nil
	}
	err = b.again(ctx, "Facts", b.name, func() error {
		v, err := b.api.GetBucketVersioning(ctx, b.name)
		f.Versions, err = answered(v.Enabled() || v.Suspended(), err)
		return err
	})
	if err != nil {
		return f, err
	}
	err = b.again(ctx, "Facts", b.name, func() error {
		state, _, _, _, err := b.api.GetObjectLockConfig(ctx, b.name)
		f.Locks, err = answered(state == "Enabled", err)
		return err
	})
	if err == nil {
		b.facts, b.looked = f, clock.System.Now()
	}
	return f, err
}

// answered reads an answer to whether a bucket does something: a store that knows no such thing says so with an error.
func answered(does bool, err error) (Answer, error) {
	a, ok := answerOf(err)
	switch {
	case err == nil && does:
		return Yes, nil
	case err == nil, a.StatusCode == http.StatusNotImplemented, a.StatusCode == http.StatusMethodNotAllowed, a.Code == "ObjectLockConfigurationNotFoundError", a.Code == "NoSuchObjectLockConfiguration", a.Code == "VersioningNotConfigured":
		return No, nil
	case ok && a.StatusCode == http.StatusForbidden && a.Code == "AccessDenied":
		return Unknown, nil
	}
	return Unknown, err
}

// Hold locks an object, so that nobody may remove it before so long has passed from now; one that is locked for as long already stays as it is. Errors: NotFound, those of all calls.
func (b *Bucket) Hold(ctx context.Context, name string, lock time.Duration) error {
	if err := b.clocked(ctx); err != nil {
		return err
	}
	mode, until := minio.Compliance, b.until(lock)
	return b.again(ctx, "Hold", name, func() error {
		// Not every store refuses to shorten a lock, so that it is asked before.
		st, err := b.api.StatObject(ctx, b.name, b.key(name), minio.StatObjectOptions{})
		if err != nil {
			return err
		}
		if last, err := time.Parse(time.RFC3339, st.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date")); err == nil && !last.Before(until) {
			return nil
		}
		return b.api.PutObjectRetention(ctx, b.name, b.key(name), minio.PutObjectRetentionOptions{Mode: &mode, RetainUntilDate: &until})
	})
}
