//! A plugin's author on a machine of their own: from `assize plugin new` in each language to a decision that names the new
//! plugin, and what goes wrong on the way.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use assize_tests::{
    Output, Server, Setup, assize_in, binary, bundled, bundled_file, guest, manifest, pin, repacked, toolchain,
    workspace,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The languages that there are kits for.
const LANGUAGES: [&str; 6] = ["rust", "python", "typescript", "javascript", "go", "c"];

/// A developer in a folder of their own, with the tools of one language.
struct Developer {
    home: TempDir,
    environment: Vec<(&'static str, OsString)>,
}

impl Developer {
    fn of(language: &str) -> Option<Self> {
        Some(Self { home: tempfile::tempdir().unwrap(), environment: toolchain(language)? })
    }

    fn run(&self, folder: &str, arguments: &[&str]) -> Output {
        assize_in(&self.home.path().join(folder), arguments, &self.environment)
    }

    /// A new project, its folder's name.
    fn new_project(&self, language: &str, world: &str) -> &'static str {
        let made = self.run("", &["plugin", "new", "acme/my-agent", "--lang", language, "--world", world]).expect(0);
        assert!(made.stdout.contains("Next: cd my-agent"), "{made:?}");
        pin(&self.home.path().join("my-agent"));
        "my-agent"
    }
}

/// The files of a folder with their contents, in order.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

/// From nothing to a decision, by the commands of the kit's README.
fn from_nothing_to_a_decision(language: &str) {
    let Some(mut developer) = Developer::of(language) else { return };
    let project = developer.new_project(language, "risk-agent");
    let tested = developer.run(project, &["plugin", "test", "--junit", "build/junit.xml"]).expect(0);
    assert!(tested.stdout.contains("2 fixtures hold"), "{tested:?}");
    let junit = fs::read_to_string(developer.home.path().join("my-agent/build/junit.xml")).unwrap();
    assert!(junit.contains("tests=\"2\" failures=\"0\""), "{junit}");

    let checked = developer.run(project, &["plugin", "check", "--no-build", "--json"]).expect(0).json();
    assert_eq!((&checked["accepted"], &checked["replays"]), (&json!(true), &json!(true)), "{checked}");
    assert_eq!(checked["calls"], 2 * (4 * 2 + 1), "{checked}");
    assert_eq!(checked["circumstances"].as_array().unwrap().len(), 5);

    let measured =
        developer.run(project, &["plugin", "bench", "--no-build", "--calls", "50", "--json"]).expect(0).json();
    assert_eq!(measured["before"], Value::Null);
    let figures = &measured["now"];
    for name in ["size", "compile_ms", "load_ms", "start_us", "call_p50_us", "call_p99_us", "fuel_mean", "memory"] {
        assert!(figures[name].as_f64().unwrap() > 0.0, "{name}: {figures}");
    }
    println!("{language}: {figures}");
    let again = developer.run(project, &["plugin", "bench", "--no-build", "--calls", "50", "--json"]).expect(0).json();
    assert_eq!(again["before"]["digest"], figures["digest"]);
    assert_eq!(again["before"]["fuel_most"], again["now"]["fuel_most"]);

    let server = Server::start(Setup::bare());
    developer.environment.push(("ASSIZE_SERVER", server.base().into()));
    developer.environment.push(("ASSIZE_KEY", server.admin().key().into()));
    developer.run(project, &["plugin", "publish", "build/my-agent.wasm", "--activate"]).expect(0);
    developer.run(project, &["policy", "set", "tenant", "policy.json"]).expect(0);
    let prompt = "Tell me about condor";
    let decided =
        developer.run(project, &["decide", "-e", "production", "--prompt", prompt, "--json"]).expect(0).json();
    let plugin = &decided["plugins"][0];
    assert_eq!((&plugin["package"], &plugin["version"]), (&json!("acme/my-agent"), &json!("1.0.0")), "{decided}");
    assert_eq!(plugin["digest"], figures["digest"]);
    assert_eq!(decided["findings"][0]["code"], "WORD", "{decided}");
    let id = decided["id"].as_str().unwrap();
    let replayed = developer.run(project, &["replay", id]).expect(0);
    assert!(replayed.stdout.contains("identical"), "{replayed:?}");
}

