//! Who may do what: keys, roles, tenants, limits.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use assize_tests::{Client, Server, Setup, Shared, assize, guest, policy, rule, ruling};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new(Server::with_guests);

/// Method, path and body of a request, and the roles besides admin that may send it.
type Case = (&'static str, String, Option<Value>, &'static [&'static str]);

/// One request of each kind on a tenant that has a system `bot` and a decision `id`.
fn requests(id: &str) -> Vec<Case> {
    let case = json!({ "environment": "staging", "kind": "prompt", "payload": { "prompt": "Hello" } });
    let enforce = json!({ "system_id": "bot", "prompt": "Hello", "env": "staging" });
    let stop = json!({ "operational_status": "emergency_stop", "reason": "x", "operator_id": "ana" });
    let resume = json!({ "reason": "its prompt was corrected", "operator_id": "ana" });
    let get = |path: &str, roles: &'static [&'static str]| ("GET", path.to_owned(), None, roles);
    vec![
        ("POST", "/v1/decisions".to_owned(), Some(case), &["dev", "app"]),
        ("POST", "/v1/enforce".to_owned(), Some(enforce), &["dev", "app"]),
        get("/v1/decisions", &["dev", "auditor", "app"]),
        get(&format!("/v1/decisions/{id}"), &["dev", "auditor", "app"]),
        ("POST", format!("/v1/decisions/{id}/replay"), Some(json!({})), &["dev", "auditor"]),
        get(&format!("/v1/decisions/{id}/bundle"), &["dev", "auditor"]),
        get("/v1/systems/bot", &["dev", "auditor", "app"]),
        get("/v1/ledger/entries", &["auditor"]),
        get("/v1/policies/tenant", &["dev", "auditor"]),
        ("PUT", "/v1/policies/tenant".to_owned(), Some(policy(&[rule("r", &ruling("warn", "HM"))])), &["dev"]),
        ("POST", "/v1/keys".to_owned(), Some(json!({ "role": "app", "label": "x" })), &[]),
        get("/v1/keys", &["auditor"]),
        ("PUT", "/v1/systems/bot/emergency-stop".to_owned(), Some(stop), &[]),
        ("POST", "/v1/systems/bot/resume".to_owned(), Some(resume), &[]),
        get("/v1/me", &["dev", "auditor", "app"]),
    ]
}

fn send(client: &Client, (method, path, body, _): &Case) -> assize_tests::Answer {
    let body = body.as_ref().map(ToString::to_string);
    let headers = [("content-type", "application/json")];
    client.send(method, path, &headers, body.as_ref().map(String::as_bytes)).unwrap()
}

/// A tenant with a policy, a system `bot` and a decision, whose id comes with it.
fn furnished(server: &Server) -> (Client, String) {
    let tenant = server.tenant();
    tenant.register("bot");
    tenant.set_policy("tenant", &policy(&[rule("rule", &ruling("warn", "HM"))]));
    let id = tenant.decide(Some("bot"), "staging", "Hello")["id"].as_str().unwrap().to_owned();
    (tenant, id)
}

#[test]
fn a_role_may_do_what_it_is_for_and_nothing_else() {
    let server = SERVER.get();
    let (tenant, id) = furnished(&server);
    for role in ["dev", "auditor", "app"] {
        let client = tenant.role(role);
        assert_eq!(client.get("/v1/me").expect(200)["role"], role);
        for request in requests(&id) {
            let answer = send(&client, &request);
            if request.3.contains(&role) {
                assert!((200..300).contains(&answer.status), "{role} may: {answer}");
            } else {
                answer.problem(403);
            }
        }
    }
    for request in requests(&id) {
        let answer = send(&tenant, &request);
        assert!((200..300).contains(&answer.status), "admin may: {answer}");
    }
}

#[test]
fn an_application_does_not_choose_the_day_of_the_law() {
    let server = SERVER.get();
    let (tenant, _) = furnished(&server);
    let (app, dev) = (tenant.role("app"), tenant.role("dev"));
    let case = |occurred_at: Option<&str>, rules_as_of: Option<&str>| {
        json!({
            "environment": "staging", "kind": "prompt", "payload": { "prompt": "Hello" },
            "occurred_at": occurred_at, "rules_as_of": rules_as_of,
        })
    };
    let day = Some("2024-02-29");
    let noon = Some("2024-02-29T12:00:00Z");
    for case in [case(None, Some("1990-01-01")), case(Some("2024-03-02"), day), case(noon, day)] {
        let refused = app.post("/v1/decisions", &case);
        let problem = refused.problem_naming(403, &["day's law", "leave rules_as_of out", "role app", "admin or dev"]);
        assert_eq!(problem["field"], "rules_as_of");
        for client in [&tenant, &dev] {
            let made = client.post("/v1/decisions", &case).expect(201);
            assert!(made["times"]["rules_as_of"].as_str() < made["times"]["occurred_at"].as_str(), "{made}");
        }
    }
    // The facts' own day, left out or said in other words.
    for case in [
        case(None, None),
        case(day, None),
        case(day, day),
        case(Some("2024-02-29T12:00:00-03:00"), Some("2024-02-29T15:00:00Z")),
    ] {
        let times = app.post("/v1/decisions", &case).expect(201)["times"].clone();
        assert_eq!(times["rules_as_of"], times["occurred_at"]);
    }
}

#[test]
fn without_a_valid_key_everything_is_refused_and_nothing_is_told() {
    let server = SERVER.get();
    let (_, id) = furnished(&server);
    let anyone = server.anonymous();
    let wrong = [
        anyone.clone(),
        anyone.with_key(Some("wrong")),
        anyone.with_key(Some("")),
        anyone.with_key(Some(&"x".repeat(4_000))),
    ];
    for client in &wrong {
        for request in requests(&id) {
            let answer = send(client, &request);
            let problem = answer.problem(401);
            assert!(!problem.to_string().contains(&id), "{answer}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
    for header in ["Basic YTpi", "Bearer", "bearer:x"] {
        let answer = anyone.send("GET", "/v1/me", &[("authorization", header)], None).unwrap();
        answer.problem(401);
    }
}

#[test]
fn another_tenants_ids_are_not_found() {
    let server = SERVER.get();
    let (owner, id) = furnished(&server);
    let stranger = server.tenant();
    stranger.get(&format!("/v1/decisions/{id}")).problem(404);
    stranger.post(&format!("/v1/decisions/{id}/replay"), &json!({})).problem(404);
    stranger.get(&format!("/v1/decisions/{id}/bundle")).problem(404);
    stranger.get("/v1/systems/bot").problem(404);
    let stop = json!({ "operational_status": "emergency_stop", "reason": "x", "operator_id": "eve" });
    stranger.put("/v1/systems/bot/emergency-stop", &stop).problem(404);
    let resume = json!({ "reason": "because I can", "operator_id": "eve" });
    stranger.post("/v1/systems/bot/resume", &resume).problem(404);
    let enforce = json!({ "system_id": "bot", "prompt": "Hello", "env": "staging" });
    stranger.post("/v1/enforce", &enforce).problem(404);
    stranger.get(&format!("/v1/policies/tenant:{}", owner.tenant())).problem(404);
    stranger.put(&format!("/v1/policies/tenant:{}", owner.tenant()), &policy(&[])).problem(404);
    assert_eq!(stranger.get("/v1/decisions").expect(200)["decisions"], json!([]));
    assert_eq!(stranger.get("/v1/systems").expect(200)["systems"], json!([]));

    let entries = stranger.get("/v1/ledger/entries?limit=1000").expect(200);
    assert!(!entries.to_string().contains(&id), "another tenant's decision is shown");
    let keys = stranger.get("/v1/keys").expect(200);
    let keys = keys["keys"].as_array().unwrap();
    assert!(keys.iter().all(|key| key["tenant"] == stranger.tenant()), "another tenant's keys are shown: {keys:?}");
    let own = owner.get("/v1/keys").expect(200)["keys"][0]["id"].as_str().unwrap().to_owned();
    stranger.delete(&format!("/v1/keys/{own}")).problem(404);
    assert_eq!(owner.get("/v1/me").status, 200);
}

#[test]
fn a_tenants_plugin_is_its_own_and_binds_nobody_else() {
    let server = SERVER.get();
    let (owner, stranger) = (server.tenant(), server.tenant());
    let manifest = include_str!("../guests/rule-echo/assize.toml").replace("test/rule-echo", "acme/own-rule");
    let package = assize_tests::repacked(&guest("rule-echo"), &manifest);
    let published = owner.publish_and_activate(&package);
    let digest = published["digest"].as_str().unwrap();
    assert_eq!(owner.get(&format!("/v1/plugins/by-digest/{digest}/component")).body, package);
    stranger.get(&format!("/v1/plugins/by-digest/{digest}/component")).problem(404);
    stranger.get(&format!("/v1/plugins/by-digest/{digest}")).problem(404);
    stranger.get("/v1/plugins/acme/own-rule/1.0.0").problem(404);
    assert!(!stranger.get("/v1/plugins").expect(200).to_string().contains("acme/own-rule"));
    let binding = json!({ "name": "own", "plugin": "acme/own-rule", "settings": ruling("allow", "OWN") });
    stranger.put("/v1/policies/tenant", &policy(std::slice::from_ref(&binding))).problem(422);
    owner.set_policy("tenant", &policy(&[binding]));
    assert_eq!(owner.decide(None, "staging", "Hello")["verdict"], "allow");
}

/// A key of the host sees the packages of all tenants, and two of them may have one of the same name.
#[test]
fn whose_package_a_key_of_the_host_means_is_never_guessed() {
    let server = SERVER.get();
    let host = server.admin();
    let (one, other) = (server.tenant(), server.tenant());
    let manifest = include_str!("../guests/rule-echo/assize.toml").replace("test/rule-echo", "acme/shared-name");
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

#[test]
fn what_concerns_all_tenants_needs_a_key_of_the_host() {
    let server = SERVER.get();
    let tenant = server.tenant();
    tenant.put("/v1/policies/global", &policy(&[])).problem(403);
    let asked = json!({ "role": "admin", "tenant": "somebody-else", "label": "x" });
    tenant.post("/v1/keys", &asked).problem(403);
    tenant.post("/v1/keys", &json!({ "role": "admin", "host": true })).problem(403);
    // Its report names records of all tenants.
    tenant.get("/v1/ledger/verify").problem(403);
}

#[test]
fn an_application_is_limited_and_told_when_to_come_again() {
    let server = Server::with_guests_and(Setup::bare().argument("--rate-limit-app").argument("5"));
    let (tenant, _) = furnished(&server);
    let (app, other) = (tenant.role("app"), tenant.role("app"));
    let answers: Vec<_> = (0..8).map(|_| app.get("/v1/me")).collect();
    assert!(answers.iter().take(5).all(|answer| answer.status == 200), "{answers:?}");
    let refused = answers.last().unwrap();
    refused.problem(429);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(other.get("/v1/me").status, 200, "each key by itself");
    for _ in 0..50 {
        assert_eq!(tenant.get("/v1/me").status, 200, "an admin isn't limited");
    }
}

#[test]
fn by_default_an_application_may_send_100_requests_a_minute() {
    let server = SERVER.get();
    let app = server.tenant().role("app");
    let statuses: Vec<u16> = (0..110).map(|_| app.get("/v1/me").status).collect();
    assert!(statuses[..100].iter().all(|&status| status == 200));
    assert!(statuses.contains(&429));
}

#[test]
fn a_key_is_shown_once_and_kept_as_a_hash() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    let made = tenant.post("/v1/keys", &json!({ "role": "auditor", "label": "audit 2026" })).expect(201);
    let key = made["key"].as_str().unwrap().to_owned();
    assert!(key.len() >= 32);
    assert_eq!((&made["role"], &made["tenant"]), (&json!("auditor"), &json!(tenant.tenant())));
    let listed = tenant.get("/v1/keys").expect(200);
    assert!(listed.to_string().contains("audit 2026") && !listed.to_string().contains(&key));
    let admin = server.admin().key().to_owned();
    assert_eq!(server.stop(), 0);
    for file in std::fs::read_dir(server.data()).unwrap() {
        let file = file.unwrap().path();
        let bytes = if file.is_file() { std::fs::read(&file).unwrap() } else { continue };
        for key in [&key, &admin] {
            let found = bytes.windows(key.len()).any(|window| window == key.as_bytes());
            assert!(!found, "a key stands in {}", file.display());
        }
    }
    server.start_again();
    assert_eq!(server.again(&tenant).with_key(Some(&key)).get("/v1/me").status, 200);
}

#[test]
fn a_revoked_key_opens_nothing_after_a_restart_either() {
    let mut server = Server::with_guests();
    let tenant = server.tenant();
    let made = tenant.post("/v1/keys", &json!({ "role": "app", "label": "leaked" })).expect(201);
    let app = tenant.with_key(made["key"].as_str());
    assert_eq!(app.get("/v1/me").status, 200);
    let path = format!("/v1/keys/{}", made["id"].as_str().unwrap());
    let revoked = tenant.delete(&path);
    assert!((200..300).contains(&revoked.status), "{revoked}");
    app.get("/v1/me").problem(401);
    server.restart();
    let (tenant, app) = (server.again(&tenant), server.again(&app));
    app.get("/v1/me").problem(401);
    assert_eq!(tenant.get("/v1/me").status, 200);
}

#[test]
fn the_first_admin_key_is_printed_at_the_first_start_and_never_again() {
    let mut server = Server::start(Setup { admin_key: None, ..Setup::bare() });
    let said = server.said();
    let key = said.lines().find_map(|line| line.strip_prefix("admin key: ")).unwrap().to_owned();
    let me = server.anonymous().with_key(Some(&key)).get("/v1/me").expect(200);
    assert_eq!((&me["role"], &me["tenant"]), (&json!("admin"), &json!("default")));
    server.restart();
    assert!(!server.said().contains("admin key"), "{}", server.said());
    assert_eq!(server.anonymous().with_key(Some(&key)).get("/v1/me").status, 200);
}
