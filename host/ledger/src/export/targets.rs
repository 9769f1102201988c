//! Which entries an erasure concerns.

use std::collections::BTreeSet;

/// The entries that an erasure names: `17,19-40`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Targets(Vec<(u64, u64)>);

impl Targets {
    /// Reads numbers and ranges, both ends included, with commas between them.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| text.parse::<u64>().ok().filter(|number| number.to_string() == text);
        let range = |part: &str| match part.split_once('-') {
            Some((first, last)) => Some((number(first)?, number(last)?)).filter(|(first, last)| first <= last),
            None => number(part).map(|number| (number, number)),
        };
        text.split(',').map(range).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Writes some places as briefly as can be.
    pub fn write(places: &BTreeSet<u64>) -> String {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for &place in places {
            match ranges.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(place) => *last = place,
                _ => ranges.push((place, place)),
            }
        }
        let texts = ranges
            .iter()
            .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") });
        texts.collect::<Vec<_>>().join(",")
    }

    /// Whether this entry is named.
    pub fn contains(&self, seq: u64) -> bool {
        self.0.iter().any(|(first, last)| (first..=last).contains(&&seq))
    }

    /// The ranges, both ends included.
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_from_their_text() {
        let places = BTreeSet::from([3, 17, 19, 20, 21, 40]);
        let text = Targets::write(&places);
        assert_eq!(text, "3,17,19-21,40");
        let targets = Targets::parse(&text).unwrap();
        assert!((0..50).all(|seq| targets.contains(seq) == places.contains(&seq)));
        for wrong in ["", "a", "1,", "5-3", "01", "1-2-3", "-4", "1, 2"] {
            assert_eq!(Targets::parse(wrong), None, "{wrong}");
        }
    }
}
