//! The codes of ISO 3166-1 alpha-2 that name something.

/// Officially assigned, as of 2026, and `EU`, which the standard reserves at the request of its agency.
const ASSIGNED: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET EU FI FJ FK FM FO FR \
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP \
    KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT \
    MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW \
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG \
    UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// A set of pairs of letters: a bit for each, a word for each first letter.
static NAMED: [u32; 26] = named();

#[allow(
    clippy::indexing_slicing,
    reason = "constants can only index; what is out of bounds there is an error of the build"
)]
const fn named() -> [u32; 26] {
    let (codes, mut set) = (ASSIGNED.as_bytes(), [0; 26]);
    let mut at = 0;
    while at < codes.len() {
        if codes[at] != b' ' {
            set[(codes[at] - b'A') as usize] |= 1 << (codes[at + 1] - b'A');
            at += 1;
        }
        at += 1;
    }
    // Left to its users by the standard: AA, QM to QZ, XA to XZ (XK is Kosovo in the Union's usage) and ZZ.
    set[0] |= 1;
    set[16] |= ((1 << 26) - 1) & !((1 << 12) - 1);
    set[23] = (1 << 26) - 1;
    set[25] |= 1 << 25;
    set
}

/// Whether two upper-case letters name a country, the Union, or something that their users agreed on.
pub(crate) fn is_named(country: &str) -> bool {
    let place = |letter: &u8| letter.checked_sub(b'A').filter(|place| *place < 26);
    let [Some(first), Some(second)] = [0, 1].map(|at| country.as_bytes().get(at).and_then(place)) else { return false };
    country.len() == 2 && NAMED.get(usize::from(first)).is_some_and(|set| set >> second & 1 == 1)
}

/// What somebody meant who wrote a code that names nothing.
pub(crate) fn meant(country: &str) -> Option<&'static str> {
    match country {
        "UK" => Some("GB"),
        // As the Union's institutions write it.
        "EL" => Some("GR"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_name_something_are_known() {
        assert_eq!(ASSIGNED.split(' ').count(), 249 + 1);
        assert!(ASSIGNED.split(' ').is_sorted());
        assert!(ASSIGNED.split(' ').all(is_named));
        for code in ["AA", "QM", "QZ", "XA", "XK", "XZ", "ZZ"] {
            assert!(is_named(code), "{code}");
        }
        let all = (b'A'..=b'Z').flat_map(|first| (b'A'..=b'Z').map(move |second| [first, second]));
        let named = all.filter(|code| is_named(std::str::from_utf8(code).unwrap())).count();
        // AA, 14 from QM, 26 from XA, ZZ.
        assert_eq!(named, 250 + 1 + 14 + 26 + 1);
    }

    #[test]
    fn others_are_not() {
        for code in ["UK", "EL", "QL", "ZA ", "B", "", "br", "BRA", "ＢＲ", "é"] {
            assert!(!is_named(code), "{code}");
        }
    }
}
