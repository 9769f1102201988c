//! Finds the signals in a text.

use crate::read::{Reading, Word, read};
use crate::signals::{SIGNALS, Signal};
use crate::taxonomy::Class;

/// One signal found in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The class of threat.
    pub class: Class,
    /// The score it has alone, of 10.
    pub points: f64,
    /// What was found, for people.
    pub message: &'static str,
    /// Where, in bytes of the text.
    pub spans: Vec<core::ops::Range<usize>>,
    /// Whether any of the words was disguised.
    pub disguised: bool,
}

/// At most so many places are named for one signal.
const PLACES: usize = 3;

/// What a text holds, strongest first. A signal that is part of a stronger one of its class at the same place is left out.
pub fn scan(text: &str) -> Vec<Hit> {
    let reading = read(text);
    let mut hits: Vec<Hit> = SIGNALS.iter().filter_map(|signal| hit(signal, &reading)).collect();
    hits.sort_by(|one, other| other.points.total_cmp(&one.points));
    let mut kept: Vec<Hit> = Vec::with_capacity(hits.len());
    for mut hit in hits {
        let stronger = || kept.iter().filter(|earlier| earlier.class == hit.class).flat_map(|earlier| &earlier.spans);
        let covered: Vec<bool> = hit.spans.iter().map(|span| stronger().any(|other| overlap(span, other))).collect();
        let mut covered = covered.into_iter();
        hit.spans.retain(|_| !covered.next().unwrap_or(false));
        if !hit.spans.is_empty() {
            kept.push(hit);
        }
    }
    kept
}

fn overlap(one: &core::ops::Range<usize>, other: &core::ops::Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

/// Where `signal` stands in the text, if it does.
fn hit(signal: &Signal, reading: &Reading) -> Option<Hit> {
    // Nearly every signal ends here: the text lacks one of its concepts.
    if signal.steps.iter().any(|step| step.concepts & reading.seen == 0) {
        return None;
    }
    let (mut spans, mut disguised) = (Vec::new(), false);
    let mut from = 0;
    while let Some((span, past, disguise)) = occurrence(signal, reading.words.get(from..)?) {
        spans.push(span);
        disguised |= disguise != 0;
        from += past;
        if spans.len() == PLACES {
            break;
        }
    }
    if spans.is_empty() {
        return None;
    }
    Some(Hit { class: signal.class, points: signal.points, message: signal.message, spans, disguised })
}

/// The first occurrence among `words`: its span, the index past its last word, and how it was disguised.
fn occurrence(signal: &Signal, words: &[Word]) -> Option<(core::ops::Range<usize>, usize, u8)> {
    let (first, rest) = signal.steps.split_first()?;
    (0..words.len()).find_map(|start| {
        let opening = words.get(start).filter(|word| word.concepts & first.concepts != 0)?;
        let (mut last, mut index, mut disguise) = (opening, start, opening.disguise);
        let mut span = opening.start..opening.end;
        for step in rest {
            let following = words.get(index + 1..)?.iter().enumerate();
            let within = following.take_while(|(_, word)| word.place <= last.place + step.within);
            // Words read from one run of letters share a place only if they are two readings of it.
            let next =
                within.filter(|(_, word)| word.place > last.place).find(|(_, word)| word.concepts & step.concepts != 0);
            let (offset, word) = next?;
            index += 1 + offset;
            last = word;
            disguise |= word.disguise;
            span = span.start.min(word.start)..span.end.max(word.end);
        }
        Some((span.start as usize..span.end as usize, index + 1, disguise))
    })
}
