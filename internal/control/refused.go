package control

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/refused"
	"holdfast/internal/salvage"
)

// Refused is what devices sent and were refused.
type Refused interface {
	Flush() // waits until what came by now is listed
	List(account holdfast.ID) []refused.Kept
	Body(account holdfast.ID, name string) ([]byte, error)
	Remove(account holdfast.ID, names ...string) error
	Count() (n int, octets int64)
}

// SentInVain is a change that a device sent and was refused.
type SentInVain struct {
	File   string    `json:"file"` // as the items name it that it holds
	Path   string    `json:"path"`
	Device string    `json:"device"`
	Time   time.Time `json:"time"`
	Status int       `json:"status"` // of the answer
	Why    string    `json:"why"`
	Octets int64     `json:"octets"`
	Until  time.Time `json:"until"`
	Taken  bool      `json:"taken"` // all of it is in the account, or is now: it is kept here no more
}

// salvageRefused compares what is kept with an account's history, as files are, adds what it lacks, and keeps no longer what is there then.
func (h *handler) salvageRefused(ctx context.Context, a holdfast.Account, only exporter, v url.Values, out *lines) {
	x := vain{h: h, ctx: ctx, account: a, only: only, out: out, taken: map[string]bool{},
		q: salvage.Request{Account: a.ID, Into: v.Get("into"), WithDeleted: v.Get("with_deleted") == "true", DryRun: v.Get("dry_run") == "true", MaxOctets: h.MaxImport}}
	end, err := x.all()
	if err != nil {
		h.Log.Log(ctx, slog.LevelWarn, "a salvage of what was refused did not come to its end; run it again to go on", "account", a.Email, "err", err)
		_ = out.write(SalvageEvent{Error: problemOf(err)})
		return
	}
	_ = out.write(SalvageEvent{Done: &end})
}

// vain is one salvage of what was refused.
type vain struct {
	h       *handler
	ctx     context.Context
	account holdfast.Account
	only    exporter // whose; zero: all devices'
	q       salvage.Request
	out     *lines
	taken   map[string]bool // by file: false where an item of it was not taken
}

// all goes through the devices: a conflict copy is named after the one that it came from.
func (x *vain) all() (SalvageDone, error) {
	end := SalvageDone{DryRun: x.q.DryRun, Device: x.only.name}
	if x.h.Refused == nil {
		return end, nil
	}
	names, err := deviceNames(x.ctx, x.h.Core, x.account.ID)
	if err != nil {
		return end, err
	}
	x.h.Refused.Flush()
	var order []holdfast.ID
	by := map[holdfast.ID][]refused.Kept{}
	for _, k := range x.h.Refused.List(x.account.ID) {
		if !x.only.id.IsZero() && k.Device != x.only.id {
			continue
		}
		if by[k.Device] == nil {
			order = append(order, k.Device)
		}
		by[k.Device] = append(by[k.Device], k)
	}
	for _, id := range order {
		n, err := x.device(cmp.Or(names[id], "a device that was removed"), by[id])
		if err != nil {
			return end, errors.Join(context.Cause(x.ctx), err)
		}
		end.add(n)
	}
	return end, nil
}

// deviceNames are what an account's owner calls its devices.
func deviceNames(ctx context.Context, c *core.Service, account holdfast.ID) (map[holdfast.ID]string, error) {
	list, err := c.Devices(ctx, account)
	names := map[holdfast.ID]string{}
	for i := range list {
		names[list[i].ID] = list[i].Name
	}
	return names, err
}

// add counts what another run came to.
func (d *SalvageDone) add(n salvage.Counts) {
	d.Items += n.Items
	d.Contacts += n.Contacts
	d.Already += n.Already
	d.Older += n.Older
	d.Restored += n.Restored
	d.Offered += n.Offered
	d.Conflict += n.Conflict
	d.Refused += n.Refused
}

// device takes what one sent.
func (x *vain) device(name string, list []refused.Kept) (salvage.Counts, error) {
	x.q.From = name
	run, err := salvage.New(x.ctx, x.h.Core, x.q, x.tell)
	if err != nil {
		return salvage.Counts{}, err
	}
	files := make([]string, len(list))
	for i := range list {
		files[i] = x.fileOf(name, &list[i])
		body, err := x.h.Refused.Body(x.account.ID, list[i].Name)
		if err == nil {
			if strings.HasPrefix(list[i].Path, holdfast.HomeFiles+"/") {
				err = run.Plain(x.ctx, files[i], list[i].Path, list[i].ContentType, body)
			} else {
				err = run.Sent(x.ctx, files[i], path.Dir(list[i].Path), bytes.NewReader(body))
			}
		} else if holdfast.IsKind(err, holdfast.Corrupt) { // the rest is whole
			err = run.Unreadable(files[i], err)
		}
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) { // NotFound: it was taken off meanwhile
			return salvage.Counts{}, err
		}
	}
	counts, err := run.Finish(x.ctx)
	if err != nil {
		return counts, err
	}
	return counts, x.end(name, files, list)
}

// fileOf names a body, by its path and, where there are more of one, a number.
func (x *vain) fileOf(device string, k *refused.Kept) string {
	name := k.Path + ", from " + device
	for n := 2; ; n++ {
		if _, there := x.taken[name]; !there {
			break
		}
		name = fmt.Sprintf("%s, from %s (%d)", k.Path, device, n)
	}
	x.taken[name] = true
	return name
}

// tell passes an event on. What is refused again, or was deleted here and is only named, stays kept.
func (x *vain) tell(e salvage.Event) error {
	if i := e.Item; i != nil {
		if i.Result == salvage.Refused || i.Result == salvage.Offered {
			x.taken[i.File] = false
		}
		i.Octets = nil // they are kept where they are
	}
	return x.out.write(SalvageEvent{Event: e})
}

// end takes off the list what is in the account now, and names all.
func (x *vain) end(device string, files []string, list []refused.Kept) error {
	var gone []string
	for i := range list {
		k := &list[i]
		if x.taken[files[i]] {
			gone = append(gone, k.Name)
		}
		err := x.out.write(SalvageEvent{Sent: &SentInVain{File: files[i], Path: k.Path, Device: device, Time: k.At, Status: k.Status, Why: k.Why, Octets: k.Octets, Until: k.Until.UTC(), Taken: x.taken[files[i]] && !x.q.DryRun}})
		if err != nil {
			return err
		}
	}
	if x.q.DryRun {
		return nil
	}
	return x.h.Refused.Remove(x.account.ID, gone...)
}
