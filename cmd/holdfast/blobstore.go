package main

import (
	"cmp"
	"context"
	"log/slog"
	"path/filepath"

	"holdfast"
	"holdfast/internal/blob"
	blobdisk "holdfast/internal/blob/disk"
	blobs3 "holdfast/internal/blob/s3"
	"holdfast/internal/bucket"
	"holdfast/internal/config"
	"holdfast/internal/registry"
	"holdfast/internal/vfs"
)

// The names in a data directory of what says that the octets of large files lie in a bucket, and of the directory for what is on its way there.
const (
	blobsInName    = "blobs-in.json"
	blobsSpoolName = "blobs-spool"
)

// blobsIn says which bucket the octets of a store's large files lie in.
type blobsIn struct {
	URL   string `json:"url"`
	Owner string `json:"owner"` // by which the bucket knows this data directory
}

// openBlobStore opens where the octets of large files lie, of the store in dir. They are never looked for in another place than where they were put: a file that is not found there would be one that is lost.
func openBlobStore(ctx context.Context, c *config.Config, dir string, log *slog.Logger) (blob.Store, error) {
	var in blobsIn
	was, err := readState(dir, blobsInName, &in)
	if err != nil {
		return nil, err
	}
	if c.Blobs.Store == "disk" {
		if was {
			return nil, refused("the octets of large files lie in the bucket %s, and the settings say that they lie on disk: every one would be missing. Set blobs.store = \"s3\" and blobs.url again", in.URL)
		}
		return blobdisk.Open(vfs.OS, filepath.Join(dir, blobsName))
	}
	b, err := openBlobBucket(c, log)
	if err != nil {
		return nil, err
	}
	switch {
	case was && in.URL != c.Blobs.URL:
		return nil, refused("the octets of large files lie in the bucket %s, and blobs.url says %s: every one would be missing. Where that is the same bucket by another name, write it into %s as well", in.URL, c.Blobs.URL, filepath.Join(dir, blobsInName))
	case !was:
		if err := noneOnDisk(ctx, dir); err != nil {
			return nil, err
		}
		in = blobsIn{c.Blobs.URL, holdfast.NewID(nil).String()}
		if err := writeState(dir, blobsInName, in); err != nil {
			return nil, err
		}
	}
	return blobs3.Open(vfs.OS, b, filepath.Join(dir, blobsSpoolName), in.Owner)
}

// openBlobBucket opens the bucket that the settings name. It does not speak to the store yet: a service starts without it, and serves what does not lie there.
func openBlobBucket(c *config.Config, log *slog.Logger) (*bucket.Bucket, error) {
	own, err := readBucketKey(c.Blobs.Credential)
	if err != nil {
		return nil, err
	}
	prune := own
	if c.Blobs.PruneCredential != "" {
		if prune, err = readBucketKey(c.Blobs.PruneCredential); err != nil {
			return nil, err
		}
	}
	e := registry.Entry{Region: own.region}
	if err := (&bucketFlags{region: c.Blobs.Region, ca: c.Blobs.CA}).fill(&e); err != nil {
		return nil, err
	}
	b, err := bucket.Open(bucket.Options{URL: c.Blobs.URL, Region: e.Region, Key: keyOf(own.text), Prune: keyOf(prune.text), CA: e.CA, Log: log})
	if err != nil {
		return nil, &exitError{exitUsage, "blobs.url: " + sentence(err)}
	}
	return b, nil
}

// noneOnDisk refuses a bucket for a store that has files on disk.
func noneOnDisk(ctx context.Context, dir string) error {
	at := filepath.Join(dir, blobsName)
	if _, err := vfs.OS.Stat(at); err != nil {
		return nil
	}
	s, err := blobdisk.Open(vfs.OS, at)
	if err != nil {
		return err
	}
	defer s.Close()
	accounts, err := s.Accounts(ctx)
	for _, id := range accounts {
		if err == nil {
			err = s.List(ctx, id, nil, 1, func(blob.Info) error {
				return refused("octets of large files lie in %s, and the settings say that they lie in a bucket: every one would be missing. Set blobs.store = \"disk\" again; a store that is restored anew may have them in a bucket", at)
			})
		}
	}
	return err
}

// ownBlobs takes the bucket over in which the octets of large files lie, for a store that was adopted: the one before lets go of nothing there from then on.
func ownBlobs(ctx context.Context, c *config.Config, dir string, log *slog.Logger) error {
	if was, err := readState(dir, blobsInName, &blobsIn{}); err != nil || !was && c.Blobs.Store != "s3" {
		return err
	}
	s, err := openBlobStore(ctx, c, dir, log)
	if err != nil {
		return err
	}
	defer s.Close()
	if b, is := s.(*blobs3.Store); is {
		err = b.Own(ctx, true)
	}
	return err
}

// sayBlobs logs at a start whether the bucket of large files answers. It is no reason not to start.
func sayBlobs(ctx context.Context, c *config.Config, log *slog.Logger) {
	if c.Blobs.Store != "s3" {
		return
	}
	b, err := openBlobBucket(c, log)
	if err == nil {
		defer b.Close()
		err = b.Check(ctx)
	}
	if err != nil && ctx.Err() == nil {
		log.Error("large files cannot be read or taken: their bucket does not answer as it should", "bucket", c.Blobs.URL, "err", cmp.Or(sentence(err), err.Error()))
		return
	}
	log.Info("the octets of large files lie in a bucket", "bucket", c.Blobs.URL)
}
