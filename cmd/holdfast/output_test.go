package main

import "testing"

func TestInTable(t *testing.T) {
	for s, want := range map[string]string{"Family & friends": "Family & friends", "two\nlines\tand more ": "two lines and more", "\x1b[31mred": "[31mred", "": ""} {
		if got := inTable(s); got != want {
			t.Errorf("%q becomes %q, want %q", s, got, want)
		}
	}
}
