#!/bin/sh
# Makes build/component.wasm. Needs Rust, and for the QuickJS inside the engine clang-19, lld-19, wasi-libc and
# libclang-rt-19-dev-wasm32 (names of Debian's packages); ASSIZE is where a copy of Assize's repository is.
set -eu
cd "$(dirname "$0")"
# The engine looks for a kit of compiler and C library in one folder; Debian keeps them in several. The library itself is
# Rust's: only headers are taken.
kit=$PWD/build/wasi
mkdir -p "$kit/bin" "$kit/share/wasi-sysroot/include"
ln -sf "$(command -v clang-19)" "$kit/bin/clang"
# The objects are taken out again by Rust's compiler, which needs no index: any `ar` will do.
ln -sf "$(command -v ar)" "$kit/bin/ar"
ln -sfn /usr/include/wasm32-wasi "$kit/share/wasi-sysroot/include/wasm32-wasip2"
home=${CARGO_HOME:-$HOME/.cargo}
# The builder's own folders are taken out of what is compiled in for panics.
RUSTFLAGS="--remap-path-prefix=$home=/cargo --remap-path-prefix=$PWD=/decision-graph" WASI_SDK=$kit CARGO_TARGET_DIR=$PWD/build/target \
    cargo build --quiet --locked --profile plugin --target wasm32-wasip2
cp build/target/wasm32-wasip2/plugin/decision_graph.wasm build/component.wasm
