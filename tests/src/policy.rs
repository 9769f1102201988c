//! Policies that bind the guests made for tests, in JSON.

use serde_json::{Value, json};

/// A policy with these bindings: thresholds as BTV-6 has them, review from half of each.
pub fn policy(bindings: &[Value]) -> Value {
    json!({ "thresholds": thresholds(), "bindings": bindings })
}

/// Block from 8, 6, 4 (BTV-6), review from half of that.
pub fn thresholds() -> Value {
    json!({
        "development": { "review": 4.0, "block": 8.0 },
        "staging": { "review": 3.0, "block": 6.0 },
        "production": { "review": 2.0, "block": 4.0 },
    })
}

/// Binds the risk agent that does what its settings say.
pub fn agent(name: &str, settings: &Value) -> Value {
    json!({ "name": name, "plugin": "test/hostile", "settings": settings })
}

/// Binds the compliance rule that does what its settings say.
pub fn rule(name: &str, settings: &Value) -> Value {
    json!({ "name": name, "plugin": "test/rule-echo", "settings": settings })
}

/// Settings of [`agent`]: answer this score.
pub fn answer(score: f64) -> Value {
    json!({ "do": "answer", "score": score })
}

/// Settings of [`rule`]: rule this.
pub fn ruling(verdict: &str, code: &str) -> Value {
    json!({ "do": "answer", "verdict": verdict, "code": code })
}
