//! The life of a version: submitted, approved by somebody else, activated in good health, retired, rolled back.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use assize_tests::{Answer, Client, Database, Server, Shared, assize, law, policy, ruling};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new(Server::with_guests);

/// A policy that binds every version of `acme/law`, and asks for what `admission` says.
fn bound(admission: &Value) -> Value {
    let binding = json!({ "name": "law", "plugin": "acme/law", "settings": ruling("warn", "LAW") });
    let mut policy = policy(&[binding]);
    if !admission.is_null() {
        policy["admission"] = admission.clone();
    }
    policy
}

/// A policy that asks for four eyes, and binds nothing.
fn four_eyes(tenant: &Client) {
    let mut asked = policy(&[]);
    asked["admission"] = json!({ "approval": true });
    tenant.set_policy("tenant", &asked);
}

fn step(client: &Client, version: &str, verb: &str, body: &Value) -> Answer {
    client.post(&format!("/v1/plugins/acme/law/{version}/{verb}"), body)
}

fn state(client: &Client, version: &str) -> String {
    client.get(&format!("/v1/plugins/acme/law/{version}")).expect(200)["state"].as_str().unwrap().to_owned()
}

/// Publishes and submits a version; gives its digest.
fn submitted(author: &Client, version: &str, more: &str) -> String {
    let published = author.publish(&law(version, more)).expect(201);
    step(author, version, "submit", &json!({ "reason": "please look" })).expect(200);
    published["digest"].as_str().unwrap().to_owned()
}

fn approval(digest: &str) -> Value {
    json!({ "digest": digest, "reason": "read it, ran it", "operator_id": "nele" })
}

/// The version that judges now.
fn judges(tenant: &Client) -> Value {
    tenant.decide(None, "staging", "Hello")["plugins"][0]["version"].clone()
}

fn entries(tenant: &Client) -> Vec<Value> {
    let page = tenant.get("/v1/ledger/entries?limit=1000").expect(200);
    page["entries"].as_array().unwrap().iter().filter(|entry| entry["tenant"] == tenant.tenant()).cloned().collect()
}

fn kinds(tenant: &Client) -> Vec<String> {
    let kinds = entries(tenant).into_iter().map(|entry| entry["kind"].as_str().unwrap().to_owned());
    kinds.filter(|kind| kind.starts_with("plugin.")).collect()
}

#[test]
fn with_four_eyes_a_version_serves_once_somebody_else_approved_it() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    let (author, reviewer) = (tenant.role("dev"), tenant.role("dev"));
    four_eyes(&tenant);
    let published = author.publish(&law("1.0.0", "")).expect(201);
    assert_eq!((&published["state"], &published["approved"]), (&json!("draft"), &Value::Null));
    let digest = published["digest"].as_str().unwrap();
    let refused = |client: &Client, verb: &str, body: &Value, words: &[&str]| {
        let before = tenant.entries();
        step(client, "1.0.0", verb, body).problem_naming(409, words);
        assert_eq!(tenant.entries(), before, "no entry for a refusal");
    };
    refused(&author, "activate", &json!({}), &["four eyes", "draft", "submit"]);
    refused(&reviewer, "approve", &approval(digest), &["draft", "submit it"]);
    assert_eq!(step(&author, "1.0.0", "submit", &json!({})).expect(200)["state"], "submitted");
    refused(&author, "activate", &json!({}), &["submitted", "somebody else"]);
    refused(&author, "approve", &approval(digest), &["published", "somebody else"]);
    let other = "0".repeat(64);
    refused(&reviewer, "approve", &approval(&other), &[digest, &other, "look at that"]);
    step(&reviewer, "1.0.0", "approve", &json!({ "digest": digest, "reason": " " })).problem_naming(422, &["reason"]);
    step(&reviewer, "1.0.0", "approve", &json!({ "reason": "blind" })).problem_naming(400, &["digest"]);
    let approved = step(&reviewer, "1.0.0", "approve", &approval(digest)).expect(200);
    assert_eq!((&approved["state"], &approved["approved"]), (&json!("approved"), &json!(digest)));
    // What is approved outlives a restart, and its author may activate it.
    server.restart();
    let (tenant, author) = (server.again(&tenant), server.again(&author));
    assert_eq!(state(&tenant, "1.0.0"), "approved");
    step(&author, "1.0.0", "activate", &json!({})).expect(200);
    // Out of use for now is not out of favour; retired is.
    step(&author, "1.0.0", "deactivate", &json!({})).expect(200);
    assert_eq!(state(&tenant, "1.0.0"), "approved");
    step(&author, "1.0.0", "activate", &json!({})).expect(200);
    step(&author, "1.0.0", "retire", &json!({})).problem_naming(422, &["reason"]);
    step(&author, "1.0.0", "retire", &json!({ "reason": "superseded" })).expect(200);
    step(&author, "1.0.0", "activate", &json!({})).problem_naming(409, &["retired", "submit"]);
    let expected = ["published", "submitted", "approved", "activated", "deactivated", "activated", "retired"];
    assert_eq!(kinds(&tenant), expected.map(|step| format!("plugin.{step}")));
    let entry = entries(&tenant).into_iter().find(|entry| entry["kind"] == "plugin.approved").unwrap();
    assert_eq!(entry["facts"]["subject_digest"], digest, "{entry}");
    // A name that no hash can hold.
    assert!(!entry.to_string().contains("nele"), "a person's name stays out of the entry: {entry}");
    assert!(entry["facts"]["details"]["key"].is_string(), "{entry}");
}

