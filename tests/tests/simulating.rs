//! Other plugins, policies and dates over past cases and over files of cases: the counts are right, history stays as it is, and
//! nothing of it is mistaken for a ruling.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use assize_tests::{
    Client, Database, Server, Shared, agent, answer, assize, assize_with, bundled, bundled_file, policy, rounds, rule,
    ruling, shared_file,
};
use serde_json::{Value, json};

static GUESTS: Shared = Shared::new(Server::with_guests);

const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a command as a client would.
fn run(client: &Client, arguments: &[&str]) -> assize_tests::Output {
    assize_with(arguments, &[("ASSIZE_SERVER", client.base()), ("ASSIZE_KEY", client.key())])
}

/// Begins a simulation; its id.
fn begin(client: &Client, body: &Value) -> String {
    client.post("/v1/simulations", body).expect(202)["id"].as_str().unwrap().to_owned()
}

/// Waits for its end; its report.
fn report(client: &Client, id: &str) -> Value {
    let begun = Instant::now();
    loop {
        let at = client.get(&format!("/v1/simulations/{id}")).expect(200);
        match at["stage"].as_str().unwrap() {
            "done" => return at["report"].clone(),
            "failed" | "cancelled" => panic!("{at}"),
            _ => assert!(begun.elapsed() < PATIENCE, "{at}"),
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn simulate(client: &Client, body: &Value) -> Value {
    report(client, &begin(client, body))
}

/// An electoral case about something that is told by `n` again.
fn ad(n: usize, day: &str) -> Value {
    let mut payload = match n % 5 {
        0 => json!({ "text": "Vote em Maria", "content_type": "video", "context": "political", "synthetic": true }),
        1 => json!({ "text": "Cuidado: as urnas foram hackeadas ontem!", "content_type": "text" }),
        2 => json!({ "text": "Bom dia", "content_type": "text" }),
        3 => json!({ "text": "Vote em João", "content_type": "video", "context": "political", "deepfake": true,
            "synthetic": true, "labelled": true, "depicts_candidate": true }),
        _ => {
            json!({ "text": "Vote em Ana", "content_type": "image", "context": "political", "synthetic": true, "labelled": true })
        }
    };
    payload["n"] = n.into();
    json!({ "environment": "production", "kind": "content", "jurisdictions": ["BR"], "occurred_at": day, "payload": payload })
}

/// The issue's own example: two versions with adjoining periods, the same cases before and after, and the later version over
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

fn many_cases(count: usize) -> Vec<Value> {
    (0..count)
        .map(|n| json!({ "environment": "production", "kind": "prompt", "id": format!("case {n}"), "payload": { "prompt": format!("{n}") } }))
        .collect()
}

#[test]
fn killed_in_the_middle_it_goes_on_and_ends_with_the_same_report() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    tenant.set_policy(
        "tenant",
        // One that takes its time on any machine, so that there is a middle to be killed in.
        &policy(&[
            agent("agent", &answer(4.0)),
            agent("slow", &json!({ "do": "flood-log" })),
            rule("rule", &json!({ "do": "review-from", "score": 5.0 })),
        ]),
    );
    let body = json!({ "cases": many_cases(rounds(1_500, 1_000) as usize), "specification": { "changes": { "weights": { "agent": 0.5 } } } });
    let raw = serde_json::to_vec(&body).unwrap();
    let post = |client: &Client| {
        let headers = [("content-type", "application/json")];
        client.post_with("/v1/simulations", &headers, &raw).expect(202)["id"].as_str().unwrap().to_owned()
    };
    let id = post(&tenant);
    let begun = Instant::now();
    let mut kills = 0;
    while kills < 3 {
        // As soon as something was kept, or it is over.
        let state = server.data().join("simulations").join(&id).join("state.json");
        let folder = state.parent().unwrap().to_owned();
        let before = fs::metadata(&state).and_then(|state| state.modified()).ok();
        loop {
            assert!(begun.elapsed() < PATIENCE);
            let now = fs::metadata(&state).and_then(|state| state.modified()).ok();
            if now > before || !folder.exists() {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        if !folder.exists() {
            break;
        }
        server.kill();
        server.start_again();
        kills += 1;
    }
    let again = server.again(&tenant);
    let interrupted = report(&again, &id);
    let undisturbed = report(&again, &post(&again));
    println!("killed {kills} times");
    assert!(kills > 0, "it was over before anything was kept");
    assert_eq!(interrupted, undisturbed);
    assert_eq!(interrupted["complete"], true);
    assert_eq!(interrupted["tally"]["judged"], body["cases"].as_array().unwrap().len());
    assert!(!server.data().join("simulations").join(&id).exists(), "nothing is left of it beside its entry");
}

#[test]
fn a_state_of_the_command_line_goes_on_too() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[rule("rule", &ruling("warn", "HM"))]));
    for n in 0..300 {
        tenant.decide(None, "production", &n.to_string());
    }
    server.stop();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let data = server.data().to_str().unwrap();
    let call = |more: &[&str]| {
        let mut all =
            vec!["simulate", "--data", data, "--state", state.to_str().unwrap(), "--json", "--without", "rule"];
        all.extend(more);
        assize(&all)
    };
    let whole = call(&[]).expect(0).json();
    assert_eq!(whole["tally"]["judged"], 300);
    assert_eq!(whole["tally"]["flips"], 300);
    // As if it had been stopped after some of them.
    let kept: Value = serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
    let part = assize(&["simulate", "--data", data, "--json", "--without", "rule"]).expect(0).json();
    assert_eq!(part, whole);
    assert_eq!(kept["state"]["done"], true);
    assert_eq!(call(&[]).expect(0).json(), whole);
    let other = call(&["--system", "bot"]);
    assert_eq!(other.code, 1);
    assert!(other.stderr.contains("is of another simulation"), "{}", other.stderr);
    fs::write(&state, "{}").unwrap();
    assert!(call(&[]).expect(1).stderr.contains("no state of a simulation"));
}

/// Everything but what says that there was a simulation is as it was.
#[test]
fn history_is_as_it_was() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[rule("rule", &ruling("warn", "HM"))]));
    for n in 0..50 {
        tenant.decide(None, "production", &n.to_string());
    }
    server.stop();
    let dump = |server: &Server| {
        let mut database = Database::open(&server.data().join("assize.db"));
        let tables = database.tables();
        let mut dump = String::new();
        for table in tables
            .iter()
            .filter(|table| !["nodes", "heads", "checkpoints", "simulations"].contains(&table.name.as_str()))
        {
            for row in database.all(table).unwrap() {
                writeln!(dump, "{} {row:?}", table.name).unwrap();
            }
        }
        dump
    };
    let before = dump(&server);
    server.start_again();
    let again = server.again(&tenant);
    for without in [json!(["rule"]), json!(["other"])] {
        simulate(&again, &json!({ "specification": { "changes": { "without": without } } }));
    }
    server.stop();
    let after = dump(&server);
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let added: Vec<&&str> = after.iter().filter(|line| !before.contains(line)).collect();
    assert!(before.iter().all(|line| after.contains(line)), "nothing is gone");
    // Two entries, and what they bind.
    assert_eq!(added.len(), 4, "{added:#?}");
    assert!(added.iter().all(|line| line.starts_with("entries ") || line.starts_with("sealed ")), "{added:#?}");
    assize(&["ledger", "verify", "--data", server.data().to_str().unwrap()]).expect(0);
}

