//! What comes out is right: by the raw rows, by a known truth, by what was in force.

use std::collections::HashMap;
use std::fs;

use assize_tests::{Database, Server, agent, answer, assize, bundled, policy, rule, shared_file};
use serde_json::{Value, json};

use crate::{GUESTS, ad, run, simulate};

/// Two versions with adjoining periods, the same cases before and after, and the later version over
/// the earlier period. What must come out is counted over the raw rows, by the database.
#[test]
fn the_later_version_over_the_earlier_period_comes_out_as_the_rows_say() {
    let mut server = Server::with_guests();
    for version in ["1.2.0", "1.4.0"] {
        server.admin().publish_and_activate(&bundled(&format!("br-election-content-{version}")));
    }
    let tenant = server.tenant();
    let mut ads = rule("ads", &json!({}));
    ads["plugin"] = "br/election-content".into();
    tenant.set_policy("tenant", &policy(&[ads]));
    let cases = 60;
    for n in 0..cases {
        tenant.post("/v1/decisions", &ad(n, "2024-02-10")).expect(201);
        tenant.post("/v1/decisions", &ad(n, "2024-03-10")).expect(201);
    }
    for (day, version) in [("2024-02-10", "1.2.0"), ("2024-03-10", "1.4.0")] {
        let held = tenant.get(&format!("/v1/policies/tenant/effective?as_of={day}")).expect(200);
        assert_eq!(held["bindings"][0]["version"]["version"], version);
        assert_eq!(held["bindings"][0]["state"], "in_force");
        let shown = run(&tenant, &["in-force", "tenant", "--as-of", day]).expect(0);
        assert!(shown.stdout.contains(version), "{}", shown.stdout);
    }
    let specification = json!({ "changes": { "versions": { "br/election-content": "1.4.0" } } });
    let simulated = simulate(&tenant, &json!({ "specification": specification }));
    server.stop();

    let mut database = Database::open(&server.data().join("assize.db"));
    let place =
        |verdict: &str| ["allow", "warn", "review", "block"].iter().position(|known| *known == verdict).unwrap();
    let rows =
        database.texts("SELECT CAST(seq AS TEXT), verdict, CAST(occurred_at AS TEXT) FROM decisions ORDER BY seq");
    let (mut february, mut march) = (HashMap::new(), HashMap::new());
    for row in &rows {
        let input: Value = serde_json::from_slice(&database.payload(row[0].parse().unwrap(), "input")).unwrap();
        let n = input["case"]["payload"]["n"].as_u64().unwrap();
        let month = if row[2].parse::<u64>().unwrap() < 1_709_262_000_000 { &mut february } else { &mut march };
        month.insert(n, place(&row[1]));
    }
    let mut matrix = [[0_u64; 4]; 4];
    for (n, was) in &february {
        // The same ad a month later, under the later version.
        matrix[*was][march[n]] += 1;
    }
    for was in march.values() {
        matrix[*was][*was] += 1;
    }
    assert_eq!(simulated["tally"]["matrix"], json!(matrix), "{rows:?}");
    let flips: u64 = (0..4)
        .flat_map(|was| (0..4).map(move |would| (was, would)))
        .filter(|(was, would)| was != would)
        .map(|(was, would)| matrix[was][would])
        .sum();
    assert_eq!(simulated["tally"]["flips"], flips);
    assert!(flips > 0 && flips < cases as u64, "{matrix:?}");
    let by_month = &simulated["tally"]["by_month"];
    assert_eq!(by_month.as_object().unwrap().len(), 2);
    for flip in simulated["tally"]["listed"].as_array().unwrap() {
        assert!(flip["occurred_at"].as_str().unwrap().starts_with("2024-02"), "{flip}");
    }

    // Beside the server, on the files alone, the same comes out; and not a byte of them changes.
    let file = server.data().join("assize.db");
    drop(database);
    let before = fs::read(&file).unwrap();
    let data = server.data().to_str().unwrap();
    let local = assize(&["simulate", "--data", data, "--swap", "br/election-content@1.4.0", "--json"]).expect(0).json();
    assert_eq!(local["tally"], simulated["tally"]);
    let replayed = assize(&["replay", "--all", "--data", data]).expect(0);
    assert!(replayed.stdout.contains("120 identical, 0 different"), "{}", replayed.stdout);
    assert_eq!(fs::read(&file).unwrap(), before);
}

