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
    let highest = cards.iter().max_by(|a, b| a.score.total_cmp(&b.score));
    let (score, confidence) = highest.map_or((0.0, 0.0), |card| (card.score, card.confidence));
    let opinions = opinions.into_iter().map(|weighed| weighed.opinion).collect();
    (Risk { score, confidence, opinions }, cards)
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
    }
}
