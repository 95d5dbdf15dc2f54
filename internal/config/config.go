package config

import (
	"net/netip"
	"path/filepath"
	"time"
)

// Config is every setting of Holdfast, with its value.
type Config struct {
	Data           string
	Listen         string
	AdminListen    string
	FirstVault     string
	PublicURL      string
	HTTPWithoutTLS bool
	Volatile       bool
	TrustedProxies []netip.Prefix

	TLS      TLS
	ACME     ACME
	Log      Log
	Limits   Limits
	Timeouts Timeouts
	Engine   Engine
	SignIn   SignIn
	Doctor   Doctor
	Erase    Erase
	Refused  Refused
	Photos   Photos
	Uploads  Uploads
	Blobs    Blobs
	Incident Incident
	Guard    Guard
	Drill    Drill
	Scrub    Scrub
	Upgrade  Upgrade
	Policy   Policy
	Vault    Vault
	Keyring  Keyring
	Notify   Notify

	RetryAfter   time.Duration
	SeenInterval time.Duration
	DirectoryTTL time.Duration
	SetupLink    time.Duration
	DeviceLink   time.Duration
	SessionFor   time.Duration

	// File is the configuration file that was read; empty: none.
	File string
	// Sources tells by key where its value came from: "default", "flag --listen", "environment HOLDFAST_LISTEN", "file /etc/holdfast.toml".
	Sources map[string]string
}

// TLS is a certificate in files (PEM).
type TLS struct{ Cert, Key string }

// ACME is how certificates are got by themselves (RFC 8555).
type ACME struct {
	Domains   []string
	Email     string
	Directory string // URL of the authority's directory
	Root      string // file (PEM) of the authority's root certificates; empty: the system's
	KeyID     string // external account binding (RFC 8555 section 7.3.4)
	Key       string // secret
	HTTPPort  int    // where the HTTP-01 challenge is answered; 0: it is not used
	Resolver  string // HOST:PORT of a name server for own look-ups; empty: the system's
}

// Log is how much is logged to standard error, and in which form.
type Log struct {
	Level  string // debug, info, warn, error
	Format string // auto, text, json
}

// Limits bound what clients can ask for.
type Limits struct {
	Resource              int64 // octets
	File, Inline          int64 // octets of a file, and up to which it is the body of its change
	Quota                 int64 // octets, 0: none
	Devices               int
	Collections           int
	Shares                int
	Connections           int
	Uploads               int // files and chunks that come at once
	Downloads             int // files that are read at once
	ConnectionsPerAddress int
	Headers               int64 // octets
	Import                int64 // octets
	DirectoryCache        int
}

// Timeouts bound how long others can make us wait.
type Timeouts struct {
	Headers  time.Duration // the whole head of a request
	Stall    time.Duration // of a request's body, between two octets
	Body     time.Duration // the whole body of a request
	Write    time.Duration // a client that does not read
	Idle     time.Duration // an open connection without a request
	Shutdown time.Duration
	Control  time.Duration // a command waits so long for a server that starts, stops or hangs
}

// Engine is how the database uses the machine.
type Engine struct {
	Readers  int   // connections
	Cache    int64 // octets of the writer's page cache
	Ballast  int64 // octets kept aside for the day when the disk is full
	WALPages int   // pages in the log before a checkpoint
}

// SignIn says how failed sign-ins are slowed down, and what a password's hash costs.
type SignIn struct {
	Free       int           // failures that cost nothing
	FirstDelay time.Duration // after them, doubled by each further one
	MaxDelay   time.Duration
	Forgive    time.Duration // one failure is forgotten after each such time
	KnownFor   time.Duration // how long an address is known after a success
	HashMemory int64         // octets
	HashPasses int
}

// Erase is how accounts are erased.
type Erase struct {
	Wait  time.Duration // it can be undone so long
	Every time.Duration // between two looks
}

// Refused is how long it is kept what devices sent and were refused, and how much of it.
type Refused struct {
	Keep   time.Duration
	Octets int64 // of all accounts
}