/// Every decision's snapshot is found again from what was known when it was judged, whatever has changed since.
#[test]
fn what_was_in_force_is_found_again_from_the_moment() {
    let server = GUESTS.get();
    let tenant = server.tenant();
    tenant.publish_and_activate(&bundled("br-election-content-1.2.0"));
    let mut ads = rule("ads", &json!({}));
    ads["plugin"] = "br/election-content".into();
    let mut decided = Vec::new();
    let mut decide = |policy_at: &Value| {
        let decision = tenant.decide(None, "production", "Hello");
        decided.push((decision, policy_at.clone()));
    };
    decide(&Value::Null);
    let first = tenant.set_policy("tenant", &policy(&[ads.clone(), agent("agent", &answer(1.0))]));
    decide(&first["at"]);
    tenant.publish_and_activate(&bundled("br-election-content-1.4.0"));
    decide(&Value::Null);
    let path = "/v1/plugins/br/election-content/1.2.0";
    tenant.post(&format!("{path}/deactivate"), &json!({ "reason": "x" })).expect(200);
    decide(&Value::Null);
    tenant.post(&format!("{path}/yank"), &json!({ "reason": "x" })).expect(200);
    decide(&Value::Null);
    let last = tenant.set_policy("tenant", &policy(&[ads]));
    decide(&last["at"]);
    let mut hashes = std::collections::BTreeSet::new();
    for (decision, _) in &decided {
        let at = decision["times"]["decided"].as_str().unwrap();
        let held = tenant.get(&format!("/v1/policies/tenant/effective?known_at={at}")).expect(200);
        assert_eq!(held["snapshot"], decision["policy"]["snapshot"], "{at}");
        hashes.insert(held["snapshot"].to_string());
    }
    // Yanking what was deactivated before changes nothing that is in force.
    assert_eq!(hashes.len(), 5);
    let nothing = tenant.get("/v1/policies/tenant/effective?known_at=2020-01-01").expect(200);
    assert_eq!(nothing["bindings"], json!([]));
    tenant.get("/v1/policies/tenant/effective?as_of=soon").problem_naming(422, &["as_of", "soon"]);
    tenant.get("/v1/policies/moon/effective").problem(404);
}

