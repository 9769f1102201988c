#!/bin/sh
# Runs the tests on your machine, without a host.
set -eu
cd "$(dirname "$0")"
PYTHONPATH=${ASSIZE:-../../..}/sdk/python python3 -m unittest --quiet
