//! A report for a terminal.

use assize_rehearing::simulation::{Matrix, Report};
use assize_sandbox::contract::Verdict;

use crate::output::{self, clean};

/// Rows of a breakdown, and flips, that a terminal shows; files have them all.
const ROWS: usize = 12;

const VERDICTS: [Verdict; 4] = [Verdict::Allow, Verdict::Warn, Verdict::Review, Verdict::Block];

/// Prints what came out.
pub(crate) fn show(report: &Report) -> anyhow::Result<()> {
    let tally = &report.tally;
    if let Some(title) = &report.specification.title {
        output::line(clean(title))?;
    }
    output::line(format_args!(
        "{} of {} cases judged; {} would come out otherwise: {} more strictly, {} more mildly",
        tally.judged,
        tally.cases,
        tally.flips,
        tally.matrix.stricter(),
        tally.matrix.milder()
    ))?;
    if tally.untouched > 0 && !report.specification.changes_nothing() {
        output::line(format_args!(
            "{} of them are left alone by the swap: what it names isn't in what judged them",
            tally.untouched
        ))?;
    }
    if tally.erased > 0 {
        output::line(format_args!("{} cases aren't counted: their inputs were erased", tally.erased))?;
    }
    for (why, count) in tally.unreadable.iter().take(ROWS) {
        output::line(format_args!("{count} not judged: {}", clean(why)))?;
    }
    output::line("")?;
    let mut table = output::table(["was \\ would be", "allow", "warn", "review", "block"]);
    for was in VERDICTS {
        let counts = VERDICTS.map(|would| tally.matrix.get(was, would).to_string());
        table.add_row(std::iter::once(was.as_str().to_owned()).chain(counts));
    }
    output::print(&table, "")?;
    if let Some(truth) = &tally.truth {
        output::line("")?;
        let mut table = output::table(["against the truth", "was", "would be"]);
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let (was, would) = (&truth.was, &truth.would_be);
        table.add_row(["hits".into(), was.hits.to_string(), would.hits.to_string()]);
        table.add_row(["misses".into(), was.misses.to_string(), would.misses.to_string()]);
        table.add_row(["false alarms".into(), was.false_alarms.to_string(), would.false_alarms.to_string()]);
        table.add_row(["rightly passed".into(), was.passes.to_string(), would.passes.to_string()]);
        table.add_row(["hit rate".into(), percent(was.hit_rate()), percent(would.hit_rate())]);
        table.add_row([
            "false-alarm rate".to_owned(),
            percent(was.false_alarm_rate()),
            percent(would.false_alarm_rate()),
        ]);
        output::print(&table, "")?;
    }
    for (name, groups) in [
        ("month", &tally.by_month),
        ("jurisdiction", &tally.by_jurisdiction),
        ("system", &tally.by_system),
        ("reason", &tally.by_reason),
    ] {
        let mut rows: Vec<(&String, &Matrix)> = groups.iter().collect();
        if name != "month" {
            rows.sort_by_key(|(_, matrix)| std::cmp::Reverse(matrix.cases()));
        }
        output::line("")?;
        let mut table = output::table([name, "cases", "stricter", "milder"]);
        for (group, matrix) in rows.iter().take(ROWS) {
            let counts = [matrix.cases(), matrix.stricter(), matrix.milder()].map(|count| count.to_string());
            table.add_row(std::iter::once(clean(group)).chain(counts));
        }
        output::print(&table, "")?;
        if rows.len() > ROWS {
            output::line(format_args!("… and {} more", rows.len() - ROWS))?;
        }
    }
    output::line("")?;
    let mut table = output::table(["plugin", "asked", "no answer", "fuel a run"]);
    for (name, count) in &tally.plugins {
        table.add_row([
            clean(name),
            count.runs.to_string(),
            count.failures.to_string(),
            (count.fuel / count.runs.max(1)).to_string(),
        ]);
    }
    output::print(&table, "no plugin ran")?;
    if !tally.listed.is_empty() {
        output::line("")?;
        let mut table = output::table(["case", "facts of", "was", "would be", "because"]);
        for flip in tally.listed.iter().take(ROWS) {
            let day = flip.occurred_at.to_string();
            table.add_row([
                clean(&flip.id),
                day.get(..10).unwrap_or(&day).to_owned(),
                flip.was.as_str().to_owned(),
                flip.would_be.as_str().to_owned(),
                clean(&flip.would_be_reason),
            ]);
        }
        output::print(&table, "")?;
        if tally.flips > ROWS as u64 {
            output::line(format_args!("… and {} more; see --csv and --html", tally.flips - ROWS as u64))?;
        }
    }
    output::line("")
}
