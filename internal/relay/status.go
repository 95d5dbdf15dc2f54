package relay

import (
	"context"
	"fmt"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/vault"
)

// VaultStatus is how one vault fares.
type VaultStatus struct {
	Name       string     `json:"name"`
	Kind       string     `json:"kind"`
	Location   string     `json:"location"`
	Domain     string     `json:"domain"`
	SameDomain []string   `json:"same_domain_as"`
	WhySame    string     `json:"same_domain_why,omitempty"`
	Mode       string     `json:"mode"` // sync, async
	State      State      `json:"state"`
	Since      time.Time  `json:"since"`
	Reason     string     `json:"reason,omitempty"`
	LagChanges int64      `json:"lag_changes"`
	LagBytes   int64      `json:"lag_bytes"`
	LagSeconds float64    `json:"lag_s"`
	LastShip   *time.Time `json:"last_ship"`
	LastScrub  *time.Time `json:"last_scrub"`
	Objects    int64      `json:"objects"`
	Octets     int64      `json:"octets"`
	Damaged    []string   `json:"damaged"`
	Files      Files      `json:"files"`

	// Group is the first of those that end together with it, by whatever chain of disks, object stores and labels: "engine", or the name of a vault, its own too.
	Group    string    `json:"-"`
	Batch    uint64    `json:"-"` // the newest that it has
	LastRead time.Time `json:"-"` // when its end was last read back
	Lied     time.Time `json:"-"` // when it was last found not to have what it had stored; zero: never
	Counts   bool      `json:"-"` // it was whole, takes changes now and has octets: it is one of the copies
}

// Apart tells that it does not end together with the store, as far as is known.
func (v *VaultStatus) Apart() bool { return v.Group != "" && v.Group != withEngine }

// withEngine is the group of what ends together with the store.
const withEngine = "engine"

// Group says of each vault with what it ends, by what is said of it. What two say of each other holds of all that are joined so: of two vaults with one label the second lies on the store's disk, and then the first counts with it too.
func Group(vaults []VaultStatus) {
	of := map[string]string{withEngine: withEngine}
	for i := range vaults {
		of[vaults[i].Name] = vaults[i].Name
	}
	join := func(a, b string) {
		if a, b = of[a], of[b]; b == withEngine || a != withEngine && before(vaults, b, a) {
			a, b = b, a
		}
		for name, g := range of {
			if g == b {
				of[name] = a
			}
		}
	}
	for i := range vaults {
		for _, other := range vaults[i].SameDomain {
			join(other, vaults[i].Name)
		}
	}
	for i := range vaults {
		vaults[i].Group = of[vaults[i].Name]
	}
}

// before tells which of two vaults is listed first.
func before(vaults []VaultStatus, a, b string) bool {
	for i := range vaults {
		if name := vaults[i].Name; name == a || name == b {
			return name == a
		}
	}
	return false
}

// DomainsOf counts the failure domains in which copies lie: that of the store, and those of the vaults that count.
func DomainsOf(vaults []VaultStatus) int {
	seen := map[string]bool{withEngine: true}
	for i := range vaults {
		if vaults[i].Counts {
			seen[vaults[i].Group] = true
		}
	}
	return len(seen)
}

// Files is how the octets of large files fare that go into one vault.
type Files struct {
	Missing int64  `json:"missing"`         // that its changes name and it lacks, as neither the store nor another vault has them
	Moving  int64  `json:"moving"`          // that are on their way
	Octets  int64  `json:"octets"`          // of those, how far they were read
	Of      int64  `json:"of"`              // of those, in all
	Fault   string `json:"fault,omitempty"` // why the newest could not be put there, within an hour
}

// Status is how the store's copies fare.
type Status struct {
	Vaults []VaultStatus `json:"vaults"`
	Policy struct {
		Ack       string `json:"ack"`
		OnFailure string `json:"on_failure"`
	} `json:"policy"`
	Verdict string `json:"verdict"` // ok, late, at-risk, unknown
	Copies  int    `json:"copies"`  // that are whole, the engine included
	Domains int    `json:"domains"` // in how many failure domains they lie
}

// The verdicts: what an operator can conclude.
const (
	VerdictOK      = "ok"
	VerdictLate    = "late"    // a vault lags behind, or does not answer
	VerdictAtRisk  = "at-risk" // one failure would take all copies
	VerdictUnknown = "unknown" // that is not known yet
)

