package main

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/config"
	"holdfast/internal/vfs"

	"github.com/spf13/pflag"
)

func TestRecords(t *testing.T) {
	four, six := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("2001:db8::7")
	for _, tt := range []struct {
		url, email string
		addrs      []netip.Addr
		want       []string
	}{
		{"https://cloud.example.org", "you@example.org", []netip.Addr{four, six}, []string{"cloud.example.org. A 198.51.100.7", "cloud.example.org. AAAA 2001:db8::7",
			"_caldavs._tcp.example.org. SRV 0 1 443 cloud.example.org.", `_caldavs._tcp.example.org. TXT "path=/dav/"`, "_carddavs._tcp.example.org. SRV 0 1 443 cloud.example.org.", `_carddavs._tcp.example.org. TXT "path=/dav/"`}},
		{"https://example.org:8443", "you@example.org", []netip.Addr{four}, []string{"example.org. A 198.51.100.7",
			"_caldavs._tcp.example.org. SRV 0 1 8443 example.org.", `_caldavs._tcp.example.org. TXT "path=/dav/"`, "_carddavs._tcp.example.org. SRV 0 1 8443 example.org.", `_carddavs._tcp.example.org. TXT "path=/dav/"`}},
		{"https://cloud.example.org", "you@mail.example", []netip.Addr{four}, []string{"cloud.example.org. A 198.51.100.7"}}, // a domain of somebody else
		{"https://cloud.example.org", "you@mail.example", nil, []string{"cloud.example.org. A ", "cloud.example.org. AAAA "}},
		{"http://cloud.example.org", "you@example.org", []netip.Addr{four}, []string{"cloud.example.org. A 198.51.100.7",
			"_caldav._tcp.example.org. SRV 0 1 80 cloud.example.org.", `_caldav._tcp.example.org. TXT "path=/dav/"`, "_carddav._tcp.example.org. SRV 0 1 80 cloud.example.org.", `_carddav._tcp.example.org. TXT "path=/dav/"`}},
		{"http://127.0.0.1:8420", "you@example.org", []netip.Addr{four}, nil},
		{"http://localhost:8420", "you@example.org", []netip.Addr{four}, nil},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range records(u, tt.email, tt.addrs) {
			if (r.Value == "") != (r.Note != "") {
				t.Errorf("%s: half a record: %+v", tt.url, r)
			}
			got = append(got, r.Name+" "+r.Type+" "+r.Value)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s for %s:\n%s\nwant\n%s", tt.url, tt.email, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}

// TestSettingsAreWhatWasSaid writes holdfast.toml for some flags, reads it without them, and wants the same settings.
func TestSettingsAreWhatWasSaid(t *testing.T) {
	for _, flags := range [][]string{
		nil,
		{"--listen", ":443", "--acme", "cloud.example.org", "--acme", "dav.example.org", "--admin-listen", "none"},
		{"--public-url", "https://cloud.example.org"},
		{"--public-url", "https://cloud.example.org", "--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "fd00::1"},
		{"--listen", "0.0.0.0:8420", "--http-without-tls", "--ack", "engine", "--first-vault", "none", "--volatile"},
		{"--tls-cert", `/srv/a "quoted" path\cert é.pem`, "--tls-key", "/srv/key.pem", "--first-vault", "/mnt/first vault"},
	} {
		t.Run(fmt.Sprint(flags), func(t *testing.T) {
			data := t.TempDir()
			fs := pflag.NewFlagSet("quickstart", pflag.ContinueOnError)
			config.AddServeFlags(fs)
			config.AddDataFlags(fs)
			if err := fs.Parse(append([]string{"--data", data}, flags...)); err != nil {
				t.Fatal(err)
			}
			c, err := config.Load(config.Source{Flags: fs})
			if err != nil {
				t.Fatal(err)
			}
			q := &quickstart{c: c}
			if err := q.writeConfig(); err != nil {
				t.Fatal(err)
			}
			read, err := config.Load(config.Source{Environ: []string{"HOLDFAST_DATA=" + data}})
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{}
			for _, k := range c.Keys() {
				want[k.Name] = k.Text()
			}
			for _, k := range read.Keys() {
				if k.Text() != want[k.Name] {
					t.Errorf("%s is %q, want %q", k.Name, k.Text(), want[k.Name])
				}
			}
		})
	}
}

// TestCommentsHoldAnyway takes the marks away from the settings that are comments: nothing is to change.
func TestCommentsHoldAnyway(t *testing.T) {
	c, err := config.Load(config.Source{Environ: []string{"HOLDFAST_DATA=" + t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	text := (&quickstart{c: c}).toml()
	bare := regexp.MustCompile(`(?m)^# ([a-z_]+(\.[a-z_]+)?) = `).ReplaceAllString(text, "$1 = ")
	if strings.Count(bare, "\n# ") >= strings.Count(text, "\n# ") {
		t.Fatal("no setting is a comment")
	}
	file := filepath.Join(t.TempDir(), config.FileName)
	if err := os.WriteFile(file, []byte(bare), 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := config.Load(config.Source{Environ: []string{"HOLDFAST_CONFIG=" + file, "HOLDFAST_DATA=" + c.Data}})
	if err != nil {
		t.Fatalf("%v\n%s", err, bare)
	}
	for i, k := range read.Keys() {
		if want := c.Keys()[i].Text(); k.Text() != want {
			t.Errorf("%s is %q, want %q", k.Name, k.Text(), want)
		}
	}
}

// TestMountedApart: the unit opens a disk that may come and go where it is mounted, and nothing more than the vault of a disk that the data lie on too.
func TestMountedApart(t *testing.T) {
	data := t.TempDir()
	if _, err := vfs.MountPoint(data); err != nil {
		t.Skip("the system does not tell where file systems are mounted: ", err)
	}
	for dir, want := range map[string]string{"/proc/self": "/proc", "/": "", filepath.Join(data, "vault"): ""} {
		if got := mountedApart(dir, data); got != want {
			t.Errorf("%s: %q, want %q", dir, got, want)
		}
	}
}
