package rehearse

import (
	"fmt"
	"time"

	"holdfast/internal/fleet"
)

// Moment is a line of the timeline.
type Moment struct {
	Time    time.Time `json:"time"`
	Seconds float64   `json:"s"` // since the beginning
	Text    string    `json:"text"`
	Grave   bool      `json:"grave"` // something was destroyed here
	Back    bool      `json:"back"`  // the service is there again
}

// Restored is what the way back said of itself.
type Restored struct {
	Accounts int     `json:"accounts"`
	Changes  int64   `json:"changes"`
	Losses   int     `json:"losses"` // that the restore named by itself
	Photos   int64   `json:"photos"` // whose octets lie beside the database
	Seconds  float64 `json:"duration_s"`
	Exit     int     `json:"exit"`
}

// Proof is what a drill said after the return: another restore out of the vault, with the recovery key alone, compared with the living service.
type Proof struct {
	Vault     string `json:"vault"`
	Result    string `json:"result"`
	KeyUsed   string `json:"key_used"`
	Accounts  int    `json:"accounts"`
	Restored  int64  `json:"restored"`
	Equal     int    `json:"digests_equal"`
	Different int    `json:"digests_different"`
}

// Octets is what reading the whole living store said.
type Octets struct {
	Bodies int64 `json:"bodies"`
	Found  int64 `json:"damaged"`
	Left   int64 `json:"not_mended"`
}

// Report is what a rehearsal came to.
type Report struct {
	What     string    `json:"what"` // sidekick
	Vault    bool      `json:"vault"`
	Fault    string    `json:"fault,omitempty"`
	Seed     uint64    `json:"seed"`
	Accounts int       `json:"accounts"`
	Devices  int       `json:"devices"`
	Work     string    `json:"work"` // how long people worked before the disaster
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"duration_s"`
	Outage   float64   `json:"outage_s"` // how long nothing was served

	Acknowledged        int              `json:"acknowledged"`
	Before              int              `json:"acknowledged_before"` // the service was lost for the first time
	Current             int              `json:"current"`
	History             int              `json:"history"`
	Again               int              `json:"again"`
	Lost                int              `json:"lost"`
	LostNewest          int              `json:"lost_newest"`    // of these: what its person would look for
	LostStillOn         int              `json:"lost_on_phones"` // of these: octets that a phone still holds
	PhonesReset         int              `json:"phones_reset"`
	PhonesEmptied       int              `json:"phones_emptied"`
	PhonesLacking       int              `json:"phones_lacking"` // phones that lack something of what the service has for their people
	ResetLacking        int              `json:"reset_phones_lacking"`
	PhonesMissed        int              `json:"phones_missed"` // phones that lacked something by their own client's rules
	DeletionsNoUserMade int64            `json:"deletions_no_user_made"`
	EditsLost           int64            `json:"edits_lost"`             // as a judge says that asks through DAV alone, and knows nothing of the book
	Unsent              int              `json:"unsent_on_reset_phones"` // edits that nobody had acknowledged, and that went with a phone
	Answers             map[string]int64 `json:"answers"`                // that phones got, by status; "none": no answer came
	Syncs               int64            `json:"syncs"`
	SyncsFailed         int64            `json:"syncs_failed"`
	Settled             bool             `json:"settled"`

	Restored *Restored `json:"restored,omitempty"`
	Alone    *Restored `json:"alone,omitempty"` // what a damaged vault alone would have brought back
	Proof    *Proof    `json:"proof,omitempty"`
	Octets   *Octets   `json:"octets,omitempty"`
	Photos   *Photos   `json:"photos,omitempty"`

	People   []Account `json:"people"`
	Phones   []Phone   `json:"phones"`
	Losses   []Loss    `json:"losses"` // the first of them
	Timeline []Moment  `json:"timeline"`
	Notes    []string  `json:"notes"` // what this rehearsal does not show
	Unclear  []string  `json:"unclear"`
	File     string    `json:"report"` // the page for people
	Kept     string    `json:"kept,omitempty"`

	Fleet  *fleet.Result `json:"-"`
	Series []Sample      `json:"-"`
}

// maxLosses bounds the losses that are named; all are counted.
const maxLosses = 10_000

// Good tells whether nothing acknowledged was lost and no phone was emptied. What the service had lost is a loss although a phone sent it again: not every phone could have.
func (r *Report) Good() bool {
	return r.Lost == 0 && r.Again == 0 && r.PhonesEmptied == 0 && r.DeletionsNoUserMade == 0 && r.EditsLost == 0 && r.PhonesLacking == 0 && (r.Photos == nil || r.Photos.Different == 0) && (r.Proof == nil || r.Proof.Result != "fail") && (r.Octets == nil || r.Octets.Left == 0)
}

// ResetWhole is how many of the phones that were reset have everything again.
func (r *Report) ResetWhole() int { return r.PhonesReset - r.ResetLacking }

// Certain tells whether everything that the verdict rests on could be seen.
func (r *Report) Certain() bool {
	return len(r.Unclear) == 0
}

// Verdict says it in a sentence.
func (r *Report) Verdict() string {
	emptied := "No phone was emptied"
	if r.PhonesEmptied > 0 {
		emptied = counted(r.PhonesEmptied, "phone") + " emptied"
	}
	switch {
	case r.Lost > 0:
		return fmt.Sprintf("%d of %d acknowledged changes are lost; %d had been acknowledged when the service was destroyed. %s.", r.Lost, r.Acknowledged, r.Before, emptied)
	case r.Again > 0:
		return fmt.Sprintf("%d of %d acknowledged changes were lost; phones that still had them sent them again. %s.", r.Again, r.Acknowledged, emptied)
	case r.PhonesEmptied > 0:
		return fmt.Sprintf("No acknowledged change is lost, but %s.", emptied)
	case r.DeletionsNoUserMade > 0:
		return fmt.Sprintf("%d items vanished from phones that nobody had deleted.", r.DeletionsNoUserMade)
	case r.EditsLost > 0:
		return fmt.Sprintf("%d acknowledged edits are not what the service shows in the end.", r.EditsLost)
	case r.PhonesLacking > 0:
		return fmt.Sprintf("All %d acknowledged changes are there, but %s without something that is its person's.", r.Acknowledged, counted(r.PhonesLacking, "phone"))
	case r.Photos != nil && r.Photos.Different > 0:
		return fmt.Sprintf("Of %d photos %d did not come back as they were taken.", r.Photos.Compared, r.Photos.Different)
	case !r.Good():
		return "What came back does not prove itself equal."
	case !r.Certain():
		return "Nothing was seen to be lost, but not everything could be looked at."
	}
	return fmt.Sprintf("All %d acknowledged changes are there. No phone was emptied.", r.Acknowledged)
}

// Sample is what was seen at one moment.
type Sample struct {
	Seconds      float64
	Acknowledged int
	Syncs        int64
	Engine       bool // the service's own database is there
	Vaults       int  // vaults that are whole
	Holds        []int64
}

// counted says how many there are, with its verb.
func counted(n int, one string) string {
	if n == 1 {
		return "1 " + one + " was"
	}
	return fmt.Sprintf("%d %ss were", n, one)
}
