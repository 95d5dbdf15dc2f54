package main

import (
	"os"

	"holdfast/internal/photo/decode"

	"github.com/spf13/cobra"
)

// decodeWorkerCommand is what the service runs for itself, once for each child of its pool of decoders.
func (a *app) decodeWorkerCommand() *cobra.Command {
	ffmpeg := ""
	cmd := &cobra.Command{
		Use:    "decode-worker",
		Short:  "Make thumbnails for the service that started it (not for people)",
		Hidden: true,
		Args:   args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if ffmpeg != "" {
				return decode.BecomeFilm(ffmpeg)
			}
			if err := decode.Confine(); err != nil {
				return err
			}
			out := os.Stdout
			os.Stdout = os.Stderr // what decoders print is no answer
			return decode.Serve(a.stdin, out)
		},
	}
	cmd.Flags().StringVar(&ffmpeg, "film", "", "become this ffmpeg, for one film")
	return cmd
}
