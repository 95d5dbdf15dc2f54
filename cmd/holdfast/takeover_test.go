package main

import (
	"strings"
	"testing"

	"holdfast/internal/transfer"
)

func TestTakeoverSentence(t *testing.T) {
	for _, x := range []struct {
		sums transfer.Sums
		want string
	}{
		{transfer.Sums{}, "0 refused. Every item was read back and is equal."},
		{transfer.Sums{Kept: 1}, "1 stays as it was edited here; --replace takes the other server's. Every other item that was taken was read back and is equal."},
		{transfer.Sums{Kept: 2, Refused: 1}, "2 stay as they were edited here; --replace takes the other server's. Every other item that was taken was read back and is equal."},
		{transfer.Sums{Refused: 1}, "1 refused. Every item that was taken was read back and is equal."},
	} {
		r := takeoverReport{TakeoverTotals: transfer.TakeoverTotals{Sums: x.sums, Equal: true}}
		if got := r.sentence(); !strings.HasSuffix(got, x.want) {
			t.Errorf("%+v: %q, want %q", x.sums, got, x.want)
		}
	}
}

// TestInterruptedDryRun: what did nothing does not claim to have done something.
func TestInterruptedDryRun(t *testing.T) {
	if got := interrupted(true, "stored").Error(); got != "interrupted; nothing was stored" {
		t.Error(got)
	}
	if got := interrupted(false, "stored"); exitCode(got) != exitBusy || got.Error() != "interrupted; what was stored stays, run it again to go on" {
		t.Error(got)
	}
}

func TestWhatDevicesChange(t *testing.T) {
	for user, want := range map[string]string{"carol": "name alone", "Carol": "name alone", "carol@example.org": "name alone", "caro": "and the user name", "carol@example.com": "and the user name", "": "and the user name"} {
		r := takeoverReport{Account: "carol@example.org", User: user}
		if s := r.next(); !strings.Contains(s, want) || !strings.Contains(s, "app-password add carol@example.org --name NAME --password-stdin") {
			t.Errorf("%q: %s", user, s)
		}
	}
}
