package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/notice"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/vfs"
)

// refusalsName is the file of a data directory that says of which starts that came to nothing people were told. It may be removed: then they are told anew.
const refusalsName = "refused.json"

// refusalWithin bounds how long a start that came to nothing takes to tell people before it ends.
const refusalWithin = 8 * time.Second

// maxRefusals bounds how many are remembered.
const maxRefusals = 20

// refusal is a reason for which no service runs, and when people were told of it.
type refusal struct {
	Why    string           `json:"why"` // without its numbers
	At     time.Time        `json:"at"`
	Thread holdfast.ID      `json:"thread"`
	Told   notice.Condition `json:"told"`
}

// tellRefusal tells people by the configured ways that a start came to nothing: else only its exit status and its log say it. A supervisor starts again and again, so each reason is told once, until a start succeeds or the
// notice would be too old. What has a usage wrong is left to who typed it.
func (a *app) tellRefusal(c *config.Config, log *slog.Logger, err error) {
	if code := exitCode(err); code == exitUsage || errors.Is(err, context.Canceled) {
		return
	}
	n, boardErr := newBoard(c, log)
	if boardErr != nil {
		log.Error("nobody can be told that the start came to nothing", "err", boardErr)
		return
	}
	if len(n.Ways()) == 0 {
		return
	}
	now, why := clock.System.Now().UTC().Truncate(time.Second), sentence(err)
	told := toldRefusals(c.Data, now, c.Notify.Keep)
	if slices.ContainsFunc(told, func(r refusal) bool { return r.Why == wordsOf(why) }) {
		return
	}
	cond, keep := refusedCondition(c, why), ownDirectory(c.Data)
	cond.Since = now
	if !keep {
		cond.Text += " This is told at each start: nothing is written into that directory that would remember it."
	}
	ctx, cancel := context.WithTimeout(context.Background(), min(refusalWithin, c.Notify.Timeout))
	defer cancel()
	thread, outcomes := n.Tell(ctx, cond)
	got := false
	for _, o := range outcomes {
		got = got || o.OK
		if o.OK {
			log.Info("people were told that the start came to nothing", "way", o.Way, "said", o.Said)
		} else {
			log.Error("people could not be told that the start came to nothing", "way", o.Way, "err", o.Error)
		}
	}
	if !got || !keep { // the next start tries again
		return
	}
	if err := saveRefusals(c.Data, append(told, refusal{wordsOf(why), now, thread, cond})); err != nil {
		log.Warn("it cannot be remembered that people were told; the next start tells them again", "err", err)
	}
}

// toldRefused is tellRefusal, and returns the error.
func (a *app) toldRefused(c *config.Config, err error) error {
	a.tellRefusal(c, a.logger(c), err)
	return err
}

// refusedCondition says that a start came to nothing. Where a server runs on the same data people are served all the same.
func refusedCondition(c *config.Config, why string) notice.Condition {
	ctx, cancel := context.WithTimeout(context.Background(), c.Timeouts.Control)
	defer cancel()
	if cl, err := control.Dial(ctx, c.Data); err == nil {
		cl.Close()
		return notice.Condition{Key: "refused", Severity: notice.Warning, Sure: true, Title: "The service was started a second time, and that was refused",
			Text: "A server works on these data already, and goes on. The start that was refused said: " + why}
	}
	return notice.Condition{Key: "refused", Severity: notice.Critical, Sure: true, Title: "The service does not start",
		Text: "Phones are not served, and keep what they have. Nothing was changed by this start. It said: " + why}
}

// ownDirectory tells whether a directory is, or was, that of a store. In any other nothing is written: it may be where a disk is to be mounted, or somebody else's.
func ownDirectory(dir string) bool {
	for _, name := range []string{identityName, sqlite.FileName, restoringName} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// wordsOf is a reason without its numbers: a process or a port is another one each time.
func wordsOf(why string) string {
	return strings.Join(strings.FieldsFunc(why, unicode.IsDigit), "#")
}

// toldRefusals reads of what people were told, without what is too old.
func toldRefusals(dir string, now time.Time, keep time.Duration) (list []refusal) {
	b, err := vfs.ReadFile(vfs.OS, filepath.Join(dir, refusalsName))
	if err != nil || json.Unmarshal(b, &list) != nil {
		return nil
	}
	return slices.DeleteFunc(list, func(r refusal) bool { return now.Sub(r.At) >= keep || r.At.After(now.Add(time.Minute)) })
}

func saveRefusals(dir string, list []refusal) error {
	b, err := json.MarshalIndent(list[max(0, len(list)-maxRefusals):], "", " ")
	if err != nil {
		return err
	}
	return vfs.WriteFileAtomic(vfs.OS, filepath.Join(dir, refusalsName), append(b, '\n'), 0o600)
}

// overRefusals has people told that the service runs, if they were told that it does not start.
func (s *server) overRefusals() {
	list := toldRefusals(s.c.Data, clock.System.Now(), s.c.Notify.Keep)
	if len(list) > 0 {
		last := list[len(list)-1]
		s.store.board.Resume(last.Told, last.Thread, last.At)
	}
	if err := os.Remove(filepath.Join(s.c.Data, refusalsName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("what people were told of starts that came to nothing cannot be forgotten", "err", err)
	}
}
