#!/bin/sh
# Runs the fixtures on your machine, without a host.
set -eu
cd "$(dirname "$0")"
assize=$(cd "${ASSIZE:-{{assize}}}" && pwd)
mkdir -p build
cp go.mod build/go.mod
go mod edit -replace "assize=$assize/sdk/go" ${WIT_GO:+-replace "go.bytecodealliance.org/pkg=$WIT_GO"} build/go.mod
go test -modfile=build/go.mod -mod=mod .
