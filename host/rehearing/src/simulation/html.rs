//! A report as a page that needs nothing else: no script, no font, no network.

use std::collections::BTreeMap;

use assize_sandbox::contract::Verdict;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::report::{Covered, Report};
use super::tally::{Confusion, Flip, Matrix, VERDICTS};

/// Colours are told apart by everyone (Okabe and Ito), and never the only sign: each bar says its number.
const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1c1c1c; --paper: #fdfdfc; --line: #d0cec8; --soft: #f1efea;
  --allow: #009e73; --warn: #e69f00; --review: #56b4e9; --block: #d55e00; }
@media (prefers-color-scheme: dark) { :root { --ink: #ecebe7; --paper: #191a1c; --line: #45464a; --soft: #242629; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
h1 { line-height: 1.2; } h2 { margin-top: 2.2rem; }
table { border-collapse: collapse; margin: .6rem 0; } caption { text-align: left; padding-bottom: .3rem; }
th, td { border: 1px solid var(--line); padding: .25rem .6rem; text-align: right; vertical-align: top; }
th { background: var(--soft); font-weight: 600; } th[scope=row], td.text { text-align: left; }
td.same { background: var(--soft); } td.flip { font-weight: 700; } .none { opacity: .45; }
.wide { overflow-x: auto; } code { font-size: .9em; overflow-wrap: anywhere; }
.notice { border: 2px solid var(--block); padding: .6rem 1rem; }
svg { display: block; max-width: 100%; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
.allow { fill: var(--allow); } .warn { fill: var(--warn); } .review { fill: var(--review); } .block { fill: var(--block); }
@media print { body { margin: 0; max-width: none; } }
";

/// Rows that a breakdown shows; the rest is in the JSON.
const ROWS: usize = 40;

pub(super) fn page(report: &Report) -> String {
    let tally = &report.tally;
    let title = report.specification.title.as_deref().unwrap_or("Simulation");
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (title) }
                    p.notice { "A simulation: what would have come out. No ruling was made or changed by it." }
                    @if !report.complete {
                        p.notice { "Incomplete: it was stopped before all cases were looked at." }
                    }
                    (summary(report))
                    h2 { "What was, and what would be" }
                    (matrix(&tally.matrix))
                    (chart(&[("was", row_sums(&tally.matrix)), ("would be", column_sums(&tally.matrix))]))
                    @if let Some(truth) = &tally.truth {
                        h2 { "Against the known truth" }
                        p { "Caught is a case whose verdict is " code { (report.specification.alarm.0.as_str()) } " or stricter." }
                        (confusion(&truth.was, &truth.would_be))
                    }
                    (breakdown("By month of the facts", &tally.by_month, true))
                    (breakdown("By jurisdiction", &tally.by_jurisdiction, false))
                    (breakdown("By system", &tally.by_system, false))
                    (breakdown("By the reason that would decide", &tally.by_reason, false))
                    h2 { "Plugins" }
                    div.wide { table {
                        thead { tr { th scope="col" { "plugin" } th scope="col" { "asked" } th scope="col" { "no answer" } th scope="col" { "fuel" } th scope="col" { "fuel a run" } } }
                        tbody {
                            @for (name, count) in &tally.plugins {
                                tr {
                                    th scope="row" { (name) }
                                    td { (count.runs) } td { (count.failures) } td { (count.fuel) }
                                    td { (count.fuel / count.runs.max(1)) }
                                }
                            }
                        }
                    } }
                    (flips(&tally.listed, tally.flips))
                    h2 { "What was swapped" }
                    pre.wide { code { (serde_json::to_string_pretty(&report.specification).unwrap_or_default()) } }
                }
            }
        }
    };
    page.into_string()
}

fn summary(report: &Report) -> Markup {
    let tally = &report.tally;
    html! {
        p {
            strong { (tally.judged) } " of " (tally.cases) " cases judged; "
            strong { (tally.flips) } " would come out otherwise: "
            (tally.matrix.stricter()) " more strictly, " (tally.matrix.milder()) " more mildly."
        }
        @if tally.untouched > 0 {
            p { (tally.untouched) " of them are left alone by the swap: what it names isn't in what judged them." }
        }
        @if tally.erased > 0 {
            p { (tally.erased) " cases aren't counted: their inputs were erased." }
        }
        @if !tally.unreadable.is_empty() {
            p { "Not judged:" }
            ul { @for (why, count) in &tally.unreadable { li { (count) " × " (why) } } }
        }
        p {
            @match &report.covered {
                Covered::Decisions { before } => { "Over the decisions of entries before " (before) }
                Covered::File { .. } => { "Over a file of cases" }
            }
            @if let Some(tenant) = &report.tenant { ", of tenant " code { (tenant) } }
            "; engine " code { (report.engine.config) } "."
        }
    }
}

fn matrix(matrix: &Matrix) -> Markup {
    html! {
        div.wide { table {
            caption { "Rows: as it was. Columns: as it would be." }
            thead { tr { td {} @for would in VERDICTS { th scope="col" { (would.as_str()) } } th scope="col" { "all" } } }
            tbody {
                @for (was, sum) in VERDICTS.into_iter().zip(row_sums(matrix)) {
                    tr {
                        th scope="row" { (was.as_str()) }
                        @for would in VERDICTS { (cell(matrix, was, would)) }
                        td { (sum) }
                    }
                }
                tr { th scope="row" { "all" } @for sum in column_sums(matrix) { td { (sum) } } td { (matrix.cases()) } }
            }
        } }
    }
}

fn cell(matrix: &Matrix, was: Verdict, would: Verdict) -> Markup {
    let count = matrix.get(was, would);
    let class = match (was == would, count) {
        (true, _) => "same",
        (false, 0) => "none",
        (false, _) => "flip",
    };
    html! { td class=(class) { (count) } }
}