#[test]
fn from_nothing_to_a_decision_in_rust() {
    from_nothing_to_a_decision("rust");
}

#[test]
fn from_nothing_to_a_decision_in_python() {
    from_nothing_to_a_decision("python");
}

#[test]
fn from_nothing_to_a_decision_in_typescript() {
    from_nothing_to_a_decision("typescript");
}

#[test]
fn from_nothing_to_a_decision_in_javascript() {
    from_nothing_to_a_decision("javascript");
}

#[test]
fn from_nothing_to_a_decision_in_go() {
    from_nothing_to_a_decision("go");
}

#[test]
fn from_nothing_to_a_decision_in_c() {
    from_nothing_to_a_decision("c");
}

#[test]
fn rules_and_actions_are_made_tested_and_taken_in_every_language() {
    for language in LANGUAGES {
        for world in ["rule", "action"] {
            let Some(developer) = Developer::of(language) else { break };
            let project = developer.new_project(language, world);
            let tested = developer.run(project, &["plugin", "test"]).expect(0);
            assert!(tested.stdout.contains("3 fixtures hold"), "{language} {world}: {tested:?}");
            let inspected =
                developer.run(project, &["plugin", "inspect", "build/my-agent.wasm", "--json"]).expect(0).json();
            let kind = if world == "rule" { "compliance-rule" } else { world };
            assert_eq!(inspected["kind"], kind, "{language}");
        }
    }
}

#[test]
fn the_same_rust_source_gives_the_same_digest_in_another_folder() {
    let digest = || {
        let developer = Developer::of("rust")?;
        let project = developer.new_project("rust", "risk-agent");
        Some(developer.run(project, &["plugin", "build", "--json"]).expect(0).json()["digest"].clone())
    };
    assert_eq!(digest(), digest());
}

#[test]
fn what_new_can_not_make_it_refuses_and_leaves_everything_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let new = |arguments: &[&str]| assize_in(home.path(), &[&["plugin", "new"], arguments].concat(), &[]);
    fs::create_dir(home.path().join("there")).unwrap();
    fs::write(home.path().join("there/mine.txt"), "mine").unwrap();
    let before = contents(home.path());
    let refused: [(&[&str], i32, &[&str]); 6] = [
        (&["acme/there", "--lang", "c"], 1, &["there is there already", "--dir"]),
        (&["acme/agent", "--lang", "c", "--dir", "there"], 1, &["there is there already"]),
        (&["Acme/Agent", "--lang", "c"], 2, &["\"Acme/Agent\" is no package name", "acme/my-agent"]),
        (&["agent", "--lang", "c"], 2, &["it has no namespace"]),
        (&["acme/agent", "--lang", "cobol"], 2, &["cobol", "rust, python, typescript, javascript, c"]),
        (&["acme/agent", "--lang", "c", "--world", "oracle"], 2, &["oracle", "risk-agent, rule or action"]),
    ];
    for (arguments, code, named) in refused {
        let output = new(arguments).expect(code);
        for name in named {
            assert!(output.stderr.contains(name), "{arguments:?}: {output:?}");
        }
        assert_eq!(contents(home.path()), before, "{arguments:?}");
    }
}

#[test]
fn a_missing_tool_is_named_with_the_command_that_installs_it_and_nothing_is_built() {
    let home = tempfile::tempdir().unwrap();
    let empty = home.path().join("no-programs");
    fs::create_dir(&empty).unwrap();
    let environment = [("PATH", OsString::from(&empty))];
    let needs: [(&str, &[&str]); 5] = [
        ("rust", &["cargo", "rustup target add wasm32-unknown-unknown", "apt-get install rustup"]),
        ("python", &["componentize-py", ".venv/bin/pip install componentize-py==0.25.1", "apt-get install python3"]),
        ("typescript", &["Node.js", "componentize-qjs", "npm install", "apt-get install nodejs npm"]),
        ("javascript", &["esbuild", "npm install"]),
        ("c", &["clang-19", "wasi-libc", "apt-get install clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32"]),
    ];
    for (language, named) in needs {
        let name = format!("acme/in-{language}");
        let made = assize_in(home.path(), &["plugin", "new", &name, "--lang", language], &environment).expect(0);
        let folder = home.path().join(format!("in-{language}"));
        let before = contents(&folder);
        for command in ["build", "test", "bench", "check"] {
            let output = assize_in(&folder, &["plugin", command], &environment).expect(1);
            for name in named {
                assert!(output.stderr.contains(name), "{language} {command}: {output:?}");
                // Whoever makes a project hears of it at once.
                assert!(made.stdout.contains(name), "{language}: {made:?}");
            }
        }
        assert_eq!(contents(&folder), before, "{language}");
    }
}

