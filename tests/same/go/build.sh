#!/bin/sh
# Makes build/component.wasm. Needs Go; ASSIZE is where a copy of Assize's repository is, WIT_GO where one of the runtime of
# wit-bindgen's Go is, if not Go's module proxy. `assize plugin pack` makes a component of what comes out.
set -eu
cd "$(dirname "$0")"
assize=$(cd "${ASSIZE:-../../..}" && pwd)
mkdir -p build
cp go.mod build/go.mod
go mod edit -replace "assize=$assize/sdk/go" ${WIT_GO:+-replace "go.bytecodealliance.org/pkg=$WIT_GO"} build/go.mod
# The runtime reaches for one of Go's own functions, to get memory before Go has started.
GOOS=wasip1 GOARCH=wasm go build -modfile=build/go.mod -mod=mod -trimpath -buildmode=c-shared \
    -ldflags="-checklinkname=0 -s -w" -o build/component.wasm .
