//! Python: componentize-py, in a virtual environment of the project or of the developer.

use super::{Language, SHELL, Tool};
use crate::plugin::author::kit;

pub(super) static PYTHON: Language = Language {
    name: "python",
    title: "Python",
    kit: "python",
    variant: None,
    left_out: &[],
    source: "app.py",
    programs: &[".venv/bin", ".venv/Scripts"],
    tools: &[
        SHELL,
        Tool {
            name: "python3",
            found: |place| place.program("python3").or_else(|| place.program("python")).is_some(),
            install: || vec![("Debian", "apt-get install python3 python3-venv".to_owned())],
        },
        Tool {
            name: "componentize-py",
            found: |place| place.program("componentize-py").is_some(),
            install: || {
                let pinned = kit::file("sdk/python/requirements.txt").unwrap_or_default().trim();
                let environment = "python3 -m venv .venv && .venv/bin/pip install";
                vec![("pip", format!("{environment} {pinned}   (in the project's folder)"))]
            },
        },
    ],
    compile: |place| place.run_script(),
};
