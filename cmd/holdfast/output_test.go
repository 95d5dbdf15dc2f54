package main

import (
	"bytes"
	"strings"
	"testing"

	"holdfast/internal/transfer"
)

func TestInTable(t *testing.T) {
	for s, want := range map[string]string{"Family & friends": "Family & friends", "two\nlines\tand more ": "two lines and more", "\x1b[31mred": "[31mred", "": ""} {
		if got := inTable(s); got != want {
			t.Errorf("%q becomes %q, want %q", s, got, want)
		}
	}
}

// TestReportsAreText: what files and other servers call things comes out as text, never as orders to the terminal.
func TestReportsAreText(t *testing.T) {
	const evil = "/cal/\x1b]0;owned\a/\u009b31m\nrefused nothing"
	var out bytes.Buffer
	a := &app{stdout: &out, stderr: &out}
	r := takeoverReport{Left: []transfer.Left{{Path: evil, Why: evil}}, Mended: []transfer.Mended{{File: evil, What: evil}}, Refused: []transfer.RefusedOne{{File: evil, Why: evil}},
		Notes: []transfer.Note{{File: evil, What: evil}}, Collections: []transfer.TakenCollection{{Into: "x", Differs: []transfer.Odd{{Name: evil, Why: evil}}, Changed: []transfer.Odd{{Name: evil, Why: evil}}}}}
	if err := a.showTakeover(r); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); strings.ContainsAny(s, "\x1b\a\u009b") || strings.Contains(s, "\nrefused nothing") || strings.Count(s, "owned") != 12 {
		t.Errorf("%q", s)
	}
}

// TestWhatIsSaidIsText: a device is called what its owner likes, and whoever runs the server reads it in a terminal.
func TestWhatIsSaidIsText(t *testing.T) {
	const evil = "\x1b[2J\u009b31mphone\u202e\u2066\a\r"
	var out bytes.Buffer
	a := &app{stdout: &out, stderr: &out}
	a.printf("%s\tgoes on\n", evil)
	a.say("%s: \U0001f469\u200d\U0001f680\n", evil)
	if got, want := out.String(), "[2J31mphone\tgoes on\n[2J31mphone: \U0001f469\u200d\U0001f680\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
