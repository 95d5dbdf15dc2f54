package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Validate tells which setting contradicts itself or another. It looks at values alone, never at the machine.
func (c *Config) Validate() error {
	return errors.Join(c.checkAddresses(), c.checkTLS(), c.checkPublicURL(), c.checkWords(), c.checkPositive(), c.Notify.check())
}

func (c *Config) checkAddresses() error {
	if c.Data == "" {
		return errors.New("data: the data directory has no name")
	}
	if err := checkAddress(c.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if c.AdminListen == "none" {
		return nil
	}
	if err := checkAddress(c.AdminListen); err != nil {
		return fmt.Errorf("admin_listen: %w", err)
	}
	return nil
}

func checkAddress(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%q is not an address like 127.0.0.1:8420", s)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q: the port is a number from 0 to 65535", s)
	}
	return nil
}

func (c *Config) checkTLS() error {
	switch {
	case (c.TLS.Cert == "") != (c.TLS.Key == ""):
		return errors.New("tls: a certificate needs its key: give both --tls-cert and --tls-key")
	case c.TLS.Cert != "" && len(c.ACME.Domains) > 0:
		return errors.New("tls: choose one, --tls-cert or --acme")
	case (c.ACME.KeyID == "") != (c.ACME.Key == ""):
		return errors.New("acme: an external account binding needs both acme.key_id and acme.key")
	}
	for _, d := range c.ACME.Domains {
		if d == "" || strings.ContainsAny(d, "/: @") || !strings.Contains(d, ".") {
			return fmt.Errorf("acme.domain: %q is not a domain like cloud.example.org", d)
		}
	}
	u, err := url.Parse(c.ACME.Directory)
	if len(c.ACME.Domains) > 0 && (err != nil || u.Scheme != "https" || u.Host == "") {
		return fmt.Errorf("acme.directory: %q is not an https URL", c.ACME.Directory)
	}
	return nil
}

func (c *Config) checkPublicURL() error {
	if c.PublicURL == "" {
		return nil
	}
	u, err := url.Parse(c.PublicURL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("public_url: %q is not a URL like https://cloud.example.org", c.PublicURL)
	case strings.Trim(u.Path, "/") != "":
		return fmt.Errorf("public_url: %q has a path; Holdfast needs a host name of its own, since programs look for it at the root", c.PublicURL)
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsUnspecified() {
		return fmt.Errorf("public_url: %q cannot be opened by anybody", c.PublicURL)
	}
	c.PublicURL = u.Scheme + "://" + u.Host
	return nil
}

func (c *Config) checkWords() error {
	switch {
	case !slices.Contains([]string{"strict", "degraded"}, c.Policy.OnFailure):
		return fmt.Errorf("policy.on_failure: %q is neither strict nor degraded", c.Policy.OnFailure)
	case c.Blobs.Store != "disk" && c.Blobs.Store != "s3":
		return fmt.Errorf("blobs.store: %q is neither disk nor s3", c.Blobs.Store)
	case (c.Blobs.Store == "s3") != (c.Blobs.URL != ""):
		return errors.New("blobs: a bucket needs blobs.store = \"s3\", and blobs.url that says where it is")
	case c.Policy.Ack == "":
		return errors.New("policy.ack: say which copies an answer waits for, like engine+local")
	case !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level):
		return fmt.Errorf("log.level: %q is none of debug, info, warn, error", c.Log.Level)
	case !slices.Contains([]string{"auto", "text", "json"}, c.Log.Format):
		return fmt.Errorf("log.format: %q is none of auto, text, json", c.Log.Format)
	}
	return nil
}

// checkPositive refuses zero where zero would mean "for ever" or "nothing at all".
func (c *Config) checkPositive() error {
	zero := []string{"limits.quota", "acme.http_port", "scrub.rate", "photos.workers", "photos.reserve"} // 0 has a meaning here
	for _, k := range c.Keys() {
		if k.Text() == "0" && !slices.Contains(zero, k.Name) || k.Text() == "0s" {
			return fmt.Errorf("%s: 0 is too little", k.Name)
		}
	}
	return nil
}

// HasTLS tells whether the server itself speaks TLS.
func (c *Config) HasTLS() bool { return c.TLS.Cert != "" || len(c.ACME.Domains) > 0 }

// BeyondLoopback tells whether the listen address can be reached from other machines.
func (c *Config) BeyondLoopback() bool { return beyondLoopback(c.Listen) }

// AdminBeyondLoopback tells the same of the admin listener.
func (c *Config) AdminBeyondLoopback() bool {
	return c.AdminListen != "none" && beyondLoopback(c.AdminListen)
}

func beyondLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return true
	}
	if host == "localhost" {
		return false
	}
	ip := net.ParseIP(host)
	return ip == nil || !ip.IsLoopback()
}
