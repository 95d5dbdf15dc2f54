package fleet

import (
	"context"
	"strconv"
	"time"
)

// Result is what a run came to.
type Result struct {
	URL      string  `json:"url"`
	Seed     uint64  `json:"seed"`
	Clients  []Count `json:"clients"`
	Accounts int     `json:"accounts"`
	Speed    float64 `json:"speed"`     // how much faster than life
	LifeDays float64 `json:"life_days"` // of the people's time, planned
	Seconds  float64 `json:"duration_s"`

	Syncs       int64   `json:"syncs"`       // of one collection by one device
	SyncsPerS   float64 `json:"syncs_per_s"` // while people lived: setting up and settling are not in it
	SyncsFailed int64   `json:"syncs_failed"`
	Requests    int64   `json:"requests"`

	Edits             int64 `json:"edits"` // creations and changes that people made
	EditsAcknowledged int64 `json:"edits_acknowledged"`
	EditsSkipped      int64 `json:"edits_skipped"` // planned, but the device did not have the item, or the time was over
	UserDeletions     int64 `json:"user_deletions"`

	DeletionsNoUserMade int64 `json:"deletions_no_user_made"`
	EditsLost           int64 `json:"edits_lost"`
	EditsOverwritten    int64 `json:"edits_overwritten_by_client_rules"`
	Kept                int64 `json:"kept_not_uploaded"`
	DeletionsUndone     int64 `json:"deletions_undone"`

	Latency     Latency          `json:"latency_ms"` // of a request
	SyncLatency Latency          `json:"sync_latency_ms"`
	Answers     map[string]int64 `json:"answers"` // by status; "none": no answer came
	Errors      map[string]int64 `json:"errors"`  // why syncs failed

	Settled   bool      `json:"settled"` // in the end nothing changed any more: else nothing is certain
	Unsettled []Finding `json:"unsettled"`

	Deletions    []Finding `json:"deletions"` // the first 100 of each sort
	Lost         []Finding `json:"lost"`
	Overwritten  []Finding `json:"overwritten"`
	KeptOnly     []Finding `json:"kept"`
	UndoneByThem []Finding `json:"undone"`

	OnlyHere []Alone `json:"only_here"` // each device that holds what the server has not, in the order of their names
}

// Latency is in milliseconds.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// Judge reads what the server has, and compares it and the devices with what people did. Nothing may be under way: Settle comes before.
func (f *Fleet) Judge(ctx context.Context) (*Result, error) {
	err := f.eachPerson(ctx, func(ctx context.Context, p *Person) error {
		r := p.reader()
		if _, err := r.Sync(ctx); err != nil {
			f.report.mu.Lock()
			f.open.add(p.finding(nil, "", "what the server has cannot be read: "+err.Error(), nil))
			f.report.mu.Unlock()
			return nil
		}
		p.judge(r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f.result(), nil
}

func (f *Fleet) result() *Result {
	f.report.mu.Lock()
	defer f.report.mu.Unlock()
	s, g := &f.stats, &f.report
	r := &Result{URL: f.o.URL, Seed: f.o.Seed, Clients: f.o.Clients, Accounts: len(f.persons), Speed: f.o.Speed, LifeDays: f.o.Life.Hours() / 24, Seconds: f.lasted.Seconds(),
		Syncs: s.Syncs.Load(), SyncsFailed: s.Failed.Load(), Requests: s.Requests.Load(), Edits: f.made[create].Load() + f.made[change].Load(), EditsSkipped: f.skipped.Load(),
		UserDeletions: f.made[remove].Load(), DeletionsNoUserMade: g.drops.n, EditsLost: g.lost.n, EditsOverwritten: g.overwrites.n, Kept: g.kept.n, DeletionsUndone: g.odd.n,
		Latency: latency(&s.requests), SyncLatency: latency(&s.syncs), Answers: map[string]int64{}, Errors: map[string]int64{}, Settled: f.open.n == 0, Unsettled: some(f.open),
		Deletions: some(g.drops), Lost: some(g.lost), Overwritten: some(g.overwrites), KeptOnly: some(g.kept), UndoneByThem: some(g.odd), OnlyHere: g.onlyHere()}
	if f.lasted > 0 {
		r.SyncsPerS = float64(f.during) / f.lasted.Seconds()
	}
	for _, p := range f.persons {
		for i := range p.edits {
			if p.edits[i].acked && p.edits[i].op != remove {
				r.EditsAcknowledged++
			}
		}
	}
	for status := range s.answers {
		if n := s.answers[status].Load(); n > 0 {
			r.Answers[map[bool]string{true: "none", false: strconv.Itoa(status)}[status == 0]] = n
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for text, n := range s.errors {
		r.Errors[text] = n
	}
	return r
}

func some(l list) []Finding { return append([]Finding{}, l.kept...) }

func latency(h *histogram) Latency {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return Latency{ms(h.quantile(0.5)), ms(h.quantile(0.99))}
}

// Good tells whether nothing was lost and nothing vanished.
func (r *Result) Good() bool { return r.DeletionsNoUserMade == 0 && r.EditsLost == 0 }

// Progress is how far a run is.
type Progress struct {
	Syncs, Requests, Edits, Deletions int64
	DeletionsNoUserMade               int64
}

// Progress may be asked at any time.
func (f *Fleet) Progress() Progress {
	f.report.mu.Lock()
	defer f.report.mu.Unlock()
	return Progress{Syncs: f.stats.Syncs.Load(), Requests: f.stats.Requests.Load(), Edits: f.made[create].Load() + f.made[change].Load(), Deletions: f.made[remove].Load(),
		DeletionsNoUserMade: f.report.drops.n}
}

// Run sets up, lives, settles and judges.
func (f *Fleet) Run(ctx context.Context) (*Result, error) {
	live := f.Live
	if f.o.FlatOut {
		live = func(ctx context.Context) error { return f.SyncFlatOut(ctx, time.Duration(float64(f.o.Life)/f.o.Speed)) }
	}
	for _, stage := range []func(context.Context) error{f.SetUp, live, f.Settle} {
		if err := stage(ctx); err != nil {
			return nil, err
		}
	}
	return f.Judge(ctx)
}

// Run is a whole run.
func Run(ctx context.Context, o Options) (*Result, error) {
	f, err := New(o)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Run(ctx)
}