// Blobs is where the octets of large files lie.
type Blobs struct {
	Store           string // disk or s3
	URL             string // of a bucket
	Region          string
	Credential      string // file
	PruneCredential string // file
	CA              string // file
}

// Photos is how thumbnails are made.
type Photos struct {
	Workers int    // at the same time
	FFmpeg  string // takes posters out of films; "none": films have none
	Reserve int64  // octets that thumbnails leave free on the disk
}

// Uploads is how long files that arrive in chunks are kept before they are whole, and how much of them.
type Uploads struct {
	Keep   time.Duration // after the last touch
	Octets int64         // of one account
}

// Incident is how it is told that accounts or devices wait because more was seen than the store has.
type Incident struct {
	Remind   time.Duration // between two reminders
	Deadline time.Duration // by when somebody is to decide
}

// Guard is when deletions and overwritings by one device are a burst.
type Guard struct {
	Items  int
	Share  int // percent
	All    int
	Window time.Duration
	Told   time.Duration // a burst is shown as new so long
}

// Doctor is what the checks of the machine measure and when they warn.
type Doctor struct {
	Fsyncs    int           // how many are timed
	FsyncFast time.Duration // a median below is suspicious
	FsyncSlow time.Duration // a median above is a warning
	FreeWarn  int64         // octets
	FreeFail  int64         // octets
	Lookup    time.Duration // for DNS and HTTP
	ClockOff  time.Duration // how far clocks may be apart
	CertSoon  time.Duration // an ending certificate is worth a warning
}

// Policy says which copies an answer waits for, and what happens while they are not to be had.
type Policy struct {
	Ack        string // "engine+local"
	OnFailure  string // strict, degraded
	LagChanges int    // so many changes above what the policy holds for, and no more are taken
	Lag        time.Duration
	RetryAfter time.Duration
	ReadWait   time.Duration // how long a read waits for what is not acknowledged yet
}

// Vault says how vaults are written and looked after.
type Vault struct {
	Segment    int64 // octets
	SegmentAge time.Duration
	Head       time.Duration // between two heads while there are changes
	Seal       time.Duration // between two rounds of sealing
	Scrub      time.Duration // between two readings of all that it holds
	Keep       time.Duration // of what was replaced
	KeepTail   time.Duration // of what was sealed
	KeepPruned time.Duration // of packs that others without old versions replaced
	Retention  time.Duration // of versions that others replaced
	Prune      time.Duration // between two rounds that let go of older ones
	Sweep      time.Duration // between two looks for what no change names
	Engine     bool          // the living store lets go of them too
	Late       time.Duration // how far one may be behind
}

// Drill says how often it is proven that vaults restore, and how much is tried.
type Drill struct {
	Ask      time.Duration // between two checks that one person asks for
	Interval time.Duration // between two drills of one vault
	First    time.Duration // after the start, of a vault that was never drilled
	Within   time.Duration // in which every account is proven
	Whole    int           // changes of a store that is restored as a whole each time
	Retry    time.Duration // after one that did not pass
	Keep     int           // results
	Share    int           // percent of the time that it works while people are served
	Dir      string        // where it restores to
	Reserve  int64         // octets that it leaves free
	Octets   int64         // of large files, that one drill reads
}

// Upgrade says when a newer version may migrate the database.
type Upgrade struct {
	Proven time.Duration // the last passed drill is no older
}

// Scrub says how often, and how fast, the engine's octets are hashed again, and vaults are read.
type Scrub struct {
	Every  time.Duration // between two rounds over the engine
	Within time.Duration // in which a round is to be done
	Rate   int64         // octets a second; of the engine, and of a vault
	Share  int           // percent of the time that it works while people are served
	Repair bool          // damaged vaults are repaired out of the living service
}

// Keyring says how keys are made, and when their absence is nagged about.
type Keyring struct {
	Hybrid bool
	Nag    time.Duration
}

// Key is one setting.
type Key struct {
	Name    string // in the file: "timeouts.idle"
	Flag    string // on the command line of serve; empty: none
	Default string // as it would be written in the environment
	Help    string
	Secret  bool
	Value   any // points into the Config
}

