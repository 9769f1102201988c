//! Finds phrases in texts as people write them: in any case, with or without diacritics, with spaces, hyphens or line breaks.

#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "const functions can only index and cast; what is out of bounds there is an error of the build, not of a call"
)]

use core::ops::Range;

/// The plain lowercase Latin letter of a letter with diacritics, as languages use them. None for anything else.
pub fn plain_letter(character: char) -> Option<u8> {
    // U+00C0 to U+00FF in order; `*` is × and ÷.
    const LATIN_1: &[u8; 64] = b"aaaaaaaceeeeiiiidnooooo*ouuuuytsaaaaaaaceeeeiiiidnooooo*ouuuuyty";
    // U+0100 to U+017F in order.
    const EXTENDED_A: &[u8; 128] = b"aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkkllllllllll\
        nnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
    // U+1E00 to U+1EF9: each letter with the code point, less 0x1E00, past its last.
    const ADDITIONAL: &[(u32, u8)] = &[
        (0x02, b'a'),
        (0x08, b'b'),
        (0x0A, b'c'),
        (0x14, b'd'),
        (0x1E, b'e'),
        (0x20, b'f'),
        (0x22, b'g'),
        (0x2C, b'h'),
        (0x30, b'i'),
        (0x36, b'k'),
        (0x3E, b'l'),
        (0x44, b'm'),
        (0x4C, b'n'),
        (0x54, b'o'),
        (0x58, b'p'),
        (0x60, b'r'),
        (0x6A, b's'),
        (0x72, b't'),
        (0x7C, b'u'),
        (0x80, b'v'),
        (0x8A, b'w'),
        (0x8E, b'x'),
        (0x90, b'y'),
        (0x96, b'z'),
        (0xA0, b's'),
        (0xB8, b'a'),
        (0xC8, b'e'),
        (0xCC, b'i'),
        (0xE4, b'o'),
        (0xF2, b'u'),
        (0xFA, b'y'),
    ];
    let code = u32::from(character);
    match code {
        0xAA => Some(b'a'),
        0xBA => Some(b'o'),
        0xC0..=0xFF => LATIN_1.get((code - 0xC0) as usize).copied().filter(u8::is_ascii_lowercase),
        0x100..=0x17F => EXTENDED_A.get((code - 0x100) as usize).copied(),
        0x1E00..=0x1EF9 => ADDITIONAL.iter().find(|(past, _)| code - 0x1E00 < *past).map(|(_, letter)| *letter),
        _ => None,
    }
}

/// Calls `found` with the index of each phrase and the bytes of `text` where it stands, in the text's order.
///
/// A phrase is written in lowercase ASCII with single spaces; it matches whole words, `*` at its end matches any ending. Where
/// the phrase has a space, the text may have any run of white space, hyphens or underscores. For more than a few phrases that
/// are known beforehand, [`Phrases`] is much faster.
pub fn find(text: &str, phrases: &[&str], mut found: impl FnMut(usize, Range<usize>)) {
    words(text, |letter, start, rest| {
        for (index, phrase) in phrases.iter().enumerate() {
            if phrase.as_bytes().first() == Some(&letter)
                && let Some(length) = length_at_start(rest, phrase)
            {
                found(index, start..start + length);
            }
        }
    });
}

/// Groups of phrases, put in order by their first letter when the plugin is compiled.
///
/// ```
/// use assize_sdk::phrases::{Phrases, count};
///
/// const GROUPS: &[&[&str]] = &[&["harm", "hurt*"], &["social scor*"]];
/// static PHRASES: Phrases<{ count(GROUPS) }> = Phrases::new(GROUPS);
///
/// let mut seen = Vec::new();
/// PHRASES.find("Social-Scoring hurts", |group, span| seen.push((group, span)));
/// assert_eq!(seen, [(1, 0..14), (0, 15..20)]);
/// ```
#[derive(Debug)]
pub struct Phrases<const N: usize> {
    /// By first letter.
    ordered: [Entry; N],
    /// Where the phrases of each letter start in `ordered`; digits come last, as one.
    starts: [u16; LETTERS + 1],
}

/// A phrase in its place.
#[derive(Debug, Clone, Copy)]
struct Entry {
    group: u8,
    /// The second letter or digit; 0 where the phrase has something else there.
    second: u8,
    phrase: &'static str,
}

/// The letters, and one for all digits.
const LETTERS: usize = 27;

