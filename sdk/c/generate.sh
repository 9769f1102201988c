#!/bin/sh
# Makes bindings/ again from the contract. Needs wit-bindgen's command, which takes minutes to build:
#   cargo install wit-bindgen-cli --version 0.63.0 --no-default-features --features c --locked
set -eu
cd "$(dirname "$0")/bindings"
for world in risk-agent compliance-rule action; do
    wit-bindgen c ../../../wit/1.0.0 --world "$world" --no-object-file
done
