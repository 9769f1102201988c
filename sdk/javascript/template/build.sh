#!/bin/sh
# Makes build/component.wasm. Needs esbuild and componentize-qjs; ASSIZE is where a copy of Assize's repository is.
set -eu
cd "$(dirname "$0")"
assize=${ASSIZE:-{{assize}}}
esbuild app.ts --log-level=warning --bundle --format=esm --target=es2022 --external:assize:* \
    --alias:@assize/sdk="$assize/sdk/javascript/src/index.ts" --outfile=build/app.js
componentize-qjs --sync --wit "$assize/wit/1.0.0" --world {{world}} --js build/app.js --output build/component.wasm >build/log