/// 700 credit applications with their known truth, by a scorecard that is counted here once more.
#[test]
fn a_known_truth_is_met_or_missed() {
    let Some(file) = shared_file("data/german_credit.jsonl") else { return };
    let server = GUESTS.get();
    let tenant = server.tenant();
    let scorecard = json!({ "name": "scorecard", "plugin": "test/credit" });
    let mut made = policy(&[scorecard]);
    made["thresholds"]["production"] = json!({ "review": 4.0, "block": 8.0 });
    tenant.set_policy("tenant", &made);
    let folder = tempfile::tempdir().unwrap();
    let (html, csv) = (folder.path().join("r.html"), folder.path().join("r.csv"));
    let report = run(
        &tenant,
        &[
            "simulate",
            "--cases",
            file.to_str().unwrap(),
            "--kind",
            "credit-application",
            "--truth",
            "creditability=bad",
            "--threshold",
            "production.review=5.5",
            "--title",
            "A milder <threshold>",
            "--html",
            html.to_str().unwrap(),
            "--csv",
            csv.to_str().unwrap(),
            "--json",
        ],
    )
    .expect(0)
    .json();
    let (mut was, mut would) = ([[0_u64; 2]; 2], [[0_u64; 2]; 2]);
    let mut rows = 0;
    for line in fs::read_to_string(&file).unwrap().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let text = |field: &str| row[field].as_str().unwrap().to_owned();
        let account = text("status_of_existing_checking_account");
        let history = text("credit_history");
        let mut score: f64 = 0.0;
        score += if account.starts_with("... < 0") { 3.0 } else { 0.0 };
        score += if account.starts_with("0 <=") { 2.0 } else { 0.0 };
        score += if text("duration_in_month").parse::<u32>().unwrap() >= 24 { 2.0 } else { 0.0 };
        score += if text("credit_amount").parse::<u32>().unwrap() >= 4000 { 1.5 } else { 0.0 };
        let thin = history.starts_with("no credits taken") || history.starts_with("all credits at this bank");
        score += if thin { 2.0 } else { 0.0 };
        let bad = usize::from(text("creditability") == "bad");
        was[bad][usize::from(score >= 4.0)] += 1;
        would[bad][usize::from(score >= 5.5)] += 1;
        rows += 1;
    }
    let confusion = |counts: [[u64; 2]; 2]| json!({ "hits": counts[1][1], "misses": counts[1][0], "false_alarms": counts[0][1], "passes": counts[0][0] });
    assert_eq!(report["tally"]["judged"], rows);
    assert_eq!(report["tally"]["truth"], json!({ "was": confusion(was), "would_be": confusion(would) }));
    println!("of {rows} applications: was {was:?}, would be {would:?} (good, bad; passed, caught)");
    let page = fs::read_to_string(html).unwrap();
    assert!(page.contains("A milder &lt;threshold&gt;") && !page.contains("<threshold>"), "escaped");
    assert!(!page.contains("<script") && !page.contains("http"), "self-contained");
    let lines = fs::read_to_string(csv).unwrap().lines().count() as u64;
    assert_eq!(lines, 1 + report["tally"]["flips"].as_u64().unwrap());
}

/// Incidents of past years under the rules of today: each is judged, and counted in its month.
#[test]
fn incidents_of_the_past_are_judged_by_the_rules_of_today() {
    let Some(file) = shared_file("data/ai_incidents.jsonl.gz") else { return };
    let server = GUESTS.get();
    server.admin().publish_and_activate(&bundled("assize-threat-taxonomy-1.0.0"));
    server.admin().publish_and_activate(&bundled("eu-ai-act-prohibited-1.0.0"));
    let tenant = server.tenant();
    let binding = |name: &str, plugin: &str| json!({ "name": name, "plugin": plugin });
    tenant.set_policy(
        "tenant",
        &policy(&[binding("threats", "assize/threat-taxonomy"), binding("prohibited", "eu/ai-act-prohibited")]),
    );
    let simulate = |more: &[&str]| {
        let file = file.to_str().unwrap();
        let mut all = vec!["simulate", "--cases", file, "--kind", "prompt", "--date", "date", "--id", "id"];
        all.extend(["--jurisdiction", "DE", "--json"]);
        all.extend(more);
        run(&tenant, &all).expect(0).json()
    };
    let then = simulate(&[]);
    let today = simulate(&["--rules-as-of", "2026-01-01"]);
    let tally = &today["tally"];
    let sum = |groups: &Value| -> u64 {
        let matrices = groups.as_object().unwrap().values();
        matrices
            .flat_map(|matrix| matrix.as_array().unwrap())
            .flat_map(|row| row.as_array().unwrap())
            .map(|count| count.as_u64().unwrap())
            .sum()
    };
    assert!(tally["judged"].as_u64().unwrap() > 500, "{}", tally["unreadable"]);
    assert_eq!(tally["judged"], tally["cases"]);
    assert_eq!(sum(&tally["by_month"]), tally["judged"].as_u64().unwrap());
    // In the years of the incidents, the prohibition wasn't in force.
    let asked = |report: &Value| report["tally"]["plugins"]["eu/ai-act-prohibited@1.0.0"]["runs"].as_u64().unwrap_or(0);
    assert!(asked(&then) < asked(&today), "{} {}", asked(&then), asked(&today));
    println!("{} incidents, {} would come out otherwise", tally["judged"], tally["flips"]);
}
