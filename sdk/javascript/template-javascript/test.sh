#!/bin/sh
# Runs test.js on your machine, in Node.js.
set -eu
cd "$(dirname "$0")"
assize=${ASSIZE:-{{assize}}}
esbuild test.js --log-level=warning --bundle --platform=node --format=esm --target=es2022 \
    --alias:@assize/sdk="$assize/sdk/javascript/src/index.ts" \
    --alias:@assize/sdk/testing="$assize/sdk/javascript/src/testing.ts" \
    --alias:assize:plugin/log@1.0.0="$assize/sdk/javascript/src/log-native.ts" --outfile=build/test.mjs
node --test build/test.mjs
