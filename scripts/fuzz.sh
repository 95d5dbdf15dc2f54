#!/usr/bin/env bash
# Runs every fuzz target for a while: scripts/fuzz.sh 5s
#
# Go's fuzzer now and then calls its own end a failure ("context deadline exceeded") where a worker was busy when the time was over, and names no input. Only that is run once more.
set -euo pipefail
time=${1:-5s}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
fuzz() { go test -run '^$' -fuzz "^$1\$" -fuzztime "$time" -fuzzminimizetime 1x . >"$out" 2>&1; }
late() { grep -q 'context deadline exceeded' "$out" && ! grep -q 'Failing input written' "$out"; }
for dir in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}}{{end}}' ./...); do
	targets=$(cd "$dir" && grep -hoE '^func Fuzz[A-Za-z0-9_]*' ./*_test.go 2>/dev/null | sed 's/^func //' || true)
	for target in $targets; do
		echo "   ${dir#"$PWD"/} $target"
		(cd "$dir" && { fuzz "$target" || { late && fuzz "$target"; }; }) || { cat "$out"; exit 1; }
	done
done
