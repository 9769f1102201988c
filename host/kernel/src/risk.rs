//! What the risk agents say together.

use assize_sandbox::contract::{Opinion, Risk};
use serde::{Deserialize, Serialize};

/// One layer's score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scorecard {
    /// The layer's scope.
    pub layer: String,
    /// 0 to 10.
    pub score: f64,
    /// 0 to 1.
    pub confidence: f64,
}

/// An agent's opinion and how it counts.
#[derive(Debug, Clone)]
pub struct Weighed {
    /// The scope of the layer whose binding asked for it.
    pub layer: String,
    /// Added on top instead of entering the mean.
    pub adds: bool,
    /// With its weight.
    pub opinion: Opinion,
}

/// Weighs opinions: within each layer the weighted mean `Σ wᵢ·sᵢ / Σ wᵢ` (BTV-3) plus `Σ wⱼ·sⱼ` of those that add
/// (BTV-4), capped at 10; across layers the highest. So a layer more can raise the score and never lower it.
/// Confidence is the weighted mean of the deciding layer's confidences; 0 where nobody was asked.
pub fn weigh(opinions: Vec<Weighed>) -> (Risk, Vec<Scorecard>) {
    let mut layers: Vec<&str> = Vec::new();
    for weighed in &opinions {
        if !layers.contains(&weighed.layer.as_str()) {
            layers.push(&weighed.layer);
        }
    }
    let cards: Vec<Scorecard> = layers.iter().map(|layer| scorecard(layer, &opinions)).collect();
    let (score, confidence) = counted(&cards).map_or((0.0, 0.0), |card| (card.score, card.confidence));
    let opinions = opinions.into_iter().map(|weighed| weighed.opinion).collect();
    (Risk { score, confidence, opinions }, cards)
}

/// The scorecard that counts: the highest; of equal ones the last, that of the narrowest scope.
pub fn counted(cards: &[Scorecard]) -> Option<&Scorecard> {
    cards.iter().max_by(|a, b| a.score.total_cmp(&b.score))
}

/// What one agent contributed to its layer's score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The binding that it ran for.
    pub binding: String,
    /// `namespace/name`.
    pub plugin: String,
    /// Semver.
    pub version: String,
    /// What it said, 0 to 10.
    pub score: f64,
    /// How sure it was, 0 to 1.
    pub confidence: f64,
    /// Its binding's weight.
    pub weight: f64,
    /// Its part of the layer's weights, 0 to 1; none where its score is added on top of the mean.
    pub share: Option<f64>,
    /// What it contributed: `score` times `share`, or times `weight` where it is added.
    pub points: f64,
}

/// How a layer's score came about: the points of all agents and what the cap took off add up to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// The layer's scope.
    pub layer: String,
    /// 0 to 10.
    pub score: f64,
    /// 0 to 1.
    pub confidence: f64,
    /// Whether it is this layer's score that counts.
    pub counts: bool,
    /// In the order of the bindings.
    pub agents: Vec<Share>,
    /// What the cap at 10 took off: 0, or below.
    pub capped: f64,
}

/// How [`weigh`] comes to its scorecards: one tally each, in the same order.
pub fn tally(opinions: &[Weighed]) -> Vec<Tally> {
    let (_, cards) = weigh(opinions.to_vec());
    let counts = counted(&cards).map(|card| card.layer.clone());
    let tally = |card: &Scorecard| {
        let own = || opinions.iter().filter(|weighed| weighed.layer == card.layer);
        let weights: f64 = own().filter(|weighed| !weighed.adds).map(|weighed| weighed.opinion.weight).sum();
        let agents: Vec<Share> = own().map(|weighed| share(weighed, weights)).collect();
        let points: f64 = agents.iter().map(|agent| agent.points).sum();
        Tally {
            layer: card.layer.clone(),
            score: card.score,
            confidence: card.confidence,
            counts: counts.as_ref() == Some(&card.layer),
            agents,
            capped: (10.0 - points).min(0.0),
        }
    };
    cards.iter().map(tally).collect()
}

