//! Whose package, system, policy or records a key of the host means.

use assize_tests::{Client, Server, Setup, assize, guest, policy};
use serde_json::json;

use super::SERVER;

/// A key of the host sees the packages of all tenants, and two of them may have one of the same name.
#[test]
fn whose_package_a_key_of_the_host_means_is_never_guessed() {
    let server = SERVER.get();
    let host = server.admin();
    let (one, other) = (server.tenant(), server.tenant());
    let manifest = include_str!("../../guests/rule-echo/assize.toml").replace("test/rule-echo", "acme/shared-name");
    let package = |title: &str| {
        let manifest = manifest.replacen("title = \"", &format!("title = \"{title} "), 1);
        assize_tests::repacked(&guest("rule-echo"), &manifest)
    };
    one.publish_and_activate(&package("One's"));
    other.publish_and_activate(&package("Another's"));
    let address = "/v1/plugins/acme/shared-name/1.0.0";
    let reason = json!({ "reason": "a mistake in it" });
    let state = |client: &Client| client.get(address).expect(200)["state"].as_str().unwrap().to_owned();
    let tenants = [one.tenant(), other.tenant(), "?tenant="];
    for problem in [
        host.get(address),
        host.get(&format!("{address}/signatures")),
        host.post(&format!("{address}/yank"), &reason),
        host.post("/v1/plugins/acme/shared-name/roll-back", &reason),
    ] {
        assert_eq!(problem.problem_naming(409, &tenants)["field"], "tenant");
    }
    assert_eq!((state(&one), state(&other)), ("active".to_owned(), "active".to_owned()));
    host.post(&format!("{address}/yank?tenant=nobody"), &reason).problem_naming(404, &["nobody", "shared-name"]);
    let meant = format!("{address}/yank?tenant={}", other.tenant());
    assert_eq!(host.post(&meant, &reason).expect(200)["tenant"], other.tenant());
    assert_eq!((state(&one), state(&other)), ("active".to_owned(), "yanked".to_owned()));
    // To name another tenant is the host's alone, and to name oneself changes nothing.
    one.post(&meant, &reason).problem(403);
    let own = ["plugin", "yank", "acme/shared-name@1.0.0", "--reason", "a mistake", "--tenant", one.tenant()];
    assize(&[&own[..], &["--server", host.base(), "--key", host.key()]].concat()).expect(0);
    assert_eq!(state(&one), "yanked");
    assert_eq!(one.get(&format!("{address}?tenant={}", one.tenant())).expect(200)["state"], "yanked");
}

