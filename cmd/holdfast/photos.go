package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/control"
	"holdfast/internal/library"

	"github.com/spf13/cobra"
)

func (a *app) photosCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "photos",
		Short: "Show the photos of an account by time, place and camera, and which a phone may let go of",
		Long: `Show the photos and films of an account, of the folders that are marked as ones of photos (files/Photos is), while the service
runs. Times are those of the clock on the wall where a photo was taken.`,
	}
	c.AddCommand(a.photosList(), a.photosMonths(), a.photosAlbums(), a.photosSafe())
	return c
}

// photoFlags are those by which photos are chosen.
type photoFlags struct {
	q              library.Query
	from, to, near string
	album          string
}

func (f *photoFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.from, "from", "", "taken on this `DAY` or later: 2009, 2009-10 or 2009-10-03")
	c.Flags().StringVar(&f.to, "to", "", "taken on this `DAY` or earlier")
	c.Flags().StringVar(&f.q.Name, "name", "", "a part of the file's name")
	c.Flags().StringVar(&f.q.Camera, "camera", "", "words of the camera's or lens's name")
	c.Flags().StringVar(&f.q.Place, "place", "", "a part of the place's name, where the file says one")
	c.Flags().StringVar(&f.near, "box", "", "taken within `SOUTH,WEST,NORTH,EAST`, in degrees")
	c.Flags().BoolVar(&f.q.Favorite, "favorites", false, "favourites alone")
	c.Flags().StringVar(&f.album, "album", "", "those in the album with this `ID` alone")
	c.Flags().IntVar(&f.q.Limit, "limit", 50, "at most so many, 1000 at most")
	c.Flags().StringVar(&f.q.After, "after", "", "go on after a page that ended here")
}

// query is what was chosen.
func (f *photoFlags) query() (q library.Query, err error) {
	q = f.q
	if q.Limit < 1 || q.Limit > library.MaxPage {
		return q, fmt.Errorf("--limit is from 1 to %d", library.MaxPage)
	}
	if q.From, _, err = period(f.from); err == nil {
		_, q.To, err = period(f.to)
	}
	if err == nil && f.near != "" {
		q.Box, err = parseBox(f.near)
	}
	if err == nil && f.album != "" {
		q.Album, err = holdfast.ParseID(f.album)
	}
	return q, err
}

// period reads a year, a month or a day.
func period(s string) (from, to time.Time, err error) {
	if s == "" {
		return from, to, nil
	}
	for i, layout := range []string{"2006", "2006-01", time.DateOnly} {
		if from, err = time.Parse(layout, s); err == nil {
			return from, from.AddDate(bit(i == 0), bit(i == 1), bit(i == 2)), nil
		}
	}
	return from, to, fmt.Errorf("%q is no day, month or year like 2009-10-03, 2009-10 or 2009", s)
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func parseBox(s string) (*library.Box, error) {
	var v [4]float64
	parts := strings.Split(s, ",")
	for i, p := range parts {
		n, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil || len(parts) != len(v) {
			return nil, fmt.Errorf("%q is no box: four numbers are expected, like 52.3,13.1,52.7,13.8", s)
		}
		v[i] = n
	}
	return &library.Box{South: v[0], West: v[1], North: v[2], East: v[3]}, nil
}

func (a *app) photosList() *cobra.Command {
	f := photoFlags{}
	c := &cobra.Command{
		Use:   "list EMAIL",
		Short: "List photos, newest first",
		Long: `List photos, newest first, with the time that a clock showed where each was taken.

KNOWN says how far that can be believed:
  stated      the camera says it with its zone
  derived     the camera says it, and its zone follows from the time of satellites
  wall clock  the camera says it, and no zone
  guessed     it stands in the file's name, or in a field that programs write when they edit
  not known   nothing says it: it is the time of the file`,
		Example: `  holdfast photos list alice@example.org
  holdfast photos list alice@example.org --from 2009-10 --to 2009-12 --camera nikon
  holdfast photos list alice@example.org --box 52.3,13.1,52.7,13.8 --favorites`,
		Args: account(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			q, err := f.query()
			if err != nil {
				return usage(cmd, err)
			}
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				page, err := cl.Photos(ctx, list[0], q)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON("photos-list", page)
				}
				return a.showPhotos(page)
			})
		},
	}
	f.add(c)
	return c
}

func (a *app) showPhotos(p library.Page) error {
	var rows [][]string
	for i := range p.Photos {
		x := &p.Photos[i]
		rows = append(rows, []string{strings.Replace(x.Taken.Wall, "T", " ", 1), x.Taken.Sure, inTable(x.Path), octets(x.Octets), inTable(aboutPhoto(x))})
	}
	if len(rows) == 0 {
		a.say("There are none.\n")
	} else if err := a.table("TAKEN KNOWN PHOTO SIZE ABOUT", rows); err != nil {
		return err
	}
	a.sayBehind(p.Behind)
	if p.Next != "" {
		a.say("There is more: --after %s\n", p.Next)
	}
	return nil
}

