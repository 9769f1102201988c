//! Letters in disguise: what a character looks like, as a plain lowercase Latin letter.
//!
//! The tables cover what people use to slip past a filter and readers (human or model) still understand: diacritics, small
//! capitals, mathematical and enclosed alphabets, full width, letters of other scripts that look Latin (after Unicode's
//! confusables), and invisible characters. They are tables of ranges, not of single characters, where Unicode's order
//! allows it.

use assize_sdk::phrases::plain_letter;

/// What one character is, for reading words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Reads as this lowercase Latin letter.
    Letter { letter: u8, disguised: bool },
    /// Reads as this ASCII digit.
    Digit { digit: u8, disguised: bool },
    /// White space.
    Space,
    /// Nothing to be seen: zero-width characters, combining marks, directional controls.
    Invisible,
    /// An ASCII sign.
    Sign(u8),
    /// Anything else: a letter of another script, an emoji.
    Other,
}

/// What `character` looks like.
pub(crate) fn look(character: char) -> Look {
    if let Ok(byte) = u8::try_from(u32::from(character))
        && byte.is_ascii()
    {
        return ascii(byte, false);
    }
    let code = u32::from(character);
    if let Some(letter) = plain_letter(character) {
        return Look::Letter { letter, disguised: false };
    }
    if let Some(letter) = lookalike(code) {
        return Look::Letter { letter, disguised: true };
    }
    match code {
        // Zero-width characters and directional controls, then combining marks and variation selectors.
        0xAD
        | 0x180E
        | 0x200B..=0x200F
        | 0x202A..=0x202E
        | 0x2060..=0x2064
        | 0xFEFF
        | 0x300..=0x36F
        | 0xFE00..=0xFE0F
        | 0xE0100..=0xE01EF => Look::Invisible,
        // The tag characters: invisible copies of ASCII.
        0xE0020..=0xE007E => ascii(u8::try_from(code - 0xE0000).unwrap_or(b' '), true),
        // Full width.
        0xFF01..=0xFF5E => ascii(u8::try_from(code - 0xFEE0).unwrap_or(b' '), true),
        // Mathematical digits, five styles of ten.
        0x1D7CE..=0x1D7FF => {
            let digit = b'0' + u8::try_from((code - 0x1D7CE) % 10).unwrap_or(0);
            Look::Digit { digit, disguised: true }
        }
        0x2018 | 0x2019 | 0x2B9 | 0x2BC => Look::Sign(b'\''),
        0x2010..=0x2015 => Look::Sign(b'-'),
        0x2026 | 0x3002 => Look::Sign(b'.'),
        0xAB | 0xBB | 0x201C..=0x201F => Look::Sign(b'"'),
        _ if character.is_whitespace() => Look::Space,
        _ => Look::Other,
    }
}

fn ascii(byte: u8, disguised: bool) -> Look {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' => Look::Letter { letter: byte.to_ascii_lowercase(), disguised },
        b'0'..=b'9' => Look::Digit { digit: byte, disguised },
        b' ' | b'\t'..=b'\r' => Look::Space,
        _ => Look::Sign(byte),
    }
}