#[test]
fn whoever_submitted_it_or_made_a_key_for_the_purpose_is_no_second_person() {
    let server = SERVER.get();
    let tenant = server.tenant();
    let (author, submitter) = (tenant.role("dev"), tenant.role("dev"));
    let digest = author.publish(&law("1.0.0", "")).expect(201)["digest"].as_str().unwrap().to_owned();
    step(&submitter, "1.0.0", "submit", &json!({})).expect(200);
    step(&submitter, "1.0.0", "approve", &approval(&digest)).problem_naming(409, &["submitted", "somebody else"]);
    step(&tenant.role("auditor"), "1.0.0", "approve", &approval(&digest)).problem(403);
    step(&tenant, "1.0.0", "approve", &approval(&digest)).expect(200);
    // An admin that publishes, and makes a key to approve with.
    let digest = submitted(&tenant, "1.1.0", "");
    let made = tenant.role("dev");
    step(&made, "1.1.0", "approve", &approval(&digest)).problem_naming(409, &["was made by the key", "published"]);
    // Nor a key of a key that it made.
    let by_way_of = tenant.role("admin").role("admin").role("dev");
    step(&by_way_of, "1.1.0", "approve", &approval(&digest)).problem_naming(409, &["by way of others", "published"]);
    step(&author, "1.1.0", "approve", &approval(&digest)).expect(200);
    // Rejected, it is a draft again.
    step(&submitter, "1.1.0", "reject", &json!({})).problem_naming(422, &["reason"]);
    step(&submitter, "1.1.0", "reject", &json!({ "reason": "too strict" })).expect(200);
    assert_eq!(state(&tenant, "1.1.0"), "draft");
    step(&submitter, "1.1.0", "reject", &json!({ "reason": "again" })).problem_naming(409, &["draft"]);
    step(&submitter, "1.1.0", "yank", &json!({ "reason": "never" })).expect(200);
    step(&submitter, "1.1.0", "submit", &json!({})).problem_naming(409, &["yanked"]);
}

#[test]
fn what_a_version_needs_is_an_admins_to_change() {
    let server = SERVER.get();
    let tenant = server.tenant();
    four_eyes(&tenant);
    let dev = tenant.role("dev");
    dev.put("/v1/policies/tenant", &policy(&[])).problem_naming(403, &["admission"]);
    let mut kept = policy(&[]);
    kept["admission"] = json!({ "approval": true });
    kept["title"] = "another title".into();
    dev.set_policy("tenant", &kept);
    tenant.register("bot");
    let mut own = policy(&[]);
    own["admission"] = json!({ "approval": true });
    tenant.put("/v1/policies/system:bot", &own).problem_naming(422, &["admission.approval", "tenant"]);
    own["admission"] = json!({ "keys": ["acme"] });
    tenant.put("/v1/policies/tenant", &own).problem_naming(422, &["admission.keys[0]", "acme"]);
    own["admission"] = json!({ "four_eyes": true });
    tenant.put("/v1/policies/tenant", &own).problem_naming(400, &["four_eyes"]);
}