// DefaultAck is the policy of who says none: the database and the first vault.
const DefaultAck = "engine+local"

// FirstVaultName is the directory beside the data directory where the first vault is made of who says nothing else.
const FirstVaultName = "holdfast-vault"

// FirstVaultDir returns where the first vault of a new store is made, as an absolute path; empty: nowhere.
func (c *Config) FirstVaultDir() (string, error) {
	switch c.FirstVault {
	case "none":
		return "", nil
	case "":
		data, err := filepath.Abs(c.Data)
		return filepath.Join(filepath.Dir(data), FirstVaultName), err
	}
	return filepath.Abs(c.FirstVault)
}

// Keys returns the table of all settings, each bound to c's field.
func (c *Config) Keys() []Key {
	return append([]Key{
		{Name: "data", Flag: "data", Default: "./holdfast-data", Value: &c.Data, Help: "`DIR` that holds the data"},
		{Name: "listen", Flag: "listen", Default: "127.0.0.1:8420", Value: &c.Listen, Help: "`ADDRESS`:port for phones, programs and pages"},
		{Name: "admin_listen", Flag: "admin-listen", Default: "127.0.0.1:8421", Value: &c.AdminListen, Help: "`ADDRESS`:port for /livez, /readyz and /metrics; \"none\" for none"},
		{Name: "first_vault", Flag: "first-vault", Default: "", Value: &c.FirstVault, Help: "`DIR` where the first vault of a new store is made, or \"none\" (default: holdfast-vault beside the data directory)"},
		{Name: "policy.ack", Flag: "ack", Default: DefaultAck, Value: &c.Policy.Ack, Help: "the `COPIES` that an answer waits for, like engine+local, engine+2of(local,attic,s3), or engine alone"},
		{Name: "public_url", Flag: "public-url", Default: "", Value: &c.PublicURL, Help: "the `URL` under which others reach this server, as behind a proxy"},
		{Name: "http_without_tls", Flag: "http-without-tls", Default: "false", Value: &c.HTTPWithoutTLS, Help: "allow plain HTTP beyond this machine: passwords can then be read on the way"},
		{Name: "volatile", Flag: "volatile", Default: "false", Value: &c.Volatile, Help: "allow a data directory in memory (tmpfs), which a restart of the machine empties"},
		{Name: "trusted_proxy", Flag: "trusted-proxy", Default: "", Value: &c.TrustedProxies, Help: "`CIDR` of a reverse proxy whose Forwarded headers are believed; may be repeated"},

		{Name: "tls.cert", Flag: "tls-cert", Default: "", Value: &c.TLS.Cert, Help: "`FILE` with the certificate chain (PEM)"},
		{Name: "tls.key", Flag: "tls-key", Default: "", Value: &c.TLS.Key, Help: "`FILE` with the certificate's private key (PEM)"},
		{Name: "acme.domain", Flag: "acme", Default: "", Value: &c.ACME.Domains, Help: "get certificates for this `DOMAIN` by ACME, and agree to the authority's terms; may be repeated"},
		{Name: "acme.email", Default: "", Value: &c.ACME.Email, Help: "where the authority may write to"},
		{Name: "acme.directory", Default: "https://acme-v02.api.letsencrypt.org/directory", Value: &c.ACME.Directory, Help: "URL of the authority's directory"},
		{Name: "acme.root", Default: "", Value: &c.ACME.Root, Help: "file (PEM) with the root that the authority's own URL is verified by; empty: the system's"},
		{Name: "acme.key_id", Default: "", Value: &c.ACME.KeyID, Help: "id of an external account binding"},
		{Name: "acme.key", Default: "", Value: &c.ACME.Key, Secret: true, Help: "key of an external account binding"},
		{Name: "acme.http_port", Default: "0", Value: &c.ACME.HTTPPort, Help: "port where the HTTP-01 challenge is answered; 0: only TLS-ALPN-01, on the listen address"},
		{Name: "acme.resolver", Default: "", Value: &c.ACME.Resolver, Help: "HOST:PORT of a name server for look-ups of ACME; empty: the system's"},

		{Name: "log.level", Default: "info", Value: &c.Log.Level, Help: "debug, info, warn or error"},
		{Name: "log.format", Default: "auto", Value: &c.Log.Format, Help: "text, json, or auto: text on a terminal, otherwise JSON"},

		{Name: "policy.on_failure", Default: "strict", Value: &c.Policy.OnFailure, Help: "while a copy that is waited for cannot be had: strict refuses changes, degraded goes on with the engine alone"},
		{Name: "policy.lag_changes", Default: "20000", Value: &c.Policy.LagChanges, Help: "changes that may wait for a copy before no more are taken"},
		{Name: "policy.lag", Default: "30s", Value: &c.Policy.Lag, Help: "how long a change may wait for a copy before no more are taken"},
		{Name: "policy.retry_after", Default: "30s", Value: &c.Policy.RetryAfter, Help: "what Retry-After says while changes are refused"},
		{Name: "policy.read_wait", Default: "2s", Value: &c.Policy.ReadWait, Help: "how long a read waits for a change that is on its way; then it shows what was before"},

		{Name: "vault.segment", Default: "8MiB", Value: &c.Vault.Segment, Help: "octets of one segment of a vault's tail"},
		{Name: "vault.segment_age", Default: "1h", Value: &c.Vault.SegmentAge, Help: "how old a segment may be before the next is begun"},
		{Name: "vault.head", Default: "10m", Value: &c.Vault.Head, Help: "between two signed heads, while there are changes"},
		{Name: "vault.seal", Default: "10m", Value: &c.Vault.Seal, Help: "between two looks at what can be sealed into packs, and packs that can be joined"},
		{Name: "vault.scrub", Default: "168h", Value: &c.Vault.Scrub, Help: "between two readings of everything that a vault holds"},
		{Name: "vault.keep", Default: "168h", Value: &c.Vault.Keep, Help: "how long what was replaced is kept"},
		{Name: "vault.keep_tail", Default: "312h", Value: &c.Vault.KeepTail, Help: "how long what was sealed is kept in the tail too"},
		{Name: "vault.retention", Default: "8760h", Value: &c.Vault.Retention, Help: "how long ago, by the vault's own time, a version was replaced or deleted before its octets may go"},
		{Name: "vault.prune", Default: "168h", Value: &c.Vault.Prune, Help: "between two rounds that let go of the octets of such versions, in each vault; four times as long in a remote one, which is read over the network"},
		{Name: "vault.sweep", Default: "6h", Value: &c.Vault.Sweep, Help: "between two looks, in each vault, for objects of files that no change names, as uploads leave that broke off; they go once four looks in a row have found them so"},
		{Name: "vault.prune_engine", Default: "true", Value: &c.Vault.Engine, Help: "let go of them in the living store too, once every vault that changes wait for, and one in another failure domain, has been proven without or with them"},
		{Name: "vault.keep_pruned", Default: "720h", Value: &c.Vault.KeepPruned, Help: "how long a pack is kept that one without such versions replaced; a drill must have proven the new one too"},
		{Name: "vault.late", Default: "1m", Value: &c.Vault.Late, Help: "how far a vault may be behind before it is called late; what it stored is read back four times in that time"},

		{Name: "drill.interval", Default: "24h", Value: &c.Drill.Interval, Help: "between two drills of one vault, which prove that it restores"},
		{Name: "drill.first", Default: "2m", Value: &c.Drill.First, Help: "how long after a start a vault is drilled that never was"},
		{Name: "drill.within", Default: "720h", Value: &c.Drill.Within, Help: "in which each account is proven"},
		{Name: "drill.whole", Default: "200000", Value: &c.Drill.Whole, Help: "changes of a store that is restored as a whole in each drill; of a larger one it is a sample of its accounts"},
		{Name: "drill.retry", Default: "1h", Value: &c.Drill.Retry, Help: "how long after a drill that did not pass the next one is run"},
		{Name: "drill.ask", Default: "1h", Value: &c.Drill.Ask, Help: "between two checks of one account that its owner asks for on the safety page"},
		{Name: "drill.keep", Default: "400", Value: &c.Drill.Keep, Help: "results of drills that are kept"},
		{Name: "drill.share", Default: "25", Value: &c.Drill.Share, Help: "percent of the time that a drill works while people are served; 100: all of it"},
		{Name: "drill.dir", Default: "", Value: &c.Drill.Dir, Help: "`DIR` where drills restore to (default: drill in the data directory)"},
		{Name: "drill.octets", Default: "8GiB", Value: &c.Drill.Octets, Help: "octets of large files that one drill reads out of a vault; where there are more the drills take turns, and read more where otherwise not all would be read in drill.within"},
		{Name: "drill.reserve", Default: "256MiB", Value: &c.Drill.Reserve, Help: "octets that a drill leaves free on its disk"},

		{Name: "upgrade.proven", Default: "48h", Value: &c.Upgrade.Proven, Help: "how old the last passed drill may be for a newer version to migrate the database; otherwise it tries that on a copy first"},

		{Name: "scrub.every", Default: "168h", Value: &c.Scrub.Every, Help: "between two readings of everything that the engine holds, in which every body is hashed again"},
		{Name: "scrub.within", Default: "720h", Value: &c.Scrub.Within, Help: "in which such a reading is to be done: half of that after it began it yields to nobody, and after all of it that is told"},
		{Name: "scrub.rate", Default: "50MiB", Value: &c.Scrub.Rate, Help: "octets a second that reading the engine takes at most, and reading a vault as much; 0: no limit"},
		{Name: "scrub.share", Default: "25", Value: &c.Scrub.Share, Help: "percent of the time that such a reading works while people are served; 100: all of it"},
		{Name: "scrub.repair", Default: "true", Value: &c.Scrub.Repair, Help: "repair a vault out of the living service once a reading has found it damaged"},

		{Name: "erase.wait", Default: "720h", Value: &c.Erase.Wait, Help: "how long an account waits to be erased, and that can be undone"},
		{Name: "erase.every", Default: "1h", Value: &c.Erase.Every, Help: "between two looks at what is to be erased"},

		{Name: "refused.keep", Default: "720h", Value: &c.Refused.Keep, Help: "how long it is kept what devices sent and were refused"},
		{Name: "refused.octets", Default: "256MiB", Value: &c.Refused.Octets, Help: "octets of it in all, the oldest of who has the most go first; 16 MiB and 500 of one account"},

		{Name: "blobs.store", Default: "disk", Value: &c.Blobs.Store, Help: "where the octets of large files lie: disk (DATA/blobs) or s3, a bucket of an object store"},
		{Name: "blobs.url", Default: "", Value: &c.Blobs.URL, Help: "https://HOST/BUCKET/PREFIX of that bucket"},
		{Name: "blobs.credential", Default: "", Value: &c.Blobs.Credential, Help: "file with its credential, ID:SECRET or as other programs write it; empty: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"},
		{Name: "blobs.prune_credential", Default: "", Value: &c.Blobs.PruneCredential, Help: "file with another one that removes; empty: the same"},
		{Name: "blobs.region", Default: "", Value: &c.Blobs.Region, Help: "its region; empty: us-east-1, or what the credential's file says"},
		{Name: "blobs.ca", Default: "", Value: &c.Blobs.CA, Help: "file (PEM) with certificates that its store is judged by; empty: the system's"},

		{Name: "photos.workers", Default: "2", Value: &c.Photos.Workers, Help: "thumbnails that are made at the same time, each by a process of the least priority; 0: none are made"},
		{Name: "photos.ffmpeg", Default: "ffmpeg", Value: &c.Photos.FFmpeg, Help: "program that takes posters out of films, by name or `PATH`; none: films have no posters"},
		{Name: "photos.reserve", Default: "1GiB", Value: &c.Photos.Reserve, Help: "octets that thumbnails leave free on the disk of the data directory"},

		{Name: "uploads.keep", Default: "168h", Value: &c.Uploads.Keep, Help: "how long chunks of a file that is not whole are kept once nobody goes on with it"},
		{Name: "uploads.octets", Default: "128GiB", Value: &c.Uploads.Octets, Help: "octets of such chunks that one account may have, within its allowance"},

		{Name: "incident.remind", Default: "24h", Value: &c.Incident.Remind, Help: "how often it is told again that accounts or devices wait because more was seen than the store has"},
		{Name: "incident.deadline", Default: "168h", Value: &c.Incident.Deadline, Help: "by when somebody is to decide about those; after it they wait on, and each reminder says so"},

		{Name: "guard.items", Default: "20", Value: &c.Guard.Items, Help: "deletions or overwritings in one collection by one device that are a burst, if they are also guard.share of it"},
		{Name: "guard.share", Default: "20", Value: &c.Guard.Share, Help: "percent of a collection's live items"},
		{Name: "guard.all", Default: "200", Value: &c.Guard.All, Help: "deletions or overwritings in all collections by one device that are a burst"},
		{Name: "guard.window", Default: "60m", Value: &c.Guard.Window, Help: "within which these are counted"},
		{Name: "guard.told", Default: "168h", Value: &c.Guard.Told, Help: "how long a burst is shown as new, unless it is undone before"},

		{Name: "keys.hybrid", Default: "false", Value: &c.Keyring.Hybrid, Help: "make keys that withstand quantum computers too; age 1.3 and later reads them"},
		{Name: "keys.nag", Default: "4320h", Value: &c.Keyring.Nag, Help: "how long after the last check of the recovery key it is asked for again"},

		{Name: "limits.resource", Default: "10MiB", Value: &c.Limits.Resource, Help: "octets of one contact, event or note"},
		{Name: "limits.file", Default: "64GiB", Value: &c.Limits.File, Help: "octets of one file"},
		{Name: "limits.inline", Default: "64KiB", Value: &c.Limits.Inline, Help: "octets up to which a file lies in the journal itself; larger ones lie in blobs.store"},
		{Name: "limits.quota", Default: "0", Value: &c.Limits.Quota, Help: "live octets of one account; 0: no limit"},
		{Name: "limits.devices", Default: "200", Value: &c.Limits.Devices, Help: "devices of one account"},
		{Name: "limits.collections", Default: "1000", Value: &c.Limits.Collections, Help: "collections of one account, those that others share with it included"},
		{Name: "limits.shares", Default: "200", Value: &c.Limits.Shares, Help: "accounts with which one collection is shared; ten times as many over an account's collections"},
		{Name: "limits.connections", Default: "4096", Value: &c.Limits.Connections, Help: "open connections in all"},
		{Name: "limits.connections_per_address", Default: "256", Value: &c.Limits.ConnectionsPerAddress, Help: "open connections of one address; loopback and trusted proxies are free of it"},
		{Name: "limits.uploads", Default: "256", Value: &c.Limits.Uploads, Help: "files and chunks over 64 KiB that come at once; an account alone has half of these places, and others find one"},
		{Name: "limits.downloads", Default: "256", Value: &c.Limits.Downloads, Help: "files over 64 KiB that are read at once, likewise"},
		{Name: "limits.headers", Default: "64KiB", Value: &c.Limits.Headers, Help: "octets of the head of one request"},
		{Name: "limits.import", Default: "1GiB", Value: &c.Limits.Import, Help: "octets of one imported file"},
		{Name: "limits.directory_cache", Default: "20000", Value: &c.Limits.DirectoryCache, Help: "accounts kept ready in memory"},

		{Name: "timeouts.headers", Default: "10s", Value: &c.Timeouts.Headers, Help: "for the whole head of a request"},
		{Name: "timeouts.stall", Default: "30s", Value: &c.Timeouts.Stall, Help: "a request's body that stops for so long is cut"},
		{Name: "timeouts.write", Default: "1m", Value: &c.Timeouts.Write, Help: "a client that does not read its answer for so long is cut"},
		{Name: "timeouts.body", Default: "10m", Value: &c.Timeouts.Body, Help: "for the whole body of a request"},
		{Name: "timeouts.idle", Default: "2m", Value: &c.Timeouts.Idle, Help: "of an open connection without a request"},
		{Name: "timeouts.shutdown", Default: "10s", Value: &c.Timeouts.Shutdown, Help: "for running requests when the server is told to stop"},
		{Name: "timeouts.control", Default: "5s", Value: &c.Timeouts.Control, Help: "how long a command waits for a server that starts, stops or hangs"},

		{Name: "retry_after", Default: "5m", Value: &c.RetryAfter, Help: "what Retry-After says when nothing better is known"},
		{Name: "seen_interval", Default: "5m", Value: &c.SeenInterval, Help: "how long it is gathered what devices have seen, before it is written down"},
		{Name: "directory_ttl", Default: "30s", Value: &c.DirectoryTTL, Help: "how old a cached account may be"},
		{Name: "setup_link", Default: "30m", Value: &c.SetupLink, Help: "how long the set-up link is valid"},
		{Name: "device_link", Default: "10m", Value: &c.DeviceLink, Help: "how long the link to a new device's page is valid"},
		{Name: "session_for", Default: "720h", Value: &c.SessionFor, Help: "how long a sign-in to the pages lasts"},

		{Name: "engine.readers", Default: "4", Value: &c.Engine.Readers, Help: "connections to the database for reading"},
		{Name: "engine.cache", Default: "8MiB", Value: &c.Engine.Cache, Help: "octets of the database's page cache"},
		{Name: "engine.ballast", Default: "16MiB", Value: &c.Engine.Ballast, Help: "octets kept aside for the day when the disk is full"},
		{Name: "engine.wal_pages", Default: "8000", Value: &c.Engine.WALPages, Help: "pages in the write-ahead log before a checkpoint"},

		{Name: "signin.free", Default: "3", Value: &c.SignIn.Free, Help: "failed sign-ins that cost nothing"},
		{Name: "signin.first_delay", Default: "250ms", Value: &c.SignIn.FirstDelay, Help: "the delay of the next one, doubled by each further"},
		{Name: "signin.max_delay", Default: "8s", Value: &c.SignIn.MaxDelay, Help: "the longest delay"},
		{Name: "signin.forgive", Default: "1m", Value: &c.SignIn.Forgive, Help: "one failure is forgotten after each such time"},
		{Name: "signin.known_for", Default: "168h", Value: &c.SignIn.KnownFor, Help: "how long an address is known after a success, and hence not slowed by others' failures"},
		{Name: "signin.hash_memory", Default: "19MiB", Value: &c.SignIn.HashMemory, Help: "octets that one hash of a password takes (argon2id)"},
		{Name: "signin.hash_passes", Default: "2", Value: &c.SignIn.HashPasses, Help: "passes over them"},

		{Name: "doctor.fsyncs", Default: "60", Value: &c.Doctor.Fsyncs, Help: "how many fsyncs the doctor times"},
		{Name: "doctor.fsync_fast", Default: "15us", Value: &c.Doctor.FsyncFast, Help: "a median below this is suspicious: no drive is so fast"},
		{Name: "doctor.fsync_slow", Default: "50ms", Value: &c.Doctor.FsyncSlow, Help: "a median above this is slow"},
		{Name: "doctor.free_warn", Default: "2GiB", Value: &c.Doctor.FreeWarn, Help: "free octets below which the doctor warns"},
		{Name: "doctor.free_fail", Default: "200MiB", Value: &c.Doctor.FreeFail, Help: "free octets below which the doctor fails"},
		{Name: "doctor.lookup", Default: "5s", Value: &c.Doctor.Lookup, Help: "for one look-up of DNS or HTTP"},
		{Name: "doctor.clock_off", Default: "10s", Value: &c.Doctor.ClockOff, Help: "how far the clock may be from others, and may have been set, before the doctor warns"},
		{Name: "doctor.cert_soon", Default: "336h", Value: &c.Doctor.CertSoon, Help: "how long before a certificate ends the doctor warns"},
	}, c.Notify.keys()...)
}
