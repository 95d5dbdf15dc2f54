#!/usr/bin/env bash
# The long sizes, for a night: 200,000 power cuts, every octet of a vault changed, long random operations, 20,000 recurrence rules, a minute of fuzzing for each target, the benchmarks in full.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/need-go.sh
scripts/need-tools.sh
go test -timeout 4h -run 'TestPowerCut' ./internal/store/sqlite -v -args -cuts 200000
go test -timeout 2h -run 'TestEveryOctet$' ./internal/vault -args -octets
HOLDFAST_OPS=200000 go test -timeout 2h -run 'TestContract' ./internal/store/...
HOLDFAST_RULES=20000 go test -timeout 3h ./internal/ical/recur
go test -timeout 1h ./internal/vaultd -run TestThroughABadProxy -args -seeds 200
go test -timeout 1h -race ./internal/...
FUZZTIME=60s scripts/fuzz.sh 60s
go test -timeout 1h ./internal/vault -run TestNoRoomForADuty -args -room
go test -timeout 4h ./sim -args -sim.kills 200 -sim.burns 60 -sim.remoteburns 20 -sim.duties 60 -sim.quickstarts 200 -sim.devices 300 -sim.reversals 20 -sim.filekills 200 -sim.huge 4294967296 -sim.cut 100000
go test -timeout 1h ./sim -run TestDevicesOutlive -args -sim.devices 1000
go test -timeout 1h ./sim/clients ./sim/load
make --no-print-directory bench