/// Single characters: small capitals and phonetic signs, Greek, Cyrillic, Armenian, letter-like symbols, Roman numerals.
const LOOKALIKES: &[(char, u8)] = &[
    ('ǝ', b'e'),
    ('ɑ', b'a'),
    ('ɡ', b'g'),
    ('ɢ', b'g'),
    ('ɩ', b'i'),
    ('ɪ', b'i'),
    ('ɴ', b'n'),
    ('ʀ', b'r'),
    ('ʏ', b'y'),
    ('ʙ', b'b'),
    ('ʜ', b'h'),
    ('ʟ', b'l'),
    ('Α', b'a'),
    ('Β', b'b'),
    ('Ε', b'e'),
    ('Ζ', b'z'),
    ('Η', b'h'),
    ('Ι', b'i'),
    ('Κ', b'k'),
    ('Μ', b'm'),
    ('Ν', b'n'),
    ('Ο', b'o'),
    ('Ρ', b'p'),
    ('Τ', b't'),
    ('Υ', b'y'),
    ('Χ', b'x'),
    ('ά', b'a'),
    ('έ', b'e'),
    ('ή', b'n'),
    ('ί', b'i'),
    ('α', b'a'),
    ('β', b'b'),
    ('γ', b'y'),
    ('ε', b'e'),
    ('η', b'n'),
    ('ι', b'i'),
    ('κ', b'k'),
    ('ν', b'v'),
    ('ο', b'o'),
    ('ρ', b'p'),
    ('σ', b'o'),
    ('τ', b't'),
    ('υ', b'u'),
    ('χ', b'x'),
    ('ω', b'w'),
    ('ό', b'o'),
    ('ύ', b'u'),
    ('ϲ', b'c'),
    ('ϳ', b'j'),
    ('Ѕ', b's'),
    ('І', b'i'),
    ('Ї', b'i'),
    ('Ј', b'j'),
    ('А', b'a'),
    ('В', b'b'),
    ('Г', b'r'),
    ('Е', b'e'),
    ('К', b'k'),
    ('М', b'm'),
    ('Н', b'h'),
    ('О', b'o'),
    ('Р', b'p'),
    ('С', b'c'),
    ('Т', b't'),
    ('У', b'y'),
    ('Х', b'x'),
    ('Ь', b'b'),
    ('а', b'a'),
    ('в', b'b'),
    ('г', b'r'),
    ('е', b'e'),
    ('и', b'n'),
    ('к', b'k'),
    ('м', b'm'),
    ('н', b'h'),
    ('о', b'o'),
    ('п', b'n'),
    ('р', b'p'),
    ('с', b'c'),
    ('т', b't'),
    ('у', b'y'),
    ('х', b'x'),
    ('ь', b'b'),
    ('я', b'r'),
    ('ё', b'e'),
    ('ѕ', b's'),
    ('і', b'i'),
    ('ї', b'i'),
    ('ј', b'j'),
    ('ѵ', b'v'),
    ('һ', b'h'),
    ('ӏ', b'l'),
    ('ԁ', b'd'),
    ('ԛ', b'q'),
    ('ԝ', b'w'),
    ('ց', b'g'),
    ('հ', b'h'),
    ('ո', b'n'),
    ('ս', b'u'),
    ('օ', b'o'),
    ('ᴀ', b'a'),
    ('ᴄ', b'c'),
    ('ᴅ', b'd'),
    ('ᴇ', b'e'),
    ('ᴊ', b'j'),
    ('ᴋ', b'k'),
    ('ᴍ', b'm'),
    ('ᴏ', b'o'),
    ('ᴘ', b'p'),
    ('ᴛ', b't'),
    ('ᴜ', b'u'),
    ('ᴠ', b'v'),
    ('ᴡ', b'w'),
    ('ᴢ', b'z'),
    ('ℂ', b'c'),
    ('ℊ', b'g'),
    ('ℋ', b'h'),
    ('ℌ', b'h'),
    ('ℍ', b'h'),
    ('ℎ', b'h'),
    ('ℐ', b'i'),
    ('ℑ', b'i'),
    ('ℒ', b'l'),
    ('ℓ', b'l'),
    ('ℕ', b'n'),
    ('ℙ', b'p'),
    ('ℚ', b'q'),
    ('ℛ', b'r'),
    ('ℜ', b'r'),
    ('ℝ', b'r'),
    ('ℤ', b'z'),
    ('ℨ', b'z'),
    ('ℬ', b'b'),
    ('ℭ', b'c'),
    ('ℯ', b'e'),
    ('ℰ', b'e'),
    ('ℱ', b'f'),
    ('ℳ', b'm'),
    ('ℴ', b'o'),
    ('ⅰ', b'i'),
    ('ⅴ', b'v'),
    ('ⅹ', b'x'),
    ('ⅼ', b'l'),
    ('ⅽ', b'c'),
    ('ⅾ', b'd'),
    ('ⅿ', b'm'),
    ('ꜰ', b'f'),
    ('ꜱ', b's'),
];

