package main

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"holdfast/deploy"
	"holdfast/internal/doctor"
	"holdfast/internal/vfs"
)

// dnsRecord is one record that is to be made. Value is empty where this machine cannot know it.
type dnsRecord struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
	Note  string `json:"note,omitempty"`
}

// clientSetting is what is typed into a phone or program.
type clientSetting struct {
	Client string   `json:"client"`
	Steps  []string `json:"steps"`
}

// advise works out what others are to be told.
func (q *quickstart) advise() {
	u := q.public()
	q.report.Records = records(u, q.report.Email, addresses())
	q.report.Clients = clients(u, q.report.Email)
	q.systemd()
	q.next(u)
}

// public is the address that phones are given.
func (q *quickstart) public() *url.URL {
	if u, err := url.Parse(q.c.PublicURL); err == nil && u.Host != "" {
		return u
	}
	scheme, host := "http", q.c.Listen
	if q.c.HasTLS() {
		scheme = "https"
	}
	name, port, err := net.SplitHostPort(q.c.Listen)
	if err == nil && len(q.c.ACME.Domains) > 0 {
		name = q.c.ACME.Domains[0]
	}
	if ip := net.ParseIP(name); name == "" || ip != nil && ip.IsUnspecified() {
		name = "127.0.0.1"
	}
	if host = net.JoinHostPort(name, port); port == map[string]string{"http": "80", "https": "443"}[scheme] {
		host = name
	}
	return &url.URL{Scheme: scheme, Host: host}
}

// outside tells whether an address can be a name in the DNS.
func outside(u *url.URL) bool {
	return net.ParseIP(u.Hostname()) == nil && strings.Contains(u.Hostname(), ".")
}

// addresses are those of this machine that the internet may know.
func addresses() (out []netip.Addr) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range list {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap().IsGlobalUnicast() && !ip.Unmap().IsPrivate() {
			out = append(out, ip.Unmap())
		}
	}
	return out
}

// records are those of RFC 6764 and of the name itself.
func records(u *url.URL, email string, addrs []netip.Addr) []dnsRecord {
	out := []dnsRecord{}
	if !outside(u) {
		return out
	}
	host := u.Hostname()
	for _, a := range addrs {
		kind := "A"
		if a.Is6() {
			kind = "AAAA"
		}
		out = append(out, dnsRecord{Name: host + ".", Type: kind, Value: a.String()})
	}
	if len(out) == 0 {
		note := "this machine has private addresses only: put the one by which the internet reaches it (your router's, which must pass the port on)"
		out = append(out, dnsRecord{Name: host + ".", Type: "A", Note: note}, dnsRecord{Name: host + ".", Type: "AAAA", Note: "if there is one"})
	}
	_, domain, _ := strings.Cut(email, "@")
	if !strings.HasSuffix("."+host, "."+domain) { // the domain is somebody else's, or says nothing of this host
		return out
	}
	port, secure := u.Port(), "s"
	if u.Scheme == "http" {
		secure = ""
	}
	if port == "" {
		port = map[string]string{"": "80", "s": "443"}[secure]
	}
	for _, service := range []string{"caldav", "carddav"} {
		name := "_" + service + secure + "._tcp." + domain + "."
		out = append(out, dnsRecord{Name: name, Type: "SRV", Value: "0 1 " + port + " " + host + "."}, dnsRecord{Name: name, Type: "TXT", Value: `"path=/dav/"`})
	}
	return out
}

