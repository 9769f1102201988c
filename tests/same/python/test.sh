#!/bin/sh
# Runs the fixtures that all languages share, without a host.
set -eu
cd "$(dirname "$0")"
PYTHONPATH=${ASSIZE:-../../..}/sdk/python python3 -m assize.testing app ../../guests/same/fixtures
