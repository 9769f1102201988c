//! `assize explain`.

use anyhow::Context as _;
use assize_kernel::{Explanation, Passage, Point, Share, Tally};
use assize_rehearing::Archive;

use crate::client::{Connection, segment};
use crate::output::{self, Ended, clean};
use crate::place::Place;

/// Say why a decision came out as it did.
///
/// One sentence first; then how the score came about, which rules applied and which didn't and why, failures, and the
/// passages that were found. All of it comes from the record; nothing is judged.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The decision
    #[arg(value_name = "ID")]
    id: String,
    /// Only if it is this tenant's, where several are in one place
    #[arg(long, requires = "place")]
    tenant: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// What past decisions are read from, at a place.
pub(crate) fn at<T, F>(place: &Place, ask: impl FnOnce(Archive) -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let reader = place.open().await?;
        let asked = ask(Archive::new(reader.clone(), place.sandbox()?)).await;
        reader.close().await;
        asked
    })
}

/// Explains it.
pub(crate) fn run(arguments: &Arguments, connection: &Connection, json: bool) -> anyhow::Result<Ended> {
    let Arguments { id, tenant, place } = arguments;
    let text = if place.is_given() {
        at(place, async |archive| Ok(serde_json::to_string_pretty(&archive.explain(tenant.as_deref(), id).await?)?))?
    } else {
        connection.get(format!("/v1/decisions/{}/explanation", segment(id))).send()?.text()?.to_owned()
    };
    if json {
        output::line(text)?;
    } else {
        show(&serde_json::from_str(&text).context("the explanation can't be read; is the server of this version?")?)?;
    }
    Ok(Ended::Fine)
}

fn show(explanation: &Explanation) -> anyhow::Result<()> {
    output::line(clean(&explanation.summary))?;
    output::line(format_args!(
        "\ndecision {} in {}, facts of {}, rules as of {}",
        clean(&explanation.id),
        clean(&explanation.environment),
        explanation.occurred_at,
        explanation.rules_as_of
    ))?;
    if let Some(link) = &explanation.re_evaluates {
        let note = link.note.as_ref().map(|note| format!(": {}", clean(note))).unwrap_or_default();
        let (id, reason) = (clean(&link.id), link.reason.as_str());
        output::line(format_args!("it rules decision {id} (entry {}) anew, for {reason}{note}", link.seq))?;
    }
    output::line(format_args!("\n{}", clean(&explanation.score.sentence)))?;
    for tally in &explanation.score.layers {
        show_tally(tally)?;
    }
    heading("Rules that applied", explanation.rules.is_empty())?;
    for rule in &explanation.rules {
        let mark = if rule.decided { "*" } else { "-" };
        output::line(format_args!("{mark} {} [{}]", clean(&rule.sentence), clean(&rule.layer)))?;
        for other in &rule.other_versions {
            output::line(format_args!("    on another day: {} is law {}", other.version, other.effective))?;
        }
    }
    heading("What didn't apply", explanation.not_applied.is_empty())?;
    for skipped in &explanation.not_applied {
        output::line(format_args!("- {} [{}]", clean(&skipped.sentence), clean(&skipped.layer)))?;
    }
    heading("Failures", explanation.failures.is_empty())?;
    for failed in &explanation.failures {
        output::line(format_args!("- {} [{}]", clean(&failed.sentence), clean(&failed.layer)))?;
    }
    heading("What was found", explanation.points.is_empty())?;
    for point in &explanation.points {
        show_point(point)?;
    }
    heading("On trial: asked and recorded, without a say", explanation.on_trial.is_empty())?;
    for trial in &explanation.on_trial {
        let version = trial.version.as_ref().map_or_else(|| "no version".to_owned(), ToString::to_string);
        output::line(format_args!("- {} {version} ({})", clean(&trial.package), clean(&trial.binding)))?;
    }
    if !explanation.input_kept {
        output::line("\nThe input was erased: passages can't be quoted.")?;
    }
    if !explanation.policy.is_empty() {
        let layers =
            explanation.policy.iter().map(|layer| format!("{} version {}", clean(&layer.scope), layer.version));
        output::line(format_args!("\npolicy: {}", layers.collect::<Vec<_>>().join(", ")))?;
    }
    Ok(())
}

fn heading(text: &str, empty: bool) -> anyhow::Result<()> {
    if empty { Ok(()) } else { output::line(format_args!("\n{text}")) }
}

/// The points of each agent and what the cap took off, which add up to the layer's score.
fn show_tally(tally: &Tally) -> anyhow::Result<()> {
    let counts = if tally.counts { "" } else { ", which didn't count: another layer's is higher" };
    output::line(format_args!("\n{}: {:.3} points{counts}", clean(&tally.layer), tally.score))?;
    let mut table = output::table(["binding", "agent", "score", "weight", "share", "points"]);
    for Share { binding, plugin, version, score, weight, share, points, .. } in &tally.agents {
        table.add_row([
            clean(binding),
            clean(&format!("{plugin} {version}")),
            format!("{score:.3}"),
            weight.to_string(),
            share.map_or_else(|| "added".to_owned(), |share| format!("{:.1} %", share * 100.0)),
            format!("{points:.3}"),
        ]);
    }
    if tally.capped < 0.0 {
        let capped = format!("{:.3}", tally.capped);
        table.add_row([String::new(), "cap at 10".to_owned(), String::new(), String::new(), String::new(), capped]);
    }
    output::print(&table, "no agent answered")
}

fn show_point(point: &Point) -> anyhow::Result<()> {
    let severity = serde_json::to_value(point.severity)?;
    output::line(format_args!(
        "- {} ({}) {}: {}",
        clean(&point.code),
        severity.as_str().unwrap_or_default(),
        clean(&point.plugin),
        clean(&point.message)
    ))?;
    for Passage { pointer, span, quote } in &point.passages {
        let place = if pointer.is_empty() { "the whole payload".to_owned() } else { clean(pointer) };
        let bytes = span.map(|span| format!(", bytes {} to {}", span.start, span.end)).unwrap_or_default();
        let quote = quote.as_ref().map(|quote| format!(": “{}”", clean(quote))).unwrap_or_default();
        output::line(format_args!("    {place}{bytes}{quote}"))?;
    }
    if let Some(citation) = &point.citation {
        output::line(format_args!("    after {}", clean(citation)))?;
    }
    Ok(())
}
