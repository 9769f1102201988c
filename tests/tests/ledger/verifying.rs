//! A sound ledger: whole, in part, beside a running server, against an earlier report.

use assize_tests::{Database, Server, agent, answer, assize, policy, rule, ruling};
use serde_json::json;

use crate::{FURNISHED, copy, verify};

#[test]
fn an_untouched_ledger_verifies_beside_a_running_server_and_without_one() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    tenant.set_policy("tenant", &policy(&[agent("agent", &answer(1.0)), rule("rule", &ruling("warn", "HM"))]));
    for _ in 0..20 {
        tenant.decide(None, "production", "Hello");
    }
    let entries = server.admin().entries();
    let beside = verify(server.data(), &[]).expect(0).json();
    assert_eq!(beside["faults"]["count"], 0, "{beside}");
    assert_eq!((&beside["entries"], &beside["decisions"]), (&json!(entries), &json!(20)));
    assert!(beside["payloads"].as_u64().unwrap() >= 40, "an input and a record for each decision: {beside}");
    assert_eq!(beside["root"].as_str().unwrap().len(), 64);
    let over_http = server.admin().get("/v1/ledger/verify").expect(200);
    assert_eq!((&over_http["root"], &over_http["entries"]), (&beside["root"], &beside["entries"]));

    // While it is written to.
    std::thread::scope(|scope| {
        let load = scope.spawn(|| (0..100).for_each(|_| drop(tenant.decide(None, "production", "Hello"))));
        while !load.is_finished() {
            assert_eq!(verify(server.data(), &[]).expect(0).json()["faults"]["count"], 0);
        }
    });
    assert_eq!(server.stop(), 0);
    let without = verify(server.data(), &[]).expect(0).json();
    assert_eq!(without["entries"], entries + 100);

    let said = assize(&["ledger", "verify", "--data", server.data().to_str().unwrap()]).expect(0).stdout;
    assert!(said.contains("verified") && said.contains(without["root"].as_str().unwrap()), "{said}");
}

#[test]
fn a_range_is_verified_by_itself_and_says_what_it_took_for_granted() {
    let data = FURNISHED.0.path();
    let report = verify(data, &["--from", "100", "--to", "199"]).expect(0).json();
    assert_eq!((&report["from"], &report["entries"]), (&json!(100), &json!(100)));
    assert!(report["notes"].to_string().contains("99"), "{report}");
    assert!(report["root"].is_null());
    let beyond = verify(data, &["--to", "1000000"]).expect(1);
    assert!(beyond.stderr.contains("to"), "{}", beyond.stderr);
    verify(data, &["--from", "9", "--to", "5"]).expect(1);
}

#[test]
fn a_tail_that_was_cut_off_shows_against_an_earlier_report() {
    let before = verify(FURNISHED.0.path(), &[]).expect(0).json();
    let (size, root) = (before["entries"].to_string(), before["root"].as_str().unwrap());
    let expected = ["--expected-size", size.as_str(), "--expected-root", root];
    verify(FURNISHED.0.path(), &expected).expect(0);
    let (folder, file) = copy();
    let mut database = Database::open(&file);
    let last = before["entries"].as_u64().unwrap() - 1;
    for table in ["entries", "sealed", "decisions", "effects"] {
        database.execute(&format!("DELETE FROM {table} WHERE seq = {last}"));
    }
    database.execute(&format!("DELETE FROM heads WHERE size > {last}"));
    drop(database);
    let report = verify(folder.path(), &expected).expect(1).json();
    assert!(report["faults"]["first"].to_string().contains(&format!("head {size}")), "{report}");
    // Without the earlier report nobody can tell, and the report says so.
    let alone = verify(folder.path(), &[]).json();
    assert!(alone["notes"].to_string().contains("cut off"), "{alone}");
}