/// A key of the host sees the systems of all tenants, and two of them may have one of the same id.
#[test]
fn which_system_a_key_of_the_host_stops_is_never_guessed() {
    let server = SERVER.get();
    let host = server.admin();
    let (one, other) = (server.tenant(), server.tenant());
    let stop = json!({ "reason": "it promised refunds", "operator_id": "ana" });
    let resume = json!({ "reason": "its prompt was corrected", "operator_id": "ana" });
    let status =
        |client: &Client, id: &str| client.get(&format!("/v1/systems/{id}")).expect(200)["operational_status"].clone();
    let run = |arguments: &[&str]| assize(&[arguments, &["--server", host.base(), "--key", host.key()]].concat());

    // The one that there is, whose it may be.
    one.register("lonely");
    assert_eq!(host.put("/v1/systems/lonely/emergency-stop", &stop).expect(200)["tenant"], one.tenant());
    assert_eq!(status(&one, "lonely"), "emergency_stop");
    assert_eq!(host.post("/v1/systems/lonely/resume", &resume).expect(200)["tenant"], one.tenant());
    host.put("/v1/systems/nowhere/emergency-stop", &stop).problem_naming(404, &["nowhere"]);

    // One's, another's and the default tenant's, as which a key of the host registers.
    let shared = json!({ "id": "shared-id", "risk": "minimal" });
    one.register("shared-id");
    let theirs = format!("?tenant={}", other.tenant());
    assert_eq!(host.post(&format!("/v1/systems{theirs}"), &shared).expect(201)["tenant"], other.tenant());
    assert_eq!(host.post("/v1/systems", &shared).expect(201)["tenant"], "default");
    host.post("/v1/systems?tenant=nobody", &shared).problem_naming(404, &["nobody", "/v1/keys"]);
    let address = "/v1/systems/shared-id";
    for problem in [
        host.get(address),
        host.put(address, &shared),
        host.put(&format!("{address}/emergency-stop"), &stop),
        host.post(&format!("{address}/resume"), &resume),
    ] {
        let words = [one.tenant(), other.tenant(), "default", "?tenant=", "--tenant"];
        assert_eq!(problem.problem_naming(409, &words)["field"], "tenant");
    }
    for tenant in [one.tenant(), other.tenant(), "default"] {
        let system = host.get(&format!("{address}?tenant={tenant}")).expect(200);
        assert_eq!((&system["tenant"], &system["version"]), (&json!(tenant), &json!(1)), "nothing was done to it");
    }
    let stopped = host.put(&format!("{address}/emergency-stop{theirs}"), &stop).expect(200);
    assert_eq!(
        (&stopped["tenant"], &stopped["operational_status"]),
        (&json!(other.tenant()), &json!("emergency_stop"))
    );
    assert_eq!((status(&one, "shared-id"), status(&other, "shared-id")), (json!("active"), json!("emergency_stop")));
    assert_eq!(host.get(&format!("{address}?tenant=default")).expect(200)["operational_status"], "active");
    // A slip in the parameter's name stops nobody.
    host.put(&format!("{address}/emergency-stop?tenent=default"), &stop).problem_naming(400, &["tenent"]);

    // On the command line.
    let why = ["--reason", "a drill, nothing more", "--operator", "ana"];
    let unsaid = run(&[&["system", "stop", "shared-id"][..], &why].concat()).expect(1);
    assert!(unsaid.stderr.contains("--tenant") && unsaid.stderr.contains(one.tenant()), "{}", unsaid.stderr);
    let said = run(&[&["system", "stop", "shared-id", "--tenant", one.tenant()][..], &why].concat()).expect(0);
    assert!(said.stdout.contains(&format!("shared-id of tenant {} is stopped", one.tenant())), "{}", said.stdout);
    assert!(said.stdout.contains(&format!("resume shared-id --tenant {}", one.tenant())), "{}", said.stdout);
    assert_eq!(status(&one, "shared-id"), "emergency_stop");
    // Nothing of a stopped system changes, and how it comes to run again is said.
    let set = ["system", "set", "shared-id", "--risk", "high", "--tenant", one.tenant()];
    let words = format!("assize system resume shared-id --tenant {}", one.tenant());
    let refused = run(&set).expect(1);
    assert!(refused.stderr.contains(&words), "{}", refused.stderr);
    run(&[&["system", "resume", "shared-id", "--tenant", one.tenant()][..], &why].concat()).expect(0);
    run(&set).expect(0);
    let listed = run(&["system", "list", "--tenant", one.tenant(), "--json"]).expect(0).json();
    assert!(listed["systems"].as_array().unwrap().iter().all(|system| system["tenant"] == one.tenant()), "{listed}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json!({ "id": "from-a-file" }).to_string()).unwrap();
    let path = file.path().to_str().unwrap();
    run(&["system", "add", "--file", path, "--tenant", one.tenant()]).expect(0);
    assert_eq!(status(&one, "from-a-file"), "active");

    // Another tenant's is nobody's to name, and nothing tells whether it is there.
    for foreign in [format!("{address}{theirs}"), format!("{address}?tenant=nobody"), format!("/v1/systems{theirs}")] {
        one.get(&foreign).problem(404);
    }
    one.put(&format!("{address}/emergency-stop{theirs}"), &stop).problem(404);
    one.post(&format!("{address}/resume{theirs}"), &resume).problem(404);
    one.post(&format!("/v1/systems{theirs}"), &json!({ "id": "slipped-in" })).problem(404);
    assert_eq!(status(&other, "shared-id"), "emergency_stop");
    assert_eq!(one.get(&format!("{address}?tenant={}", one.tenant())).expect(200)["tenant"], one.tenant());
}

/// A key of the host sees the decisions of all tenants, and two of them may have some about the same person.
#[test]
fn whose_records_a_key_of_the_host_erases_or_holds_is_never_guessed() {
    let server = Server::start(Setup::bare());
    let host = server.admin();
    let judged = |client: &Client, person: &str| {
        let case = json!({
            "environment": "staging", "kind": "prompt", "payload": { "prompt": "Hello" }, "data_subject": person,
        });
        client.post("/v1/decisions", &case).expect(201)["id"].as_str().unwrap().to_owned()
    };
    let status = |client: &Client, id: &str| client.get(&format!("/v1/decisions/{id}")).status;
    let person = |name: &str| json!({ "data_subject": name, "basis": "GDPR Art. 17" });
    let listed = |ids: &[&String]| json!({ "decisions": ids, "basis": "GDPR Art. 17" });
    let keep = |payloads: &str| json!({ "payloads": payloads });
    let run = |arguments: &[&str]| assize(&[arguments, &["--server", host.base(), "--key", host.key()]].concat());

    // With the default tenant alone, nobody has to be named.
    assert_eq!(host.put("/v1/retention", &keep("30d")).expect(200)["tenant"], "default");
    let first = judged(host, "eva");
    assert_eq!(host.post("/v1/erasures", &listed(&[&first])).expect(201)["tenant"], "default");

    let (one, other) = (server.tenant(), server.tenant());
    let theirs = format!("?tenant={}", other.tenant());
    let tenants = [one.tenant(), other.tenant(), "?tenant=", "--tenant"];

    // About a person: of the one tenant that has such decisions, if it is one.
    let ana = judged(&one, "ana");
    let erased = host.post("/v1/erasures", &person("ana")).expect(201);
    assert_eq!((&erased["erased"], &erased["tenant"]), (&json!(1), &json!(one.tenant())));
    assert_eq!(status(&one, &ana), 410);
    assert_eq!(host.post("/v1/erasures", &person("nobody")).expect(200)["erased"], 0);
    let (bob, bob_elsewhere) = (judged(&one, "bob"), judged(&other, "bob"));
    assert_eq!(host.post("/v1/erasures", &person("bob")).problem_naming(409, &tenants)["field"], "tenant");
    host.post("/v1/erasures?tenant=no-such", &person("bob")).problem_naming(404, &["no-such", "/v1/keys"]);
    // A slip in the parameter's name erases nothing.
    host.post(&format!("/v1/erasures?tenent={}", one.tenant()), &person("bob")).problem_naming(400, &["tenent"]);
    // To name another tenant is the host's alone.
    one.post(&format!("/v1/erasures{theirs}"), &person("bob")).problem(404);
    assert_eq!((status(&one, &bob), status(&other, &bob_elsewhere)), (200, 200));
    let erased = host.post(&format!("/v1/erasures{theirs}"), &person("bob")).expect(201);
    assert_eq!((&erased["erased"], &erased["tenant"]), (&json!(1), &json!(other.tenant())));
    assert_eq!((status(&one, &bob), status(&other, &bob_elsewhere)), (200, 410));

    // By id: of the tenant whose they are.
    let later = judged(&other, "cid");
    let several = host.post("/v1/erasures", &listed(&[&bob, &later]));
    assert_eq!(several.problem_naming(409, &[one.tenant(), other.tenant()])["field"], "decisions");
    let unknown = "01890a5d-ac96-774b-bcce-000000000008".to_owned();
    host.post("/v1/erasures", &listed(&[&bob, &unknown])).problem_naming(404, &["decisions[1]", unknown.as_str()]);
    host.post(&format!("/v1/erasures{theirs}"), &listed(&[&bob])).problem_naming(404, &["decisions[0]"]);
    assert_eq!((status(&one, &bob), status(&other, &later)), (200, 200));
    assert_eq!(host.post("/v1/erasures", &listed(&[&bob])).expect(201)["tenant"], one.tenant());
    assert_eq!(status(&one, &bob), 410);

    // How long: with a hold on the wrong tenant's, those that were meant would go.
    let hold = keep("legal_hold");
    for refused in [host.get("/v1/retention"), host.put("/v1/retention", &hold)] {
        assert_eq!(refused.problem_naming(409, &tenants)["field"], "tenant");
    }
    host.put("/v1/retention?tenant=no-such", &hold).problem_naming(404, &["no-such", "/v1/keys"]);
    host.put("/v1/retention?tenent=default", &hold).problem_naming(400, &["tenent"]);
    one.put(&format!("/v1/retention{theirs}"), &hold).problem(404);
    one.get(&format!("/v1/retention{theirs}")).problem(404);
    assert_eq!(host.put(&format!("/v1/retention{theirs}"), &hold).expect(200)["tenant"], other.tenant());
    let kept = |client: &Client| client.get("/v1/retention").expect(200)["payloads"].clone();
    assert_eq!((kept(&one), kept(&other)), (json!("1826d"), json!("legal_hold")));
    assert_eq!(host.get("/v1/retention?tenant=default").expect(200)["payloads"], "30d");
    host.post("/v1/erasures", &listed(&[&later])).problem_naming(409, &["legal hold", other.tenant()]);

    // On the command line.
    let unsaid = run(&["retention", "60d"]).expect(1);
    assert!(unsaid.stderr.contains("--tenant") && unsaid.stderr.contains(other.tenant()), "{}", unsaid.stderr);
    let said = run(&["retention", "60d", "--tenant", other.tenant()]).expect(0);
    assert!(said.stdout.contains(&format!("of tenant {} are kept: 60d", other.tenant())), "{}", said.stdout);
    let basis = ["--basis", "GDPR Art. 17", "--tenant", other.tenant()];
    let said = run(&[&["erase", "--data-subject", "cid"][..], &basis].concat()).expect(0);
    assert!(said.stdout.contains(&format!("1 decisions bind, of tenant {}", other.tenant())), "{}", said.stdout);
    assert_eq!(status(&other, &later), 410);
}

/// A key of the host sees the policies of all tenants.
#[test]
fn whose_policy_a_key_of_the_host_sets_is_never_guessed() {
    let server = Server::start(Setup::bare());
    let host = server.admin();
    let empty = policy(&[]);
    let run = |arguments: &[&str]| assize(&[arguments, &["--server", host.base(), "--key", host.key()]].concat());

    // With the default tenant alone, nobody has to be named.
    assert_eq!(host.set_policy("tenant", &empty)["tenant"], "default");

    let (one, other) = (server.tenant(), server.tenant());
    let theirs = format!("?tenant={}", other.tenant());
    let tenants = ["default", one.tenant(), other.tenant(), "?tenant=", "--tenant"];
    let reason = json!({ "reason": "a test" });
    for refused in [
        host.get("/v1/policies/tenant"),
        host.get("/v1/policies/tenant/effective"),
        host.get("/v1/policies/tenant/trials"),
        host.put("/v1/policies/tenant", &empty),
        host.post("/v1/policies/tenant/trials/new/promote", &reason),
        host.post("/v1/policies/tenant/trials/new/roll-back", &reason),
    ] {
        assert_eq!(refused.problem_naming(409, &tenants)["field"], "tenant");
    }
    assert_eq!(host.get("/v1/policies/tenant?tenant=default").expect(200)["version"], 1, "nothing was done to it");
    assert_eq!(host.set_policy(&format!("tenant{theirs}"), &empty)["tenant"], other.tenant());
    assert_eq!(host.set_policy(&format!("tenant:{}", other.tenant()), &empty)["version"], 2);
    assert_eq!(other.get("/v1/policies/tenant").expect(200)["version"], 2);
    for path in ["effective", "trials"] {
        host.get(&format!("/v1/policies/tenant/{path}{theirs}")).expect(200);
    }
    one.get("/v1/policies/tenant").problem(404);

    // A system's: of the one tenant that has it, if it is one.
    one.register("shared-id");
    assert_eq!(host.set_policy("system:shared-id", &empty)["tenant"], one.tenant());
    other.register("shared-id");
    let address = "/v1/policies/system:shared-id";
    for refused in [host.get(address), host.put(address, &empty)] {
        assert_eq!(refused.problem_naming(409, &[one.tenant(), other.tenant(), "?tenant="])["field"], "tenant");
    }
    other.get(address).problem(404);
    assert_eq!(host.put(&format!("{address}{theirs}"), &empty).expect(200)["tenant"], other.tenant());
    assert_eq!(one.get(address).expect(200)["version"], 1);
    host.get("/v1/policies/system:nowhere").problem_naming(404, &["nowhere"]);

    // Names that don't fit, and slips.
    host.put(&format!("/v1/policies/global{theirs}"), &empty).problem_naming(422, &["global", "tenant"]);
    host.put(&format!("/v1/policies/tenant:{}{theirs}", one.tenant()), &empty).problem_naming(422, &[one.tenant()]);
    for path in ["tenant:no-such", "tenant?tenant=no-such", "system:shared-id?tenant=no-such"] {
        host.put(&format!("/v1/policies/{path}"), &empty).problem_naming(404, &["no-such", "/v1/keys"]);
    }
    host.put("/v1/policies/tenant?tenent=default", &empty).problem_naming(400, &["tenent"]);
    // To name another tenant is the host's alone, and to name oneself changes nothing.
    for path in [format!("tenant{theirs}"), format!("tenant/effective{theirs}"), format!("system:shared-id{theirs}")] {
        one.get(&format!("/v1/policies/{path}")).problem(404);
    }
    one.put(&format!("/v1/policies/tenant{theirs}"), &empty).problem(404);
    one.put(&format!("/v1/policies/tenant?tenant={}", one.tenant()), &empty).expect(200);
    assert_eq!(other.get("/v1/policies/tenant").expect(200)["version"], 2);

    // On the command line.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), empty.to_string()).unwrap();
    let set = ["policy", "set", "tenant", file.path().to_str().unwrap()];
    let unsaid = run(&set).expect(1);
    assert!(unsaid.stderr.contains("--tenant") && unsaid.stderr.contains(other.tenant()), "{}", unsaid.stderr);
    let said = run(&[&set[..], &["--tenant", other.tenant()]].concat()).expect(0);
    assert!(said.stdout.contains(&format!("of tenant {}", other.tenant())), "{}", said.stdout);
    let shown = run(&["policy", "get", "tenant", "--tenant", other.tenant(), "--json"]).expect(0).json();
    assert_eq!((&shown["version"], &shown["tenant"]), (&json!(3), &json!(other.tenant())));
}