func (a *app) sayBehind(behind bool) {
	if behind {
		a.say("What was stored last is not among it yet.\n")
	}
}

// aboutPhoto is what stands out of a photo.
func aboutPhoto(x *library.Photo) string {
	var out []string
	if x.Width > 0 {
		out = append(out, fmt.Sprintf("%d×%d", x.Width, x.Height))
	}
	if x.Seconds > 0 {
		out = append(out, fmt.Sprintf("film of %.0f s", math.Ceil(x.Seconds)))
	}
	if x.Camera != nil {
		out = append(out, x.Camera.Name())
	}
	if x.Place != nil {
		out = append(out, x.Place.String())
	}
	if x.Favorite {
		out = append(out, "favourite")
	}
	if x.Motion != nil {
		out = append(out, "with a film")
	}
	switch x.State {
	case library.Ready:
	case library.Waiting:
		out = append(out, "no thumbnail yet")
	default:
		out = append(out, strings.TrimSuffix(string(x.State)+": "+x.Why, ": "))
	}
	return strings.Join(slices.DeleteFunc(out, func(s string) bool { return s == "" }), ", ")
}

func (a *app) photosMonths() *cobra.Command {
	return &cobra.Command{
		Use:   "months EMAIL",
		Short: "Count photos by month",
		Args:  account(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				t, err := cl.PhotoMonths(ctx, list[0])
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON("photos-months", t)
				}
				var rows [][]string
				for _, m := range t.Months {
					rows = append(rows, []string{m.Month, strconv.Itoa(m.Photos)})
				}
				a.say("%s\n", count(int64(t.Photos), "photo"))
				a.sayBehind(t.Behind)
				if len(rows) == 0 {
					return nil
				}
				return a.table("MONTH PHOTOS", rows)
			})
		},
	}
}

func (a *app) photosAlbums() *cobra.Command {
	return &cobra.Command{
		Use:   "albums EMAIL",
		Short: "List albums",
		Args:  account(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				x, err := cl.Albums(ctx, list[0])
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON("photos-albums", x)
				}
				var rows [][]string
				for _, al := range x.Albums {
					rows = append(rows, []string{al.ID.String(), inTable(al.Title), strconv.Itoa(al.Photos), strconv.Itoa(al.Gone)})
				}
				if len(rows) == 0 {
					a.say("There are none.\n")
					return nil
				}
				return a.table("ID ALBUM PHOTOS GONE", rows)
			})
		},
	}
}

func (a *app) photosSafe() *cobra.Command {
	f := photoFlags{}
	c := &cobra.Command{
		Use:   "safe EMAIL",
		Short: "Say which photos a phone may let go of",
		Long: `Say which photos a phone may let go of: those of which a vault that does not end with this server has the octets, and where
they were verified since they were stored, by a drill or by a reading of the whole vault.

The exit status is 0 if all photos that are shown are safe, and 1 if one is not.`,
		Example: `  holdfast photos safe alice@example.org
  holdfast photos safe alice@example.org --to 2008 --json`,
		Args: account(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			q, err := f.query()
			if err != nil {
				return usage(cmd, err)
			}
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				s, err := cl.PhotoSafety(ctx, list[0], q)
				if err != nil {
					return err
				}
				if a.json {
					err = a.printJSON("photos-safe", s)
				} else {
					err = a.showSafety(s)
				}
				unsafe := s.Not.Photos > 0 || slices.ContainsFunc(s.Photos, func(x library.Judged) bool { return !x.Verdict.Safe })
				return errors.Join(err, map[bool]error{true: &exitError{code: exitNegative}}[unsafe && err == nil])
			})
		},
	}
	f.add(c)
	return c
}

func (a *app) showSafety(s library.Safety) error {
	if s.Safe.Photos+s.Not.Photos > 0 {
		a.say("%s of %s can be removed from a phone, %s of %s cannot yet.\n", count(int64(s.Safe.Photos), "photo"), octets(s.Safe.Octets), count(int64(s.Not.Photos), "photo"), octets(s.Not.Octets))
	}
	var rows [][]string
	for i := range s.Photos {
		x := &s.Photos[i]
		word := "keep"
		if x.Verdict.Safe {
			word = "safe"
		}
		rows = append(rows, []string{word, inTable(x.Path), octets(x.Octets), inTable(x.Verdict.Why)})
	}
	if len(rows) == 0 {
		a.say("There are none.\n")
	} else if err := a.table("VERDICT PHOTO SIZE WHY", rows); err != nil {
		return err
	}
	a.sayBehind(s.Behind)
	if s.Next != "" {
		a.say("There is more: --after %s\n", s.Next)
	}
	return nil
}
