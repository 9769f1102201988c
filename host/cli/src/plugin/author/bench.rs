//! `assize plugin bench`: what a plugin costs, beside what it cost before.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::measure::{Figures, measure};
use super::project::{Subject, Which};
use crate::output::{self, Ended};

/// Measure a project or package.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// How often to ask it [default: what fits into three seconds, 100 to 20,000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    calls: Option<u32>,
}

/// What is kept between runs.
#[derive(Debug, Default, Serialize, Deserialize)]
struct History {
    runs: Vec<Figures>,
}

/// So many runs are kept.
const MOST_RUNS: usize = 100;

#[derive(Serialize)]
struct Report<'a> {
    package: &'a str,
    now: &'a Figures,
    before: Option<&'a Figures>,
    kept: &'a Path,
}

pub(crate) fn run(arguments: &Arguments, json: bool) -> anyhow::Result<Ended> {
    let subject = arguments.which.open()?;
    let kept = place(&subject);
    let mut history = read(&kept)?;
    let calls = arguments.calls.and_then(|calls| usize::try_from(calls).ok());
    let now = measure(&subject, calls)?;
    let before = history.runs.last().cloned();
    history.runs.push(now.clone());
    let surplus = history.runs.len().saturating_sub(MOST_RUNS);
    history.runs.drain(..surplus);
    let failed = || format!("{} can't be written", kept.display());
    fs::write(&kept, serde_json::to_string_pretty(&history)?).with_context(failed)?;

    let package = subject.package.manifest.name.as_str();
    if json {
        output::json(&Report { package, now: &now, before: before.as_ref(), kept: &kept })?;
    } else {
        show(package, &now, before.as_ref(), &kept)?;
    }
    Ok(Ended::Fine)
}

/// Beside the package: what this plugin cost is of no interest to another.
fn place(subject: &Subject) -> PathBuf {
    subject.file.with_extension("bench.json")
}

fn read(kept: &Path) -> anyhow::Result<History> {
    if !kept.is_file() {
        return Ok(History::default());
    }
    let text = fs::read_to_string(kept).with_context(|| format!("{} can't be read", kept.display()))?;
    let wrong = || format!("{} isn't what an earlier bench wrote; move it away to begin anew", kept.display());
    serde_json::from_str(&text).with_context(wrong)
}

/// A figure's name, where it stands, how it is written, and what it is compared with.
type Row<'a> = (&'a str, fn(&Figures) -> Option<f64>, &'a dyn Fn(f64) -> String, Option<&'a Figures>);

fn show(package: &str, now: &Figures, before: Option<&Figures>, kept: &Path) -> anyhow::Result<()> {
    let language = now.language.as_deref().map(|language| format!(", {language}")).unwrap_or_default();
    output::line(format_args!("{package}@{}{language}, digest {}", now.version, now.digest))?;
    output::line(format_args!("{} calls of {} fixtures, each in a fresh sandbox\n", now.calls, now.fixtures))?;
    let mut table = output::table(["", "now", "before", "change"]);
    let time = |value: f64, unit: &str| format!("{value:.1} {unit}");
    let millis = |value: f64| time(value, "ms");
    let micros = |value: f64| time(value, "µs");
    let size = |value: f64| format!("{:.1} KiB", value / 1024.0);
    let count = |value: f64| format!("{value:.0}");
    // Fuel of another engine says nothing.
    let same_engine = before.filter(|before| before.engine == now.engine);
    let rows: [Row<'_>; 10] = [
        ("size", |figures| Some(figures.size as f64), &size, before),
        ("compile", |figures| Some(figures.compile_ms), &millis, before),
        ("load from the cache", |figures| Some(figures.load_ms), &millis, before),
        ("start, p50", |figures| Some(figures.start_us), &micros, before),
        ("call, p50", |figures| Some(figures.call_p50_us), &micros, before),
        ("call, p99", |figures| Some(figures.call_p99_us), &micros, before),
        ("fuel, mean", |figures| Some(figures.fuel_mean as f64), &count, same_engine),
        ("fuel, most", |figures| Some(figures.fuel_most as f64), &count, same_engine),
        ("linear memory, most", |figures| Some(figures.memory as f64), &size, before),
        ("a live instance", |figures| figures.live.map(|live| live as f64), &size, before),
    ];
    for (name, figure, shown, before) in rows {
        let Some(is) = figure(now) else { continue };
        let was = before.and_then(figure);
        let (then, change) = match was {
            Some(was) => (shown(was), change(was, is)),
            None => (String::new(), String::new()),
        };
        table.add_row([name.to_owned(), shown(is), then, change]);
    }
    output::print(&table, "")?;
    output::line(format_args!("\nkept in {}", kept.display()))
}

/// By how much it went up or down.
fn change(was: f64, is: f64) -> String {
    if was.abs() < f64::EPSILON {
        return String::new();
    }
    let percent = (is / was - 1.0) * 100.0;
    if percent.abs() < 0.05 { "=".to_owned() } else { format!("{percent:+.1} %") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_a_share_of_what_was() {
        assert_eq!(
            (change(10.0, 15.0), change(10.0, 10.0), change(0.0, 1.0)),
            ("+50.0 %".into(), "=".into(), String::new())
        );
    }
}
