//! What is counted. Everything is ordered, so that the same cases give the same bytes.

use std::collections::BTreeMap;

use assize_ledger::Timestamp;
use assize_sandbox::contract::Verdict;
use serde::{Deserialize, Serialize};

/// Names that a breakdown lists at most; further ones are counted together.
const MOST_NAMES: usize = 1000;
/// Characters of a reason that are kept.
const LONGEST_WHY: usize = 300;
/// What those are counted under.
const OTHERS: &str = "(others)";

/// How many came out how: rows are what was, columns what would be, each from `allow` to `block`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Matrix(pub [[u64; 4]; 4]);

impl Matrix {
    /// Counts a case.
    pub fn add(&mut self, was: Verdict, would: Verdict) {
        if let Some(count) = self.0.get_mut(index(was)).and_then(|row| row.get_mut(index(would))) {
            *count += 1;
        }
    }

    /// How many there are.
    pub fn cases(&self) -> u64 {
        self.0.iter().flatten().sum()
    }

    /// How many were one verdict and would be another.
    pub fn get(&self, was: Verdict, would: Verdict) -> u64 {
        self.0.get(index(was)).and_then(|row| row.get(index(would))).copied().unwrap_or_default()
    }

    /// How many would be judged more strictly.
    pub fn stricter(&self) -> u64 {
        self.sum(|was, would| would > was)
    }

    /// How many would be judged more mildly.
    pub fn milder(&self) -> u64 {
        self.sum(|was, would| would < was)
    }

    fn sum(&self, which: impl Fn(Verdict, Verdict) -> bool) -> u64 {
        let pairs = VERDICTS.into_iter().flat_map(|was| VERDICTS.into_iter().map(move |would| (was, would)));
        pairs.filter(|&(was, would)| which(was, would)).map(|(was, would)| self.get(was, would)).sum()
    }
}

/// From the mildest to the strictest.
pub(crate) const VERDICTS: [Verdict; 4] = [Verdict::Allow, Verdict::Warn, Verdict::Review, Verdict::Block];

fn index(verdict: Verdict) -> usize {
    VERDICTS.iter().position(|known| *known == verdict).unwrap_or_default()
}

/// How well verdicts meet a known truth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// Bad, and caught.
    pub hits: u64,
    /// Bad, and not caught.
    pub misses: u64,
    /// Good, and caught.
    pub false_alarms: u64,
    /// Good, and not caught.
    pub passes: u64,
}

impl Confusion {
    fn add(&mut self, bad: bool, caught: bool) {
        let count = match (bad, caught) {
            (true, true) => &mut self.hits,
            (true, false) => &mut self.misses,
            (false, true) => &mut self.false_alarms,
            (false, false) => &mut self.passes,
        };
        *count += 1;
    }

    /// Of the bad ones, the share that is caught (recall): hits / (hits + misses).
    pub fn hit_rate(&self) -> f64 {
        share(self.hits, self.hits + self.misses)
    }

    /// Of the good ones, the share that is caught: false alarms / (false alarms + passes).
    pub fn false_alarm_rate(&self) -> f64 {
        share(self.false_alarms, self.false_alarms + self.passes)
    }
}

/// A part of a whole, 0 to 1; 0 of nothing.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// What was and what would be, against the truth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Truth {
    pub was: Confusion,
    pub would_be: Confusion,
}

/// One plugin version's part in what would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginCount {
    /// How often it was asked.
    pub runs: u64,
    /// How often it gave no answer.
    pub failures: u64,
    /// Units of the cost table.
    pub fuel: u64,
}

/// A case that would come out otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Flip {
    /// The decision's id, or the case's name in its file.
    pub id: String,
    /// The decision's entry.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seq: Option<u64>,
    pub was: Verdict,
    pub was_reason: String,
    pub would_be: Verdict,
    pub would_be_reason: String,
    pub occurred_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub system: Option<String>,
    pub jurisdictions: Vec<String>,
    /// Whether it was bad, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bad: Option<bool>,
}

/// Everything that is counted. Durations are kept elsewhere: they never come out twice.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// Cases that were looked at.
    pub cases: u64,
    /// Those that were judged.
    pub judged: u64,
    /// Those that the swap leaves alone: what it names isn't in their snapshot.
    pub untouched: u64,
    /// Those whose payload is erased.
    pub erased: u64,
    /// Those that can't be read or judged, by why.
    pub unreadable: BTreeMap<String, u64>,
    /// Of the judged ones.
    pub matrix: Matrix,
    /// By jurisdiction; a case of several counts in each.
    pub by_jurisdiction: BTreeMap<String, Matrix>,
    /// By system.
    pub by_system: BTreeMap<String, Matrix>,
    /// By the month of the facts, `2026-11`.
    pub by_month: BTreeMap<String, Matrix>,
    /// By the reason that would decide.
    pub by_reason: BTreeMap<String, Matrix>,
    /// Where cases carry a known truth.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub truth: Option<Truth>,
    /// By `namespace/name@version`, of what would be.
    pub plugins: BTreeMap<String, PluginCount>,
    /// Cases that would come out otherwise.
    pub flips: u64,
    /// The first of them.
    pub listed: Vec<Flip>,
}

