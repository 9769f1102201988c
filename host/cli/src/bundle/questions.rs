//! Ten questions that an opposing lawyer asks (ACT-17), answered as far as the evidence goes.

use assize_kernel::RunStatus;
use assize_rehearing::Part;

use super::page::{Block, Outcome, Section, Source, doubts, named, period};
use super::proof::no_later;

/// The status of a plugin that there was nothing to run of.
const MISSING: &str = RunStatus::Missing.as_str();

/// How far the evidence goes, in sentences.
type Answer = fn(&Source<'_>) -> String;

pub(super) fn section(source: &Source<'_>) -> Section {
    let questions: [(&str, Answer); 10] = [
        ("Who decided?", who_decided),
        ("Was it changed later?", changed_later),
        ("Is that model valid today?", valid_today),
        ("Was it biased?", biased),
        ("Is it political?", political),
        ("Why was a similar case treated otherwise?", similar_case),
        ("Can logs be deleted?", deleted),
        ("Who audits you?", audited),
        ("What if the AI errs?", errs),
        ("Who is responsible?", responsible),
    ];
    let pairs = questions.into_iter().map(|(question, answer)| (question.to_owned(), answer(source)));
    Section { heading: "Ten questions", blocks: vec![Block::Pairs(pairs.collect())] }
}

fn who_decided(source: &Source<'_>) -> String {
    let facts = source.facts;
    let (away, asked): (Vec<&Part>, Vec<&Part>) =
        source.rehearing.parts.iter().partition(|part| part.fact.status == MISSING);
    let list = |parts: Vec<&Part>| parts.into_iter().map(named).collect::<Vec<_>>().join(", ");
    let plugins = if asked.is_empty() { "no plugin (none was asked)".to_owned() } else { list(asked) };
    let away = if away.is_empty() {
        String::new()
    } else {
        format!(" Bound, too, and not there to be asked: {}.", list(away))
    };
    format!(
        "The host that keeps the log {}, for tenant {}, by the policies named above and by {plugins}.{away} No person \
         took part in the judgment.",
        source.report.header.origin, facts.tenant
    )
}

fn changed_later(source: &Source<'_>) -> String {
    let bound = "Nothing here differs from what the log bound when the decision was recorded: each byte is held by the \
                 entry's hash, and the entry by a signed checkpoint.";
    match source.report.earliest() {
        Some(earliest) => format!("{bound} From outside: {}.", no_later(earliest)),
        None => format!(
            "{bound} That the log itself wasn't made anew later isn't shown here: no confirmation from outside was \
             verified."
        ),
    }
}

fn valid_today(source: &Source<'_>) -> String {
    let now = source.now;
    let judged = source.facts.rules_as_of;
    let mut answers: Vec<String> = Vec::new();
    for part in &source.rehearing.parts {
        let Some(candidate) = &part.candidate else { continue };
        let then = if candidate.effective.contains(judged) { "was in force" } else { "was not in force" };
        let today = if candidate.effective.contains(now) { "its period still runs" } else { "its period is over" };
        let answer = format!("{} {then} on {judged} and {today} on {now} ({})", named(part), period(part));
        if !answers.contains(&answer) {
            answers.push(answer);
        }
    }
    let answers = if answers.is_empty() { "no version took part".to_owned() } else { answers.join("; ") };
    format!(
        "By their own periods: {answers}. Whether a version was withdrawn since isn't in this file; the host's list of plugins says so."
    )
}

fn biased(source: &Source<'_>) -> String {
    let doubts = source.rehearing.comparison.as_ref().map(doubts).unwrap_or_default();
    let again = match source.outcome {
        Outcome::Verified => "Judging again here gave the same, so nothing outside this file decided.".to_owned(),
        Outcome::Inconclusive => format!("Whether something outside this file decided can't be told: {doubts}."),
        _ => "Here it wasn't judged again with the same result.".to_owned(),
    };
    format!(
        "One case can't show that. What can be said: plugins get the input, their settings and what others before them \
         answered, and have no network, no clock of their own and no memory of other cases. {again} Bias shows over many cases: \
         the host can judge all past ones again, and its agents can be measured on labelled ones."
    )
}

fn political(source: &Source<'_>) -> String {
    let (mut norms, mut authors) = (Vec::new(), Vec::new());
    for manifest in source.rehearing.parts.iter().filter_map(|part| part.manifest.as_ref()) {
        norms.extend(manifest.references.iter().map(|reference| reference.title.clone()));
        authors.extend(manifest.authors.iter().cloned());
    }
    for list in [&mut norms, &mut authors] {
        list.sort();
        list.dedup();
    }
    let or_none = |list: Vec<String>| if list.is_empty() { "none named".to_owned() } else { list.join("; ") };
    if source.rehearing.heard.is_none() {
        return "No evidence can answer for intentions. The components could be examined, and aren't in this file, since the \
                input was erased; the host keeps them under the digests above."
            .to_owned();
    }
    let away = source.rehearing.comparison.as_ref().is_some_and(|comparison| !comparison.absent.is_empty());
    let but = if away { ", but for those that weren't there when it was judged" } else { "" };
    format!(
        "No evidence can answer for intentions. What can be examined: the norms that the plugins name ({}), their authors \
         ({}), and the components themselves, which are in this file{but}.",
        or_none(norms),
        or_none(authors)
    )
}

fn similar_case(source: &Source<'_>) -> String {
    format!(
        "Because its input, its policies or its plugin versions were others: the same ones give the same result, unless \
         the wall clock ended a call or a component wasn't there. A bundle of the other case shows which: compare the \
         snapshot (here {}), the plugin versions and the findings.",
        source.facts.snapshot
    )
}

fn deleted(source: &Source<'_>) -> String {
    let here = match &source.report.erasure {
        Some(erasure) => {
            format!("Here they were erased: entry {} says so, on the basis of {:?}.", erasure.seq, erasure.basis)
        }
        None => "Here they are complete.".to_owned(),
    };
    format!(
        "Entries can't be taken out without breaking the chain and every checkpoint after them. Inputs and records may be \
         erased where the law demands it; an entry then says so, and the hash stays. {here} What shows that no end of the log \
         was cut off is a checkpoint that somebody else kept."
    )
}

fn audited(source: &Source<'_>) -> String {
    let report = source.report;
    let mut confirmed: Vec<&str> = report.outside.iter().map(|one| one.by.as_str()).collect();
    confirmed.sort_unstable();
    confirmed.dedup();
    let outside = if confirmed.is_empty() {
        "Of others, none was checked here.".to_owned()
    } else {
        format!("Others that were checked here: {}.", confirmed.join("; "))
    };
    format!(
        "Whoever holds this file: the check needs neither the host nor its leave, and the format is published. {outside}"
    )
}

fn errs(source: &Source<'_>) -> String {
    let failed = source.rehearing.parts.iter().filter(|part| !matches!(part.fact.status.as_str(), "ok" | "abstained"));
    let failed: Vec<String> = failed.map(|part| format!("{} ({})", named(part), part.fact.status)).collect();
    let here = if failed.is_empty() {
        "Here every plugin that was asked answered.".to_owned()
    } else {
        format!("Here these gave no answer: {}.", failed.join(", "))
    };
    format!(
        "A plugin that fails never allows anything: the case goes to review or is blocked. {here} A wrong answer stays on \
         record with its reason and can be judged again at any time; whether a person corrected it isn't recorded in this log."
    )
}

fn responsible(source: &Source<'_>) -> String {
    let publishers: Vec<String> = source
        .report
        .published
        .iter()
        .map(|one| {
            let by = one.tenant.as_ref().map_or_else(|| "the host".to_owned(), |tenant| format!("tenant {tenant}"));
            format!("{} by {by}", one.subject)
        })
        .collect();
    let publishers = if publishers.is_empty() { "not shown".to_owned() } else { publishers.join(", ") };
    format!(
        "Responsibility is for the law to say. What the evidence names: tenant {}, for whom it was decided{}; who published \
         the plugins ({publishers}); the host, whose key signed the log {}.",
        source.facts.tenant,
        source.facts.system.as_ref().map(|system| format!(", with the AI system {system}")).unwrap_or_default(),
        source.report.header.origin
    )
}