// Status returns how the copies fare. How much a vault is behind is read from the store; where that cannot be read, it is at least the batches.
func (r *Relay) Status() Status {
	out := r.status()
	ctx, cancel := clock.WithTimeout(context.Background(), r.o.Clock, time.Second)
	defer cancel()
	for i := range out.Vaults {
		v := &out.Vaults[i]
		if v.LagChanges == 0 {
			continue
		}
		if changes, octets, err := r.o.Engine.Behind(ctx, v.Batch); err == nil {
			v.LagChanges, v.LagBytes = changes, octets
		}
	}
	return out
}

func (r *Relay) status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out Status
	out.Policy.Ack, out.Policy.OnFailure = r.o.Policy.String(), "strict"
	if r.o.Degraded {
		out.Policy.OnFailure = "degraded"
	}
	engine, now := r.o.Engine.Position().Batch, r.o.Clock.Now()
	r.see(now, engine)
	out.Copies, out.Vaults = 1, []VaultStatus{}
	late, unknown := false, false
	for _, name := range r.order {
		w := r.workers[name]
		s := w.look()
		x := VaultStatus{Name: name, Kind: w.a.Kind, Location: w.a.Location, Domain: w.a.Domain, SameDomain: []string{}, Mode: "async", State: s.state, Since: s.since.UTC().Truncate(time.Second), Reason: s.reason, Damaged: []string{}, Files: w.shelf.files(), Batch: s.pos.Batch, LastRead: s.read, Lied: s.lied}
		if r.o.Policy.Has(name) {
			x.Mode = "sync"
		}
		if engine > s.pos.Batch {
			x.LagChanges = int64(engine - s.pos.Batch)                // each batch has at least one
			x.LagSeconds = max(0, now.Sub(r.waitsSince(s)).Seconds()) // the clock may have been put back
		}
		quiet := s.up && now.Sub(s.read) > r.o.Late
		switch {
		case s.state == Behind && x.LagChanges == 0:
			x.State = Opening // it lacks nothing, and cannot be written to yet
		case s.state == Whole && quiet:
			x.Reason = "it has not answered since " + s.read.UTC().Format("2006-01-02 15:04:05 UTC") + ", and whether it still has what it had is not known"
		}
		if !s.lastShip.IsZero() {
			at := s.lastShip.UTC().Truncate(time.Millisecond)
			x.LastShip = &at
		}
		if w.a.SameDisk {
			x.SameDomain, x.WhySame = append(x.SameDomain, withEngine), w.a.WhySame
		}
		for _, other := range out.Vaults {
			beside := w.a.Host != "" && w.a.Host == r.workers[other.Name].a.Host
			if beside && x.WhySame == "" {
				x.WhySame = fmt.Sprintf("%s lies in the same object store, %s", other.Name, w.a.Host)
			}
			if other.Domain == x.Domain && x.WhySame == "" {
				x.WhySame = fmt.Sprintf("%s has the same label, %q", other.Name, x.Domain)
			}
			if beside || other.Domain == x.Domain || len(other.SameDomain) > 0 && other.SameDomain[0] == withEngine && w.a.SameDisk {
				x.SameDomain = append(x.SameDomain, other.Name)
			}
		}
		x.Counts = s.whole && s.up && !w.a.ledger()
		if x.Counts {
			out.Copies++
		}
		late = late || !s.up || quiet || x.LagSeconds > r.o.Late.Seconds()
		unknown = unknown || x.State == Opening
		out.Vaults = append(out.Vaults, x)
	}
	Group(out.Vaults)
	out.Domains = DomainsOf(out.Vaults)
	switch {
	case unknown:
		out.Verdict = VerdictUnknown
	case out.Domains < 2:
		out.Verdict = VerdictAtRisk
	case late:
		out.Verdict = VerdictLate
	default:
		out.Verdict = VerdictOK
	}
	return out
}

// others names the store's vaults, as heads do.
func (r *Relay) others() (out []vault.Other) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range r.order {
		a := r.workers[name].a
		out = append(out, vault.Other{Name: a.Name, Kind: a.Kind, Location: a.Location, Domain: a.Domain})
	}
	return out
}
