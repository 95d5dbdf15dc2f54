package main

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
)

// notify tells systemd how the service fares, if systemd asked (sd_notify(3)).
func notify(log *slog.Logger, state string) {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return
	}
	if err := sendTo(name, state); err != nil {
		log.Warn("systemd could not be told", "state", state, "err", err)
	}
}

func sendTo(name, state string) error {
	if name[0] != '/' && name[0] != '@' {
		return errors.New("NOTIFY_SOCKET names neither a path nor an abstract socket")
	}
	if rest, ok := strings.CutPrefix(name, "@"); ok {
		name = "\x00" + rest
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return err
	}
	_, err = c.Write([]byte(state))
	return errors.Join(err, c.Close())
}
