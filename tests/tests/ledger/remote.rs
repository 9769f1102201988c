//! A server's ledger over the network: what it hands out is checked by whoever asks, and not believed.

use assize_tests::{Client, Database, Middleman, Output, Server, agent, answer, assize, policy};
use serde_json::{Value, json};

fn verify(client: &Client, more: &[&str]) -> Output {
    let asked = ["ledger", "verify", "--json", "--server", client.base(), "--key", client.key()];
    assize(&[&asked[..], more].concat())
}

#[test]
fn a_servers_ledger_is_read_whole_and_checked_by_whoever_asks() {
    let server = Server::with_guests();
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[agent("agent", &answer(1.0))]));
    for _ in 0..20 {
        tenant.decide(None, "production", "Hello");
    }
    let entries = server.admin().entries();
    let report = verify(server.admin(), &[]).expect(0).json();
    let (read, database) = (&report["served"], &report["database"]);
    assert_eq!((&read["entries"], &read["faults"]["count"]), (&json!(entries), &json!(0)), "{report}");
    assert!(read["payloads"].as_u64().unwrap() >= 40, "an input and a record for each decision: {read}");
    assert!(read["checkpoints"].as_u64().unwrap() >= 1, "{read}");
    assert_eq!((&database["decisions"], &database["faults"]["count"]), (&json!(20), &json!(0)), "{report}");
    assert_eq!(server.admin().entries(), entries + 1, "that somebody read it is an entry");

    let part = verify(server.admin(), &["--from", "10", "--to", "19"]).expect(0).json();
    assert_eq!((&part["served"]["entries"], &part["database"]["entries"]), (&json!(10), &json!(10)), "{part}");
    let beyond = verify(server.admin(), &["--to", "1000000"]).expect(1).stderr;
    assert!(beyond.contains("field:  to"), "{beyond}");

    // Somebody of one tenant sees that one's entries, and the others' hashes; the host's database isn't theirs to ask about.
    let own = verify(&tenant.role("auditor"), &["--tenant", tenant.tenant()]).expect(0).json();
    let (foreign, notes) = (own["served"]["foreign"].as_u64().unwrap(), own["served"]["notes"].as_array().unwrap());
    assert!(foreign > 0 && own["served"]["entries"].as_u64().unwrap() >= 20, "{own}");
    let word = format!("{foreign} foreign entries: that they are others' is the file's own word");
    assert!(notes.iter().any(|note| *note == word.as_str()), "{own}");
    assert!(own["database"].is_null(), "{own}");
    verify(&tenant.role("app"), &[]).expect(1);

    let asked = ["ledger", "verify", "--server", server.base(), "--key", server.admin().key()];
    let said = assize(&asked).expect(0).stdout;
    assert!(said.contains("checked here") && said.contains("by its own word"), "{said}");
}

#[test]
fn what_was_altered_beneath_a_server_shows_in_what_it_hands_out() {
    let server = Server::with_guests();
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[agent("agent", &answer(1.0))]));
    let decision = tenant.decide(None, "production", "Hello");
    tenant.decide(None, "production", "Hello again");
    let seq = decision["ledger"]["seq"].as_u64().unwrap();
    let mut database = Database::beside(&server.data().join("assize.db"));
    let sealed = database.table("sealed");
    let guard = database.unguard(&sealed);
    let altered = format!("UPDATE sealed SET input_salt = zeroblob(32) WHERE seq = {seq}");
    assert_eq!(database.execute(&altered), 1);
    database.guard(&guard);
    let report = verify(server.admin(), &[]).expect(1).json();
    let first = &report["served"]["faults"]["first"][0];
    assert_eq!((&first["record"], &first["field"]), (&json!(format!("payload {seq}")), &json!("input")), "{report}");
    assert!(report["database"]["faults"]["count"].as_u64().unwrap() > 0, "{report}");
}

#[test]
fn a_server_that_hands_out_less_than_it_was_asked_for_is_found_out() {
    let server = Server::with_guests();
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[agent("agent", &answer(1.0))]));
    tenant.decide(None, "production", "Hello");
    tenant.decide(None, "production", "Hello again");
    let auditor = tenant.role("auditor");
    // Each of them is sound by itself, and signed.
    let of_one = auditor.get("/v1/ledger/export").body;
    let less = |query: &str| server.admin().get(&format!("/v1/ledger/export?{query}")).body;
    for (handed_out, field) in
        [(less("payloads=false"), "payloads"), (less("from=3"), "from"), (less("to=5"), "to"), (of_one, "tenant")]
    {
        let other = move |path: &str, _: &[u8]| path.starts_with("/v1/ledger/export").then(|| handed_out.clone());
        let liar = Middleman::before(server.base(), other);
        let through = format!("http://{}", liar.host());
        let asked = ["ledger", "verify", "--json", "--server", &through, "--key", server.admin().key()];
        let report = assize(&asked).expect(1).json();
        let faults = report["served"]["faults"]["first"].as_array().unwrap();
        assert!(faults.iter().any(|fault| fault["record"] == "header" && fault["field"] == field), "{report}");
    }
}

#[test]
fn whose_entries_were_asked_for_is_not_the_servers_to_say() {
    let server = Server::with_guests();
    let (small, large) = (server.tenant(), server.tenant());
    for (tenant, decisions) in [(&small, 1), (&large, 10)] {
        tenant.set_policy("tenant", &policy(&[agent("agent", &answer(1.0))]));
        for n in 0..decisions {
            tenant.decide(None, "production", &format!("Hello {n}"));
        }
    }
    let tells = |report: &Value, found: &str, expected: &str| {
        let fault = json!({ "seq": null, "record": "header", "field": "tenant", "found": found, "expected": expected });
        assert!(report["served"]["faults"]["first"].as_array().unwrap().contains(&fault), "{report}");
    };
    // A liar treats a key of all tenants as an honest server does a key of one: it keeps its report back, and hands out
    // a sound export in which all others are hashes. The two look the same: what was asked for tells them apart.
    let auditor = small.role("auditor");
    let report = verify(&auditor, &[]).expect(1).json();
    assert!(report["database"].is_null(), "{report}");
    tells(&report, small.tenant(), "all of them, as asked for; for a key of one tenant, give --tenant");
    let asked = ["ledger", "verify", "--server", server.base(), "--key", auditor.key()];
    let said = assize(&asked).expect(1).stdout;
    assert!(said.contains("NOT VERIFIED: 1 fault") && said.contains("give --tenant"), "{said}");
    assize(&[&asked[..], &["--tenant", small.tenant()]].concat()).expect(0);

    // Nor does another tenant's part pass, in the place of what was asked for or before a key that sees everything.
    let of_small = auditor.get("/v1/ledger/export").body;
    let other = move |path: &str, _: &[u8]| path.starts_with("/v1/ledger/export").then(|| of_small.clone());
    let liar = Middleman::before(server.base(), other);
    let (through, auditor) = (format!("http://{}", liar.host()), large.role("auditor"));
    let asked = ["ledger", "verify", "--json", "--server", &through, "--key", auditor.key()];
    let report = assize(&[&asked[..], &["--tenant", large.tenant()]].concat()).expect(1).json();
    tells(&report, small.tenant(), &format!("{}, as asked for", large.tenant()));
    let report = verify(server.admin(), &["--tenant", small.tenant()]).expect(1).json();
    tells(&report, "all of them", &format!("{}, as asked for", small.tenant()));
    let misplaced = ["ledger", "verify", "--data", ".", "--tenant", "acme"];
    assert!(assize(&misplaced).expect(2).stderr.contains("--tenant"));
}
