#!/bin/sh
# Makes build/component.wasm. Needs clang-19, lld-19, wasi-libc and libclang-rt-19-dev-wasm32 (names of Debian's packages);
# ASSIZE is where a copy of Assize's repository is. `assize plugin pack` makes a component of what comes out.
set -eu
cd "$(dirname "$0")"
kit=${ASSIZE:-../../..}/sdk/c
mkdir -p build
"${CC_WASM:-clang-19}" --target=wasm32-wasi --sysroot=/usr -mexec-model=reactor -std=c17 -O2 -Wall -Wextra -ffunction-sections \
    -Wl,-z,stack-size=65536 -Wl,--gc-sections,--strip-all -I"$kit/include" \
    app.c "$kit"/src/text.c "$kit"/src/json.c "$kit"/src/case.c "$kit"/src/answer.c "$kit"/src/component_compliance_rule.c "$kit"/src/arena.c \
    "$kit/bindings/compliance_rule.c" -lm -o build/component.wasm
