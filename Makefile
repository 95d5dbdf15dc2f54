# make run      builds and starts Holdfast; open the link that it prints
# make test     everything: real clients, power cuts, hostile input
# make check    quick: format, vet, tests in short form; before each commit
# make bench    speed, beside the limits of this machine
# make gate     the long sizes: 200,000 power cuts, long fuzzing

COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null)
export CGO_ENABLED := 0

.PHONY: build run test check bench gate clean

build:
	@scripts/need-go.sh
	go build -trimpath -buildvcs=false -ldflags "-s -w -X main.commit=$(COMMIT)" -o bin/holdfast ./cmd/holdfast

run: build
	bin/holdfast serve

test:
	@scripts/test.sh

check:
	@scripts/need-go.sh
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "gofmt wants these"; exit 1; }
	go vet ./...
	go test -short ./...

# (restic is measured beside it where it is installed: apt-get install restic)
bench: build
	go run ./sim/bench

gate:
	@scripts/gate.sh

clean:
	rm -rf bin