#[test]
fn it_is_followed_listed_read_and_cancelled() {
    let server = GUESTS.get();
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[rule("rule", &ruling("warn", "HM"))]));
    tenant.decide(None, "production", "Hello");
    let before = tenant.get("/v1/decisions").expect(200);
    let id = begin(&tenant, &json!({ "specification": { "title": "t", "changes": { "without": ["rule"] } } }));
    let events = tenant.get(&format!("/v1/simulations/{id}/events"));
    let text = events.text();
    let last = text.lines().rfind(|line| line.starts_with("data:")).unwrap();
    let last: Value = serde_json::from_str(last.trim_start_matches("data:")).unwrap();
    assert_eq!((&last["stage"], &last["percent"]), (&json!("done"), &json!(100)), "{}", events.text());
    let shown = tenant.get(&format!("/v1/simulations/{id}")).expect(200);
    assert_eq!(shown["report"]["tally"]["matrix"][1][2], 1, "without any rule, a person decides");
    let entry = tenant.get(&format!("/v1/ledger/entries?from={}&limit=1", shown["seq"])).expect(200);
    assert_eq!(entry["entries"][0]["kind"], "simulation");
    assert_eq!(entry["entries"][0]["subject"], id.as_str());
    assert_eq!(tenant.get(&format!("/v1/simulations/{id}/report.json")).expect(200), shown["report"]);
    assert!(
        tenant
            .get(&format!("/v1/simulations/{id}/report.html"))
            .text()
            .contains("A simulation: what would have come out")
    );
    assert!(tenant.get(&format!("/v1/simulations/{id}/report.csv")).text().starts_with("id,seq,"));
    tenant.get(&format!("/v1/simulations/{id}/report.pdf")).problem(404);
    let listed = tenant.get("/v1/simulations").expect(200);
    assert_eq!(listed["simulations"][0]["id"], id.as_str());
    assert_eq!(tenant.get("/v1/decisions").expect(200), before, "no ruling was made");
    // Another tenant has nothing to do with it.
    let other = server.tenant();
    for path in ["", "/events", "/report.json"] {
        other.get(&format!("/v1/simulations/{id}{path}")).problem(404);
    }
    assert_eq!(other.get("/v1/simulations").expect(200)["simulations"], json!([]));
    other.delete(&format!("/v1/simulations/{id}")).problem(404);
    tenant.delete(&format!("/v1/simulations/{id}")).problem_naming(409, &["on record"]);
    tenant.role("app").post("/v1/simulations", &json!({})).problem(403);

    // Slow enough to be cancelled: each case runs to the end of its fuel.
    tenant.set_policy("tenant", &policy(&[agent("agent", &json!({ "do": "loop" }))]));
    let slow = begin(&tenant, &json!({ "cases": many_cases(20_000) }));
    assert_eq!(tenant.delete(&format!("/v1/simulations/{slow}")).status, 204);
    let events = tenant.get(&format!("/v1/simulations/{slow}/events"));
    assert!(
        events.text().trim_end().ends_with('}') && events.text().contains("\"stage\":\"cancelled\""),
        "{}",
        events.text()
    );
    tenant.get(&format!("/v1/simulations/{slow}/report.json")).problem(404);
}

