#!/usr/bin/env bash
# Every test, at the sizes of a normal day: about ten minutes on two cores. Installs what the tests need where it may (root on Debian); otherwise names what is missing and stops.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/need-go.sh
scripts/need-tools.sh

echo "== what judges the pages"
axe=sim/pages/axe
[ $axe/node_modules/.package-lock.json -nt $axe/package-lock.json ] || npm ci --prefix $axe --ignore-scripts --no-audit --no-fund

echo "== format and vet"
unformatted=$(gofmt -l .)
[ -z "$unformatted" ] || { echo "gofmt wants: $unformatted"; exit 1; }
go vet ./...

echo "== build without cgo"
CGO_ENABLED=0 make --no-print-directory build

echo "== tests"
go test -timeout 20m ./...

echo "== fuzzing, ${FUZZTIME:=5s} a target"
scripts/fuzz.sh "$FUZZTIME"

echo "== all tests passed"