fn row_sums(matrix: &Matrix) -> [u64; 4] {
    VERDICTS.map(|was| VERDICTS.into_iter().map(|would| matrix.get(was, would)).sum())
}

fn column_sums(matrix: &Matrix) -> [u64; 4] {
    VERDICTS.map(|would| VERDICTS.into_iter().map(|was| matrix.get(was, would)).sum())
}

/// A stacked bar for each line: its share of verdicts.
fn chart(lines: &[(&str, [u64; 4])]) -> Markup {
    const LEFT: f64 = 150.0;
    const WIDTH: f64 = 560.0;
    const ROW: f64 = 26.0;
    let height = ROW * lines.len() as f64 + 26.0;
    let described: Vec<String> = lines
        .iter()
        .map(|(name, counts)| {
            let parts: Vec<String> =
                VERDICTS.iter().zip(counts).map(|(verdict, count)| format!("{} {count}", verdict.as_str())).collect();
            format!("{name}: {}", parts.join(", "))
        })
        .collect();
    html! {
        svg role="img" aria-label=(described.join("; ")) width="780" height=(height) viewBox=(format!("0 0 780 {height}")) {
            @for (row, (name, counts)) in lines.iter().enumerate() {
                @let y = ROW * row as f64;
                @let whole = counts.iter().sum::<u64>().max(1) as f64;
                text x=(LEFT - 8.0) y=(y + 17.0) text-anchor="end" { (name) }
                @for (index, (verdict, &count)) in VERDICTS.iter().zip(counts).enumerate() {
                    @let before = counts.iter().take(index).sum::<u64>() as f64;
                    @if count > 0 {
                        rect class=(verdict.as_str()) x=(format!("{:.2}", LEFT + WIDTH * before / whole)) y=(y + 3.0)
                            width=(format!("{:.2}", WIDTH * count as f64 / whole)) height="20" {
                            title { (verdict.as_str()) " " (count) }
                        }
                    }
                }
                text x=(LEFT + WIDTH + 8.0) y=(y + 17.0) { (counts.iter().sum::<u64>()) }
            }
            @for (index, verdict) in VERDICTS.iter().enumerate() {
                @let x = LEFT + 90.0 * index as f64;
                rect class=(verdict.as_str()) x=(x) y=(height - 15.0) width="12" height="12" {}
                text x=(x + 17.0) y=(height - 5.0) { (verdict.as_str()) }
            }
        }
    }
}

fn confusion(was: &Confusion, would_be: &Confusion) -> Markup {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let row = |name: &str, pick: &dyn Fn(&Confusion) -> String| {
        html! { tr { th scope="row" { (name) } td { (pick(was)) } td { (pick(would_be)) } } }
    };
    html! {
        table {
            thead { tr { td {} th scope="col" { "was" } th scope="col" { "would be" } } }
            tbody {
                (row("bad and caught (hits)", &|c| c.hits.to_string()))
                (row("bad and not caught (misses)", &|c| c.misses.to_string()))
                (row("good and caught (false alarms)", &|c| c.false_alarms.to_string()))
                (row("good and not caught", &|c| c.passes.to_string()))
                (row("hit rate", &|c| percent(c.hit_rate())))
                (row("false-alarm rate", &|c| percent(c.false_alarm_rate())))
            }
        }
    }
}

/// A table of groups, the ones with most flips first, or in their order.
fn breakdown(heading: &str, groups: &BTreeMap<String, Matrix>, in_order: bool) -> Markup {
    let mut rows: Vec<(&String, &Matrix)> = groups.iter().collect();
    if !in_order {
        rows.sort_by_key(|(_, matrix)| std::cmp::Reverse(matrix.stricter() + matrix.milder()));
    }
    let shown: Vec<(&str, [u64; 4])> =
        rows.iter().take(ROWS).map(|(name, matrix)| (name.as_str(), column_sums(matrix))).collect();
    html! {
        h2 { (heading) }
        @if in_order && shown.len() > 1 { (chart(&shown)) }
        div.wide { table {
            thead { tr {
                th scope="col" { "group" } th scope="col" { "cases" } th scope="col" { "stricter" } th scope="col" { "milder" }
                @for verdict in VERDICTS { th scope="col" { "would be " (verdict.as_str()) } }
            } }
            tbody {
                @for (name, matrix) in rows.iter().take(ROWS) {
                    tr {
                        th scope="row" { (name) }
                        td { (matrix.cases()) } td { (matrix.stricter()) } td { (matrix.milder()) }
                        @for sum in column_sums(matrix) { td { (sum) } }
                    }
                }
            }
        } }
        @if rows.len() > ROWS { p { (rows.len() - ROWS) " more groups are in the JSON report." } }
    }
}

fn flips(listed: &[Flip], all: u64) -> Markup {
    html! {
        h2 { "Cases that would come out otherwise" }
        @if listed.is_empty() { p { "None." } }
        @else {
            p { "The first " (listed.len()) " of " (all) "." }
            div.wide { table {
                thead { tr {
                    @for name in ["case", "facts of", "system", "jurisdictions", "was", "would be"] { th scope="col" { (name) } }
                } }
                tbody {
                    @for flip in listed {
                        tr {
                            td.text { code { (flip.id) } @if let Some(seq) = flip.seq { " entry " (seq) } }
                            td.text { (flip.occurred_at) }
                            td.text { (flip.system.as_deref().unwrap_or("-")) }
                            td.text { (flip.jurisdictions.join(" ")) }
                            td.text { (flip.was.as_str()) ": " (flip.was_reason) }
                            td.text { strong { (flip.would_be.as_str()) } ": " (flip.would_be_reason) }
                        }
                    }
                }
            } }
        }
    }
}
