package main

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"holdfast/internal/registry"
)

// credential is what a credential's file says: the secret, and by which fingerprint the server is known; of a bucket, its region, and whose certificates are taken.
type credential struct{ text, fingerprint, region, ca string }

// readCredential reads a credential's file: the secret in its first line, "fingerprint HEX" in another one.
func readCredential(name string) (c credential, err error) {
	b, err := readFileLimited(name, maxKeyFile)
	if err != nil {
		return c, &exitError{exitUsage, "the credential cannot be read: " + oneLine(err)}
	}
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		line = strings.TrimSpace(line)
		if i == 0 {
			c.text = line
		} else if hex, ok := strings.CutPrefix(line, "fingerprint "); ok {
			c.fingerprint = strings.TrimSpace(hex)
		}
	}
	if c.text == "" || strings.ContainsAny(c.text, " \t") {
		return c, &exitError{exitUsage, name + " holds no credential: it is the first line of a file that `holdfast vault serve` wrote"}
	}
	return c, nil
}

// credentialFor reads the credential of the n-th vault that lies elsewhere; of several files they come in their order, and the last one is that of all that follow.
func (f *restoreFlags) credentialFor(from string, n int) (c credential, err error) {
	file := ""
	if have := len(f.credential); have > 0 {
		file = f.credential[min(n, have-1)]
	}
	if c, err = credentialOf(from, file); err != nil {
		return c, err
	}
	e := registry.Entry{Region: c.region}
	err = f.bucket.fill(&e)
	c.region, c.ca, c.fingerprint = e.Region, e.CA, cmp.Or(f.print, c.fingerprint)
	return c, err
}

// credentialOf reads the credential of a vault that --from names: of a server, or of a bucket.
func credentialOf(from, file string) (c credential, err error) {
	if inBucket(from) {
		k, err := readBucketKey(file)
		return credential{text: k.text, region: k.region}, err
	}
	if file == "" {
		return c, nil
	}
	return readCredential(file)
}

// The environment and the files of other programs call the halves of a credential so.
const (
	envKeyID     = "AWS_ACCESS_KEY_ID"
	envKeySecret = "AWS_SECRET_ACCESS_KEY" // the name of it, and no secret
)

// bucketKey is the credential of a bucket: from a file, or from the environment where none is named.
type bucketKey struct{ text, region string } // ID:SECRET

// readBucketKey reads it. A file says ID:SECRET, or has lines as other programs for object stores write them: aws_access_key_id = ID, aws_secret_access_key = SECRET, and perhaps region. Of several sections the first counts.
func readBucketKey(name string) (k bucketKey, err error) {
	id, secret := os.Getenv(envKeyID), os.Getenv(envKeySecret)
	if name != "" {
		b, err := readFileLimited(name, maxKeyFile)
		if err != nil {
			return k, &exitError{exitUsage, "the credential cannot be read: " + oneLine(err)}
		}
		id, secret, k.region = parseBucketKey(string(b))
	}
	switch {
	case name == "" && id == "" && secret == "":
		return k, &exitError{exitUsage, fmt.Sprintf("a vault in a bucket needs --credential FILE, or %s and %s in the environment", envKeyID, envKeySecret)}
	case id == "" || secret == "" || strings.ContainsAny(id+secret, " \t\r\n") || strings.Contains(id, ":"):
		return k, &exitError{exitUsage, cmp.Or(name, "the environment") + " holds no credential of an object store: it is ID:SECRET, or the lines aws_access_key_id = ID and aws_secret_access_key = SECRET"}
	}
	k.text = id + ":" + secret
	return k, nil
}

func parseBucketKey(text string) (id, secret, region string) {
	sections := 0
	for l := range strings.Lines(text) {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "[") {
			sections++
		}
		name, value, ok := strings.Cut(l, "=")
		if !ok || sections > 1 || strings.HasPrefix(l, "#") {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "aws_access_key_id":
			id = value
		case "aws_secret_access_key":
			secret = value
		case "region":
			region = value
		}
	}
	if id == "" && secret == "" {
		id, secret, _ = strings.Cut(strings.TrimSpace(text), ":")
	}
	return id, secret, region
}