#[test]
fn an_approval_of_a_digest_that_then_changed_activates_nothing() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    four_eyes(&tenant);
    let author = tenant.role("dev");
    let digest = submitted(&author, "1.0.0", "");
    step(&tenant, "1.0.0", "approve", &approval(&digest)).expect(200);
    // Somebody puts another component in its place, behind the host's back.
    let other = author.publish(&law("1.0.1", "")).expect(201)["digest"].as_str().unwrap().to_owned();
    assert_eq!(server.stop(), 0);
    let sql = format!("UPDATE packages SET digest = x'{other}' WHERE name = 'acme/law' AND version = '1.0.0'");
    assert_eq!(Database::open(&server.data().join("assize.db")).execute(&sql), 1);
    server.start_again();
    let (tenant, author) = (server.again(&tenant), server.again(&author));
    let entries = tenant.entries();
    step(&author, "1.0.0", "activate", &json!({})).problem_naming(409, &[&digest, &other, "approved anew"]);
    assert_eq!(tenant.entries(), entries);
    assert_eq!(state(&author, "1.0.0"), "approved");
    assert!(server.said().contains("was approved"), "the log says so: {}", server.said());
    assert_eq!(server.stop(), 0);
    let report = assize(&["ledger", "verify", "--json", "--data", server.data().to_str().unwrap()]).expect(1).json();
    assert!(report["faults"].to_string().contains("row of packages"), "{report}");
}

#[test]
fn periods_dont_overlap_unless_somebody_says_so() {
    let server = SERVER.get();
    let tenant = server.tenant();
    let until = "[effective]\nto = 2025-01-01\n";
    let from = "[effective]\nfrom = 2025-01-01\n";
    for (version, period) in [("1.0.0", until), ("2.0.0", from), ("2.1.0", "[effective]\nfrom = 2024-07-01\n")] {
        tenant.publish(&law(version, period)).expect(201);
    }
    step(&tenant, "1.0.0", "activate", &json!({})).expect(200);
    step(&tenant, "2.0.0", "activate", &json!({})).expect(200);
    let before = tenant.entries();
    let words = ["2.1.0", "from 2024-07-01", "1.0.0", "until 2025-01-01", "2.0.0", "from 2025-01-01"];
    step(&tenant, "2.1.0", "activate", &json!({})).problem_naming(409, &words);
    assert_eq!((tenant.entries(), state(&tenant, "2.1.0")), (before, "draft".to_owned()));
    step(&tenant, "2.1.0", "activate", &json!({ "allow_overlap": true })).expect(200);
    let entry = entries(&tenant).pop().unwrap();
    let told = entry["facts"]["details"]["overlaps"].as_str().unwrap();
    assert!(told.contains("1.0.0 (until 2025-01-01") && told.contains("2.0.0 (from 2025-01-01"), "{entry}");
    // A draft is chosen only where a binding names it.
    tenant.publish(&law("3.0.0-draft.1", "")).expect(201);
    step(&tenant, "3.0.0-draft.1", "activate", &json!({})).expect(200);
}

#[test]
fn a_version_in_bad_health_leaves_the_one_before_it_serving() {
    let server = SERVER.get();
    let tenant = server.tenant();
    let until = "[effective]\nto = 2025-01-01\n";
    tenant.publish_and_activate(&law("1.0.0", ""));
    tenant.set_policy("tenant", &bound(&Value::Null));
    assert_eq!(judges(&tenant), "1.0.0");
    // Too little fuel to judge anything.
    let manifest = include_str!("../guests/rule-echo/assize.toml").replace("test/rule-echo", "acme/law");
    let ill = |version: &str, from: &str, to: &str| {
        let manifest = manifest.replace("version = \"1.0.0\"", &format!("version = \"{version}\"")).replace(from, to);
        assize_tests::repacked(&assize_tests::guest("rule-echo"), &manifest)
    };
    tenant.publish(&ill("1.1.0", "fuel = 20_000_000", "fuel = 100")).expect(201);
    let before = entries(&tenant).len();
    let meant = json!({ "allow_overlap": true });
    let words = ["1.1.0", "health check", "out of fuel", "1.0.0 goes on serving"];
    let problem = step(&tenant, "1.1.0", "activate", &meant).problem_naming(409, &words);
    assert_eq!(problem["field"], "health");
    // A schema that no longer takes what the binding has.
    tenant.publish(&ill("1.2.0", "required = [\"do\"]", "required = [\"do\", \"new\"]")).expect(201);
    let words = ["1.2.0", "binding \\\"law\\\"", "new", "1.0.0 goes on serving"];
    step(&tenant, "1.2.0", "activate", &meant).problem_naming(409, &words);
    assert_eq!(entries(&tenant).len(), before + 1, "published, and nothing else");
    assert_eq!(judges(&tenant), "1.0.0");
    assert_eq!((state(&tenant, "1.1.0"), state(&tenant, "1.2.0")), ("draft".to_owned(), "draft".to_owned()));
    assert!(server.said().contains("fails its health check"), "{}", server.said());
    // Whose period is over is tried in its period.
    tenant.publish(&law("0.9.0", until)).expect(201);
    step(&tenant, "0.9.0", "activate", &meant).expect(200);
}

