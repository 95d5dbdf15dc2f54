package control

import (
	"net/netip"
	"time"

	"holdfast"
	"holdfast/internal/library"
	"holdfast/internal/scrub"
	"holdfast/internal/transfer"
)

// Account is an account as commands show it.
type Account struct {
	ID      holdfast.ID           `json:"id"`
	Email   string                `json:"email"`
	State   holdfast.AccountState `json:"state"`
	Created time.Time             `json:"created"`
	Pages   bool                  `json:"pages"` // it has a password for the pages
}

// AccountDetail is an account with what it holds.
type AccountDetail struct {
	Account
	Epoch       uint64        `json:"epoch"`
	Seq         uint64        `json:"seq"`
	Chain       holdfast.Hash `json:"chain"`
	Digest      holdfast.Hash `json:"digest"` // the state part of the digest at seq
	Octets      int64         `json:"octets"`
	Collections []Collection  `json:"collections"`
	Devices     []Device      `json:"devices"`
	Shared      []Share       `json:"shared"` // with this account, by others
	Shares      []Share       `json:"shares"` // with others, by this account
}

// Collection is a collection as commands show it.
type Collection struct {
	Path   string                  `json:"path"`
	Name   string                  `json:"name"` // that people see; empty where none was given
	Type   holdfast.CollectionType `json:"type"`
	Items  int64                   `json:"items"`
	Octets int64                   `json:"octets"`
}

// Device is a row of the device list.
type Device struct {
	ID       holdfast.ID `json:"id"`
	Name     string      `json:"name"`
	Created  time.Time   `json:"created"`
	LastSeen *time.Time  `json:"last_seen"` // null: never
}

// NewDevice is a device with its app password, which is shown this once, and not at all where the device had it before.
type NewDevice struct {
	ID       holdfast.ID `json:"id"`
	Name     string      `json:"name"`
	Password string      `json:"password,omitempty"`
}

// NewAccount is what CreateAccount takes. Without a password the account does not sign in to pages.
type NewAccount struct {
	Email    string `json:"email"`
	Password string `json:"password,omitempty"`
}

// Status tells how a store fares.
type Status struct {
	Running      bool        `json:"running"` // a server answers, rather than this command
	Version      string      `json:"version"`
	PID          int         `json:"pid,omitempty"`
	URL          string      `json:"url,omitempty"`
	Since        *time.Time  `json:"since,omitempty"`
	Ready        bool        `json:"ready"`
	Checks       []Check     `json:"checks"`
	Engine       string      `json:"engine"`
	Store        holdfast.ID `json:"store"`
	Accounts     int64       `json:"accounts"`
	Octets       int64       `json:"octets"` // on disk
	Acknowledged int64       `json:"acknowledged"`
	InDoubt      int64       `json:"in_doubt"` // accounts
	Ghosts       int64       `json:"ghosts"`   // items that are known to be lost, and listed to the devices that may have them
	Refused      int         `json:"refused"`  // changes that devices sent in vain, and that are kept
	Arriving     Arriving    `json:"arriving"`

	Photos      *library.Status `json:"photos,omitempty"` // what is derived of photos; nil: no service runs that does so
	Returning   Returning       `json:"returning"`
	Copies      int             `json:"copies"`  // whole ones, the engine included
	Domains     int             `json:"domains"` // in how many failure domains they lie
	Verdict     string          `json:"verdict"` // as in "vault status"; empty: nobody looks after vaults
	Why         string          `json:"why"`     // what it rests on
	KeyNag      string          `json:"key_nag,omitempty"`
	Newest      *time.Time      `json:"newest,omitempty"`       // when the newest stored change was made, by the clock of then
	SinceBoot   float64         `json:"since_boot_s,omitempty"` // of the machine, at the moment that Since names; 0: not known
	Serving     *Serving        `json:"serving,omitempty"`      // how a server that runs is reached; nil: none runs, or one that does not say it
	EngineScrub *scrub.Seen     `json:"engine_scrub,omitempty"` // what is known of the engine's own octets; nil: nobody looks after that
	Retention   *Retention      `json:"retention,omitempty"`    // what came of the last round that lets old octets of the living store go; nil: there was none
	Probe       string          `json:"probe,omitempty"`        // with this in a request's Holdfast-Probe the server says what of the request arrived, and does nothing else
}

