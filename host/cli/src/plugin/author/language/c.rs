//! C: clang with wasi-libc.

use std::path::Path;

use super::{Language, Place, SHELL, Tool};

/// As `build.sh` calls it.
fn compiler() -> String {
    std::env::var("CC_WASM").ok().filter(|named| !named.is_empty()).unwrap_or_else(|| "clang-19".to_owned())
}

/// Whether the compiler knows where a file is: it says its whole path then, and else the name it was asked for.
fn knows(place: &Place, question: &str) -> bool {
    let told = place.answer(&compiler(), &["--target=wasm32-wasi", "--sysroot=/usr", question]);
    told.is_some_and(|told| Path::new(&told).is_absolute() && Path::new(&told).exists())
}

fn debian() -> Vec<(&'static str, String)> {
    vec![
        ("Debian", "apt-get install clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32".to_owned()),
        (
            "others",
            "clang 19 or later for wasm32-wasi, with wasi-libc below /usr; CC_WASM names the compiler".to_owned(),
        ),
    ]
}

pub(super) static C: Language = Language {
    name: "c",
    title: "C",
    kit: "c",
    variant: None,
    left_out: &[],
    source: "app.c",
    programs: &[],
    tools: &[
        SHELL,
        Tool { name: "clang-19", found: |place| place.program(&compiler()).is_some(), install: debian },
        Tool { name: "the linker wasm-ld", found: |place| knows(place, "-print-prog-name=wasm-ld"), install: debian },
        Tool { name: "wasi-libc", found: |place| knows(place, "-print-file-name=libc.a"), install: debian },
        Tool {
            name: "clang's runtime for wasm32",
            found: |place| knows(place, "-print-libgcc-file-name"),
            install: debian,
        },
    ],
    compile: |place| place.run_script(),
};
