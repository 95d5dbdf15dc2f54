package control

import (
	"testing"

	"holdfast"
)

func TestShares(t *testing.T) {
	bothWays(t, func(t *testing.T, c *Client) {
		ctx := t.Context()
		for _, email := range []string{"bob@example.org", "alice@example.org"} {
			if _, err := c.CreateAccount(ctx, NewAccount{Email: email}); err != nil {
				t.Fatal(err)
			}
		}
		kind := func(err error, want holdfast.ErrorKind) {
			t.Helper()
			if !holdfast.IsKind(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		x, err := c.Share(ctx, "alice@example.org", NewShare{Path: "addressbooks/default", With: "bob@example.org", Rights: holdfast.RightRead})
		if err != nil || x.Owner != "alice@example.org" || x.With != "bob@example.org" || x.Path != "addressbooks/default" || x.Rights != holdfast.RightRead || !x.Active || x.Created.IsZero() {
			t.Fatalf("%+v, %v", x, err)
		}
		for _, of := range []string{"", "alice@example.org", "bob@example.org"} {
			if list, err := c.Shares(ctx, of); err != nil || len(list) != 1 || list[0] != x {
				t.Errorf("%q: %+v, %v", of, list, err)
			}
		}
		if a, err := c.Account(ctx, "bob@example.org"); err != nil || len(a.Shared) != 1 || a.Shared[0] != x || len(a.Shares) != 0 {
			t.Errorf("%+v, %v", a.Shared, err)
		}
		if a, err := c.Account(ctx, "alice@example.org"); err != nil || len(a.Shared) != 0 || len(a.Shares) != 1 || a.Shares[0] != x {
			t.Errorf("%+v, %v", a.Shared, err)
		}
		_, err = c.Share(ctx, "alice@example.org", NewShare{Path: "addressbooks/default", With: "alice@example.org", Rights: holdfast.RightRead})
		kind(err, holdfast.Invalid)
		if list, err := c.Accounts(ctx); err != nil || len(list) != 2 || list[0].Email != "alice@example.org" {
			t.Errorf("not in the order of their names: %+v, %v", list, err)
		}
		_, err = c.Share(ctx, "alice@example.org", NewShare{Path: "addressbooks/none", With: "bob@example.org", Rights: holdfast.RightRead})
		kind(err, holdfast.NotFound)
		_, err = c.Share(ctx, "alice@example.org", NewShare{Path: "", With: "bob@example.org", Rights: holdfast.RightRead})
		kind(err, holdfast.NotFound)
		_, err = c.Share(ctx, "alice@example.org", NewShare{Path: "addressbooks", With: "bob@example.org", Rights: holdfast.RightRead})
		kind(err, holdfast.Invalid)
		_, err = c.Share(ctx, "alice@example.org", NewShare{Path: "addressbooks/default", With: "bob@example.org", Rights: "own"})
		kind(err, holdfast.Invalid)
		_, err = c.Share(ctx, "alice@example.org", NewShare{Path: "addressbooks/default", With: "nobody@example.org", Rights: holdfast.RightRead})
		kind(err, holdfast.NotFound)
		_, err = c.Shares(ctx, "nobody@example.org")
		kind(err, holdfast.NotFound)
		if _, err := c.Unshare(ctx, "alice@example.org", x.Collection.String(), "bob@example.org"); err != nil {
			t.Error(err)
		}
		_, err = c.Unshare(ctx, "alice@example.org", "addressbooks/default", "bob@example.org")
		kind(err, holdfast.NotFound)
		if list, err := c.Shares(ctx, ""); err != nil || len(list) != 0 {
			t.Errorf("%+v, %v", list, err)
		}
	})
}