#[test]
fn the_last_good_version_serves_again_in_one_step() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    tenant.publish_and_activate(&law("1.0.0", ""));
    tenant.set_policy("tenant", &bound(&Value::Null));
    tenant.publish_and_activate(&law("1.1.0", ""));
    step(&tenant, "1.0.0", "retire", &json!({ "reason": "superseded" })).expect(200);
    assert_eq!(judges(&tenant), "1.1.0");
    let bad = tenant.decide(None, "staging", "Hello");
    let path = "/v1/plugins/acme/law/roll-back";
    tenant.post(path, &json!({})).problem_naming(422, &["reason"]);
    tenant.role("app").post(path, &json!({ "reason": "x" })).problem(403);
    let entries_before = tenant.entries();
    let done = tenant.post(path, &json!({ "reason": "false alarms", "operator_id": "ana" })).expect(200);
    assert_eq!((&done["from"]["version"], &done["from"]["state"]), (&json!("1.1.0"), &json!("retired")));
    assert_eq!((&done["to"]["version"], &done["to"]["state"]), (&json!("1.0.0"), &json!("active")));
    assert_eq!(tenant.entries(), entries_before + 1, "one entry");
    let entry = entries(&tenant).pop().unwrap();
    assert_eq!((&entry["kind"], &entry["subject"]), (&json!("plugin.rolled_back"), &json!("acme/law@1.1.0")));
    assert_eq!(entry["facts"]["details"]["to"], "1.0.0");
    assert_eq!(judges(&tenant), "1.0.0");
    let after = tenant.decide(None, "staging", "Hello");
    tenant.post(path, &json!({ "reason": "further" })).problem_naming(409, &["1.0.0", "deactivate or yank"]);
    server.restart();
    let tenant = server.again(&tenant);
    assert_eq!(judges(&tenant), "1.0.0");
    // What was in force when is told as before, by what was known then.
    for (decision, version) in [(&bad, "1.1.0"), (&after, "1.0.0")] {
        let stored = tenant.decision(decision["id"].as_str().unwrap());
        let (at, snapshot) = (&stored["record"]["times"]["decided"], &stored["record"]["policy"]["snapshot"]);
        let known = tenant.get(&format!("/v1/policies/tenant/effective?known_at={}", at.as_str().unwrap())).expect(200);
        assert_eq!((&known["snapshot"], &known["bindings"][0]["version"]["version"]), (snapshot, &json!(version)));
        assert_eq!(tenant.replay(decision["id"].as_str().unwrap())["identical"], true);
    }
    assert_eq!(server.stop(), 0);
    assize(&["ledger", "verify", "--data", server.data().to_str().unwrap()]).expect(0);
}