#[test]
fn sources_that_do_not_compile_leave_no_package() {
    for language in ["c", "rust"] {
        let Some(developer) = Developer::of(language) else { continue };
        let project = developer.new_project(language, "risk-agent");
        let source = if language == "c" { "app.c" } else { "src/lib.rs" };
        fs::write(developer.home.path().join(project).join(source), "nonsense here").unwrap();
        let output = developer.run(project, &["plugin", "build"]).expect(1);
        assert!(output.stderr.contains("nonsense") && output.stderr.contains("ended with"), "{output:?}");
        assert!(!developer.home.path().join(project).join("build/my-agent.wasm").exists());
    }
}

/// A folder with a package and fixtures: a project that needs no compiler, as long as nobody builds it.
fn project(package: &[u8], fixtures: &[(&str, Value)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::create_dir(path.join("build")).unwrap();
    fs::create_dir(path.join("fixtures")).unwrap();
    let text = manifest(package).unwrap();
    let name = text.lines().find_map(|line| line.strip_prefix("name = \"")).unwrap();
    let name = name.trim_end_matches('"').rsplit('/').next().unwrap();
    fs::write(path.join("assize.toml"), &text).unwrap();
    fs::write(path.join("app.c"), "").unwrap();
    fs::write(path.join(format!("build/{name}.wasm")), package).unwrap();
    for (file, fixture) in fixtures {
        fs::write(path.join("fixtures").join(file), fixture.to_string()).unwrap();
    }
    folder
}

fn answering(score: f64, code: &str) -> Value {
    json!({ "do": "answer", "score": score, "findings": [{ "code": code, "severity": "low", "message": "as it was told" }] })
}

#[test]
fn a_fixture_that_does_not_hold_is_shown_with_what_was_expected_and_what_came() {
    let fixtures = [
        (
            "1-holds.json",
            json!({ "name": "told", "settings": answering(3.0, "TOLD"), "expect": { "codes": ["TOLD"], "score_max": 3 } }),
        ),
        (
            "2-fails.json",
            json!({ "name": "a <score> & \"more\"", "settings": answering(3.0, "TOLD"),
                "expect": { "score_min": 4, "codes": ["OTHER"], "not_codes": ["TOLD"] } }),
        ),
        (
            "3-traps.json",
            json!({ "name": "traps", "settings": { "do": "trap" }, "expect": { "failure": "unreachable" } }),
        ),
        (
            "4-refuses.json",
            json!({ "name": "refuses", "settings": { "do": "fail-case" }, "expect": { "failure": "InvalidCase" } }),
        ),
        ("5-unknown.json", json!({ "name": "misspelt", "settings": { "do": "answer" }, "expect": { "scoremin": 4 } })),
        (
            "6-schema.json",
            json!({ "name": "against the schema", "settings": { "do": "nothing" }, "expect": { "score_max": 10 } }),
        ),
        (
            "7-verdict.json",
            json!({ "name": "of another kind", "settings": { "do": "answer" }, "expect": { "verdict": "block" } }),
        ),
        ("8-nothing.json", json!({ "name": "expects nothing", "settings": { "do": "answer" }, "expect": {} })),
    ];
    let folder = project(&guest("hostile"), &fixtures);
    let arguments = ["plugin", "test", "build/hostile.wasm", "--junit", "out/report.xml"];
    let shown = assize_in(folder.path(), &arguments, &[]).expect(1).stdout;
    let expected = [
        "ok    1-holds.json  told",
        "FAIL  2-fails.json",
        "- a score of at least 4\n        + 3 (TOLD)",
        "- OTHER\n        + TOLD",
        "- no TOLD\n        + TOLD",
        "FAIL  3-traps.json",
        "ok    4-refuses.json",
        "unknown field `scoremin`",
        "settings that the manifest's schema takes",
        "expect.verdict: a risk-agent says no such thing, a compliance-rule does",
        "any answer would do",
        "2 fixtures hold, 6 don't",
    ];
    for part in expected {
        assert!(shown.contains(part), "{part:?} isn't in:\n{shown}");
    }
    let junit = fs::read_to_string(folder.path().join("out/report.xml")).unwrap();
    let expected = [
        "<testsuite name=\"test/hostile@1.0.0\" tests=\"8\" failures=\"6\"",
        "name=\"2-fails.json: a &lt;score&gt; &amp; &quot;more&quot;\"",
        "<failure type=\"fixture\" message=\"score_min, codes, not_codes\">score_min\n- a score of at least 4\n+ 3 (TOLD)\n",
    ];
    for part in expected {
        assert!(junit.contains(part), "{part:?} isn't in:\n{junit}");
    }
    assert_eq!(junit.matches("<testcase ").count(), 8);
    assert_eq!(junit.matches("<failure ").count(), 6);
    let report = assize_in(folder.path(), &["plugin", "test", "build/hostile.wasm", "--json"], &[]).expect(1).json();
    assert_eq!((&report["passed"], &report["failed"]), (&json!(2), &json!(6)));
    assert_eq!(
        report["fixtures"][1]["mismatches"][0],
        json!({ "member": "score_min", "expected": "a score of at least 4", "got": "3 (TOLD)" })
    );
}

#[test]
fn without_fixtures_nothing_is_said_to_hold() {
    let folder = project(&guest("hostile"), &[]);
    for command in ["test", "check", "bench"] {
        let output = assize_in(folder.path(), &["plugin", command, "build/hostile.wasm"], &[]).expect(2);
        assert!(output.stderr.contains("holds no fixtures") && output.stderr.contains("--fixtures"), "{output:?}");
    }
}

#[test]
fn a_watched_project_is_tested_again_when_a_fixture_changes() {
    let holds = json!({ "name": "told", "settings": answering(3.0, "TOLD"), "expect": { "codes": ["TOLD"] } });
    let folder = project(&guest("hostile"), &[("word.json", holds)]);
    let mut command = Command::new(binary());
    command.args(["plugin", "test", "--no-build", "--watch", "--junit", "report.xml"]).current_dir(folder.path());
    let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut until =
        |part: &str| lines.find(|line| line.contains(part)).unwrap_or_else(|| panic!("it ended before {part:?}"));
    until("1 fixtures hold");
    until("waiting for a change");
    let fails = json!({ "name": "told", "settings": answering(3.0, "TOLD"), "expect": { "codes": ["OTHER"] } });
    fs::write(folder.path().join("fixtures/word.json"), fails.to_string()).unwrap();
    assert!(until("changed").contains("word.json"));
    until("1 don't");
    until("waiting for a change");
    // What can't be read is no reason to end; what the build leaves, and the report, is no change.
    fs::write(folder.path().join("build/left-over"), "x").unwrap();
    fs::remove_file(folder.path().join("fixtures/word.json")).unwrap();
    assert!(until("changed").contains("word.json"));
    until("holds no fixtures");
    until("waiting for a change");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_package_that_no_host_would_take_is_refused_by_the_check_as_by_a_host() {
    let told = json!({ "name": "nothing", "expect": { "score_max": 10 } });
    let bytes = bundled("assize-technical-1.0.0");
    // It starts without fuel, and then can't even say whether it takes its settings.
    let fuel = manifest(&bytes).unwrap().lines().find(|line| line.starts_with("fuel = ")).unwrap().to_owned();
    let starved = repacked(&bytes, &manifest(&bytes).unwrap().replace(&fuel, "fuel = 1"));
    let folder = project(&starved, &[("told.json", told.clone())]);
    let report = assize_in(folder.path(), &["plugin", "check", "build/technical.wasm", "--json"], &[]).expect(1).json();
    assert_eq!(report["accepted"], false, "{report}");
    let refusal = report["refusal"].as_str().unwrap();
    assert!(refusal.contains("out of fuel"), "{refusal}");
    let server = Server::start(Setup::bare());
    let published = server.admin().publish(&starved);
    let answer = if published.status == 201 {
        server.admin().post("/v1/plugins/assize/technical/1.0.0/activate", &json!({}))
    } else {
        published
    };
    assert!(answer.status == 422 || answer.status == 409, "{answer:?}");
    assert!(String::from_utf8_lossy(&answer.body).contains("out of fuel"), "{answer:?}");

    // What can't be read isn't even tried.
    let cut = project(&bytes, &[("told.json", told)]);
    fs::write(cut.path().join("build/technical.wasm"), &bytes[..bytes.len() / 2]).unwrap();
    let output = assize_in(cut.path(), &["plugin", "check", "build/technical.wasm"], &[]).expect(1);
    assert!(output.stderr.contains("damaged on its way or cut short"), "{output:?}");
}

#[test]
fn a_plugin_that_the_clock_ends_is_named_by_the_check() {
    let endless = json!({ "name": "never ends", "settings": { "do": "loop" }, "expect": { "failure": "anything" } });
    let bytes = guest("hostile");
    let unbounded = repacked(&bytes, &manifest(&bytes).unwrap().replace("fuel = 20_000_000", "fuel = 10_000_000_000"));
    let folder = project(&unbounded, &[("endless.json", endless)]);
    let output = assize_in(folder.path(), &["plugin", "check", "build/hostile.wasm"], &[]);
    let shown = &output.stdout;
    if output.code == 0 {
        // A machine that computes all the fuel that a manifest may ask for within the clock's two seconds.
        assert!(shown.contains("are the same throughout"), "{shown}");
        return;
    }
    for part in ["endless.json: the clock differs", "aborted by the wall clock", "lower limits.fuel", "NOT alike"] {
        assert!(shown.contains(part), "{part:?} isn't in:\n{shown}");
    }
}

#[test]
fn clocks_and_randomness_of_the_host_reach_no_plugin() {
    let asks = json!({ "name": "asks for time and randomness", "expect": { "score_max": 0 } });
    let folder = project(&guest("clock"), &[("asks.json", asks)]);
    let report = assize_in(folder.path(), &["plugin", "check", "build/clock.wasm", "--json"], &[]).expect(0).json();
    assert_eq!((&report["accepted"], &report["replays"]), (&json!(true), &json!(true)), "{report}");
    let inspected = assize_in(folder.path(), &["plugin", "inspect", "build/clock.wasm"], &[]).expect(0).stdout;
    for part in [
        "wasi:clocks/wall-clock@0.2",
        "virtual: stands at the time of the case",
        "virtual: derived from the case",
        "contract",
    ] {
        assert!(inspected.contains(part), "{part:?} isn't in:\n{inspected}");
    }
    let technical = bundled_file("assize-technical-1.0.0");
    let little = assize_in(folder.path(), &["plugin", "inspect", technical.to_str().unwrap()], &[]).expect(0).stdout;
    assert!(little.contains("types of the contract") && !little.contains("wasi:"), "{little}");
}

#[test]
fn a_project_of_the_repository_is_built_from_where_it_stands() {
    let Some(environment) = toolchain("c") else { return };
    let copy = tempfile::tempdir().unwrap();
    let from = workspace().join("plugins/c/repetition");
    for (file, bytes) in contents(&from) {
        let to = copy.path().join(file.strip_prefix(&from).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
    }
    let mut environment = environment;
    environment.push(("ASSIZE", workspace().into()));
    let tested = assize_in(copy.path(), &["plugin", "test"], &environment).expect(0);
    assert!(tested.stdout.contains("7 fixtures hold"), "{tested:?}");
}