// clients says what is typed where. Each device gets an app password of its own.
func clients(u *url.URL, email string) []clientSetting {
	host := u.Hostname()
	if u.Port() != "" {
		host = u.Host
	}
	return []clientSetting{
		{"iPhone, iPad, Mac", []string{
			"On " + u.String() + "/ sign in, add a device, scan the QR code, install the profile.",
			"By hand: Settings, Apps, Calendar, Calendar Accounts, Add Account, Other, Add CalDAV Account; likewise in Contacts, Add CardDAV Account.",
			"Server " + host + ", User Name " + email + ", Password: the device's app password."}},
		{"Android with DAVx5", []string{
			"On " + u.String() + "/ sign in, add a device, scan the QR code, tap the link.",
			"By hand: Add account, Login with URL and user name: Base URL " + u.String() + "/, User name " + email + ", Password: the device's app password."}},
		{"Thunderbird", []string{
			"Calendar: New Calendar, On the Network, Username " + email + ", Location " + u.String() + "/, Find Calendars.",
			"Address book: New Address Book, Add CardDAV Address Book, Username " + email + ", Location " + u.String() + "/.",
			"Password: the device's app password."}},
		{"Files and photos, with programs that speak WebDAV (PhotoSync, FolderSync, rclone, davfs2, file managers)", []string{
			"Address " + filesURL(u, "/dav/files/", email) + ", user " + email + ", password: the device's app password. What comes into the folder Photos is shown as photos.",
			"rclone: type webdav, vendor nextcloud, url " + filesURL(u, "/remote.php/dav/files/", email) + "."}},
	}
}

// filesURL is the address of somebody's files.
func filesURL(u *url.URL, at, email string) string {
	return u.JoinPath(at, url.PathEscape(email)).String() + "/"
}

// serviceUser is who the service runs as where the superuser sets it up.
const serviceUser = "holdfast"

// systemd works out the unit, and the commands that install it.
func (q *quickstart) systemd() {
	s := deploy.Service{Program: "/usr/local/bin/holdfast", Data: q.c.Data, Writes: q.vaultDirs, User: serviceUser}
	if self, err := os.Executable(); err == nil {
		s.Program = self
	}
	for _, dir := range s.Writes {
		if m := mountedApart(dir, q.c.Data); m != "" {
			s.Mounts = append(s.Mounts, m)
		}
	}
	if q.c.TLS.Cert != "" {
		s.Reads = append(s.Reads, q.c.TLS.Cert, q.c.TLS.Key)
	}
	cmds := []string{}
	if me, err := user.Current(); os.Geteuid() != 0 && err == nil {
		s.User = me.Username
	} else {
		cmds = append(cmds, "useradd --system --home-dir "+shell(q.c.Data)+" --shell /usr/sbin/nologin "+serviceUser,
			"chown -R "+serviceUser+": "+strings.Join(shells(append([]string{q.c.Data}, s.Writes...)), " "))
		for _, dir := range closed(append([]string{q.c.Data}, s.Writes...)) {
			cmds = append(cmds, "chown "+serviceUser+": "+shell(dir))
		}
	}
	if q.c.TLS.Cert != "" {
		cmds = append(cmds, fmt.Sprintf("# %s must be able to read %s and %s", s.User, q.c.TLS.Cert, q.c.TLS.Key))
	}
	q.report.Unit = deploy.Unit(s)
	q.report.Commands = append(cmds, "systemd-analyze verify /etc/systemd/system/holdfast.service", "systemctl daemon-reload", "systemctl enable --now holdfast", "journalctl -u holdfast -f")
}

// mountedApart returns where the file system of dir is mounted; empty where that is the one of data, or nobody knows.
func mountedApart(dir, data string) string {
	at, err := vfs.MountPoint(dir)
	home, bad := vfs.MountPoint(data)
	if err != nil || bad != nil || at == home || at == "/" {
		return ""
	}
	return at
}

// closed returns the directories above some paths that only their owner may pass, as those are that were made on the way.
func closed(paths []string) (out []string) {
	seen := map[string]bool{}
	for _, p := range paths {
		dir := filepath.Dir(p)
		st, err := os.Stat(dir)
		if err == nil && st.Mode().Perm()&0o011 == 0 && !seen[dir] && filepath.Dir(dir) != "/" {
			seen[dir] = true
			out = append(out, dir)
		}
	}
	return out
}