/// The number of phrases in `groups`.
pub const fn count(groups: &[&[&str]]) -> usize {
    let (mut all, mut group) = (0, 0);
    while group < groups.len() {
        all += groups[group].len();
        group += 1;
    }
    all
}

impl<const N: usize> Phrases<N> {
    /// Puts the phrases of `groups` in order. They are written as [`find`] wants them.
    ///
    /// # Panics
    /// Where a phrase doesn't start with a lowercase ASCII letter or digit, or `N` isn't their number: an error of the build,
    /// since the value is a `const` or `static`.
    pub const fn new(groups: &[&'static [&'static str]]) -> Self {
        assert!(count(groups) == N, "N isn't the number of phrases");
        assert!(groups.len() <= 256, "too many groups");
        let mut ordered = [Entry { group: 0, second: 0, phrase: "" }; N];
        let mut starts = [0; LETTERS + 1];
        let (mut letter, mut next) = (0, 0);
        while letter < LETTERS {
            starts[letter] = next as u16;
            let mut group = 0;
            while group < groups.len() {
                let mut index = 0;
                while index < groups[group].len() {
                    let phrase = groups[group][index];
                    if slot(phrase.as_bytes()[0]) == letter {
                        let bytes = phrase.as_bytes();
                        let second = if bytes.len() > 1 && slot(bytes[1]) < LETTERS { bytes[1] } else { 0 };
                        ordered[next] = Entry { group: group as u8, second, phrase };
                        next += 1;
                    }
                    index += 1;
                }
                group += 1;
            }
            letter += 1;
        }
        assert!(next == N, "a phrase doesn't start with a lowercase ASCII letter or digit");
        starts[LETTERS] = next as u16;
        Self { ordered, starts }
    }

    /// Calls `found` with the group of each phrase and the bytes of `text` where it stands, in the text's order.
    pub fn find(&self, text: &str, mut found: impl FnMut(usize, Range<usize>)) {
        words(text, |letter, start, rest| {
            let slot = slot(letter);
            let (Some(from), Some(to)) = (self.starts.get(slot), self.starts.get(slot + 1)) else { return };
            // Most phrases differ from the word in the second character already, which is cheap to see where the word's
            // first two are ASCII.
            let seen = match rest.as_bytes() {
                [first, second, ..] if first.is_ascii() => ASCII.get(usize::from(*second)).copied().unwrap_or(UNSEEN),
                _ => UNSEEN,
            };
            for entry in self.ordered.get(usize::from(*from)..usize::from(*to)).unwrap_or_default() {
                if entry.second != seen && entry.second != 0 && seen != UNSEEN {
                    continue;
                }
                if let Some(length) = length_at_start(rest, entry.phrase) {
                    found(usize::from(entry.group), start..start + length);
                }
            }
        });
    }
}

/// The place of a letter or digit in `Phrases::starts`; past its end for anything else.
const fn slot(letter: u8) -> usize {
    match letter {
        b'a'..=b'z' => (letter - b'a') as usize,
        b'0'..=b'9' => LETTERS - 1,
        _ => LETTERS,
    }
}

/// Calls `visit` at the start of every word: its first letter, where it starts, and the text from there.
fn words(text: &str, mut visit: impl FnMut(u8, usize, &str)) {
    let (mut inside, mut start) = (false, 0);
    loop {
        let (letter, length) = class_at(text, start);
        if length == 0 {
            return;
        }
        if letter <= GAP {
            inside = false;
        } else {
            if !inside && letter != FOREIGN {
                visit(letter, start, text.get(start..).unwrap_or_default());
            }
            inside = true;
        }
        start += length;
    }
}

/// Whether any of `phrases` stands in `text`; see [`find`].
pub fn contains(text: &str, phrases: &[&str]) -> bool {
    let mut any = false;
    find(text, phrases, |_, _| any = true);
    any
}

/// Not part of a word.
const OTHER: u8 = 0;
/// What may stand between the words of a phrase.
const GAP: u8 = 1;
/// A letter of another script; Latin ones and digits stand for themselves, in lowercase ASCII.
const FOREIGN: u8 = 2;

/// No class: the character has to be looked at.
const UNSEEN: u8 = u8::MAX;

/// The classes of ASCII.
static ASCII: [u8; 128] = {
    let mut classes = [OTHER; 128];
    let mut byte = 0;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => byte.to_ascii_lowercase(),
            b' ' | b'\t'..=b'\r' | b'-' | b'_' => GAP,
            _ => OTHER,
        };
        byte += 1;
    }
    classes
};

