//! One call: deterministic, isolated, limited.

use std::sync::Arc;

use assize_registry::PackageName;
use assize_sandbox::{Call, CallError, Limits, Sandbox, SandboxConfig, Settings, Subject};
use assize_tests::{answer, guest, kit, table_grower};
use serde_json::{Value, json};

use crate::{GUESTS, Loaded, RUNTIME, SANDBOX, case, limits, load};

/// Everything of a call that must be the same whenever it is repeated.
pub(crate) fn trace<T>(call: &Call<T>) -> String {
    let output = call.output.as_ref().map(|output| (output.json.get().to_owned(), output.hash));
    let error = call.result.as_ref().err().map(CallError::to_string);
    format!("{output:?} {error:?} {} {} {:?} {}", call.fuel, call.peak_memory, call.log, call.log_dropped)
}

#[test]
fn a_call_repeated_in_any_sandbox_gives_the_same_answer_for_the_same_fuel() {
    let deeds = [
        json!({ "do": "answer", "score": 3.3, "confidence": 0.1 }),
        json!({ "do": "loop" }),
        json!({ "do": "fill" }),
        json!({ "do": "recurse" }),
        json!({ "do": "allocate" }),
        json!({ "do": "grow-memory" }),
        json!({ "do": "flood-log" }),
        json!({ "do": "trap" }),
        json!({ "do": "panic" }),
        json!({ "do": "fail" }),
        json!({ "do": "nan" }),
        json!({ "do": "flood-findings" }),
        json!({ "do": "deep-attributes" }),
    ];
    let other = Sandbox::new(SandboxConfig { slots: 2, ..SandboxConfig::default() }).unwrap();
    let here = &GUESTS[&"test/hostile".parse::<PackageName>().unwrap()];
    let there = load(&other, &guest("hostile"));
    let limits = limits(&here.package);
    for deed in deeds {
        let settings = Settings::parse(&deed.to_string()).unwrap();
        let subject = Arc::new(Subject::new(case(&json!({ "prompt": "Hello" }))));
        let once = RUNTIME.block_on(here.plugin.assess(&settings, &subject, &limits));
        assert!(!matches!(once.result, Err(CallError::Aborted(_) | CallError::Host(_))), "{deed}: {:?}", once.result);
        let first = trace(&once);
        // Many at once, so that instances of the pool are used again, and by other threads.
        let again: Vec<_> = (0..24)
            .map(|n| {
                let plugin = Arc::clone(if n % 2 == 0 { &here.plugin } else { &there.plugin });
                let (settings, subject) = (settings.clone(), Arc::clone(&subject));
                RUNTIME.spawn(async move { trace(&plugin.assess(&settings, &subject, &limits).await) })
            })
            .collect();
        for call in again {
            assert_eq!(RUNTIME.block_on(call).unwrap(), first, "{deed}");
        }
    }
}

#[test]
fn an_instance_knows_nothing_of_the_calls_before_it() {
    let hostile = &GUESTS[&"test/hostile".parse::<PackageName>().unwrap()];
    let limits = limits(&hostile.package);
    let subject = Subject::new(case(&json!({ "prompt": "Hello" })));
    let call = |settings: &Value| {
        let settings = Settings::parse(&settings.to_string()).unwrap();
        trace(&RUNTIME.block_on(hostile.plugin.assess(&settings, &subject, &limits)))
    };
    let fresh = call(&answer(1.0));
    for deed in ["fill", "allocate", "grow-memory", "flood-findings", "trap", "recurse", "loop"] {
        call(&json!({ "do": deed }));
        assert_eq!(call(&answer(1.0)), fresh, "after {deed}");
    }
}

#[test]
fn a_limit_holds_to_the_unit() {
    let hostile = &GUESTS[&"test/hostile".parse::<PackageName>().unwrap()];
    let subject = Subject::new(case(&json!({ "prompt": "Hello" })));
    let settings = Settings::parse(&answer(1.0).to_string()).unwrap();
    let assess = |limits: &Limits| RUNTIME.block_on(hostile.plugin.assess(&settings, &subject, limits));
    let free = assess(&Limits::default());
    assert!(free.result.is_ok());
    assert!(assess(&Limits { fuel: free.fuel, ..Limits::default() }).result.is_ok());
    // Fuel is looked at where functions begin and loops turn, so the last stretch may go a little beyond.
    let starved = assess(&Limits { fuel: free.fuel * 3 / 4, ..Limits::default() });
    assert!(matches!(starved.result, Err(CallError::OutOfFuel(_))), "{:?}", starved.result);
    assert!(assess(&Limits { memory_bytes: free.peak_memory, ..Limits::default() }).result.is_ok());
    assert!(assess(&Limits { memory_bytes: free.peak_memory - 1, ..Limits::default() }).result.is_err());
    let size = free.output.unwrap().json.get().len() as u64;
    assert!(assess(&Limits { output_bytes: size, ..Limits::default() }).result.is_ok());
    let cut = assess(&Limits { output_bytes: size - 1, ..Limits::default() });
    assert!(matches!(cut.result, Err(CallError::BadOutput(_))), "{:?}", cut.result);
}

