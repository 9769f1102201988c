//! The prohibited practices of Article 5 of the EU AI Act (Regulation (EU) 2024/1689), applicable since 2 February 2025.
//! A library, not a plugin: the rule `eu/ai-act-prohibited` judges with it, the agent `assize/regulatory` weighs with it.
//!
//! Two kinds of evidence. A practice may be *declared*, by the system's registry entry or by the case itself, with one of the
//! names below; or a text may *speak* of one. The first says what a system does, the second only what somebody wrote.

use assize_sdk::phrases::{Phrases, count};
use assize_sdk::{Case, Failure, System};
use core::ops::Range;
use serde_json::Value;

/// One point of Article 5(1).
#[derive(Debug, PartialEq, Eq)]
pub struct Practice {
    /// Its letter, `a` to `h`.
    pub letter: char,
    /// Code of findings.
    pub code: &'static str,
    /// What is prohibited, in short.
    pub summary: &'static str,
    /// Names by which it is declared (compared without regard to case, spaces, hyphens and underscores).
    pub names: &'static [&'static str],
    /// Phrases that speak of it; see [`assize_sdk::phrases::find`].
    pub phrases: &'static [&'static str],
    /// Whether the point itself names exceptions (medical or safety reasons, lawful purposes, certain crimes).
    pub has_exceptions: bool,
}

impl Practice {
    /// The exact norm.
    pub fn citation(&self) -> String {
        format!("Regulation (EU) 2024/1689, Art. 5(1)({})", self.letter)
    }
}

/// All points of Article 5(1), in order.
pub const PRACTICES: &[Practice] = &[
    Practice {
        letter: 'a',
        code: "ART_5_1_A_MANIPULATION",
        summary: "subliminal, purposefully manipulative or deceptive techniques that materially distort behaviour and are \
            likely to cause significant harm",
        names: &["subliminal manipulation", "subliminal techniques", "manipulative techniques", "harmful manipulation"],
        phrases: &[
            "subliminal*",
            "manipulative technique*",
            "without their awareness",
            "below the threshold of consciousness",
        ],
        has_exceptions: false,
    },
    Practice {
        letter: 'b',
        code: "ART_5_1_B_VULNERABILITIES",
        summary: "exploiting vulnerabilities due to age, disability or a social or economic situation in a way likely to \
            cause significant harm",
        names: &["exploitation of vulnerabilities", "exploiting vulnerabilities", "exploit vulnerable persons"],
        phrases: &[
            "exploit vulnerable",
            "exploit the vulnerab*",
            "target vulnerable",
            "exploit elderly",
            "exploit the elderly",
            "exploit children",
            "prey on",
        ],
        has_exceptions: false,
    },
    Practice {
        letter: 'c',
        code: "ART_5_1_C_SOCIAL_SCORING",
        summary: "evaluating or classifying people by social behaviour or personal characteristics with unjustified or \
            unrelated detrimental treatment (social scoring)",
        names: &["social scoring", "social score", "social credit"],
        phrases: &[
            "social scor*",
            "social credit",
            "citizen scor*",
            "trustworthiness score",
            "score citizens",
            "rank citizens",
            "pontuacao social",
            "credito social",
            "puntuacion social",
            "notation sociale",
            "sozialkredit*",
        ],
        has_exceptions: false,
    },
    Practice {
        letter: 'd',
        code: "ART_5_1_D_CRIME_PREDICTION",
        summary: "predicting the risk that a person commits a criminal offence solely from profiling or personality traits",
        names: &[
            "crime prediction",
            "criminal risk prediction",
            "predictive policing of individuals",
            "predictive policing",
        ],
        phrases: &[
            "predict who will commit",
            "predict criminal*",
            "predict crime*",
            "likely to commit a crime",
            "future criminal*",
            "predictive policing",
            "criminal tendenc*",
        ],
        has_exceptions: true,
    },
    Practice {
        letter: 'e',
        code: "ART_5_1_E_FACE_SCRAPING",
        summary: "creating or expanding facial recognition databases by untargeted scraping of facial images from the \
            internet or CCTV",
        names: &["facial image scraping", "face scraping", "untargeted scraping"],
        phrases: &[
            "scrape facial",
            "scrape faces",
            "scraping facial",
            "scraping faces",
            "scraping of facial",
            "scrape face images",
            "harvest faces",
            "facial images from the internet",
            "faces from social media",
            "faces from cctv",
        ],
        has_exceptions: false,
    },
    Practice {
        letter: 'f',
        code: "ART_5_1_F_EMOTIONS",
        summary: "inferring emotions of people at the workplace or in education, except for medical or safety reasons",
        names: &[
            "workplace emotion recognition",
            "emotion recognition workplace",
            "emotion recognition education",
            "emotion inference workplace",
            "emotion inference education",
            "student emotion recognition",
        ],
        phrases: &[
            "emotions of employees",
            "emotions of workers",
            "emotions of students",
            "employee emotion*",
            "student emotion*",
            "emotion recognition of employees",
            "emotion recognition of students",
            "emotion recognition at work",
            "emotion recognition in the workplace",
            "emotion recognition in school*",
            "mood of employees",
            "worker emotion*",
        ],
        has_exceptions: true,
    },
    Practice {
        letter: 'g',
        code: "ART_5_1_G_BIOMETRIC_CATEGORISATION",
        summary: "categorising people by biometric data to deduce race, political opinions, trade union membership, religious \
            or philosophical beliefs, sex life or sexual orientation",
        names: &["biometric categorisation", "biometric categorization", "sensitive biometric categorisation"],
        phrases: &[
            "sexual orientation from",
            "race from face*",
            "race from facial",
            "religion from face*",
            "political opinion from",
            "political views from face*",
            "biometric categori*",
            "ethnicity from face*",
            "ethnicity from facial",
        ],
        has_exceptions: true,
    },
    Practice {
        letter: 'h',
        code: "ART_5_1_H_REMOTE_IDENTIFICATION",
        summary: "real-time remote biometric identification in publicly accessible spaces for law enforcement, outside the \
            cases strictly listed",
        names: &[
            "real time remote biometric identification",
            "remote biometric identification",
            "live facial recognition",
            "real time biometric identification",
        ],
        phrases: &[
            "real time facial recognition",
            "live facial recognition",
            "real time biometric",
            "remote biometric identification",
            "facial recognition in public",
            "identify everyone in the crowd",
        ],
        has_exceptions: true,
    },
];