/// How a case came out.
pub(crate) struct Came {
    pub(crate) flip: Flip,
    pub(crate) runs: Vec<(String, bool, u64)>,
    pub(crate) touched: bool,
}

impl Tally {
    /// Counts a case that was judged.
    pub(crate) fn add(&mut self, came: Came, alarm: Verdict, listed: usize) {
        let Came { flip, runs, touched } = came;
        self.cases += 1;
        self.judged += 1;
        self.untouched += u64::from(!touched);
        let (was, would) = (flip.was, flip.would_be);
        self.matrix.add(was, would);
        let add = |matrix: &mut Matrix| matrix.add(was, would);
        for code in &flip.jurisdictions {
            count(&mut self.by_jurisdiction, code, add);
        }
        if flip.jurisdictions.is_empty() {
            count(&mut self.by_jurisdiction, "(none)", add);
        }
        count(&mut self.by_system, flip.system.as_deref().unwrap_or("(none)"), add);
        let day = flip.occurred_at.to_string();
        count(&mut self.by_month, day.get(..7).unwrap_or(&day), add);
        count(&mut self.by_reason, &flip.would_be_reason, add);
        if let Some(bad) = flip.bad {
            let truth = self.truth.get_or_insert_default();
            truth.was.add(bad, was >= alarm);
            truth.would_be.add(bad, would >= alarm);
        }
        for (name, failed, fuel) in runs {
            count(&mut self.plugins, &name, |plugin: &mut PluginCount| {
                plugin.runs += 1;
                plugin.failures += u64::from(failed);
                plugin.fuel += fuel;
            });
        }
        if was != would {
            self.flips += 1;
            if self.listed.len() < listed {
                self.listed.push(flip);
            }
        }
    }

    /// Counts a case that has nothing to judge any more.
    pub(crate) fn add_erased(&mut self) {
        self.cases += 1;
        self.erased += 1;
    }

    /// Counts a case that can't be judged.
    pub(crate) fn add_unreadable(&mut self, why: &str) {
        self.cases += 1;
        // It may quote a case, which may be long.
        let end = why.char_indices().nth(LONGEST_WHY).map_or(why.len(), |(end, _)| end);
        count(&mut self.unreadable, why.get(..end).unwrap_or_default(), |cases| *cases += 1);
    }
}

/// Counts under a name. Most names are known: a String for each of a million cases would be for nothing.
fn count<T: Default>(map: &mut BTreeMap<String, T>, name: &str, add: impl FnOnce(&mut T)) {
    if let Some(known) = map.get_mut(name) {
        return add(known);
    }
    let name = if map.len() < MOST_NAMES { name } else { OTHERS };
    add(map.entry(name.to_owned()).or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flip(was: Verdict, would_be: Verdict, bad: Option<bool>) -> Came {
        let flip = Flip {
            id: "x".into(),
            seq: None,
            was,
            was_reason: "A".into(),
            would_be,
            would_be_reason: "B".into(),
            occurred_at: "2024-02-29".parse().unwrap(),
            system: None,
            jurisdictions: vec!["BR".into(), "EU".into()],
            bad,
        };
        Came { flip, runs: vec![("a/b@1.0.0".into(), false, 7)], touched: true }
    }

    #[test]
    fn each_case_is_counted_where_it_belongs() {
        let mut tally = Tally::default();
        tally.add(flip(Verdict::Allow, Verdict::Block, Some(true)), Verdict::Review, 1);
        tally.add(flip(Verdict::Block, Verdict::Allow, Some(false)), Verdict::Review, 1);
        tally.add(flip(Verdict::Warn, Verdict::Warn, None), Verdict::Review, 1);
        tally.add_erased();
        tally.add_unreadable("no JSON");
        assert_eq!((tally.cases, tally.judged, tally.erased, tally.flips, tally.listed.len()), (5, 3, 1, 2, 1));
        assert_eq!((tally.matrix.cases(), tally.matrix.stricter(), tally.matrix.milder()), (3, 1, 1));
        assert_eq!(tally.by_jurisdiction["BR"], tally.matrix);
        assert_eq!(tally.by_month["2024-02"], tally.matrix);
        let truth = tally.truth.unwrap();
        assert_eq!((truth.was.misses, truth.was.false_alarms), (1, 1));
        assert_eq!((truth.would_be.hits, truth.would_be.passes), (1, 1));
        assert_eq!(tally.plugins["a/b@1.0.0"], PluginCount { runs: 3, failures: 0, fuel: 21 });
        let again: Tally = serde_json::from_slice(&serde_json::to_vec(&tally).unwrap()).unwrap();
        assert_eq!(again, tally);
    }

    #[test]
    fn names_without_end_are_counted_together() {
        let mut tally = Tally::default();
        for n in 0..MOST_NAMES + 50 {
            let mut came = flip(Verdict::Allow, Verdict::Allow, None);
            came.flip.system = Some(format!("system-{n}"));
            tally.add(came, Verdict::Review, 0);
        }
        assert_eq!(tally.by_system.len(), MOST_NAMES + 1);
        assert_eq!(tally.by_system[OTHERS].cases(), 50);
    }
}
