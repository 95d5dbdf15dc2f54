package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"holdfast/internal/control"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// What cannot be undone is named by count before it is done; docs/design/0044 says which commands ask, which are refused without a word of consent, and which go on.

// agreeFlag adds the flag that is the word of consent.
func agreeFlag(c *cobra.Command, yes *bool) {
	c.Flags().BoolVar(yes, "yes", false, "go on without being asked")
}

// agreed asks whether to go on with what cannot be undone and was named, where there is somebody to ask. A script has nobody: it goes on with what it named itself.
func (a *app) agreed(yes bool) error {
	if yes || !terminal(a.stdin) || !terminal(a.stderr) {
		return nil
	}
	a.say("Go on? (y/N) ")
	line, err := bufio.NewReader(io.LimitReader(a.stdin, maxPassword)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("the answer could not be read: %w", err)
	}
	if word := strings.ToLower(strings.TrimSpace(line)); word != "y" && word != "yes" {
		return refused("nothing was done")
	}
	return nil
}

// needed refuses what cannot be undone without the word, and says what goes on with it. Where there is somebody to ask it asks.
func (a *app) needed(cmd *cobra.Command, list []string, yes bool, what string) error {
	if yes {
		return nil
	}
	if terminal(a.stdin) && terminal(a.stderr) {
		a.say("%s.\n", what)
		return a.agreed(false)
	}
	return refused("%s. Nothing was done; to go on: %s --yes", what, asGiven(cmd, list))
}

// asGiven is a command as it was given.
func asGiven(cmd *cobra.Command, list []string) string {
	out := []string{cmd.CommandPath()}
	for _, arg := range list {
		out = append(out, inShell(arg))
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "bool" {
			out = append(out, "--"+f.Name+map[bool]string{false: "=" + f.Value.String()}[f.Value.String() == "true"])
			return
		}
		values := []string{f.Value.String()}
		if many, ok := f.Value.(pflag.SliceValue); ok {
			values = many.GetSlice()
		}
		for _, v := range values {
			out = append(out, "--"+f.Name, inShell(v))
		}
	})
	return strings.Join(out, " ")
}

// holds says by count and kind what collections hold.
func holds(list []control.Collection) string {
	words := map[string]string{"addressbook": "contact", "calendar": "calendar item"}
	sums := map[string]int64{}
	for _, c := range list {
		one := words[string(c.Type)]
		if one == "" {
			one = "file"
		}
		sums[one] += c.Items
	}
	var out []string
	for _, one := range []string{"contact", "calendar item", "file"} {
		if n := sums[one]; n > 0 {
			out = append(out, count(n, one))
		}
	}
	if len(out) == 0 {
		return "no items"
	}
	return strings.Join(out, ", ")
}