// Arriving is how much has come of files that are not whole yet.
type Arriving struct {
	Uploads int   `json:"uploads"`
	Chunks  int   `json:"chunks"`
	Octets  int64 `json:"octets"`
	Quiet   int64 `json:"quiet_s,omitempty"` // for how many seconds nobody has gone on with the one that waits longest
	Room    int64 `json:"room,omitempty"`    // octets that may come until what is not whole yet is refused, for the database's sake; below 0: by so many too little is free; 0: not known
}

// Returning is what a restored store still lacks of the octets of large files. They are read from a vault until they are copied back.
type Returning struct {
	Files   int64     `json:"files"`
	Octets  int64     `json:"octets"`
	Since   time.Time `json:"since,omitzero"`
	Trouble string    `json:"trouble,omitempty"` // what keeps them from being copied now
}

// Retention is what came of a round that lets old octets of the living store go.
type Retention struct {
	At       time.Time `json:"at"`
	Versions int64     `json:"versions"` // whose octets went
	Octets   int64     `json:"octets"`
	Unproven int64     `json:"unproven"` // accounts whose old versions no vault was proven without
	Held     []HeldUp  `json:"held"`
}

// HeldUp is something that keeps octets from going: a vault, a drill.
type HeldUp struct {
	Why   string    `json:"why"`
	Since time.Time `json:"since"`
}

// Serving are the settings by which a running server is reached, as it has them: it may have been started with flags.
type Serving struct {
	Listen         string         `json:"listen"` // the address that it has
	AdminListen    string         `json:"admin_listen"`
	TLSCert        string         `json:"tls_cert,omitempty"`
	TLSKey         string         `json:"tls_key,omitempty"` // its file
	ACME           []string       `json:"acme,omitempty"`
	HTTPWithoutTLS bool           `json:"http_without_tls"`
	PublicURL      string         `json:"public_url,omitempty"`
	TrustedProxies []netip.Prefix `json:"trusted_proxies,omitempty"`
}

// Check is one line of /readyz?verbose.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Warning tells that the service does all of its work though this is not as it should be.
	Warning bool      `json:"warning,omitempty"`
	Since   time.Time `json:"since"` // when it became so
	Detail  string    `json:"detail"`
}

// ImportRequest says where what is in one file goes.
type ImportRequest struct {
	Account string
	Into    string // path of the collection; empty: the account's default for each kind of item
	File    string // its name, for the report
	Replace bool
	DryRun  bool
}

// ImportEvent is one line of the answer to an import.
type ImportEvent struct {
	transfer.Event
	Error *Problem `json:"error,omitempty"`
}

// TakeoverRequest says which server is taken over.
type TakeoverRequest struct {
	Account      string   `json:"-"`
	URL          string   `json:"url"`
	User         string   `json:"user"`
	Password     string   `json:"password"`
	Hosts        []string `json:"hosts,omitempty"` // others that the password may go to
	InsecureHTTP bool     `json:"insecure_http,omitempty"`
	Shared       bool     `json:"shared,omitempty"` // also what others share with the user
	Replace      bool     `json:"replace,omitempty"`
	DryRun       bool     `json:"dry_run,omitempty"`
}

// TakeoverEvent is one line of the answer to a takeover.
type TakeoverEvent struct {
	transfer.TakeoverEvent
	Error *Problem `json:"error,omitempty"`
}

// Finding is one thing that a check of the store found wrong.
type Finding struct {
	Account    string `json:"account,omitempty"`
	Collection string `json:"collection,omitempty"`
	Name       string `json:"name,omitempty"`
	Seq        uint64 `json:"seq,omitempty"`
	What       string `json:"what"`
	Lost       bool   `json:"lost,omitempty"` // it is known to be lost, and no damage of this store
}

// checkLine is one line of the answer to a check.
type checkLine struct {
	Finding *Finding `json:"finding,omitempty"`
	Done    bool     `json:"done,omitempty"`
	Error   *Problem `json:"error,omitempty"`
}