func shells(list []string) (out []string) {
	for _, s := range list {
		out = append(out, shell(s))
	}
	return out
}

// shell quotes a word for a shell where that is needed.
func shell(s string) string {
	if !strings.ContainsAny(s, " \t\n'\"\\$&;|<>()*?`!#~") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// next says what comes next.
func (q *quickstart) next(u *url.URL) {
	at := " --data " + shell(q.c.Data)
	add := func(format string, args ...any) { q.report.Next = append(q.report.Next, fmt.Sprintf(format, args...)) }
	q.report.Next = []string{}
	if k := q.report.Key; k != nil {
		add("Take %s away from this machine: print it, or put it on a stick or into a password manager. Then prove with that copy that you have it (holdfast key check COPY%s), and remove the file here. Without it nobody can help you when this disk is lost.", k.File, at)
	}
	switch {
	case !outside(u) && !q.c.BeyondLoopback():
		add("No phone can reach %s: say under which name they will in %s (public_url), and put a proxy in front that speaks TLS, or let Holdfast do that (listen = \":443\", acme.domain).", u, filepath.Join(q.c.Data, "holdfast.toml"))
	case u.Scheme == "https" && !q.c.HasTLS():
		add("Holdfast itself speaks plain HTTP on %s: a proxy on this machine (Caddy: `%s { reverse_proxy %s }`) must hold the certificate, and pass all methods and headers. Without a proxy: listen = \":443\", acme.domain = [\"%s\"] in the settings.", q.c.Listen, u.Hostname(), q.c.Listen, u.Hostname())
	}
	if len(q.report.Records) > 0 {
		add("Make the DNS records above.")
	}
	if !q.runs {
		add("Start it: with systemd as above, or holdfast serve%s", at)
	}
	add("Look at it from outside: holdfast doctor%s", at)
	add("Add your first device: on %s/, or holdfast app-password add %s --name \"its name\"%s", u, q.report.Email, at)
	for _, c := range q.report.Checks {
		if c.Name == "copies" && c.Result != doctor.OK {
			add("All copies end with one disk: holdfast vault add attic dir /mnt/attic/holdfast-vault --domain attic%s", at)
		}
	}
}

// show prints a run for people.
func (q *quickstart) show() {
	a, r := q.a, &q.report
	a.printf("Holdfast for %s in %s\n\n", r.Email, r.Data)
	for _, s := range r.Steps {
		a.printf("%-8s %-15s  %s\n", s.State, s.What, s.Detail)
	}
	a.printf("\nThe machine, as `holdfast doctor` sees it:\n\n")
	a.showChecks(r.Checks)
	a.printf("\nDNS records:\n\n")
	for _, x := range r.Records {
		if x.Value == "" {
			a.printf("  ; %s 3600 IN %s ...  (%s)\n", x.Name, x.Type, x.Note)
			continue
		}
		a.printf("  %s 3600 IN %s %s\n", x.Name, x.Type, x.Value)
	}
	if len(r.Records) == 0 {
		a.printf("  none: there is no public name (--public-url https://cloud.example.org)\n")
	}
	a.printf("\nPhones and programs, each with an app password of its own:\n")
	for _, c := range r.Clients {
		a.printf("\n  %s\n", c.Client)
		for _, line := range c.Steps {
			a.printf("    %s\n", line)
		}
	}
	a.printf("\n/etc/systemd/system/holdfast.service, as root:\n\n%s\n", indented(r.Unit))
	for _, line := range r.Commands {
		a.printf("  %s\n", line)
	}
	a.printf("\nWhat comes next:\n\n")
	for i, line := range r.Next {
		a.printf("%2d. %s\n", i+1, line)
	}
	if r.Password != "" {
		a.printf("\nThe password of %s for the pages, shown this once:\n\n    %s\n", r.Email, r.Password)
	}
}

func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line != "\n" {
			b.WriteString("  ")
		}
		b.WriteString(line)
	}
	return b.String()
}