#[allow(clippy::indexing_slicing, reason = "out of bounds would be an error of the build")]
const GROUPS: &[&[&str]] = &[
    PRACTICES[0].phrases,
    PRACTICES[1].phrases,
    PRACTICES[2].phrases,
    PRACTICES[3].phrases,
    PRACTICES[4].phrases,
    PRACTICES[5].phrases,
    PRACTICES[6].phrases,
    PRACTICES[7].phrases,
];
static PHRASES: Phrases<{ count(GROUPS) }> = Phrases::new(GROUPS);

/// A practice with the evidence for it.
#[derive(Debug, PartialEq, Eq)]
pub struct Sign {
    /// Which.
    pub practice: &'static Practice,
    /// Where: a JSON pointer into the payload, and the bytes of the string there. None: in the system's registry entry.
    pub place: Option<(String, Range<usize>)>,
    /// Whether the practice is declared; otherwise a text speaks of it.
    pub declared: bool,
}

/// Members of the payload, and attributes of a system, that declare what the system does.
const DECLARING: &[&str] = &["practice", "practices", "purpose", "intended_purpose", "use_case"];

/// What the system's registry entry declares.
pub fn declared_by_system(system: &System) -> Vec<Sign> {
    let mut signs = Vec::new();
    for member in DECLARING {
        let Some(declared) = system.attributes.get(*member) else { continue };
        for name in strings(declared) {
            signs.extend(named(name).map(|practice| Sign { practice, place: None, declared: true }));
        }
    }
    signs
}

/// What the payload declares, and what its texts speak of. A practice is named once for each string.
///
/// # Errors
/// `Failure::InvalidCase` where the payload isn't JSON.
pub fn in_payload(case: &Case) -> Result<Vec<Sign>, Failure> {
    let mut signs = Vec::new();
    for text in case.texts()? {
        if DECLARING.iter().any(|member| is_under(&text.pointer, member))
            && let Some(practice) = named(&text.text)
        {
            signs.push(Sign { practice, place: Some((text.pointer, 0..text.text.len())), declared: true });
            continue;
        }
        let before = signs.len();
        PHRASES.find(&text.text, |group, span| {
            let Some(practice) = PRACTICES.get(group) else { return };
            if !signs.iter().skip(before).any(|sign: &Sign| sign.practice == practice) {
                signs.push(Sign { practice, place: Some((text.pointer.clone(), span)), declared: false });
            }
        });
    }
    Ok(signs)
}

/// Whether `pointer` is the payload's `member` or an item of the list there.
fn is_under(pointer: &str, member: &str) -> bool {
    let rest = pointer.strip_prefix('/').and_then(|rest| rest.strip_prefix(member));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The practice declared by `name`.
fn named(name: &str) -> Option<&'static Practice> {
    PRACTICES.iter().find(|practice| practice.names.iter().any(|known| same(known, name)))
}

/// Equal but for case, spaces, hyphens and underscores.
fn same(one: &str, other: &str) -> bool {
    let letters = |text: &str| {
        text.chars()
            .filter(|sign| !matches!(sign, ' ' | '-' | '_'))
            .map(|sign| sign.to_ascii_lowercase())
            .collect::<String>()
    };
    letters(one) == letters(other)
}

/// A string, or the strings of a list.
fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_str().into_iter().chain(value.as_array().into_iter().flatten().filter_map(Value::as_str))
}

#[cfg(test)]
mod tests {
    use super::{PRACTICES, declared_by_system, named};
    use assize_sdk::System;

    #[test]
    fn every_letter_is_there_once_and_in_order() {
        let letters: String = PRACTICES.iter().map(|practice| practice.letter).collect();
        assert_eq!(letters, "abcdefgh");
    }

    #[test]
    fn names_are_known_however_they_are_written() {
        for name in ["social-scoring", "Social Scoring", "SOCIAL_SCORING"] {
            assert_eq!(named(name).map(|practice| practice.letter), Some('c'), "{name}");
        }
        assert_eq!(named("credit scoring"), None);
    }

    #[test]
    fn a_system_may_declare_several() {
        let system: System = serde_json::from_str(
            r#"{"attributes": {"practices": ["social scoring", "chess", "face scraping"], "purpose": "chat"}}"#,
        )
        .unwrap();
        let letters: String = declared_by_system(&system).iter().map(|sign| sign.practice.letter).collect();
        assert_eq!(letters, "ce");
    }
}
