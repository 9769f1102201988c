#!/bin/sh
# Makes build/component.wasm. Needs componentize-py; ASSIZE is where a copy of Assize's repository is.
set -eu
cd "$(dirname "$0")"
assize=${ASSIZE:-{{assize}}}
mkdir -p build
componentize-py --quiet -d "$assize/wit/1.0.0" -w {{world}} \
    componentize -p . -p "$assize/sdk/python" app -o build/component.wasm