#[test]
fn what_makes_no_sense_is_refused_with_field_value_and_remedy() {
    let server = GUESTS.get();
    let tenant = server.tenant();
    let refused = |body: Value, status: u16, words: &[&str]| {
        tenant.post("/v1/simulations", &body).problem_naming(status, words);
    };
    let changes = |changes: Value| json!({ "specification": { "changes": changes } });
    refused(changes(json!({ "weights": { "a": -1 } })), 422, &["weights.a", "-1", "0 to 1000"]);
    refused(
        changes(json!({ "thresholds": { "production": { "block": 11 } } })),
        422,
        &["thresholds.production.block", "11"],
    );
    refused(changes(json!({ "versions": { "a/b": "1.0.0" } })), 422, &["a/b", "1.0.0", "isn't published"]);
    refused(changes(json!({ "version": {} })), 400, &["version"]);
    refused(
        json!({ "specification": { "decisions": { "from": "2024-02-01", "to": "2024-01-01" } } }),
        422,
        &["decisions.from", "2024-02-01"],
    );
    refused(json!({ "specification": { "flips": 1_000_000 } }), 422, &["flips", "1000000", "100000"]);
    refused(json!({ "mapping": { "kind": "x" } }), 422, &["mapping", "cases"]);
    refused(json!({ "cases": [], "mapping": { "date": "day" } }), 422, &["mapping", "kind"]);
    refused(json!({ "tenant": "somebody-else" }), 422, &["tenant", "somebody-else"]);
    let unread = simulate(&tenant, &json!({ "cases": [{ "environment": "moon", "kind": "a", "payload": 1 }, 5] }));
    assert_eq!((&unread["tally"]["cases"], &unread["tally"]["judged"]), (&json!(2), &json!(0)));
    assert_eq!(unread["tally"]["unreadable"].as_object().unwrap().len(), 2, "{unread}");
    for (arguments, said) in [
        (&["simulate", "--swap", "x"][..], "namespace/name@version"),
        (&["simulate", "--threshold", "production=3"], "production.block=7"),
        (&["simulate", "--base", "yesterday"], "recorded, now or a moment"),
        (&["simulate", "--verdict", "maybe"], "allow, warn, review or block"),
        (&["simulate", "--truth", "x", "--kind", "k", "--cases", "f"], "field and its value"),
    ] {
        let output = assize(arguments);
        assert_eq!(output.code, 2, "{output:?}");
        assert!(output.stderr.contains(said), "{}", output.stderr);
    }
}

