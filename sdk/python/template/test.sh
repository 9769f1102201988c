#!/bin/sh
# Runs the fixtures on your machine, without a host.
set -eu
cd "$(dirname "$0")"
PYTHONPATH=${ASSIZE:-{{assize}}}/sdk/python python3 -m assize.testing app fixtures
