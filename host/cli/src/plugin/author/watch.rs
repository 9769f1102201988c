//! Doing something again whenever a file of a project changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::Context as _;
use notify::{Event, RecursiveMode, Watcher as _};

use crate::output::{self, Ended, clean_lines};

/// What builds write, and tools keep: no change of theirs is one of the project's.
const NOT_OURS: [&str; 6] = ["build", "target", "node_modules", ".venv", "__pycache__", ".git"];

/// Editors write a file in several steps: what follows so soon belongs to the same change.
const QUIET: Duration = Duration::from_millis(150);

/// Does it now, and again after each change, until somebody ends the program. A failure is shown, and waited upon. What it
/// writes itself is named in `written`.
pub(crate) fn forever(
    folder: &Path,
    written: Option<&Path>,
    mut act: impl FnMut() -> anyhow::Result<Ended>,
) -> anyhow::Result<Ended> {
    // As the events name them.
    let written = written.map(real).transpose()?;
    let folder = folder.canonicalize().with_context(|| format!("{} can't be followed", folder.display()))?;
    let (tell, told) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(move |event| {
        // Nobody listens any more when the program ends.
        let _ = tell.send(event);
    })?;
    let mut followed: Vec<PathBuf> = Vec::new();
    loop {
        // Before the build: what changes during it counts. Folders may be new.
        for (place, mode) in places(&folder)? {
            if !followed.contains(&place) {
                watcher.watch(&place, mode).with_context(|| format!("{} can't be followed", place.display()))?;
                followed.push(place);
            }
        }
        if let Err(error) = act() {
            if output::is_broken_pipe(&error) {
                return Err(error);
            }
            output::line(format_args!("error: {}", clean_lines(&format!("{error:#}"))))?;
        }
        output::line(format_args!("\nwaiting for a change in {} (Ctrl-C ends it)", folder.display()))?;
        let changed = next_change(&folder, written.as_deref(), &told)?;
        followed.retain(|place| place.is_dir());
        output::line(format_args!("\n{changed} changed"))?;
    }
}

/// A file's path without links, whether or not it is there.
fn real(file: &Path) -> std::io::Result<PathBuf> {
    let whole = std::path::absolute(file)?;
    let folder = whole.parent().and_then(|folder| folder.canonicalize().ok());
    Ok(folder.zip(whole.file_name()).map_or_else(|| whole.clone(), |(folder, name)| folder.join(name)))
}

/// The folder itself, and those in it that are the project's.
fn places(folder: &Path) -> anyhow::Result<Vec<(PathBuf, RecursiveMode)>> {
    let mut places = vec![(folder.to_owned(), RecursiveMode::NonRecursive)];
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && !NOT_OURS.iter().any(|name| entry.file_name() == *name) {
            places.push((entry.path(), RecursiveMode::Recursive));
        }
    }
    Ok(places)
}

/// Waits for a change, and for the end of it. Gives the name of what changed first.
fn next_change(
    folder: &Path,
    written: Option<&Path>,
    told: &Receiver<notify::Result<Event>>,
) -> anyhow::Result<String> {
    let mut first = None;
    loop {
        let event = match &first {
            None => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(_) => told.recv_timeout(QUIET),
        };
        match (event, first.take()) {
            (Ok(event), None) => first = ours(folder, written, &event?),
            (Ok(event), Some(name)) => {
                event?;
                first = Some(name);
            }
            (Err(RecvTimeoutError::Timeout), Some(name)) => return Ok(name),
            (Err(_), _) => anyhow::bail!("the watch on {} ended", folder.display()),
        }
    }
}

/// The name of what changed, where that is a file of the project.
fn ours(folder: &Path, written: Option<&Path>, event: &Event) -> Option<String> {
    if event.kind.is_access() {
        return None;
    }
    event.paths.iter().find_map(|path| {
        let name = path.strip_prefix(folder).ok()?;
        let hidden = |part: &std::ffi::OsStr| NOT_OURS.iter().any(|not| part == *not);
        let ours = name != Path::new("") && !name.iter().any(hidden) && Some(path.as_path()) != written;
        ours.then(|| name.display().to_string())
    })
}
