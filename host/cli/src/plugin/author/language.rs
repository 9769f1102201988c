//! The languages that there are kits for. What is peculiar to one is in its own file.

mod c;
mod go;
mod javascript;
mod python;
mod rust;

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

pub(crate) use self::rust::crate_name;
use crate::output::Usage;

/// A language that plugins are written in.
#[derive(Debug)]
pub(crate) struct Language {
    /// As `--lang` takes it.
    pub(crate) name: &'static str,
    /// As people call it.
    pub(crate) title: &'static str,
    /// The folder of its kit in `sdk/`.
    pub(crate) kit: &'static str,
    /// The kit's template is written for another language; these files come over it (`template-javascript`).
    pub(crate) variant: Option<&'static str>,
    /// Files of the other language's template that this one has no use for.
    pub(crate) left_out: &'static [&'static str],
    /// The file by which a project is known to be in this language.
    pub(crate) source: &'static str,
    /// Folders of a project that its own programs may be in, before those of the machine.
    pub(crate) programs: &'static [&'static str],
    /// What a build needs.
    pub(crate) tools: &'static [Tool],
    /// Makes a core module or component of a project whose tools are there, and says where it is.
    pub(crate) compile: fn(&Place) -> anyhow::Result<PathBuf>,
}

/// Something that a build needs and this program doesn't bring.
#[derive(Debug)]
pub(crate) struct Tool {
    /// What is missing where it is.
    pub(crate) name: &'static str,
    /// Whether it can be used from there.
    pub(crate) found: fn(&Place) -> bool,
    /// Where it comes from, and the command that gets it from there.
    pub(crate) install: fn() -> Vec<(&'static str, String)>,
}

impl Language {
    /// Those whose kit is in this binary.
    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        static ALL: [&Language; 6] =
            [&rust::RUST, &python::PYTHON, &javascript::TYPESCRIPT, &javascript::JAVASCRIPT, &c::C, &go::GO];
        ALL.into_iter()
    }

    /// By its name.
    pub(crate) fn named(name: &str) -> anyhow::Result<&'static Self> {
        Self::all().find(|language| language.name == name).ok_or_else(|| {
            let known: Vec<_> = Self::all().map(|language| language.name).collect();
            Usage(format!("--lang {name:?}: there are kits for {}", known.join(", "))).into()
        })
    }

    /// That of a project's folder.
    pub(crate) fn of(folder: &Path) -> anyhow::Result<&'static Self> {
        if let Some(language) = Self::all().find(|language| folder.join(language.source).is_file()) {
            return Ok(language);
        }
        let known: Vec<_> = Self::all().map(|language| format!("{} ({})", language.source, language.title)).collect();
        bail!(
            "{} holds no plugin in a language that there is a kit for: none of {} is there; make one with `assize plugin new`",
            folder.display(),
            known.join(", ")
        )
    }
}

/// A project's folder, and where programs are looked for from there.
#[derive(Debug)]
pub(crate) struct Place {
    /// The folder, absolute.
    pub(crate) folder: PathBuf,
    path: Vec<PathBuf>,
}

impl Place {
    pub(crate) fn new(folder: &Path, language: &Language) -> anyhow::Result<Self> {
        let folder = std::path::absolute(folder).with_context(|| format!("{} can't be found", folder.display()))?;
        let own = language.programs.iter().map(|programs| folder.join(programs));
        let path = own.chain(env::split_paths(&env::var_os("PATH").unwrap_or_default())).collect();
        Ok(Self { folder, path })
    }

    /// Where a program is.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        let endings: &[&str] = if cfg!(windows) { &[".exe", ".cmd", ".bat", ""] } else { &[""] };
        let candidates =
            self.path.iter().flat_map(|folder| endings.iter().map(move |end| folder.join(format!("{name}{end}"))));
        candidates.into_iter().find(|path| is_program(path))
    }

    /// A command that is run in the project's folder and finds the project's own programs first.
    pub(crate) fn command(&self, program: &str) -> anyhow::Result<Command> {
        let found = self.program(program).with_context(|| format!("{program} isn't here"))?;
        let mut command = Command::new(found);
        let path: OsString = env::join_paths(&self.path).context("PATH holds a folder that can't be named in it")?;
        command.current_dir(&self.folder).env("PATH", path).stdin(Stdio::null());
        Ok(command)
    }

    /// What a command writes to stdout, where it ends well.
    pub(crate) fn answer(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let output = self.command(program).ok()?.args(arguments).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Says what of a language's tools is missing, and which command installs it.
    pub(crate) fn require(&self, language: &Language) -> anyhow::Result<()> {
        let missing: Vec<&Tool> = language.tools.iter().filter(|tool| !(tool.found)(self)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = missing.iter().map(|tool| tool.name).collect();
        let mut text =
            format!("a build in {} needs {}, which isn't here; install it:", language.title, names.join(", "));
        let mut said: Vec<(&str, String)> = Vec::new();
        for command in missing.iter().flat_map(|tool| (tool.install)()) {
            if !said.contains(&command) {
                said.push(command);
            }
        }
        for (from, command) in said {
            // Writing to a string can't fail.
            let _ = write!(text, "\n  {from:<8} {command}");
        }
        bail!("{text}")
    }

    /// Runs the project's own script, which makes `build/component.wasm`.
    pub(crate) fn run_script(&self) -> anyhow::Result<PathBuf> {
        let script = self.folder.join("build.sh");
        if !script.is_file() {
            bail!("{} is missing: it makes build/component.wasm of the sources", script.display());
        }
        let made = self.folder.join("build/component.wasm");
        // What an earlier build left isn't what this one made.
        if made.exists() {
            std::fs::remove_file(&made).with_context(|| format!("{} can't be removed", made.display()))?;
        }
        let mut command = self.command("sh")?;
        command.arg(script).env("PYTHONDONTWRITEBYTECODE", "1").stdout(std::io::stderr());
        let status = command.status().context("sh can't be started")?;
        if !status.success() {
            bail!("build.sh ended with {status}; what it wrote is above");
        }
        if !made.is_file() {
            bail!("build.sh ended well, but made no {}", made.display());
        }
        Ok(made)
    }
}

/// `sh`, for projects that are built by a script.
pub(crate) const SHELL: Tool = Tool {
    name: "sh",
    found: |place| place.program("sh").is_some(),
    install: || vec![("Windows", "winget install Git.Git, and work in its Git Bash".to_owned())],
};

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}