fn share(weighed: &Weighed, weights: f64) -> Share {
    let Opinion { binding, plugin, version, weight, assessment } = &weighed.opinion;
    let share = if weights > 0.0 { weight / weights } else { 0.0 };
    Share {
        binding: binding.clone(),
        plugin: plugin.clone(),
        version: version.clone(),
        score: assessment.score,
        confidence: assessment.confidence,
        weight: *weight,
        share: (!weighed.adds).then_some(share),
        points: assessment.score * if weighed.adds { *weight } else { share },
    }
}

fn scorecard(layer: &str, opinions: &[Weighed]) -> Scorecard {
    let (mut sum, mut weights, mut added) = (0.0, 0.0, 0.0);
    let (mut certain, mut all) = (0.0, 0.0);
    for weighed in opinions.iter().filter(|weighed| weighed.layer == layer) {
        let (weight, said) = (weighed.opinion.weight, &weighed.opinion.assessment);
        if weighed.adds {
            added += weight * said.score;
        } else {
            sum += weight * said.score;
            weights += weight;
        }
        certain += weight * said.confidence;
        all += weight;
    }
    let mean = |sum: f64, weights: f64| if weights > 0.0 { sum / weights } else { 0.0 };
    Scorecard {
        layer: layer.to_owned(),
        score: (mean(sum, weights) + added).min(10.0),
        confidence: mean(certain, all).min(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assize_sandbox::contract::Assessment;
    use proptest::prelude::*;

    fn opinion(layer: &str, weight: f64, score: f64, adds: bool) -> Weighed {
        let attributes = serde_json::value::to_raw_value("none").unwrap();
        let assessment = Assessment { score, confidence: 1.0, findings: vec![], attributes };
        let (binding, plugin, version) = ("b".into(), "a/b".into(), "1.0.0".into());
        Weighed { layer: layer.into(), adds, opinion: Opinion { binding, plugin, version, weight, assessment } }
    }

    #[test]
    fn three_agents_weigh_as_buildtovalue_says() {
        let opinions = vec![
            opinion("global", 0.3, 10.0, false),
            opinion("global", 0.4, 5.0, false),
            opinion("global", 0.3, 0.0, false),
        ];
        assert!((weigh(opinions.clone()).0.score - 5.0).abs() < 1e-12);
        let with_threat = [opinions, vec![opinion("global", 1.0, 9.0, true)]].concat();
        assert!((weigh(with_threat).0.score - 10.0).abs() < f64::EPSILON, "capped");
    }

    proptest! {
        #[test]
        fn a_further_layer_never_lowers_the_score(
            first in proptest::collection::vec((0.0..10.0, 0.0..=10.0, any::<bool>()), 0..6),
            second in proptest::collection::vec((0.0..10.0, 0.0..=10.0, any::<bool>()), 0..6),
        ) {
            let of = |layer: &str, list: &[(f64, f64, bool)]| -> Vec<Weighed> {
                list.iter().map(|&(weight, score, adds)| opinion(layer, weight, score, adds)).collect()
            };
            let alone = weigh(of("global", &first)).0.score;
            let both = weigh([of("global", &first), of("tenant:t", &second)].concat()).0.score;
            prop_assert!(both >= alone);
            prop_assert!((0.0..=10.0).contains(&both));
        }

        #[test]
        fn what_the_agents_contributed_adds_up_to_the_score(
            list in proptest::collection::vec(
                (proptest::sample::select(vec!["global", "tenant:t", "system:s"]), 0.0..10.0, 0.0..=10.0, any::<bool>()),
                0..10,
            ),
        ) {
            let opinions: Vec<Weighed> =
                list.into_iter().map(|(layer, weight, score, adds)| opinion(layer, weight, score, adds)).collect();
            let tallies = tally(&opinions);
            let (risk, cards) = weigh(opinions);
            prop_assert_eq!(tallies.len(), cards.len());
            for (tally, card) in tallies.iter().zip(&cards) {
                let points: f64 = tally.agents.iter().map(|agent| agent.points).sum();
                prop_assert!((points + tally.capped - card.score).abs() < 1e-9, "{:?} {:?}", tally, card);
                prop_assert!(tally.capped <= 0.0);
            }
            let counting: Vec<f64> = tallies.iter().filter(|tally| tally.counts).map(|tally| tally.score).collect();
            prop_assert!(counting.len() == usize::from(!cards.is_empty()));
            prop_assert!(counting.iter().all(|score| score.to_bits() == risk.score.to_bits()));
        }
    }
}
