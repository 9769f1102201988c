//! A compliance rule that answers exactly what its settings say, or misbehaves on request.

use assize_sdk::{Case, Failure, Finding, Risk, Ruling, Verdict, compliance_rule};
use misbehaviour::{Misdeed, flood_of_findings, misbehave};
use serde::Deserialize;

/// `{"do": …}`: a misdeed of any world by its name, or one of those that only a ruling can hold.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Settings {
    Ruling(Deed),
    Other(Other),
}

/// Misdeeds that are the same in every world.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Other {
    r#do: Misdeed,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
enum Deed {
    Answer {
        verdict: Verdict,
        code: String,
        #[serde(default)]
        findings: Vec<Finding>,
    },
    /// Review with the code `SCORE_AT_LEAST` where the agents' score is at least this, allow with `SCORE_BELOW` otherwise.
    ReviewFrom {
        score: f64,
    },
    FloodFindings,
    HugeCode,
    ContributionInfinite,
}

fn rule(settings: &Settings, _: &Case, risk: &Risk) -> Result<Ruling, Failure> {
    let deed = match settings {
        Settings::Ruling(deed) => deed,
        Settings::Other(other) => return misbehave(other.r#do).map(|()| Ruling::allow("ECHO")),
    };
    Ok(match deed {
        Deed::Answer { verdict, code, findings } => Ruling::new(*verdict, code.as_str(), findings.clone()),
        Deed::ReviewFrom { score } if risk.score >= *score => {
            Ruling::new(Verdict::Review, "SCORE_AT_LEAST", Vec::new())
        }
        Deed::ReviewFrom { .. } => Ruling::allow("SCORE_BELOW"),
        Deed::FloodFindings => Ruling::new(Verdict::Allow, "ECHO", flood_of_findings()),
        Deed::HugeCode => Ruling::allow("X".repeat(8 << 20)),
        Deed::ContributionInfinite => {
            let finding = Finding::new("INFINITE", assize_sdk::Severity::Low, "no finite share").points(f64::INFINITY);
            Ruling::new(Verdict::Allow, "ECHO", vec![finding])
        }
    })
}

compliance_rule!(rule, Settings);

#[cfg(test)]
mod tests {
    use super::Plugin;

    #[test]
    fn fixtures_hold() {
        assize_sdk::testing::compliance_rule::<Plugin>(env!("CARGO_MANIFEST_DIR"));
    }
}
