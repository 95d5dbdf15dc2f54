package main

import (
	"context"
	"fmt"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/vault"
)

// reaches refuses a moment of which the vaults can know nothing: one that is still to come, which would be the newest under another name, and one before any of them was made. What a vault got when it was filled, it does not know for how long the store had had it.
func reaches(ctx context.Context, at time.Time, vaults []*vault.Vault) error {
	if at.IsZero() {
		return nil
	}
	if at.After(clock.System.Now()) {
		return notYet(ctx, at, vaults)
	}
	var oldest time.Time
	for _, v := range vaults {
		made := v.Meta().Created
		if made.IsZero() || !at.Before(made) {
			return nil
		}
		if oldest.IsZero() || made.Before(oldest) {
			oldest = made
		}
	}
	if oldest.IsZero() {
		return nil
	}
	return &exitError{exitUsage, fmt.Sprintf("nothing of what was named goes back to %s: the oldest of these vaults was made at %s, and does not know what was before. Name an older vault, or a later moment; nothing was written", at.Format(time.RFC3339), oldest.Format(time.RFC3339))}
}

// notYet refuses a moment to come, and says what the newest is. A vault that has something of that moment knows better than this machine's clock.
func notYet(ctx context.Context, at time.Time, vaults []*vault.Vault) error {
	var newest time.Time
	for _, v := range vaults {
		last, err := v.Newest(ctx)
		if err != nil && ctx.Err() != nil {
			return err
		}
		if last.After(newest) { // one that cannot say it is read all the same; then that is told
			newest = last
		}
	}
	if !newest.IsZero() && !at.After(newest) {
		return nil
	}
	text := fmt.Sprintf("--at %s is still to come. ", at.Format(time.RFC3339))
	if newest.IsZero() {
		text += "What the newest moment of these vaults is cannot be read"
	} else {
		text += "The newest change that these vaults have is of " + newest.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	}
	return &exitError{exitUsage, text + ". To restore the newest, leave --at out; nothing was written"}
}