#[test]
fn the_wall_clock_ends_a_call_only_as_the_last_resort_and_says_so() {
    let hostile = &GUESTS[&"test/hostile".parse::<PackageName>().unwrap()];
    let subject = Subject::new(case(&json!({})));
    let settings = Settings::parse(r#"{"do":"loop"}"#).unwrap();
    let endless = Limits { fuel: u64::MAX, wall_ms: 50, ..Limits::default() };
    let call = RUNTIME.block_on(hostile.plugin.assess(&settings, &subject, &endless));
    assert!(matches!(call.result, Err(CallError::Aborted(50))), "{:?}", call.result);
}

#[test]
fn a_table_grows_to_its_limit_and_no_further() {
    let grower = load(&SANDBOX, &table_grower());
    let subject = Subject::new(case(&json!({})));
    let settings = Settings::parse("{}").unwrap();
    let own = limits(&grower.package);
    // The guest itself traps if it gets more than 20,000 elements.
    let call = RUNTIME.block_on(grower.plugin.assess(&settings, &subject, &own));
    assert_eq!(call.result.as_ref().unwrap().findings, [], "{call:?}");
    let generous = Limits { table_elements: 40_000, ..own };
    let call = RUNTIME.block_on(grower.plugin.assess(&settings, &subject, &generous));
    assert!(matches!(call.result, Err(CallError::OutOfMemory("tables"))), "{call:?}");
}

#[test]
fn a_guest_that_asks_for_time_and_chance_gets_the_cases() {
    let bytes = guest("clock");
    let other = Sandbox::new(SandboxConfig { slots: 2, ..SandboxConfig::default() }).unwrap();
    let (here, there) = (load(&SANDBOX, &bytes), load(&other, &bytes));
    let settings = Settings::parse("{}").unwrap();
    let subject = |id: &str| {
        let mut case = case(&json!({ "prompt": "what time is it" }));
        case.id = id.to_owned();
        Subject::new(case)
    };
    let (one, two) = (subject("01900000-0000-7000-8000-000000000001"), subject("01900000-0000-7000-8000-000000000002"));
    let assess = |guest: &Loaded, subject: &Subject| {
        RUNTIME.block_on(guest.plugin.assess(&settings, subject, &limits(&guest.package)))
    };
    let first = assess(&here, &one);
    let seen: Value = serde_json::from_str(first.result.as_ref().unwrap().attributes.get()).unwrap();
    assert_eq!(seen["milliseconds"], one.case().occurred_at.as_millis(), "the clock is the case's");
    assert_eq!(seen["environment"], 0, "{seen}");
    assert_eq!(seen["arguments"], 0, "{seen}");
    assert_eq!(first.log[0].message, "a line on standard output");
    // Whenever and wherever it is repeated.
    for guest in [&here, &there] {
        assert_eq!(trace(&assess(guest, &one)), trace(&first));
    }
    let different: Value = serde_json::from_str(assess(&here, &two).result.unwrap().attributes.get()).unwrap();
    assert_ne!(different["random"], seen["random"], "chance follows from the case");
}

#[test]
fn the_world_of_a_languages_runtime_is_the_cases_and_empty_besides() {
    for language in ["python", "typescript", "go"] {
        let Some(bytes) = kit(&format!("test-same-{language}-1.0.0")) else { continue };
        let other = Sandbox::new(SandboxConfig { slots: 2, ..SandboxConfig::default() }).unwrap();
        let (here, there) = (load(&SANDBOX, &bytes), load(&other, &bytes));
        let settings = Settings::parse(r#"{"world":true}"#).unwrap();
        let subject = Subject::new(case(&json!({ "prompt": "what time is it" })));
        let assess =
            |guest: &Loaded| RUNTIME.block_on(guest.plugin.assess(&settings, &subject, &limits(&guest.package)));
        let first = assess(&here);
        let attributes = &first.result.as_ref().unwrap_or_else(|error| panic!("{language}: {error}")).attributes;
        let seen: Value = serde_json::from_str(attributes.get()).unwrap();
        println!("{language}: {seen}");
        assert_eq!(seen["milliseconds"], subject.case().occurred_at.as_millis(), "the clock is the case's");
        assert!(first.log.iter().any(|line| line.message == "a line in the log"), "{language}: {:?}", first.log);
        for name in ["environment", "arguments"] {
            assert!(seen[name].is_null() || seen[name] == 0 || (name == "arguments" && seen[name] == 1), "{seen}");
        }
        for name in ["file", "written", "folder", "tcp", "udp", "name", "process"] {
            let told = seen[name].as_str().unwrap_or_default();
            assert!(!told.starts_with("allowed"), "{language}: {name} is {told}");
        }
        // Whenever and wherever it is repeated, instances of the pool used again included.
        for guest in [&here, &there, &here, &there, &here] {
            assert_eq!(trace(&assess(guest)), trace(&first), "{language}");
        }
    }
}
