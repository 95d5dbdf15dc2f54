#!/usr/bin/env bash
# Runs every fuzz target for a while: scripts/fuzz.sh 5s
set -euo pipefail
time=${1:-5s}
for dir in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}}{{end}}' ./...); do
	targets=$(cd "$dir" && grep -hoE '^func Fuzz[A-Za-z0-9_]*' ./*_test.go 2>/dev/null | sed 's/^func //' || true)
	for target in $targets; do
		echo "   ${dir#"$PWD"/} $target"
		(cd "$dir" && go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 1x . >/tmp/fuzz.$$ 2>&1) || { cat /tmp/fuzz.$$; rm -f /tmp/fuzz.$$; exit 1; }
	done
done
rm -f /tmp/fuzz.$$
