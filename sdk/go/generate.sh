#!/bin/sh
# Makes internal/wit again from the contract. Needs gofmt and wit-bindgen's command, which takes minutes to build:
#   cargo install wit-bindgen-cli --version 0.63.0 --no-default-features --features go --locked
set -eu
cd "$(dirname "$0")/internal/wit"
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
rm -rf imports
for world in risk-agent compliance-rule action; do
    mkdir "$made/$world"
    (cd "$made/$world" && wit-bindgen go "$OLDPWD/../../../../wit/1.1.0" --world "$world" --pkg-name assize/internal/wit --quiet)
    # What worlds share is the same in each. What one exports stands in a package of its own: a plugin that uses it has that
    # world, and no other.
    mkdir -p imports
    cp -r "$made/$world/imports/." imports/
    package=$(echo "$world" | tr -d -)
    rm -rf "exports/$package"
    mkdir -p "exports/$package"
    sed "s/^package wit_exports/package $package/" "$made/$world/exports/wit_exports/wit_exports.go" > "exports/$package/wit_exports.go"
done
gofmt -w imports exports