/// Their failure policy judges from then on, which nobody should have to find out by their cases.
#[test]
fn a_step_names_the_bindings_that_it_leaves_with_nothing_to_run() {
    let server = SERVER.get();
    let (tenant, stranger) = (server.tenant(), server.tenant());
    for client in [&tenant, &stranger] {
        client.publish_and_activate(&law("1.0.0", ""));
        client.publish_and_activate(&law("2.0.0", ""));
    }
    let binding = |name: &str, version: &str| -> Value {
        json!({ "name": name, "plugin": "acme/law", "version": version, "settings": ruling("warn", "LAW") })
    };
    tenant.set_policy("tenant", &policy(&[binding("any", "*"), binding("newest", "^2")]));
    tenant.register("bot");
    tenant.set_policy("system:bot", &json!({ "bindings": [binding("bots", "=2.0.0")] }));
    stranger.set_policy("tenant", &policy(&[binding("newest", "^2")]));
    let back = tenant.post("/v1/plugins/acme/law/roll-back", &json!({ "reason": "false alarms" })).expect(200);
    let left = |scope: &str, name: &str| json!({ "tenant": tenant.tenant(), "scope": scope, "binding": name });
    assert_eq!(back["nothing_to_run"], json!([left("system:bot", "bots"), left("tenant", "newest")]));
    assert_eq!(tenant.decide(None, "staging", "Hello")["verdict"], "review");
    // Those that had nothing before are no news.
    let retired = step(&tenant, "1.0.0", "retire", &json!({ "reason": "superseded" })).expect(200);
    assert_eq!(retired["nothing_to_run"], json!([left("tenant", "any")]));
    assert_eq!(step(&tenant, "1.0.0", "yank", &json!({ "reason": "x" })).expect(200)["nothing_to_run"], json!([]));
    // In words.
    let own = ["--server", stranger.base(), "--key", stranger.key()];
    let why = ["plugin", "roll-back", "acme/law", "--reason", "false alarms"];
    let said = assize(&[&why[..], &own].concat()).expect(0).stdout;
    let warning = format!("Warning: binding newest of policy tenant ({}) has nothing to run", stranger.tenant());
    assert!(said.contains("1.0.0 serves again") && said.contains(&warning), "{said}");
    let why = ["plugin", "retire", "acme/law@1.0.0", "--reason", "superseded"];
    assert!(!assize(&[&why[..], &own].concat()).expect(0).stdout.contains("Warning"), "nothing bound it");
}

#[test]
fn nobody_goes_back_to_what_is_no_substitute() {
    let server = SERVER.get();
    let tenant = server.tenant();
    let path = "/v1/plugins/acme/law/roll-back";
    tenant.post(path, &json!({ "reason": "x" })).problem_naming(404, &["acme/law"]);
    tenant.publish(&law("1.0.0", "[effective]\nto = 2024-03-01\n")).expect(201);
    tenant.post(path, &json!({ "reason": "x" })).problem_naming(409, &["no version", "active"]);
    step(&tenant, "1.0.0", "activate", &json!({})).expect(200);
    tenant.publish(&law("1.4.0", "[effective]\nfrom = 2024-03-01\n")).expect(201);
    step(&tenant, "1.4.0", "activate", &json!({})).expect(200);
    // The version of another period isn't one of this.
    tenant.post(path, &json!({ "reason": "x" })).problem_naming(409, &["1.4.0", "from 2024-03-01"]);
    tenant.publish(&law("1.4.1", "[effective]\nfrom = 2024-03-01\n")).expect(201);
    step(&tenant, "1.4.1", "activate", &json!({ "allow_overlap": true })).expect(200);
    step(&tenant, "1.4.0", "yank", &json!({ "reason": "wrong" })).expect(200);
    tenant.post(path, &json!({ "reason": "x" })).problem_naming(409, &["1.4.1"]);
    assert_eq!(state(&tenant, "1.4.1"), "active");
}

/// What is bundled was published by the host, which made the first key, too, and is nobody's second pair of eyes.
#[test]
fn what_is_bundled_can_be_approved() {
    let server = Server::bundled();
    let host = server.admin();
    let mut asked = host.get("/v1/policies/global").expect(200)["policy"].clone();
    asked["admission"] = json!({ "approval": true });
    host.set_policy("global", &asked);
    let colleague = host.post("/v1/keys", &json!({ "role": "dev", "host": true, "label": "test" })).expect(201);
    let colleague = host.with_key(colleague["key"].as_str());
    let address = "/v1/plugins/assize/technical/1.0.0";
    let digest = host.get(address).expect(200)["digest"].as_str().unwrap().to_owned();
    host.post(&format!("{address}/deactivate"), &json!({})).expect(200);
    host.post(&format!("{address}/activate"), &json!({})).problem_naming(409, &["four eyes"]);
    colleague.post(&format!("{address}/submit"), &json!({})).expect(200);
    colleague.post(&format!("{address}/approve"), &approval(&digest)).problem_naming(409, &["submitted"]);
    host.post(&format!("{address}/approve"), &approval(&digest)).expect(200);
    host.post(&format!("{address}/activate"), &json!({})).expect(200);
}