/// Letters that only look Latin, or Latin letters in a decorative alphabet.
fn lookalike(code: u32) -> Option<u8> {
    let nth = |offset: u32| u8::try_from(offset % 26).ok().map(|n| b'a' + n);
    match code {
        // Mathematical alphabets: capital and small in turn, thirteen styles.
        0x1D400..=0x1D6A3 => nth(code - 0x1D400),
        // Parenthesised small; circled capital, circled small; squared and negative capitals; regional indicators.
        0x249C..=0x24B5 => nth(code - 0x249C),
        0x24B6..=0x24E9 => nth(code - 0x24B6),
        0x1F130..=0x1F149 => nth(code - 0x1F130),
        0x1F150..=0x1F169 => nth(code - 0x1F150),
        0x1F170..=0x1F189 => nth(code - 0x1F170),
        0x1F1E6..=0x1F1FF => nth(code - 0x1F1E6),
        _ => LOOKALIKES.iter().find(|(shape, _)| u32::from(*shape) == code).map(|(_, letter)| *letter),
    }
}

/// The letter that a digit or sign stands for in leetspeak. `one_is_l`: `1` and its like read as l, otherwise as i.
pub(crate) fn leet(sign: u8, one_is_l: bool) -> Option<u8> {
    Some(match sign {
        b'0' => b'o',
        b'1' | b'!' | b'|' => {
            if one_is_l {
                b'l'
            } else {
                b'i'
            }
        }
        b'2' => b'z',
        b'3' => b'e',
        b'4' | b'@' => b'a',
        b'5' | b'$' => b's',
        b'6' | b'9' => b'g',
        b'7' | b'+' => b't',
        b'8' => b'b',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Look, look};

    fn read(text: &str) -> String {
        text.chars()
            .filter_map(|character| match look(character) {
                Look::Letter { letter, .. } => Some(char::from(letter)),
                Look::Digit { digit, .. } => Some(char::from(digit)),
                Look::Space => Some(' '),
                Look::Sign(sign) => Some(char::from(sign)),
                Look::Invisible => None,
                Look::Other => Some('?'),
            })
            .collect()
    }

    #[test]
    fn diacritics_read_as_their_letters() {
        assert_eq!(read("Instruções Ñandú Übergehe français œ Ždřŵ ệ"), "instrucoes nandu ubergehe francais o zdrw e");
    }

    #[test]
    fn decorative_alphabets_read_as_letters() {
        for text in [
            "𝐢𝐠𝐧𝐨𝐫𝐞",
            "𝓲𝓰𝓷𝓸𝓻𝓮",
            "𝙞𝙜𝙣𝙤𝙧𝙚",
            "ｉｇｎｏｒｅ",
            "ⓘⓖⓝⓞⓡⓔ",
            "🄸🄶🄽🄾🅁🄴",
            "ɪɢɴᴏʀᴇ",
            "іgnоrе",
            "ιgnοre",
            "i\u{200B}g\u{0336}nore",
        ] {
            assert_eq!(read(text), "ignore", "{text}");
        }
    }

    #[test]
    fn invisible_tags_are_read() {
        let hidden: String = "ignore me".bytes().filter_map(|byte| char::from_u32(0xE0000 + u32::from(byte))).collect();
        assert_eq!(read(&hidden), "ignore me");
    }

    #[test]
    fn mathematical_digits_read_as_digits() {
        assert_eq!(read("𝟎𝟏𝟗𝟘𝟙"), "01901");
    }
}
