#!/bin/sh
# Says what to do where Go is missing or too old. Nothing else is needed to build and run.
need="1.26"
if ! command -v go >/dev/null 2>&1; then
	echo "Go is not installed. Holdfast needs Go $need or newer: unpack a release from https://go.dev/dl/ into /usr/local and add /usr/local/go/bin to PATH." >&2
	exit 1
fi
have=$(GOTOOLCHAIN=local go env GOVERSION | sed 's/^go//')
oldest=$(printf '%s\n%s\n' "$need" "$have" | sort -V | head -n 1)
if [ "$oldest" != "$need" ]; then
	echo "Go $have is too old (Debian 12's own is 1.19). Holdfast needs Go $need or newer: unpack a release from https://go.dev/dl/ into /usr/local and add /usr/local/go/bin to PATH." >&2
	exit 1
fi
