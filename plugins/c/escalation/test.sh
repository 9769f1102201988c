#!/bin/sh
# Runs the fixtures on your machine, without a host, under the sanitizers.
set -eu
cd "$(dirname "$0")"
kit=${ASSIZE:-../../..}/sdk/c
mkdir -p build
"${CC:-cc}" -std=c17 -g -Wall -Wextra -Werror -fsanitize=address,undefined -I"$kit/include" \
    app.c "$kit"/src/text.c "$kit"/src/json.c "$kit"/src/case.c "$kit"/src/answer.c "$kit"/src/testing.c -lm -o build/test
# Nothing is ever freed, on purpose.
ASAN_OPTIONS=detect_leaks=0 build/test fixtures/*.json