/// `OTHER`, `GAP`, `FOREIGN`, or the letter or digit that a character reads as.
fn class(character: char) -> u8 {
    if let Some(class) = ASCII.get(character as usize) {
        return *class;
    }
    match plain_letter(character) {
        Some(letter) => letter,
        None if character.is_alphanumeric() => FOREIGN,
        None if character.is_whitespace() || ('\u{2010}'..='\u{2015}').contains(&character) => GAP,
        None => OTHER,
    }
}

/// The bytes of `text` that `phrase` takes at its start, if it stands there.
fn length_at_start(text: &str, phrase: &str) -> Option<usize> {
    // As in `Phrases::find`, for phrases that aren't in order.
    if let ([first, seen, ..], Some(wanted)) = (text.as_bytes(), phrase.as_bytes().get(1))
        && first.is_ascii()
        && seen.is_ascii()
        && wanted.is_ascii_alphanumeric()
        && seen.to_ascii_lowercase() != *wanted
    {
        return None;
    }
    let mut at = 0;
    // Takes characters while they are of a class.
    let skip = |mut at: usize, is: fn(u8) -> bool| {
        loop {
            let (class, length) = class_at(text, at);
            if length == 0 || !is(class) {
                return at;
            }
            at += length;
        }
    };
    for wanted in phrase.bytes() {
        match wanted {
            b'*' => at = skip(at, |class| class > GAP),
            b' ' => {
                let past = skip(at, |class| class == GAP);
                if past == at {
                    return None;
                }
                at = past;
            }
            letter => {
                let (class, length) = class_at(text, at);
                if class != letter {
                    return None;
                }
                at += length;
            }
        }
    }
    (class_at(text, at).0 <= GAP).then_some(at)
}

/// The class of the character at byte `at` and its length; `OTHER` and 0 past the end.
#[inline]
fn class_at(text: &str, at: usize) -> (u8, usize) {
    match text.as_bytes().get(at) {
        None => (OTHER, 0),
        Some(byte) if byte.is_ascii() => (ASCII.get(usize::from(*byte)).copied().unwrap_or(OTHER), 1),
        Some(_) => {
            let character = text.get(at..).and_then(|rest| rest.chars().next());
            character.map_or((OTHER, 0), |character| (class(character), character.len_utf8()))
        }
    }
}

#[cfg(test)]
#[allow(clippy::string_slice, reason = "a span that cuts a character should fail the test")]
mod tests {
    use super::{Phrases, count, find};

    fn found(text: &str, phrases: &[&str]) -> Vec<String> {
        let mut all = Vec::new();
        find(text, phrases, |_, span| all.push(text[span].to_owned()));
        all
    }

    #[test]
    fn phrases_are_found_as_people_write_them() {
        let phrases = ["social scor*", "opiniao politica"];
        assert_eq!(
            found("A Social-Scoring of OPINIÃO\n  política.", &phrases),
            ["Social-Scoring", "OPINIÃO\n  política"]
        );
    }

    #[test]
    fn ordered_phrases_are_found_where_all_are() {
        const GROUPS: &[&[&str]] =
            &[&["a", "an", "a b", "arg*", "7 up", "7up"], &["opiniao politica", "op*", "o", "b*", "at"]];
        static PHRASES: Phrases<{ count(GROUPS) }> = Phrases::new(GROUPS);
        let flat: Vec<&str> = GROUPS.iter().flat_map(|group| group.iter().copied()).collect();
        for text in ["A an argüir a-b Á ãn OPINIÃO política o", "7-UP 7up a\u{2010}b", "öp 7", "a", "", "at b"] {
            let (mut ordered, mut all) = (Vec::new(), Vec::new());
            PHRASES.find(text, |group, span| ordered.push((group, span.start, span.end)));
            super::find(text, &flat, |index, span| {
                all.push((usize::from(index >= GROUPS[0].len()), span.start, span.end));
            });
            ordered.sort_unstable();
            all.sort_unstable();
            assert_eq!(ordered, all, "{text:?}");
        }
    }

    #[test]
    fn only_whole_words_count() {
        assert!(found("embargo, cargo; carbide", &["car", "arg", "bar*"]).is_empty());
        assert_eq!(found("car", &["car"]), ["car"]);
    }
}