#[test]
fn a_package_is_tried_before_it_is_published() {
    let server = GUESTS.get();
    let tenant = server.tenant();
    tenant.publish_and_activate(&bundled("br-election-content-1.2.0"));
    let mut ads = rule("ads", &json!({}));
    ads["plugin"] = "br/election-content".into();
    tenant.set_policy("tenant", &policy(&[ads]));
    for n in 0..10 {
        tenant.post("/v1/decisions", &ad(n, "2024-02-10")).expect(201);
    }
    let file = bundled_file("br-election-content-1.4.0");
    let file = file.to_str().unwrap();
    let tried = run(&tenant, &["plugin", "publish", file, "--try", "90d", "--dry-run", "--json"]).expect(0).json();
    assert_eq!(tried["tally"]["judged"], 10);
    assert!(tried["tally"]["flips"].as_u64().unwrap() > 0);
    assert_eq!(tried["tally"]["plugins"]["br/election-content@1.4.0"]["runs"], 10);
    let versions = tenant.get("/v1/plugins/br/election-content").expect(200);
    assert_eq!(versions["plugins"].as_array().unwrap().len(), 1, "{versions}");
    let published = run(&tenant, &["plugin", "publish", file, "--try", "90d"]).expect(0);
    assert!(published.stdout.contains("would come out otherwise"), "{}", published.stdout);
    let activated =
        run(&tenant, &["plugin", "activate", "br/election-content@1.4.0", "--try", "1d", "--dry-run", "--json"]);
    let activated = activated.expect(0).json();
    assert_eq!(activated["tally"]["matrix"], tried["tally"]["matrix"]);
    let state = tenant.get("/v1/plugins/br/election-content/1.4.0").expect(200);
    assert_eq!(state["state"], "draft");
    assert_eq!(run(&tenant, &["plugin", "publish", file, "--try", "soon"]).code, 2);
    let nonsense = Path::new(file).with_extension("toml");
    assert_eq!(run(&tenant, &["plugin", "publish", nonsense.to_str().unwrap(), "--try", "1d"]).code, 1);
}

/// A policy of a scope in the place of the one that holds, over cases of then.
#[test]
fn another_policy_is_tried() {
    let server = GUESTS.get();
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[agent("agent", &answer(3.0))]));
    tenant.decide(None, "production", "Hello");
    let swapped = policy(&[rule("rule", &ruling("block", "NEVER"))]);
    let swap = json!({ "specification": { "policy": { "scope": "tenant", "policy": swapped } } });
    let report = simulate(&tenant, &swap);
    assert_eq!(report["tally"]["listed"][0]["would_be_reason"], "NEVER", "{report}");
    assert_eq!(report["tally"]["untouched"], 0);
    let bad = json!({ "specification": { "policy": { "scope": "moon", "policy": policy(&[]) } } });
    let id = begin(&tenant, &bad);
    let events = tenant.get(&format!("/v1/simulations/{id}/events"));
    assert!(events.text().contains("policy.scope") && events.text().contains("failed"), "{}", events.text());
    let typo = simulate(&tenant, &json!({ "specification": { "changes": { "without": ["agnet"] } } }));
    assert_eq!(typo["tally"]["untouched"], 1);
}
