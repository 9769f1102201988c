#!/bin/sh
# Makes assize/bindings again from the contract. Needs componentize-py (requirements.txt), and takes a second.
set -eu
cd "$(dirname "$0")"
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
componentize-py --quiet -d ../../wit/1.0.0 -w risk-agent -w compliance-rule -w action bindings "$made"
rm -rf assize/bindings
mkdir assize/bindings
# Nothing here is asynchronous: what serves that stays behind.
cp -r "$made/wit_world" "$made/componentize_py_types.py" assize/bindings/