#[test]
fn nobody_goes_back_to_what_four_eyes_never_saw_where_they_are_asked_for() {
    let server = SERVER.get();
    let tenant = server.tenant();
    let (author, reviewer) = (tenant.role("dev"), tenant.role("dev"));
    tenant.publish_and_activate(&law("1.0.0", ""));
    four_eyes(&tenant);
    let digest = submitted(&author, "1.1.0", "");
    step(&reviewer, "1.1.0", "approve", &approval(&digest)).expect(200);
    step(&author, "1.1.0", "activate", &json!({ "allow_overlap": true })).expect(200);
    step(&author, "1.0.0", "retire", &json!({ "reason": "superseded" })).expect(200);
    let path = "/v1/plugins/acme/law/roll-back";
    let back = json!({ "reason": "false alarms" });
    author.post(path, &back).problem_naming(409, &["four eyes", "1.0.0 was never approved", "submit it"]);
    assert_eq!((state(&tenant, "1.0.0"), state(&tenant, "1.1.0")), ("retired".to_owned(), "active".to_owned()));
    // What they saw once needs no new approval, though its retirement has ended the one it had.
    let digest = submitted(&author, "1.2.0", "");
    step(&reviewer, "1.2.0", "approve", &approval(&digest)).expect(200);
    step(&author, "1.2.0", "activate", &json!({ "allow_overlap": true })).expect(200);
    step(&author, "1.1.0", "retire", &json!({ "reason": "superseded" })).expect(200);
    let done = author.post(path, &back).expect(200);
    assert_eq!((&done["from"]["version"], &done["to"]["version"]), (&json!("1.2.0"), &json!("1.1.0")));
}

#[test]
fn the_command_line_walks_the_whole_way() {
    let server = SERVER.get();
    let tenant = server.tenant();
    four_eyes(&tenant);
    let reviewer = tenant.role("dev");
    let folder = tempfile::tempdir().unwrap();
    let run = |client: &Client, arguments: &[&str]| {
        let own = ["--server", client.base(), "--key", client.key()];
        assize(&[&["plugin"], arguments, &own].concat())
    };
    let file = |version: &str| {
        let path = folder.path().join(format!("{version}.wasm"));
        std::fs::write(&path, law(version, "")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    for version in ["1.0.0", "1.1.0"] {
        let which = format!("acme/law@{version}");
        run(&tenant, &["publish", &file(version)]).expect(0);
        let early = run(&tenant, &["activate", &which]).expect(1);
        assert!(early.stderr.contains("four eyes"), "{}", early.stderr);
        run(&tenant, &["submit", &which, "--reason", "please look"]).expect(0);
        let shown = run(&tenant, &["show", &which, "--json"]).expect(0).json();
        let digest = shown["digest"].as_str().unwrap();
        run(&reviewer, &["approve", &which, "--digest", digest, "--reason", " "]).expect(2);
        run(&reviewer, &["approve", &which, "--digest", digest, "--reason", "fine"]).expect(0);
        let table = run(&tenant, &["show", &which]).expect(0).stdout;
        assert!(table.contains("approved") && table.contains(digest), "{table}");
        run(&tenant, &["activate", &which, "--allow-overlap"]).expect(0);
    }
    let back = run(&tenant, &["roll-back", "acme/law", "--reason", "false alarms"]).expect(0);
    assert!(back.stdout.contains("1.1.0 is retired, 1.0.0 serves again"), "{}", back.stdout);
    run(&tenant, &["retire", "acme/law@1.0.0", "--reason", "superseded"]).expect(0);
    run(&tenant, &["reject", "acme/law@1.0.0", "--reason", "no"]).expect(1);
    run(&tenant, &["yank", "acme/law@1.0.0", "--reason", "withdrawn"]).expect(0);
    assert_eq!(state(&tenant, "1.0.0"), "yanked");
}
